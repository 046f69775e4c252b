//! Who holds the locks of the VNET code, and what that means for the data they protect.
//!
//! The owner in a lock's word is a thread only if a list of threads leads to
//! it. A lock's word shows the moment of the dump: the holder may
//! not have changed anything yet, or may have finished.

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::threads::{self, Thread, ThreadName};
use crate::value::freed;
use crate::value::lock_word::Holder;
use crate::vnet::VnetError;
use crate::vnet::locks::{Guards, VnetLock};
use crate::walk::Problems;

/// All locks that the kernel has, and why their owners may be unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locks {
    /// In a fixed order: those of the list of vnets first.
    pub locks: Vec<LockView>,
    /// What was wrong with the lists of threads.
    pub problems: Problems,
}

/// A lock and its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockView {
    /// The lock and its word.
    pub lock: VnetLock,
    /// The thread that holds it exclusively; `None` if there is none, or if the lists
    /// of threads do not have it.
    pub owner: Option<ThreadName>,
    /// Why a thread that holds it has no name.
    pub nameless: Option<Box<str>>,
    /// What its state means for the data it protects, in words.
    pub meaning: Box<str>,
}

impl Locks {
    /// Reads them.
    ///
    /// # Errors
    /// The kernel has no VIMAGE.
    pub fn read(target: &Target) -> Result<Self, VnetError> {
        let locks = VnetLock::all(target)?;
        let mut problems = Problems::default();
        let held = locks.iter().any(|lock| owner(lock).is_some());
        // Without types there are no threads; that is said once for all locks.
        let threads = threads::all(target).ok().filter(|_| held);
        let threads = threads.map(|walk| walk.take(&mut problems)).unwrap_or_default();
        let views = locks.iter().map(|lock| {
            let owner = owner(lock);
            let name = owner.and_then(|address| name(&threads, address));
            let nameless = owner.filter(|_| name.is_none());
            LockView {
                lock: lock.clone(),
                owner: name,
                nameless: nameless.map(|address| nameless_owner(target, address, &problems)),
                meaning: meaning(lock, &locks),
            }
        });
        let views: Vec<LockView> = views.collect();
        Ok(Self { locks: views, problems })
    }
}

impl Locks {
    /// The thread that may be changing what `guards` names: it holds all locks that protect that
    /// exclusively. A writer takes them one by one.
    #[must_use]
    pub fn writer(&self, guards: Guards) -> Option<&ThreadName> {
        let mut locks = self.locks.iter().filter(|view| view.lock.guards == guards);
        let writer = locks.next()?.owner.as_ref()?;
        locks.all(|view| view.owner.as_ref() == Some(writer)).then_some(writer)
    }
}

/// Why the owner at `address` has no name.
fn nameless_owner(target: &Target, address: VirtAddr, problems: &Problems) -> Box<str> {
    // Enough of a struct thread to show whether it is freed.
    const BEGINNING: u64 = 64;
    match (freed::check(target.memory(), address, BEGINNING), problems.none()) {
        (Err(freed), _) => format!("{} ({})", freed.kind, freed.stage).into(),
        (_, Err(_)) => "not on the readable part of the thread lists".into(),
        (_, Ok(())) => "not a listed thread".into(),
    }
}

fn owner(lock: &VnetLock) -> Option<VirtAddr> {
    lock.state.as_ref().ok()?.exclusive_holder()
}

fn name(threads: &[Thread<'_>], address: VirtAddr) -> Option<ThreadName> {
    threads.iter().find(|thread| thread.thread.address == address).map(Thread::name)
}

fn meaning(lock: &VnetLock, all: &[VnetLock]) -> Box<str> {
    let Ok(state) = &lock.state else { return "its holder is unknown".into() };
    let text = match (state.holder, lock.guards) {
        (Holder::Nobody, _) => "not held; what it protects is consistent",
        (Holder::Destroyed, _) => "destroyed; it no longer protects anything",
        (Holder::NotYet, _) => "not initialised yet; nothing takes it this early",
        (Holder::Nonsense, _) => "not a valid lock word; the lock is damaged",
        (Holder::Shared { .. }, Guards::List) => {
            "the list of vnets is being read and cannot change"
        }
        (Holder::Exclusive { .. }, Guards::List) => list_meaning(lock, all),
        (Holder::Shared { .. }, Guards::Sysinits) => {
            "constructors or destructors are running; a vnet is being created or destroyed"
        }
        (Holder::Exclusive { .. }, Guards::Sysinits) => {
            "a constructor or destructor is being registered; the lists may be inconsistent"
        }
        (Holder::Shared { .. }, Guards::ModuleSpace) => {
            "the free list of module space is being read"
        }
        (Holder::Exclusive { .. }, Guards::ModuleSpace) => {
            "module space is being allocated or freed; its free list may be inconsistent"
        }
    };
    text.into()
}

/// A writer of the list holds all locks that protect it, and takes them one by one.
fn list_meaning(lock: &VnetLock, all: &[VnetLock]) -> &'static str {
    let others = all.iter().filter(|other| other.guards == Guards::List);
    match others.map(owner).all(|other| other == owner(lock)) {
        true => "the list of vnets may be inconsistent",
        false => "the list of vnets is consistent; changing it also requires the other lock",
    }
}
