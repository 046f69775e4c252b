//! Threads and processes, as far as they lead to a vnet: `curvnet` is the
//! `td_vnet` of the running thread, and a process's vnet is its jail's.

use crate::addr::VirtAddr;
use crate::error::ReadError;
use crate::target::Target;
use crate::value::{Object, queue};

/// What a process or thread says of its vnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `proc` 812 (nginx), `thread` 100123 …
    pub who: Box<str>,
    /// `None` where it has none: td_vnet is NULL outside of the network stack.
    pub vnet: Option<VirtAddr>,
}

const MAX_PROCESSES: usize = 1 << 20;
const MAX_THREADS: usize = 1 << 20;

/// The vnet of the process with this id: that of its credential's prison.
///
/// # Errors
/// The list of processes cannot be read at all. `Ok(None)`: no such process.
pub fn process(target: &Target, pid: i64) -> Result<Option<Found>, ReadError> {
    let processes = processes(target)?;
    let Some(process) = processes.into_iter().find(|p| p.int("p_pid") == Ok(pid)) else {
        return Ok(None);
    };
    let vnet = match process.follow("p_ucred")? {
        Some(credential) => match credential.follow("cr_prison")? {
            Some(prison) => non_null(prison.pointer("pr_vnet")?),
            None => None,
        },
        None => None,
    };
    let name = process.text("p_comm").unwrap_or_default();
    Ok(Some(Found { who: format!("process {pid} ({name})").into(), vnet }))
}

/// The curvnet of the thread with this id.
///
/// # Errors
/// As [`process`].
pub fn thread(target: &Target, tid: i64) -> Result<Option<Found>, ReadError> {
    for process in processes(target)? {
        let threads = queue::walk(process.member("p_threads")?, "td_plist", MAX_THREADS);
        if let Some(thread) = threads.elements.iter().find(|t| t.int("td_tid") == Ok(tid)) {
            let name = thread.text("td_name").unwrap_or_default();
            let who = format!("thread {tid} ({name})").into();
            return Ok(Some(Found { who, vnet: non_null(thread.pointer("td_vnet")?) }));
        }
    }
    Ok(None)
}

/// The curvnet of the thread that wrote the dump: the one that crashed.
///
/// # Errors
/// The kernel does not say which thread that was, or it cannot be read.
pub fn dumping(target: &Target) -> Result<Option<Found>, ReadError> {
    match target.integer("dumptid")? as i32 {
        0 => Ok(None),
        tid => thread(target, tid.into()),
    }
}

fn processes(target: &Target) -> Result<Vec<Object<'_>>, ReadError> {
    let walk = queue::walk(Object::global(target, "allproc")?, "p_list", MAX_PROCESSES);
    Ok(walk.elements)
}

fn non_null(pointer: VirtAddr) -> Option<VirtAddr> {
    (!pointer.is_null()).then_some(pointer)
}
