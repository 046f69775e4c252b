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

/// A thread of the kernel's lists, by its names and numbers; `None` is what cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadName {
    /// Of its struct thread.
    pub address: VirtAddr,
    pub tid: Option<i64>,
    pub name: Option<Box<str>>,
    pub pid: Option<i64>,
    /// The name of its process.
    pub command: Option<Box<str>>,
}

/// A thread and its process.
#[derive(Debug, Clone, Copy)]
pub struct Thread<'t> {
    pub thread: Object<'t>,
    pub process: Object<'t>,
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
    let name = process.text("p_comm").unwrap_or_default();
    let vnet = home(&process, "p_ucred")?;
    Ok(Some(Found { who: format!("process {pid} ({name})").into(), vnet }))
}

/// What all processes and threads say, one after the other, those in error left out.
pub fn vnets_of_all(target: &Target) -> Vec<Found> {
    let mut all = Vec::new();
    for process in processes(target).unwrap_or_default() {
        let name = |object: &Object<'_>, member| object.text(member).unwrap_or_default();
        if let (Ok(pid), Ok(vnet)) = (process.int("p_pid"), home(&process, "p_ucred")) {
            let who = format!("pr_vnet of process {pid} ({})", name(&process, "p_comm"));
            all.push(Found { who: who.into(), vnet });
        }
        for thread in threads_of(&process) {
            let Ok(tid) = thread.int("td_tid") else { continue };
            let name = name(&thread, "td_name");
            if let Ok(vnet) = thread.pointer("td_vnet") {
                let who = format!("td_vnet of thread {tid} ({name})");
                all.push(Found { who: who.into(), vnet: vnet.non_null() });
            }
            if let Ok(vnet) = home(&thread, "td_ucred") {
                let who = format!("pr_vnet of thread {tid} ({name})");
                all.push(Found { who: who.into(), vnet });
            }
        }
    }
    all
}

/// The curvnet of the thread with this id.
///
/// # Errors
/// As [`process`].
pub fn thread(target: &Target, tid: i64) -> Result<Option<Found>, ReadError> {
    for process in processes(target)? {
        let threads = threads_of(&process);
        if let Some(thread) = threads.iter().find(|thread| thread.int("td_tid") == Ok(tid)) {
            let name = thread.text("td_name").unwrap_or_default();
            let who = format!("thread {tid} ({name})").into();
            return Ok(Some(Found { who, vnet: thread.pointer("td_vnet")?.non_null() }));
        }
    }
    Ok(None)
}

/// Every thread of every process, in the order of the kernel's lists.
///
/// # Errors
/// As [`process`].
pub fn all(target: &Target) -> Result<Vec<Thread<'_>>, ReadError> {
    let mut all = Vec::new();
    for process in processes(target)? {
        all.extend(threads_of(&process).into_iter().map(|thread| Thread { thread, process }));
        if all.len() > MAX_THREADS {
            break;
        }
    }
    Ok(all)
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

impl Thread<'_> {
    /// What it is called.
    pub fn name(&self) -> ThreadName {
        let text = |object: &Object<'_>, member| object.text(member).ok().map(Box::from);
        ThreadName {
            address: self.thread.address,
            tid: self.thread.int("td_tid").ok(),
            name: text(&self.thread, "td_name"),
            pid: self.process.int("p_pid").ok(),
            command: text(&self.process, "p_comm"),
        }
    }
}

impl std::fmt::Display for ThreadName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.tid {
            Some(tid) => write!(f, "thread {tid}")?,
            None => write!(f, "the thread at {}", self.address)?,
        }
        if let Some(name) = self.name.as_ref().filter(|name| Some(*name) != self.command.as_ref()) {
            write!(f, " ({name})")?;
        }
        if let Some(pid) = self.pid {
            write!(f, " of process {pid}")?;
        }
        match &self.command {
            Some(command) => write!(f, " ({command})"),
            None => Ok(()),
        }
    }
}

fn processes(target: &Target) -> Result<Vec<Object<'_>>, ReadError> {
    let walk = queue::walk(Object::global(target, "allproc")?, "p_list", MAX_PROCESSES);
    Ok(walk.elements)
}

fn threads_of<'t>(process: &Object<'t>) -> Vec<Object<'t>> {
    let Ok(head) = process.member("p_threads") else { return Vec::new() };
    queue::walk(head, "td_plist", MAX_THREADS).elements
}

/// The vnet of the prison of the credential that `member` points at.
fn home(object: &Object<'_>, member: &str) -> Result<Option<VirtAddr>, ReadError> {
    let Some(credential) = object.follow(member)? else { return Ok(None) };
    let Some(prison) = credential.follow("cr_prison")? else { return Ok(None) };
    Ok(prison.pointer("pr_vnet")?.non_null())
}
