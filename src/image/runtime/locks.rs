//! The locks of the VNET machinery: who holds them, and what their words contain.
//!
//! `sys/net/vnet.c`: `vnet_rwlock` and `vnet_sxlock` protect the list of stacks (both to change it,
//! either to read it), `vnet_sysinit_sxlock` the registrations, `vnet_data_free_lock` module
//! space. `sys/sys/rwlock.h` and `sys/sys/sx.h`: bit 0 of the word means shared. Bits 1 and 2 mean
//! that shared or exclusive waiters sleep. The rest is the number of readers, or the owner. An
//! unlocked lock is a shared one without readers.

use super::Runtime;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::types::TypeError;

/// The names of the locks.
pub const LOCKS: [&str; 4] =
    ["vnet_rwlock", "vnet_sxlock", "vnet_sysinit_sxlock", "vnet_data_free_lock"];

/// The holder of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The lock is free.
    Nobody,
    /// This many readers share it.
    Shared(u64),
    /// The thread whose `struct thread` is at this address holds it exclusively.
    Exclusive(VirtAddr),
}

/// How a thread waits for a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiter {
    /// It wants to share the lock.
    Shared,
    /// It wants to hold the lock exclusively.
    Exclusive,
}

const SHARED: u64 = 1;
const SHARED_WAITERS: u64 = 2;
const EXCLUSIVE_WAITERS: u64 = 4;
const UNLOCKED: u64 = SHARED;
const DESTROYED: u64 = SHARED_WAITERS | EXCLUSIVE_WAITERS;
/// Bit 3 of an rwlock up to 11.x. In an sx lock of that time it means recursion.
const OLD_RW_SPINNER: u64 = 8;

/// rw_init and sx_init, if the kernel has the lock.
pub(super) fn init(kernel: &mut LoadedKernel) -> Result<(), ImageError> {
    for name in LOCKS {
        if let Some(word) = word(kernel, name)? {
            kernel.store(word, UNLOCKED)?;
        }
    }
    Ok(())
}

impl Runtime {
    /// The holder of the lock `name`. A lock that the kernel does not have is free.
    ///
    /// # Errors
    /// The lock was destroyed; the kernel asserts that it was not.
    pub fn holder(&self, name: &str) -> Result<Holder, ImageError> {
        let Some(word) = word(&self.kernel, name)? else { return Ok(Holder::Nobody) };
        let value = self.kernel.load_uint(word)?;
        Self::vnet_assert(value != DESTROYED, || format!("{name} is destroyed"))?;
        let shift = self.readers_shift()?;
        Ok(match (value & SHARED != 0, value >> shift) {
            (true, 0) => Holder::Nobody,
            (true, readers) => Holder::Shared(readers),
            (false, owner) => Holder::Exclusive(VirtAddr::new(owner << shift)),
        })
    }

    /// rw_rlock or sx_slock.
    ///
    /// # Errors
    /// A thread holds it exclusively, so the caller would sleep forever.
    pub fn hold_shared(&mut self, name: &str) -> Result<(), ImageError> {
        match self.holder(name)? {
            Holder::Nobody => self.set_holder(name, Holder::Shared(1)),
            Holder::Shared(readers) => self.set_holder(name, Holder::Shared(readers + 1)),
            Holder::Exclusive(owner) => Err(held(name, owner)),
        }
    }

    /// rw_runlock or sx_sunlock.
    ///
    /// # Errors
    /// Nobody shares it, which the kernel asserts.
    pub fn release_shared(&mut self, name: &str) -> Result<(), ImageError> {
        match self.holder(name)? {
            Holder::Shared(1) => self.set_holder(name, Holder::Nobody),
            Holder::Shared(readers) => self.set_holder(name, Holder::Shared(readers - 1)),
            _ => not_held(&self.kernel, name, "share"),
        }
    }

    /// rw_wlock or sx_xlock by the `struct thread` at `thread`.
    ///
    /// # Errors
    /// Somebody holds it, so the thread would sleep forever.
    pub fn hold_exclusive(&mut self, name: &str, thread: VirtAddr) -> Result<(), ImageError> {
        match self.holder(name)? {
            Holder::Nobody => self.set_holder(name, Holder::Exclusive(thread)),
            Holder::Shared(readers) => {
                let why = format!("{readers} readers hold {name}: the thread would sleep for ever");
                Err(ImageError::Refused(why))
            }
            Holder::Exclusive(owner) => Err(held(name, owner)),
        }
    }

    /// rw_wunlock or sx_xunlock.
    ///
    /// # Errors
    /// That thread does not hold it, which the kernel asserts.
    pub fn release_exclusive(&mut self, name: &str, thread: VirtAddr) -> Result<(), ImageError> {
        match self.holder(name)? {
            Holder::Exclusive(owner) if owner == thread => self.set_holder(name, Holder::Nobody),
            _ => not_held(&self.kernel, name, "hold"),
        }
    }

    /// A thread goes to sleep on the lock.
    ///
    /// # Errors
    /// Nobody holds it, so nobody can wait for it.
    pub fn wait_for(&mut self, name: &str, waiter: Waiter) -> Result<(), ImageError> {
        if self.holder(name)? == Holder::Nobody {
            return Err(ImageError::Refused(format!("nobody holds {name}, so nobody waits")));
        }
        let Some(word) = word(&self.kernel, name)? else { return Ok(()) };
        let bit = match waiter {
            Waiter::Shared => SHARED_WAITERS,
            Waiter::Exclusive => EXCLUSIVE_WAITERS,
        };
        let value = self.kernel.load_uint(word)?;
        self.kernel.store(word, value | bit)
    }

    /// The owner takes the lock again.
    ///
    /// # Errors
    /// Nobody holds it exclusively, or it is an rwlock up to 11.x, whose word does not record
    /// recursion.
    pub fn recurse(&mut self, name: &str) -> Result<(), ImageError> {
        let Holder::Exclusive(_) = self.holder(name)? else {
            return Err(ImageError::Refused(format!("nobody holds {name} exclusively")));
        };
        let Some(word) = word(&self.kernel, name)? else { return Ok(()) };
        // The highest of the flags.
        let flag = 1 << (self.readers_shift()? - 1);
        let is_old_rwlock = flag == OLD_RW_SPINNER && is_rwlock(&self.kernel, name);
        if is_old_rwlock {
            return Err(ImageError::Refused(format!("the word of {name} does not tell that")));
        }
        let value = self.kernel.load_uint(word)?;
        self.kernel.store(word, value | flag)
    }

    /// rw_destroy or sx_destroy.
    ///
    /// # Errors
    /// Somebody holds it, which the kernel asserts.
    pub fn destroy_lock(&mut self, name: &str) -> Result<(), ImageError> {
        Self::vnet_assert(self.holder(name)? == Holder::Nobody, || format!("{name} is held"))?;
        match word(&self.kernel, name)? {
            Some(word) => self.kernel.store(word, DESTROYED),
            None => Ok(()),
        }
    }

    /// VNET_LIST_RLOCK, for callers that may sleep while they walk the list.
    pub fn vnet_list_rlock(&mut self) -> Result<(), ImageError> {
        self.hold_shared("vnet_sxlock")
    }

    /// VNET_LIST_RUNLOCK.
    pub fn vnet_list_runlock(&mut self) -> Result<(), ImageError> {
        self.release_shared("vnet_sxlock")
    }

    /// VNET_LIST_RLOCK_NOSLEEP.
    pub fn vnet_list_rlock_nosleep(&mut self) -> Result<(), ImageError> {
        self.hold_shared("vnet_rwlock")
    }

    /// VNET_LIST_RUNLOCK_NOSLEEP.
    pub fn vnet_list_runlock_nosleep(&mut self) -> Result<(), ImageError> {
        self.release_shared("vnet_rwlock")
    }

    /// VNET_LIST_WLOCK: both locks, exclusively.
    pub fn vnet_list_wlock(&mut self, thread: VirtAddr) -> Result<(), ImageError> {
        self.hold_exclusive("vnet_sxlock", thread)?;
        self.hold_exclusive("vnet_rwlock", thread)
    }

    /// VNET_LIST_WUNLOCK.
    pub fn vnet_list_wunlock(&mut self, thread: VirtAddr) -> Result<(), ImageError> {
        self.release_exclusive("vnet_rwlock", thread)?;
        self.release_exclusive("vnet_sxlock", thread)
    }

    /// Is the list of stacks locked in any way?
    pub(super) fn list_is_locked(&self) -> Result<bool, ImageError> {
        let sleepable = self.holder("vnet_sxlock")?;
        Ok(sleepable != Holder::Nobody || self.holder("vnet_rwlock")? != Holder::Nobody)
    }

    /// Sets a lock's word. The waiters leave when nobody holds it any longer.
    fn set_holder(&mut self, name: &str, holder: Holder) -> Result<(), ImageError> {
        let Some(word) = word(&self.kernel, name)? else { return Ok(()) };
        let shift = self.readers_shift()?;
        let waiters = self.kernel.load_uint(word)? & (SHARED_WAITERS | EXCLUSIVE_WAITERS);
        let value = match holder {
            Holder::Nobody => UNLOCKED,
            Holder::Shared(readers) => readers << shift | SHARED | waiters,
            Holder::Exclusive(thread) => thread.get() | waiters,
        };
        self.kernel.store(word, value)
    }

    /// 12.0 added a flag to the words, which moved the number of readers up by one bit. The
    /// debug information does not show that; `osreldate` does.
    fn readers_shift(&self) -> Result<u32, ImageError> {
        const FIRST_WITH_FIVE_FLAGS: u64 = 1_200_000;
        let release = self.kernel.variable("osreldate")?;
        let old = self.kernel.load_uint(release)? < FIRST_WITH_FIVE_FLAGS;
        Ok(if old { 4 } else { 5 })
    }
}

/// The word of the lock `name`, if the kernel has that lock.
fn word(kernel: &LoadedKernel, name: &str) -> Result<Option<Object>, ImageError> {
    let lock = match kernel.variable(name) {
        Ok(lock) => lock,
        Err(ImageError::Type(TypeError::NotFound { .. })) => return Ok(None),
        Err(other) => return Err(other),
    };
    let member = if is_rwlock(kernel, name) { "rw_lock" } else { "sx_lock" };
    kernel.member(lock, member).map(Some)
}

fn is_rwlock(kernel: &LoadedKernel, name: &str) -> bool {
    kernel.variable(name).is_ok_and(|lock| kernel.has(lock, "rw_lock"))
}

fn held(name: &str, owner: VirtAddr) -> ImageError {
    ImageError::Refused(format!("the thread at {owner} holds {name} exclusively"))
}

/// If the kernel does not have the lock, the macros do nothing.
fn not_held(kernel: &LoadedKernel, name: &str, how: &str) -> Result<(), ImageError> {
    match word(kernel, name)? {
        Some(_) => {
            Err(ImageError::Assertion(format!("{name} is released by one who does not {how} it")))
        }
        None => Ok(()),
    }
}
