//! Every thread of the kernel's lists, kept for questions that come later, and the pointers that
//! lead from threads to vnets.
//!
//! The pages of some ten thousand threads are not kept, and reading them again is what such a question
//! costs most. So the walk takes these pointers along.

use crate::addr::VirtAddr;
use crate::parallel;
use crate::target::{ReadError, Target};
use crate::threads::list::{Thread, jail_vnet, processes_with, threads_of};
use crate::types::TypeId;
use crate::value::Object;
use crate::walk::{Problem, Problems, Walk};

/// Every thread of every process, in the order of the kernel's lists, each once.
///
/// # Errors
/// The kernel has no such list, or no debug information about it.
pub fn all(target: &Target) -> Result<Walk<Thread<'_>>, ReadError> {
    Ok(Listed::read(target)?.all(target))
}

/// Every thread, as addresses.
#[derive(Debug)]
pub struct Listed {
    /// Of processes and of threads; `None` if there are none.
    types: Option<(TypeId, TypeId)>,
    threads: Vec<Entry>,
    problems: Problems,
}

/// A thread, and what was read of it; `None` where that failed.
#[derive(Debug)]
struct Entry {
    process: VirtAddr,
    thread: VirtAddr,
    tid: Option<i64>,
    curvnet: Option<VirtAddr>,
    credential: Option<VirtAddr>,
    /// If this is the first thread of its process, the number of that and its credential.
    of_process: Option<(i64, Option<VirtAddr>)>,
}

impl Listed {
    /// Reads the lists.
    ///
    /// # Errors
    /// As [`all`].
    pub fn read(target: &Target) -> Result<Self, ReadError> {
        let walk = processes_with(target, |process, trail| {
            let of_process = process.int("p_pid").ok();
            let of_process = of_process.map(|pid| (pid, process.pointer("p_ucred").ok()));
            // The trail is one for the threads of all processes: a damaged list may lead into another's.
            let threads = threads_of(process, trail, |thread| Entry {
                process: process.address,
                thread: thread.address,
                tid: thread.int("td_tid").ok(),
                curvnet: thread.pointer("td_vnet").ok(),
                credential: thread.pointer("td_ucred").ok(),
                of_process: None,
            });
            (of_process, threads)
        })?;
        let mut types = None;
        let walk = walk.flat_map(|(process, (mut of_process, threads))| {
            threads.map(|(thread, entry)| {
                // All elements of a list have its type.
                types.get_or_insert((process.type_id, thread.type_id));
                Entry { of_process: of_process.take(), ..entry }
            })
        });
        let mut problems = Problems::default();
        let threads = walk.take(&mut problems);
        Ok(Self { types, threads, problems })
    }

    /// The threads, in the order of the lists.
    pub fn all<'t>(&self, target: &'t Target) -> Walk<Thread<'t>> {
        let threads = self.entries(target).map(|(thread, _)| thread);
        Walk::new(threads.collect(), self.problems.clone())
    }

    /// The thread with this id.
    ///
    /// # Errors
    /// It is not on the part of the lists that can be read.
    pub fn with_id<'t>(&self, target: &'t Target, tid: i64) -> Result<Option<Thread<'t>>, Problem> {
        match self.entries(target).find(|(_, entry)| entry.tid == Some(tid)) {
            Some((thread, _)) => Ok(Some(thread)),
            None => self.problems.none().map(|()| None),
        }
    }

    fn entries<'t>(
        &self,
        target: &'t Target,
    ) -> impl Iterator<Item = (Thread<'t>, &Entry)> + use<'_, 't> {
        self.types.into_iter().flat_map(move |(process_type, thread_type)| {
            self.threads.iter().map(move |entry| {
                let process = Object::new(target, process_type, entry.process);
                let thread = Object::new(target, thread_type, entry.thread);
                (Thread { thread, process }, entry)
            })
        })
    }

    /// Calls `found` with the vnets that all threads and their processes point to, one after the
    /// other, and with what makes the words for who does. `of_prison` has the vnets of prisons that are known.
    /// Returns what could not be read.
    pub fn each_vnet(
        &self,
        target: &Target,
        of_prison: impl Fn(VirtAddr) -> Option<Option<VirtAddr>> + Sync,
        mut found: impl FnMut(Option<VirtAddr>, &dyn Fn() -> String),
    ) -> Problems {
        let mut problems = self.problems.clone();
        let threads: Vec<_> = self.entries(target).collect();
        let jobs = parallel::jobs_for(threads.len());
        let read = |entry: &_| Pointers::read(entry, &of_prison);
        parallel::for_each(&threads, jobs, read, |pointers| {
            pointers.tell(&mut found, &mut problems);
            true
        });
        problems
    }
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
    fn read(
        &(of, entry): &(Thread<'t>, &Entry),
        of_prison: &impl Fn(VirtAddr) -> Option<Option<VirtAddr>>,
    ) -> Self {
        let Thread { thread, process } = &of;
        // What could not be read is read again, for the reason.
        let pointer = |object: &Object<'t>, member, known: Option<VirtAddr>| {
            known.map_or_else(|| object.pointer(member), Ok)
        };
        let vnet_of = |object: &Object<'t>, member, credential| {
            let credential = pointer(object, member, credential)?;
            jail_vnet(object.behind(member, credential)?, of_prison)
        };
        let curvnet = || pointer(thread, "td_vnet", entry.curvnet).map(VirtAddr::non_null);
        let of_jail = || vnet_of(thread, "td_ucred", entry.credential);
        Self {
            of_process: entry
                .of_process
                .map(|(pid, credential)| (pid, vnet_of(process, "p_ucred", credential))),
            of_thread: entry.tid.map(|tid| (tid, [curvnet(), of_jail()])),
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
