//! The kernel's threads in the order in which a debugger shows them.

use std::num::NonZeroUsize;

use super::list::{Thread, by_process};
use super::registers::processor;
use crate::target::{ReadError, Target};
use crate::walk::{Problems, Walk};

/// A thread with its number.
#[derive(Debug, Clone, Copy)]
pub struct Ranked<'t> {
    /// td_tid, which is positive and has no more than 31 bits.
    pub id: NonZeroUsize,
    pub thread: Thread<'t>,
}

/// Which threads come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Dumping,
    Running,
    Other,
}

/// Every thread whose number can be read: the one that wrote the dump, those that ran, and the
/// others in the order of the kernel's lists.
///
/// # Errors
/// The kernel has no list of processes, or no debug information about it.
pub fn ranked(target: &Target) -> Result<Walk<Ranked<'_>>, ReadError> {
    let mut problems = Problems::default();
    let dumping = dumping(target);
    let mut found = Vec::new();
    for process in by_process(target)?.take(&mut problems) {
        for thread in process.threads {
            let Some(id) = thread.int("td_tid").ok().and_then(as_id) else { continue };
            let rank = match processor(&thread, "td_oncpu") {
                _ if dumping == Some(id) => Rank::Dumping,
                Some(_) => Rank::Running,
                None => Rank::Other,
            };
            let thread = Thread { thread, process: process.process };
            found.push((rank, Ranked { id, thread }));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    Ok(Walk::new(found.into_iter().map(|(_, thread)| thread).collect(), problems))
}

/// A thread's number as debuggers count them: they take -1 for all threads.
pub fn as_id(tid: i64) -> Option<NonZeroUsize> {
    let tid = i32::try_from(tid).ok().filter(|tid| *tid > 0)?;
    NonZeroUsize::new(tid as usize)
}

fn dumping(target: &Target) -> Option<NonZeroUsize> {
    let tid = target.integer("dumptid").ok()?;
    as_id(i64::from(tid as i32))
}
