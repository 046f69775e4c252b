//! What the tables are about.

use std::path::Path;

use crate::answers::info::Overview;
use crate::answers::{info, info_of_dump};
use crate::dump::Core;
use crate::error::Error;
use crate::session::Session;

/// What the tables are about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'s> {
    /// A dump with its kernel.
    Session(&'s Session),
    /// A dump without its kernel.
    Dump {
        /// The dump.
        core: &'s Core,
        /// Its file.
        path: &'s Path,
        /// Why there is no session.
        why: &'s Error,
    },
    /// A file of which nothing is known.
    Unreadable {
        /// The file.
        path: &'s Path,
        /// Why it cannot be read.
        why: &'s Error,
    },
}

impl Subject<'_> {
    /// The file of the dump.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Session(session) => session.core_path(),
            Self::Dump { path, .. } | Self::Unreadable { path, .. } => path,
        }
    }

    /// What is known of the dump as a whole; `None` if nothing is.
    #[must_use]
    pub fn overview(&self) -> Option<Overview> {
        match self {
            Self::Session(session) => Some(info(session).overview.with_time(session)),
            Self::Dump { core, path, why } => {
                Some(info_of_dump(core, path, Vec::new(), why).overview)
            }
            Self::Unreadable { .. } => None,
        }
    }
}
