//! The locks of the VNET machinery, and what their words say.
//!
//! What: `vnet_rwlock` and `vnet_sxlock`, both of which a writer of the list of vnets
//! holds and either of which a reader holds; `vnet_sysinit_sxlock` of the constructors
//! and destructors; `vnet_data_free_lock` of module space (`sys/net/vnet.c`). Only those
//! that the kernel has are read.
//!
//! How: one word says who holds a lock and who waits for it. Its bits are macros of
//! the kernel's source and are in `constants`.

use crate::addr::VirtAddr;
use crate::constants::*;
use crate::target::{ReadError, Target};
use crate::value::model::ValueError;
use crate::value::{Object, freed};
use crate::vnet::VnetError;

/// A lock as the dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetLock {
    /// The kernel's variable: `vnet_rwlock`.
    pub name: &'static str,
    /// What may change only while it is held.
    pub guards: Guards,
    /// The address of its struct rwlock or struct sx.
    pub address: Option<VirtAddr>,
    /// Its word, decoded, or why that cannot be read.
    pub state: Result<LockState, ValueError>,
}

/// What a lock protects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guards {
    /// The list of vnets.
    List,
    /// The lists of constructors and destructors.
    Sysinits,
    /// The free list of module space.
    ModuleSpace,
}

/// What the word of a lock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockState {
    /// Which kind of lock it is, and so what the bits of `word` mean.
    pub kind: LockKind,
    /// `rw_lock` or `sx_lock`, as it is in memory.
    pub word: u64,
    /// Who holds it.
    pub holder: Holder,
    /// Threads sleep until they can read.
    pub shared_waiters: bool,
    /// Threads sleep until they can write.
    pub exclusive_waiters: bool,
    /// A writer spins for it, which blocks new readers.
    pub spinner: bool,
    /// Its owner has taken it more than once.
    pub recursed: bool,
}

/// The kind of a kernel lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// rwlock(9)
    Rwlock,
    /// sx(9)
    Sx,
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// It is free.
    Nobody,
    /// Threads hold it for reading; the word does not say which.
    Shared {
        /// How many.
        readers: u64,
    },
    /// The struct thread at this address.
    Exclusive {
        /// Its address, from the lock's word.
        thread: VirtAddr,
    },
    /// It was destroyed, so nobody can hold it.
    Destroyed,
    /// The kernel has not initialised it yet: an initialised lock is never 0.
    NotYet,
    /// The word is not one that a lock can have.
    Nonsense,
}

const LOCKS: [(&str, Guards); 4] = [
    ("vnet_rwlock", Guards::List),
    ("vnet_sxlock", Guards::List),
    ("vnet_sysinit_sxlock", Guards::Sysinits),
    ("vnet_data_free_lock", Guards::ModuleSpace),
];

impl VnetLock {
    /// Reads the locks that this kernel has.
    ///
    /// # Errors
    /// The kernel has no VIMAGE.
    pub fn all(target: &Target) -> Result<Vec<Self>, VnetError> {
        if target.kernel().set_vnet().is_none() {
            return Err(VnetError::without_set(target.kernel()));
        }
        let known = LOCKS.into_iter().filter(|(name, _)| target.kernel().symbol(name).is_some());
        Ok(known.map(|(name, guards)| Self::read(target, name, guards)).collect())
    }

    fn read(target: &Target, name: &'static str, guards: Guards) -> Self {
        let address = target.kernel().symbol(name).map(|symbol| symbol.address);
        Self { name, guards, address, state: LockState::of(target, name).map_err(ValueError::from) }
    }
}

impl LockState {
    /// The struct thread that holds it exclusively.
    #[must_use]
    pub fn exclusive_holder(&self) -> Option<VirtAddr> {
        match self.holder {
            Holder::Exclusive { thread } => Some(thread),
            _ => None,
        }
    }

    /// What the word of the rwlock or sx of that name says.
    ///
    /// # Errors
    /// The kernel has no such lock, or no debug information about it, or it cannot be read.
    pub fn of(target: &Target, name: &str) -> Result<Self, ReadError> {
        let lock = Object::global(target, name)?;
        let (kind, member) = match lock.has("rw_lock") {
            true => (LockKind::Rwlock, "rw_lock"),
            false => (LockKind::Sx, "sx_lock"),
        };
        freed::check_word(target.memory(), lock.member(member)?.address)?;
        Ok(Self::decode(kind, lock.uint(member)?, target.integer("osreldate")?))
    }

    /// Decodes `word` as a kernel of this `osreldate` would.
    #[must_use]
    pub fn decode(kind: LockKind, word: u64, osreldate: u64) -> Self {
        let flags = match kind {
            _ if osreldate >= LOCK_FLAGS_SINCE => LOCK_FLAGS,
            LockKind::Rwlock => OLD_RW_FLAGS,
            LockKind::Sx => OLD_SX_FLAGS,
        };
        let has = |flag: u64| word & flag != 0;
        let (value, owner) = (word >> flags.count, word >> flags.count << flags.count);
        let holder = match (has(LOCK_SHARED), value) {
            _ if word == LOCK_DESTROYED => Holder::Destroyed,
            _ if word == 0 => Holder::NotYet,
            (true, 0) => Holder::Nobody,
            (true, readers) => Holder::Shared { readers },
            (false, 0) => Holder::Nonsense,
            (false, _) => Holder::Exclusive { thread: VirtAddr::new(owner) },
        };
        let waits = |flag| has(flag) && holder != Holder::Destroyed;
        Self {
            kind,
            word,
            holder,
            shared_waiters: waits(LOCK_SHARED_WAITERS),
            exclusive_waiters: waits(LOCK_EXCLUSIVE_WAITERS),
            spinner: has(flags.spinner),
            recursed: has(flags.recursed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: u64 = 1_004_000;
    const NEW: u64 = 1_201_000;
    const THREAD: u64 = 0xffff_f800_0123_4560;

    fn holder(kind: LockKind, word: u64, osreldate: u64) -> Holder {
        LockState::decode(kind, word, osreldate).holder
    }

    #[test]
    fn readers_are_counted_above_the_flags() {
        for kind in [LockKind::Rwlock, LockKind::Sx] {
            assert_eq!(holder(kind, 0x61, NEW), Holder::Shared { readers: 3 });
            assert_eq!(holder(kind, 0x31, OLD), Holder::Shared { readers: 3 });
            for release in [OLD, NEW] {
                assert_eq!(holder(kind, 1, release), Holder::Nobody);
                assert_eq!(holder(kind, 6, release), Holder::Destroyed);
                assert_eq!(holder(kind, 0, release), Holder::NotYet);
                assert_eq!(holder(kind, 4, release), Holder::Nonsense);
            }
        }
    }

    #[test]
    fn a_writer_is_the_address_of_a_thread() {
        let thread = VirtAddr::new(THREAD);
        let new = LockState::decode(LockKind::Sx, THREAD | 0x1e, NEW);
        assert_eq!(new.holder, Holder::Exclusive { thread });
        assert!(new.shared_waiters && new.exclusive_waiters && new.spinner && new.recursed);
        // Older threads may lie at any multiple of 16.
        let thread = VirtAddr::new(THREAD | 0x10);
        let rw = LockState::decode(LockKind::Rwlock, THREAD | 0x1a, OLD);
        let sx = LockState::decode(LockKind::Sx, THREAD | 0x1c, OLD);
        assert_eq!(
            (rw.holder, sx.holder),
            (Holder::Exclusive { thread }, Holder::Exclusive { thread })
        );
        assert_eq!((rw.spinner, rw.recursed, rw.shared_waiters), (true, false, true));
        assert_eq!((sx.spinner, sx.recursed, sx.exclusive_waiters), (false, true, true));
    }
}
