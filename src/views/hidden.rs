//! Why there may be vnets that nothing leads to, which only a search of all memory
//! finds.
//!
//! vnet_alloc links a vnet when all its constructors have run, and vnet_destroy unlinks it
//! before the first destructor does; the jail that it belongs to points at it only between
//! (`kern_jail_set` and `prison_deref`, `sys/kern/kern_jail.c`). Whoever is in them, or holds a
//! lock that they take, may have one in hand.

use std::fmt;

use crate::target::Target;
use crate::threads::Thread;
use crate::value::lock_word::Holder;
use crate::views::inside::{Functions, Inside};
use crate::vnet::locks::{Guards, VnetLock};

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
    /// A thread is creating or destroying a vnet, or may be.
    Inside(Inside),
}

const FUNCTIONS: [&str; 2] = ["vnet_alloc", "vnet_destroy"];

impl MayHide {
    /// All reasons, those of `threads`, which are all of the dump, first.
    #[must_use]
    pub(crate) fn reasons(target: &Target, threads: &[Thread<'_>]) -> Vec<Self> {
        if target.types().is_err() {
            return vec![Self::NoTypes];
        }
        let inside = Functions::named(target, FUNCTIONS).threads(threads);
        let mut reasons: Vec<Self> = inside.into_iter().map(Self::Inside).collect();
        let locks = VnetLock::all(target).unwrap_or_default();
        reasons.extend(
            locks.iter().filter(|lock| is_held(lock)).map(|lock| Self::Held { lock: lock.name }),
        );
        reasons
    }
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
            Self::Inside(inside) => inside.fmt(f),
        }
    }
}
