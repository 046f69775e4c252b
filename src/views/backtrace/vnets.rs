//! In which vnet each call works.
//!
//! The innermost call works in the thread's curvnet. A function with CURVNET_SET keeps the older
//! curvnet in a variable; the calls outside of it work in that.

use crate::addr::VirtAddr;
use crate::value::Object;
use crate::value::model::{ErrorKind, ValueError};
use crate::views::backtrace::arguments::SavedVnet;

/// The vnet of the present call, on the way outwards.
pub(super) struct Vnets {
    current: Result<Option<VirtAddr>, ValueError>,
}

impl Vnets {
    /// At the innermost call of `thread`.
    pub fn of(thread: &Object<'_>) -> Self {
        let current = match thread.has("td_vnet") {
            true => thread.pointer("td_vnet").map(VirtAddr::non_null).map_err(ValueError::from),
            false => Ok(None),
        };
        Self { current }
    }

    /// The vnet of the present call.
    pub fn current(&self) -> Result<Option<VirtAddr>, ValueError> {
        self.current.clone()
    }

    /// Goes on to the caller of a function that saved this.
    pub fn leave(&mut self, saved: SavedVnet) {
        match saved {
            SavedVnet::None => {}
            SavedVnet::Known(vnet) => self.current = Ok(vnet.non_null()),
            SavedVnet::Unknown => self.current = self.unknown(),
        }
    }

    /// The vnet of a call of which nothing is known.
    pub fn unknown(&self) -> Result<Option<VirtAddr>, ValueError> {
        Err(ValueError {
            kind: ErrorKind::OptimisedOut,
            address: None,
            message: "the place of saved_vnet is not known".into(),
        })
    }
}
