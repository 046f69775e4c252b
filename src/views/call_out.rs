//! Something in the kernel's own state that a sound kernel does not have.

use serde::Serialize;

use crate::addr::VirtAddr;

/// Something in the kernel's own state that a sound kernel does not have. What cannot be read is
/// never one: it is a [`Problem`](crate::walk::Problem) of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallOut {
    /// A short name for scripts, the same in all releases: `wrong-list`.
    pub what: &'static str,
    /// The address of what is wrong.
    #[serde(rename = "where")]
    pub at: Option<VirtAddr>,
    /// What is wrong, a sentence without a full stop.
    pub why: Box<str>,
}

impl CallOut {
    /// A call-out about what lies at `at`.
    pub fn new(
        what: &'static str,
        at: impl Into<Option<VirtAddr>>,
        why: impl Into<Box<str>>,
    ) -> Self {
        Self { what, at: at.into(), why: why.into() }
    }
}
