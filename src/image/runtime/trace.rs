//! What the kernel did, in order.
//!
//! Memory shows the result; some of the kernel's rules are about order: which constructor
//! ran first, when the state was set, when a stack was put on the list. Every operation of
//! the runtime records such events, so that a test can compare them with the rules.

use super::scope::Vnet;
use super::{Runtime, SysinitKind};

/// One thing that the kernel did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// vnet_alloc has allocated and filled the stack's data.
    Allocated(Vnet),
    /// `vnet_state` was set.
    State {
        /// The stack.
        vnet: Vnet,
        /// The new value.
        state: u64,
    },
    /// A constructor or destructor was called.
    Called {
        /// Which of the two.
        kind: SysinitKind,
        /// Its symbol.
        function: String,
        /// The stack it was called for; `None` without VIMAGE.
        vnet: Option<Vnet>,
    },
    /// The stack went on the list of all stacks.
    Linked(Vnet),
    /// The stack was taken off the list.
    Unlinked(Vnet),
    /// `vnet_shutdown` was set, in kernels that have it.
    Shutdown(Vnet),
    /// The stack's data was freed, and its magic overwritten.
    Poisoned(Vnet),
    /// An event handler was called. A global one is called for each stack.
    Handler {
        /// The name of the event.
        event: String,
        /// The symbol of the handler.
        function: String,
        /// The stack in curvnet; `None` for a handler that is not global.
        vnet: Option<Vnet>,
    },
}

impl Runtime {
    /// Everything that happened since boot, or since [`Runtime::take_trace`].
    pub fn trace(&self) -> &[Event] {
        &self.trace
    }

    /// Returns the trace and starts a new one.
    pub fn take_trace(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.trace)
    }

    /// Records that a constructor or destructor is called.
    pub(super) fn note_call(&mut self, kind: SysinitKind, function: &str, vnet: Option<Vnet>) {
        self.note(Event::Called { kind, function: function.to_owned(), vnet });
    }

    pub(super) fn note(&mut self, event: Event) {
        self.trace.push(event);
    }
}
