//! The locks of the VNET machinery: who holds them, and how their words say so.
//!
//! `sys/net/vnet.c`: `vnet_rwlock` and `vnet_sxlock` guard the list of stacks (both to change it,
//! either to read it), `vnet_sysinit_sxlock` the registrations, `vnet_data_free_lock` module
//! space. `sys/sys/rwlock.h` and `sys/sys/sx.h`: bit 0 of the word means shared, bits 1 and 2
//! that shared or exclusive waiters sleep; the rest is the number of readers, or the owner. An
//! unlocked lock is one that no reader shares.

use super::Runtime;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::types::TypeError;

/// The locks, by name.
pub const LOCKS: [&str; 4] =
    ["vnet_rwlock", "vnet_sxlock", "vnet_sysinit_sxlock", "vnet_data_free_lock"];

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// So many readers.
    Shared(u64),
    /// The `struct thread` at this address.
    Exclusive(VirtAddr),
}

/// How a thread that does not get a lock waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiter {
    Shared,
    Exclusive,
}

const SHARED: u64 = 1;
const SHARED_WAITERS: u64 = 2;
const EXCLUSIVE_WAITERS: u64 = 4;
const UNLOCKED: u64 = SHARED;
const DESTROYED: u64 = SHARED_WAITERS | EXCLUSIVE_WAITERS;
/// Bit 3 of an rwlock of 11.x or earlier; of an sx lock of that time it means recursion.
const OLD_RW_SPINNER: u64 = 8;

/// rw_init and sx_init, where the kernel has the lock.
pub(super) fn init(kernel: &mut LoadedKernel) -> Result<(), ImageError> {
    for name in LOCKS {
        if let Some(word) = word(kernel, name)? {
            kernel.store(word, UNLOCKED)?;
        }
    }
    Ok(())
}

impl Runtime {
    /// Who holds the lock `name`; nobody holds one that the kernel does not have.
    ///
    /// # Errors
    /// It was destroyed, which the kernel asserts it was not.
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
    /// A thread holds it exclusively: the caller would sleep for ever.
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
    /// Somebody holds it: the thread would sleep for ever.
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

    /// Somebody goes to sleep on the lock.
    ///
    /// # Errors
    /// Nobody holds it, so nobody waits for it.
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

    /// The owner takes the lock once more.
    ///
    /// # Errors
    /// Nobody holds it exclusively, or it is an rwlock of 11.x or earlier, whose word does not
    /// tell.
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

    /// VNET_LIST_RLOCK: whoever may sleep while it walks the list.
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

    /// Is the list of stacks locked in either way?
    pub(super) fn list_is_locked(&self) -> Result<bool, ImageError> {
        let sleepable = self.holder("vnet_sxlock")?;
        Ok(sleepable != Holder::Nobody || self.holder("vnet_rwlock")? != Holder::Nobody)
    }

    /// Sets a lock's word; the waiters leave when nobody holds it any more.
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

    /// 12.0 added a flag to the words, so that the number of readers moved up by a bit. Nothing
    /// in the debug information shows that; `osreldate` does.
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

/// In a kernel that does not have the lock, the macros do nothing.
fn not_held(kernel: &LoadedKernel, name: &str, how: &str) -> Result<(), ImageError> {
    match word(kernel, name)? {
        Some(_) => {
            Err(ImageError::Assertion(format!("{name} is released by one who does not {how} it")))
        }
        None => Ok(()),
    }
}
