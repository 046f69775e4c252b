//! `eventhandlers`: what is called once for each vnet when something happens.

use serde::Serialize;

use super::{Cell, Column, Element, List, Medium, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::Session;
use crate::value::model::{PointerValue, ValueError};
use crate::value::serialize::or_error;
use crate::views::eventhandlers::{VnetHandler, VnetHandlers};

/// An event handler that is called for each vnet.
#[derive(Debug, Clone, Serialize)]
pub struct Handler {
    /// The name of the event: `ifnet_arrival_event`.
    #[serde(serialize_with = "or_error")]
    pub event: Result<Box<str>, ValueError>,
    /// Of its entry in the list.
    pub address: VirtAddr,
    /// Handlers with lower numbers are called first.
    #[serde(serialize_with = "or_error")]
    pub priority: Result<i64, ValueError>,
    /// It is being removed, and is not called any more.
    pub dead: bool,
    /// What is called in each vnet.
    #[serde(serialize_with = "or_error")]
    pub function: Result<PointerValue, ValueError>,
    /// What the function gets as its first argument.
    #[serde(serialize_with = "or_error")]
    pub argument: Result<PointerValue, ValueError>,
}

/// The handlers of these events, or of all.
///
/// # Errors
/// The kernel is not the dump's, or has no VIMAGE, no such lists or no debug information.
pub fn eventhandlers(session: &Session, names: &[String]) -> Result<List<'static, Handler>, Error> {
    let all = VnetHandlers::read(session.matching_target()?, &session.unloaded())?;
    // A name that cannot be read may be any.
    let is_wanted = |handler: &&VnetHandler| match &handler.event {
        Ok(_) => names.is_empty() || names.iter().any(|name| is_of(handler, name)),
        Err(_) => true,
    };
    let wanted: Vec<&VnetHandler> = all.handlers.iter().filter(is_wanted).collect();
    let is_missed = |name: &&String| !wanted.iter().any(|handler| is_of(handler, name));
    let missed = names.iter().filter(|name| !wanted.is_empty() && is_missed(name));
    let remarks =
        missed.map(|name| Remark::Warning(none(&all, std::slice::from_ref(name)))).collect();
    let handlers: Vec<Handler> = wanted.into_iter().map(Handler::from).collect();
    let unknown = handlers.is_empty() && !all.problems.is_empty();
    let list = List::new(columns(), handlers).or_nothing(|| none(&all, names));
    Ok(List { remarks, unknown, problems: all.problems, ..list })
}

fn columns() -> Vec<Column> {
    vec![
        Column::left("EVENT"),
        Column::right("PRIORITY"),
        Column::left("FUNCTION"),
        Column::left("ARGUMENT"),
        Column::left("ENTRY"),
    ]
}

fn is_of(handler: &VnetHandler, name: &str) -> bool {
    handler.event.as_ref().is_ok_and(|event| **event == *name)
}

/// Why there are no such handlers.
fn none(all: &VnetHandlers, names: &[String]) -> String {
    match (names, all.registered) {
        _ if !all.problems.is_empty() => {
            "it is unknown whether there are such handlers: their lists cannot be read completely"
                .to_owned()
        }
        ([], 0) => "the kernel has no event handlers at all".to_owned(),
        ([], count) => {
            format!("none of the kernel's {count} event handlers is called for each vnet")
        }
        (names, _) => format!("no handler of {} is called for each vnet", names.join(" or ")),
    }
}

impl From<&VnetHandler> for Handler {
    fn from(handler: &VnetHandler) -> Self {
        let dead = handler.is_dead();
        let VnetHandler { event, address, priority, function, argument, .. } = handler.clone();
        Self { event, address, priority, dead, function, argument }
    }
}

impl Element for Handler {
    const ARRAY: &'static str = "eventhandlers";

    fn unreadable(&self) -> usize {
        let Self { event, priority, function, argument, .. } = self;
        let errors = [event.is_err(), priority.is_err(), function.is_err(), argument.is_err()];
        usize::from(errors.contains(&true))
    }
}

impl Row for Handler {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let priority = match &self.priority {
            Ok(_) if self.dead => "dead".into(),
            priority => Cell::read(priority, |priority| (*priority).into()),
        };
        vec![vec![
            Cell::read(&self.event, |event| (&**event).into()),
            priority,
            Cell::read(&self.function, Cell::Pointer),
            Cell::read(&self.argument, Cell::Pointer),
            self.address.into(),
        ]]
    }
}
