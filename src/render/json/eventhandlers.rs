//! Event handlers as JSON.

use serde::Serialize;

use super::value::{JsonNumber, JsonPointer, JsonText, OrError};
use crate::addr::VirtAddr;
use crate::views::eventhandlers::VnetHandler;

/// An event handler that is called for each vnet.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonHandler<'a> {
    event: OrError<'a, JsonText<'a>>,
    address: VirtAddr,
    priority: OrError<'a, JsonNumber>,
    dead: bool,
    function: OrError<'a, JsonPointer<'a>>,
    argument: OrError<'a, JsonPointer<'a>>,
}

impl<'a> From<&'a VnetHandler> for JsonHandler<'a> {
    fn from(handler: &'a VnetHandler) -> Self {
        Self {
            event: OrError::new(&handler.event),
            address: handler.address,
            priority: OrError::new(&handler.priority),
            dead: handler.is_dead(),
            function: OrError::new(&handler.function),
            argument: OrError::new(&handler.argument),
        }
    }
}
