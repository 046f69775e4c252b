//! Why there may be vnets that nothing leads to, which only a search of all memory
//! finds.
//!
//! vnet_alloc links a vnet when all its constructors have run, and vnet_destroy unlinks it
//! before the first destructor does; the jail that it belongs to points at it only between
//! (`kern_jail_set` and `prison_deref`, `sys/kern/kern_jail.c`). Whoever is in them, or holds a
//! lock that they take, may have one in hand.

use std::fmt;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::threads::stack::{Call, Stack};
use crate::threads::{self, Thread, ThreadName};
use crate::vnet::locks::{Guards, Holder, VnetLock};
use crate::walk::Problems;

/// A reason to search memory for vnets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MayHide {
    /// Without types nothing but the list leads to vnets.
    NoTypes,
    /// A lock is held that is taken while a vnet is created or destroyed.
    Held {
        /// The kernel's name for it: `vnet_sxlock`.
        lock: &'static str,
    },
    /// A thread is creating or destroying a vnet. If not `certain`, only a word on its stack says
    /// so, which an earlier call may have left there.
    Inside {
        /// The thread.
        thread: ThreadName,
        /// `vnet_alloc` or `vnet_destroy`.
        function: &'static str,
        /// A chain of frames leads into the function.
        certain: bool,
    },
}

const FUNCTIONS: [&str; 2] = ["vnet_alloc", "vnet_destroy"];

impl MayHide {
    /// All reasons, those of threads first.
    #[must_use]
    pub fn reasons(target: &Target) -> Vec<Self> {
        if target.types().is_err() {
            return vec![Self::NoTypes];
        }
        // The answer that this is a hint to has the problems of the lists of threads.
        let threads = threads::all(target).map(|walk| walk.take(&mut Problems::default()));
        let functions = FUNCTIONS.map(|name| (name, start_of(target, name)));
        let threads = threads.unwrap_or_default();
        let mut reasons: Vec<Self> =
            threads.iter().filter_map(|thread| inside(target, thread, &functions)).collect();
        // A certain reason goes before an uncertain one.
        reasons.sort_by_key(|reason| matches!(reason, Self::Inside { certain: false, .. }));
        let locks = VnetLock::all(target).unwrap_or_default();
        reasons.extend(
            locks.iter().filter(|lock| is_held(lock)).map(|lock| Self::Held { lock: lock.name }),
        );
        reasons
    }
}

fn start_of(target: &Target, name: &str) -> Option<VirtAddr> {
    target.kernel().symbol(name).map(|symbol| symbol.address)
}

fn inside(
    target: &Target,
    thread: &Thread<'_>,
    functions: &[(&'static str, Option<VirtAddr>)],
) -> Option<MayHide> {
    let stack = Stack::of(&thread.thread).ok()?;
    let function = |call: &Call| {
        let start = Stack::function(target, call)?;
        functions.iter().find(|(_, known)| *known == Some(start)).map(|(name, _)| *name)
    };
    let certain = stack.calls.iter().find_map(function);
    let function = certain.or_else(|| stack.words.iter().find_map(function))?;
    Some(MayHide::Inside { thread: thread.name(), function, certain: certain.is_some() })
}

fn is_held(lock: &VnetLock) -> bool {
    let guards = matches!(lock.guards, Guards::List | Guards::Sysinits);
    let holder = lock.state.as_ref().map(|state| state.holder);
    guards && matches!(holder, Ok(Holder::Shared { .. } | Holder::Exclusive { .. }))
}

impl fmt::Display for MayHide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTypes => f.write_str("without types, only the list leads to vnets"),
            Self::Held { lock } => write!(f, "{lock} is held"),
            Self::Inside { thread, function, certain: true } => {
                write!(f, "{thread} is in {function}")
            }
            Self::Inside { thread, function, certain: false } => {
                write!(f, "{thread} may be in {function}")
            }
        }
    }
}
