//! A list by its name, and what can be wrong with it.

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::object::Object;
use crate::walk::{Problem, Why};

/// A list as people call it, for when something is wrong with it.
#[derive(Debug, Clone, Copy)]
pub struct List<'a> {
    /// `allprison`, `the threads of process 812`.
    pub name: &'a str,
    /// What is on it: `prison`, `interface`.
    pub element: &'a str,
}

impl List<'_> {
    /// The problem of this list that shows at `at`.
    #[must_use]
    pub fn problem(&self, at: VirtAddr, why: Why) -> Problem {
        Problem { what: self.name.into(), at: Some(at), why }
    }

    /// The same where an element is there and cannot be read: the list goes on.
    #[must_use]
    pub fn element(&self, at: VirtAddr, why: ReadError) -> Problem {
        self.problem(at, Why::Element { element: self.element.into(), why: why.into() })
    }

    /// The same where the list ends at `at`, because that or what it leads to cannot be read.
    #[must_use]
    pub fn unreadable(&self, at: VirtAddr, why: ReadError) -> Problem {
        self.problem(at, Why::Unreadable { element: self.element.into(), why: why.into() })
    }

    /// Is the element memory that the kernel still uses?
    pub(in crate::value) fn check(&self, element: &Object<'_>) -> Result<(), Problem> {
        let at = element.address;
        element.check_freed().map_err(|fault| self.unreadable(at, fault.into()))
    }
}
