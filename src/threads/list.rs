//! Threads and processes, as far as they lead to a vnet: `curvnet` is the
//! `td_vnet` of the running thread, and a process's vnet is its jail's.

use rustc_hash::FxHashSet;
use serde::Serialize;

use crate::addr::VirtAddr;
use crate::parallel;
use crate::target::{ReadError, Target};
use crate::types::TypeId;
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

/// Every thread, as addresses, for questions that come later.
#[derive(Debug)]
pub struct Listed {
    /// Of processes and of threads; `None` if there are none.
    types: Option<(TypeId, TypeId)>,
    /// The process of each thread, and the thread.
    addresses: Vec<(VirtAddr, VirtAddr)>,
    problems: Problems,
}

const ALLPROC: List<'_> = List { name: "allproc", element: "process" };
const ZOMBPROC: List<'_> = List { name: "zombproc", element: "process" };

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
    let vnet = jail_vnet(process, "p_ucred")?;
    Ok(Some(VnetPointer { holder: format!("process {pid} ({name})").into(), vnet }))
}

/// Calls `found` with the vnets that all these threads and their processes point to, one after the
/// other, and with what makes the words for who does. Returns what could not be read.
pub fn each_vnet(
    threads: Result<Walk<Thread<'_>>, ReadError>,
    mut found: impl FnMut(Option<VirtAddr>, &dyn Fn() -> String),
) -> Problems {
    let mut problems = Problems::default();
    let threads = match threads {
        Ok(threads) => threads.take(&mut problems),
        Err(why) => return Problem::unreadable(ALLPROC.name, why).into(),
    };
    let mut last = None;
    let is_first =
        |thread: &Thread<'_>| last.replace(thread.process.address) != Some(thread.process.address);
    let firsts: Vec<bool> = threads.iter().map(is_first).collect();
    let threads: Vec<(Thread<'_>, bool)> = threads.into_iter().zip(firsts).collect();
    parallel::for_each(&threads, parallel::jobs_for(threads.len()), Pointers::read, |pointers| {
        pointers.tell(&mut found, &mut problems);
        true
    });
    problems
}

/// What a thread says of vnets, and if it is the first of its process, what that says.
struct Pointers<'t> {
    thread: Thread<'t>,
    /// The number of the process, and what its credential's prison points to.
    of_process: Option<(i64, Pointer)>,
    /// The number of the thread, its curvnet, and what its credential's prison points to.
    of_thread: Option<(i64, [Pointer; 2])>,
}

/// A pointer that was read; `None` is NULL.
type Pointer = Result<Option<VirtAddr>, ReadError>;

impl<'t> Pointers<'t> {
    fn read(&(of, is_first): &(Thread<'t>, bool)) -> Self {
        let Thread { thread, process } = &of;
        let pid = is_first.then(|| process.int("p_pid").ok()).flatten();
        let tid = thread.int("td_tid").ok();
        let curvnet = || thread.pointer("td_vnet").map(VirtAddr::non_null);
        Self {
            of_process: pid.map(|pid| (pid, jail_vnet(process, "p_ucred"))),
            of_thread: tid.map(|tid| (tid, [curvnet(), jail_vnet(thread, "td_ucred")])),
            thread: of,
        }
    }

    fn tell(
        self,
        found: &mut impl FnMut(Option<VirtAddr>, &dyn Fn() -> String),
        problems: &mut Problems,
    ) {
        let Thread { thread, process } = &self.thread;
        let mut tell = |member: &str, who: &dyn Fn() -> String, vnet: Result<_, ReadError>| {
            let holder = || format!("{member} of {}", who());
            match vnet {
                Ok(vnet) => found(vnet, &holder),
                Err(why) => problems.add(Problem::unreadable(holder(), why)),
            }
        };
        let name = |object: &Object<'_>, member| object.text(member).unwrap_or_default();
        if let Some((pid, vnet)) = self.of_process {
            tell("pr_vnet", &|| format!("process {pid} ({})", name(process, "p_comm")), vnet);
        }
        if let Some((tid, [curvnet, of_jail])) = self.of_thread {
            let who = || format!("thread {tid} ({})", name(thread, "td_name"));
            tell("td_vnet", &who, curvnet);
            tell("pr_vnet", &who, of_jail);
        }
    }
}

/// The curvnet of the thread with this id.
///
/// # Errors
/// As [`process`].
pub fn thread(target: &Target, tid: i64) -> Result<Option<VnetPointer>, VnetError> {
    let Some(Thread { thread, .. }) = with_id(target, tid)? else { return Ok(None) };
    let name = thread.text("td_name").unwrap_or_default();
    let vnet = thread.pointer("td_vnet").map_err(VnetError::from)?.non_null();
    Ok(Some(VnetPointer { holder: format!("thread {tid} ({name})").into(), vnet }))
}

/// The thread with this id.
///
/// # Errors
/// As [`process`].
pub fn with_id(target: &Target, tid: i64) -> Result<Option<Thread<'_>>, VnetError> {
    let unknown = |because| VnetError::unknown(format!("thread {tid}"), because);
    let threads = all(target)?;
    let found = threads.find(|thread| thread.thread.int("td_tid") == Ok(tid));
    Ok(found.map_err(unknown)?.copied())
}

/// Every thread of every process, in the order of the kernel's lists, each once.
///
/// # Errors
/// The kernel has no such list, or no debug information about it.
pub fn all(target: &Target) -> Result<Walk<Thread<'_>>, ReadError> {
    // One trail for the threads of all processes: a damaged list may lead into another's.
    let mut trail = Trail::new(target.budget());
    Ok(processes(target)?.flat_map(|process| {
        threads_of(&process, &mut trail).map(|thread| Thread { thread, process })
    }))
}

impl Listed {
    /// Reads the lists.
    ///
    /// # Errors
    /// As [`all`].
    pub fn read(target: &Target) -> Result<Self, ReadError> {
        let mut problems = Problems::default();
        let threads = all(target)?.take(&mut problems);
        // All elements of a list have its type.
        let types = threads.first().map(|it| (it.process.type_id, it.thread.type_id));
        let addresses = threads.iter().map(|it| (it.process.address, it.thread.address));
        Ok(Self { types, addresses: addresses.collect(), problems })
    }

    /// The threads, in the order of the lists.
    pub fn all<'t>(&self, target: &'t Target) -> Walk<Thread<'t>> {
        let threads = self.types.into_iter().flat_map(|(process_type, thread_type)| {
            self.addresses.iter().map(move |&(process, thread)| Thread {
                thread: Object::new(target, thread_type, thread),
                process: Object::new(target, process_type, process),
            })
        });
        Walk::new(threads.collect(), self.problems.clone())
    }
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
/// As [`all`].
pub fn by_process(target: &Target) -> Result<Walk<Process<'_>>, ReadError> {
    let mut problems = Problems::default();
    let mut all = processes(target)?.take(&mut problems);
    let listed = all.len();
    if let Ok(head) = Object::global(target, ZOMBPROC.name) {
        all.extend(queue::walk(head, "p_list", ZOMBPROC).take(&mut problems));
    }
    let mut trail = Trail::new(target.budget());
    for place in 0..listed {
        let Some(parent) = all.get(place) else { break };
        let Ok(head) = parent.member("p_children") else { continue };
        let name = format!("the children of {}", title(parent));
        let list = List { name: &name, element: "process" };
        all.extend(queue::walk_on(head, "p_sibling", list, &mut trail).take(&mut problems));
    }
    let mut known = FxHashSet::default();
    all.retain(|process| known.insert(process.address));
    let mut trail = Trail::new(target.budget());
    let found = all.into_iter().map(|process| {
        let threads = threads_of(&process, &mut trail).take(&mut problems);
        Process { process, threads }
    });
    let found = found.collect();
    Ok(Walk::new(found, problems))
}

/// The threads of a process. `trail` knows those of others.
fn threads_of<'t>(process: &Object<'t>, trail: &mut Trail<'_>) -> Walk<Object<'t>> {
    let name = format!("the threads of {}", title(process));
    let list = List { name: &name, element: "thread" };
    match process.member("p_threads") {
        Ok(head) => queue::walk_on(head, "td_plist", list, trail),
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

fn title(process: &Object<'_>) -> String {
    match process.int("p_pid") {
        Ok(pid) => format!("process {pid}"),
        Err(_) => format!("the process at {}", process.address),
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

/// Every process.
///
/// # Errors
/// As [`all`].
pub fn processes(target: &Target) -> Result<Walk<Object<'_>>, ReadError> {
    let walk = queue::walk(Object::global(target, "allproc")?, "p_list", ALLPROC);
    // Process 0 is on it from the kernel's first steps on.
    Ok(match walk.count() {
        Ok(0) => {
            Walk::failed(Problem::new(ALLPROC.name, format!("it is empty: {}", queue::NOT_MADE)))
        }
        _ => walk,
    })
}

/// The vnet of the prison of the credential that `member` points to.
fn jail_vnet(object: &Object<'_>, member: &str) -> Result<Option<VirtAddr>, ReadError> {
    match prison(object, member)? {
        Some(prison) => Ok(prison.pointer("pr_vnet")?.non_null()),
        None => Ok(None),
    }
}

/// The prison of the credential that `member` points to.
pub fn prison<'t>(object: &Object<'t>, member: &str) -> Result<Option<Object<'t>>, ReadError> {
    match object.follow(member)? {
        Some(credential) => credential.follow("cr_prison"),
        None => Ok(None),
    }
}
