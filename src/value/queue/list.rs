//! The name of a list, and the problems that a walk of it can have.

use std::fmt;

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::object::Object;
use crate::walk::{Problem, Why};

/// What people call a list, for messages about it.
#[derive(Clone, Copy)]
pub struct List<'a> {
    /// `allprison`, `the threads of process 812`. Nearly every list is sound, so it becomes words only when
    /// something is wrong.
    pub name: &'a dyn fmt::Display,
    /// What is on it: `prison`, `interface`.
    pub element: &'a str,
}

impl List<'_> {
    /// Its name, as what a problem is about.
    #[must_use]
    pub fn what(&self) -> Box<str> {
        self.name.to_string().into()
    }

    /// A problem of this list at `at`.
    #[must_use]
    pub fn problem(&self, at: VirtAddr, why: Why) -> Problem {
        Problem { what: self.what(), at: Some(at), why }
    }

    /// The same for an element that exists but cannot be read: the walk continues.
    #[must_use]
    pub fn element(&self, at: VirtAddr, why: ReadError) -> Problem {
        self.problem(at, Why::Element { element: self.element.into(), why: why.into() })
    }

    /// The same where the walk ends at `at`, because that or its successor cannot be read.
    #[must_use]
    pub fn unreadable(&self, at: VirtAddr, why: ReadError) -> Problem {
        self.problem(at, Why::Unreadable { element: self.element.into(), why: why.into() })
    }

    /// Checks that the element is not freed.
    pub(in crate::value) fn check(&self, element: &Object<'_>) -> Result<(), Problem> {
        let at = element.address;
        element.check_freed().map_err(|fault| self.unreadable(at, fault.into()))
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, list of {}", self.name, self.element)
    }
}
