//! What the kernel did, in the order in which it did it.
//!
//! Memory shows how things ended; some of the kernel's rules are about order: which constructor
//! ran before which, when the state was set, when a stack went on the list. Every operation of
//! the runtime notes such events, so that a test can compare them with the rules.

use super::scope::Vnet;
use super::{Runtime, SysinitKind};

/// One thing that the kernel did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// vnet_alloc has allocated and filled the stack's data.
    Allocated(Vnet),
    /// `vnet_state` was set.
    State { vnet: Vnet, state: u64 },
    /// A constructor or destructor was called; without VIMAGE `vnet` is `None`.
    Called { kind: SysinitKind, function: String, vnet: Option<Vnet> },
    /// The stack went on the list of all stacks.
    Linked(Vnet),
    /// The stack was taken off the list.
    Unlinked(Vnet),
    /// `vnet_shutdown` was set, in kernels that have it.
    Shutdown(Vnet),
    /// The stack's data was freed, and its magic overwritten.
    Poisoned(Vnet),
    /// An event handler was called, for each stack if it is a global one.
    Handler { event: String, function: String, vnet: Option<Vnet> },
}

impl Runtime {
    /// All that happened since the machine was switched on, or since [`Runtime::take_trace`].
    pub fn trace(&self) -> &[Event] {
        &self.trace
    }

    /// The same, and starts over.
    pub fn take_trace(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.trace)
    }

    /// Notes that a constructor or destructor is called.
    pub(super) fn note_call(&mut self, kind: SysinitKind, function: &str, vnet: Option<Vnet>) {
        self.note(Event::Called { kind, function: function.to_owned(), vnet });
    }

    pub(super) fn note(&mut self, event: Event) {
        self.trace.push(event);
    }
}
