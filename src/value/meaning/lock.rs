//! Locks: their state, who holds them, and who waits.
//!
//! The word of a lock says most of it. Its lock_object has the name, whether the lock is
//! initialised, and how often its owner has taken it (`sys/sys/lock.h`, 9 to main).

use crate::constants::{LO_INITIALIZED, LO_SLEEPABLE};
use crate::target::Target;
use crate::value::lock_word::{Holder, LockKind, LockState};
use crate::value::meaning::found::Found;
use crate::value::meaning::owner;
use crate::value::model::{Value, ValueError};

/// A lock with one word: `"if_addr_lock" locked by tid 100123 (nginx), contested`.
pub fn of_word(kind: LockKind, found: &Found<'_, '_>) -> Option<String> {
    let word = found.members.get(kind.member())?.as_u64()?;
    let object = found.members.get("lock_object");
    Some(told(kind, word, "unlocked", object, found))
}

/// A read-mostly lock (`sys/kern/kern_rmlock.c`, 10 to main): a mutex, or an sx if its owner may
/// sleep, which a writer holds. Most readers are only in the lists of their CPUs, so that nobody
/// holds it is never certain.
pub fn of_rmlock(found: &mut Found<'_, '_>) -> Option<String> {
    let object = found.members.get("lock_object")?;
    let sleepable = member(object, "lo_flags")? & LO_SLEEPABLE != 0;
    let (kind, inner, other) = match sleepable {
        false => (LockKind::Mutex, "_rm_lock_mtx", "_rm_lock_sx"),
        true => (LockKind::Sx, "_rm_lock_sx", "_rm_lock_mtx"),
    };
    let readers = found.members.get("rm_activeReaders").and_then(|head| {
        let first = head.get("lh_first").ok()?;
        Some(!first.as_address()?.is_null())
    });
    let locks = found.members.get("_rm_lock")?;
    let word = locks.get(&format!("{inner}.{}", kind.member())).ok()?.as_u64()?;
    let text = told(kind, word, "no writer", Some(object), found);
    let readers = if readers == Some(true) { ", has readers" } else { "" };
    // The other one is not there, so its bytes mean nothing.
    if let Some(Value::Record(locks)) = found.members.get_mut("_rm_lock") {
        locks.forget_note(other);
    }
    Some(format!("{text}{readers}"))
}

/// `free` is what a lock is that no thread holds.
fn told(
    kind: LockKind,
    word: u64,
    free: &str,
    object: Option<&Value>,
    found: &Found<'_, '_>,
) -> String {
    let name = object.and_then(|object| {
        let name = object.get("lo_name").ok()?;
        Some(format!("\"{}\" ", name.as_str()?))
    });
    let text = match found.target.integer("osreldate") {
        Ok(osreldate) => {
            let state = LockState::decode(kind, word, osreldate);
            described(&state, free, object, found.target)
        }
        Err(why) => owner::in_place(&ValueError::from(why)),
    };
    name.unwrap_or_default() + &text
}

fn described(state: &LockState, free: &str, object: Option<&Value>, target: &Target) -> String {
    let flags = object.and_then(|object| member(object, "lo_flags"));
    let initialised = flags.is_none_or(|flags| flags & LO_INITIALIZED != 0);
    let mut text = match (state.holder, state.kind, initialised) {
        (Holder::Destroyed, ..) => return "destroyed".to_owned(),
        // Nothing in its word shows that a lock of lockmgr is destroyed.
        (Holder::Nobody, LockKind::Lockmgr, false) => return "destroyed".to_owned(),
        (Holder::NotYet, ..) | (Holder::Nobody, LockKind::Mutex, false) => {
            return "not initialised".to_owned();
        }
        (Holder::Nonsense, ..) => {
            return format!("{:#x} is no state of such a lock", state.word);
        }
        (Holder::Nobody, ..) => free.to_owned(),
        (Holder::Shared { readers }, LockKind::Rwlock, _) => format!("read-locked by {readers}"),
        (Holder::Shared { readers }, ..) => format!("shared by {readers}"),
        (Holder::Exclusive { .. }, ..) if state.is_disowned() => "locked by the kernel".to_owned(),
        (Holder::Exclusive { thread }, ..) => {
            let taken = object.and_then(|object| member(object, "lo_data"));
            format!("locked by {}{}", owner::title(target, thread), again(state, taken))
        }
    };
    let waiting = match state.kind {
        LockKind::Mutex => [(state.exclusive_waiters, ", contested"), (false, "")],
        _ => {
            [(state.shared_waiters, ", readers wait"), (state.exclusive_waiters, ", writers wait")]
        }
    };
    let remarks = [(state.spinner, ", a writer spins"), (!initialised, ", not initialised")];
    for (_, remark) in waiting.into_iter().chain(remarks).filter(|(applies, _)| *applies) {
        text += remark;
    }
    text
}

/// How often its owner has taken it, where that is more than once. `lo_data` counts the times after
/// the first.
fn again(state: &LockState, lo_data: Option<u64>) -> String {
    match (lo_data, state.recursed) {
        (Some(more @ 1..), _) => format!(", taken {} times", more.saturating_add(1)),
        (_, true) => ", recursed".to_owned(),
        _ => String::new(),
    }
}

fn member(object: &Value, name: &str) -> Option<u64> {
    object.get(name).ok()?.as_u64()
}
