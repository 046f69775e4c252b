//! What the word of a kernel lock says: who holds it and who waits for it.
//!
//! What: mutexes, rwlocks, sx locks and the locks of lockmgr, each by its [`LockKind`]. How: the
//! word has the owner's address or the number of readers, and flags in its lowest bits. Which
//! these are only the kernel's source says (`constants`). What this refuses to do: believe that an
//! owner is a thread. Whoever shows it has to look.

use crate::addr::VirtAddr;
use crate::constants::*;
use crate::target::{ReadError, Target};
use crate::value::{Object, freed};

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
    /// Threads sleep until they can write; of a mutex, until they can have it.
    pub exclusive_waiters: bool,
    /// A writer spins for it, which blocks new readers.
    pub spinner: bool,
    /// Its owner has taken it more than once.
    pub recursed: bool,
}

/// The kind of a kernel lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// mutex(9), spinning or sleeping.
    Mutex,
    /// rwlock(9)
    Rwlock,
    /// sx(9)
    Sx,
    /// lock(9), of lockmgr.
    Lockmgr,
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

impl LockKind {
    /// The name of the kind: `rwlock`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mutex => "mutex",
            Self::Rwlock => "rwlock",
            Self::Sx => "sx",
            Self::Lockmgr => "lockmgr",
        }
    }

    /// The member that has its word: `rw_lock`.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::Mutex => "mtx_lock",
            Self::Rwlock => "rw_lock",
            Self::Sx => "sx_lock",
            Self::Lockmgr => "lk_lock",
        }
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

    /// Is it a lock of lockmgr whose owner gave it to the kernel (LK_KERNPROC)? All bits of an
    /// owner's address are set then.
    #[must_use]
    pub fn is_disowned(&self) -> bool {
        const FLAGS: u64 = 0x1f;
        let owner = self.exclusive_holder().map_or(0, |owner| owner.get() | FLAGS);
        self.kind == LockKind::Lockmgr && (owner == u64::MAX || owner == u64::from(u32::MAX))
    }

    /// What the word of the rwlock or sx of that name says.
    ///
    /// # Errors
    /// The kernel has no such lock, or no debug information about it, or it cannot be read.
    pub fn of(target: &Target, name: &str) -> Result<Self, ReadError> {
        let lock = Object::global(target, name)?;
        let kind = match lock.has(LockKind::Rwlock.member()) {
            true => LockKind::Rwlock,
            false => LockKind::Sx,
        };
        freed::check_word(target.memory(), lock.member(kind.member())?.address)?;
        Ok(Self::decode(kind, lock.uint(kind.member())?, target.integer("osreldate")?))
    }

    /// Decodes `word` as a kernel of this `osreldate` would.
    #[must_use]
    pub fn decode(kind: LockKind, word: u64, osreldate: u64) -> Self {
        let flags = match kind {
            LockKind::Mutex => return Self::mutex(word, osreldate),
            LockKind::Lockmgr if osreldate < LOCKMGR_FLAGS_SINCE => OLD_LOCKMGR_FLAGS,
            _ if osreldate >= LOCK_FLAGS_SINCE => LOCK_FLAGS,
            LockKind::Sx => OLD_SX_FLAGS,
            LockKind::Rwlock | LockKind::Lockmgr => OLD_RW_FLAGS,
        };
        let has = |flag: u64| word & flag != 0;
        let (value, owner) = (word >> flags.count, word >> flags.count << flags.count);
        let holder = match (has(LOCK_SHARED), value) {
            _ if word == LOCK_DESTROYED && kind != LockKind::Lockmgr => Holder::Destroyed,
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

    /// The word of a mutex: its owner's address, and flags.
    fn mutex(word: u64, osreldate: u64) -> Self {
        let words = match osreldate {
            MUTEX_WORDS_SINCE.. => MUTEX_WORDS,
            MIXED_MUTEX_WORDS_SINCE.. => MIXED_MUTEX_WORDS,
            _ => OLD_MUTEX_WORDS,
        };
        let owner = word & !MUTEX_FLAGS;
        let holder = match owner {
            _ if word == words.free => Holder::Nobody,
            _ if word == words.destroyed => Holder::Destroyed,
            _ if word == 0 => Holder::NotYet,
            1.. if word & MUTEX_NOT_OWNED == 0 => {
                Holder::Exclusive { thread: VirtAddr::new(owner) }
            }
            _ => Holder::Nonsense,
        };
        let is_held = matches!(holder, Holder::Exclusive { .. });
        Self {
            kind: LockKind::Mutex,
            word,
            holder,
            shared_waiters: false,
            exclusive_waiters: is_held && word & MUTEX_CONTESTED != 0,
            spinner: false,
            recursed: is_held && word & MUTEX_RECURSED != 0,
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

    #[test]
    fn a_mutex_is_free_or_owned() {
        let thread = VirtAddr::new(THREAD);
        let held = LockState::decode(LockKind::Mutex, THREAD | 3, NEW);
        assert_eq!(held.holder, Holder::Exclusive { thread });
        assert!(held.recursed && held.exclusive_waiters && !held.shared_waiters);
        for (word, old, mixed, new) in [
            (0, Holder::NotYet, Holder::Nobody, Holder::Nobody),
            (4, Holder::Nobody, Holder::Nonsense, Holder::Destroyed),
            (6, Holder::Destroyed, Holder::Destroyed, Holder::Nonsense),
            (1, Holder::Nonsense, Holder::Nonsense, Holder::Nonsense),
            (THREAD | 4, Holder::Nonsense, Holder::Nonsense, Holder::Nonsense),
        ] {
            let found = [OLD, 1_102_000, NEW].map(|release| holder(LockKind::Mutex, word, release));
            assert_eq!(found, [old, mixed, new], "{word:#x}");
        }
    }

    #[test]
    fn a_lock_of_lockmgr_may_be_the_kernels() {
        let kind = LockKind::Lockmgr;
        assert_eq!(holder(kind, 1, 1_400_097), Holder::Nobody);
        assert_eq!(holder(kind, 0x41, 1_400_097), Holder::Shared { readers: 2 });
        assert_eq!(holder(kind, 0x41, NEW), Holder::Shared { readers: 4 });
        let disowned = |word, osreldate| LockState::decode(kind, word, osreldate).is_disowned();
        assert!(disowned(!0x1f | 0xc, 1_400_097) && disowned(!0xf, NEW));
        assert!(disowned((!0x1f_u32).into(), 1_400_097) && !disowned(THREAD, 1_400_097));
        // Nothing marks it as destroyed.
        assert_eq!(holder(kind, 6, 1_400_097), Holder::Nonsense);
    }
}
