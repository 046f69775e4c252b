//! Threads and processes, as far as they lead to a vnet: `curvnet` is the
//! `td_vnet` of the running thread, and a process's vnet is its jail's.

use std::fmt;

use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::vnet::{EnumNames, VnetError};
use crate::walk::{Problem, Problems, Trail, Walk};

/// The vnet that a process or thread points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetPointer {
    /// `proc` 812 (nginx), `thread` 100123 …
    pub holder: Box<str>,
    /// `None` if it has none: td_vnet is NULL outside the network stack.
    pub vnet: Option<VirtAddr>,
}

/// A thread of the kernel's lists, by its names and numbers; `None` means that it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThreadName {
    /// The address of its struct thread.
    pub address: VirtAddr,
    /// The thread's number (`td_tid`).
    pub tid: Option<i64>,
    /// The thread's own name (`td_name`).
    pub name: Option<Box<str>>,
    /// The number of its process (`p_pid`).
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

const ALLPROC: List<'_> = List { name: &"allproc", element: "process" };
const ZOMBPROC: List<'_> = List { name: &"zombproc", element: "process" };

/// The vnet of the process with this id, which is its credential's prison's.
///
/// # Errors
/// The process cannot be read, or may be in memory that cannot be read. `Ok(None)`: there
/// is no such process.
pub fn process(target: &Target, pid: i64) -> Result<Option<VnetPointer>, VnetError> {
    let processes = processes(target)?;
    let unknown = |because| VnetError::unknown(format!("process {pid}"), because);
    let found = processes.find(|process| process.int("p_pid") == Ok(pid)).map_err(unknown)?;
    let Some(process) = found else { return Ok(None) };
    let name = process.text("p_comm").unwrap_or_default();
    let vnet = jail_vnet(process.follow_anywhere("p_ucred")?, |_| None)?;
    Ok(Some(VnetPointer { holder: format!("process {pid} ({name})").into(), vnet }))
}

/// A process with all its threads.
#[derive(Debug, Clone)]
pub struct Process<'t> {
    pub process: Object<'t>,
    pub threads: Vec<Object<'t>>,
}

/// Every process with its threads: those of `allproc`, and then those that have ended and wait for
/// their parents. These are on `zombproc` up to 12, and later only among their parents' children
/// (`exit1`, `sys/kern/kern_exit.c`).
///
/// # Errors
/// As [`processes`].
pub fn by_process(target: &Target) -> Result<Walk<Process<'_>>, ReadError> {
    let mut problems = Problems::default();
    let mut all = processes(target)?.take(&mut problems);
    let listed = all.len();
    if let Ok(head) = Object::global(target, "zombproc") {
        all.extend(queue::walk(head, "p_list", ZOMBPROC).take(&mut problems));
    }
    let mut trail = Trail::new(target.budget());
    for place in 0..listed {
        let Some(parent) = all.get(place) else { break };
        let Ok(head) = parent.member("p_children") else { continue };
        let title = Title(parent);
        let name = fmt::from_fn(|f| write!(f, "the children of {title}"));
        let list = List { name: &name, element: "process" };
        all.extend(queue::walk_on(head, "p_sibling", list, &mut trail).take(&mut problems));
    }
    let mut known = FxHashSet::default();
    all.retain(|process| known.insert(process.address));
    let mut trail = Trail::new(target.budget());
    let found = all.into_iter().map(|process| {
        let threads = threads_of(&process, &mut trail, |_| ()).take(&mut problems);
        let threads = threads.into_iter().map(|(thread, ())| thread).collect();
        Process { process, threads }
    });
    let found = found.collect();
    Ok(Walk::new(found, problems))
}

/// The threads of a process, with what `see` reads of each. `trail` knows those of others.
pub(super) fn threads_of<'t, T>(
    process: &Object<'t>,
    trail: &mut Trail<'_>,
    mut see: impl FnMut(&Object<'t>) -> T,
) -> Walk<(Object<'t>, T)> {
    let title = Title(process);
    let name = fmt::from_fn(|f| write!(f, "the threads of {title}"));
    let list = List { name: &name, element: "thread" };
    match process.member("p_threads") {
        Ok(head) => {
            queue::walk_with(head, "td_plist", list, trail, |thread, _: &mut Trail<'_>| see(thread))
        }
        Err(why) => Walk::failed(list.unreadable(process.address, why)),
    }
}

/// Whether a process has ended.
pub fn is_zombie(process: &Object<'_>) -> bool {
    enumerator(process, "p_state").is_ok_and(|state| &*state == "PRS_ZOMBIE")
}

/// The name that the kernel's own enum has for the value of a member; empty if it has none.
///
/// # Errors
/// There is no such member, or it cannot be read.
pub fn enumerator(object: &Object<'_>, member: &str) -> Result<Box<str>, ReadError> {
    let names = EnumNames::of(object.target(), object.member(member)?.type_id)?;
    Ok(names.name(object.uint(member)?).name.unwrap_or_default())
}

/// A process in words, which are read only for a message.
struct Title<'a, 't>(&'a Object<'t>);

impl fmt::Display for Title<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.int("p_pid") {
            Ok(pid) => write!(f, "process {pid}"),
            Err(_) => write!(f, "the process at {}", self.0.address),
        }
    }
}

impl Thread<'_> {
    /// Its name.
    #[must_use]
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

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

/// Every process.
///
/// # Errors
/// The kernel has no such list, or no debug information about it.
pub fn processes(target: &Target) -> Result<Walk<Object<'_>>, ReadError> {
    Ok(processes_with(target, |_, _| ())?.map(|(process, ())| process))
}

/// The same with what `see` reads of each, as [`queue::walk_with`].
pub(super) fn processes_with<'t, T>(
    target: &'t Target,
    see: impl FnMut(&Object<'t>, &mut Trail<'_>) -> T,
) -> Result<Walk<(Object<'t>, T)>, ReadError> {
    let mut trail = Trail::new(target.budget());
    let head = Object::global(target, "allproc")?;
    let walk = queue::walk_with(head, "p_list", ALLPROC, &mut trail, see);
    // Process 0 is on it from the kernel's first steps on.
    Ok(match walk.count() {
        Ok(0) => {
            Walk::failed(Problem::new(ALLPROC.what(), format!("it is empty: {}", queue::NOT_MADE)))
        }
        _ => walk,
    })
}

/// The vnet of the prison of a credential, from `of_prison` if that knows it.
pub(super) fn jail_vnet(
    credential: Option<Object<'_>>,
    of_prison: impl Fn(VirtAddr) -> Option<Option<VirtAddr>>,
) -> Result<Option<VirtAddr>, ReadError> {
    let Some(credential) = credential else { return Ok(None) };
    credential.check_freed()?;
    match credential.follow_anywhere("cr_prison")? {
        None => Ok(None),
        Some(prison) => match of_prison(prison.address) {
            Some(known) => Ok(known),
            None => {
                prison.check_freed()?;
                Ok(prison.pointer("pr_vnet")?.non_null())
            }
        },
    }
}

/// The prison of the credential that `member` points to.
pub fn prison<'t>(object: &Object<'t>, member: &str) -> Result<Option<Object<'t>>, ReadError> {
    match object.follow(member)? {
        Some(credential) => credential.follow("cr_prison"),
        None => Ok(None),
    }
}
