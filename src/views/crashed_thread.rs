//! The thread that wrote the dump, and its jail and vnet.

use std::fmt;

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::threads::{self, ThreadName, registers};
use crate::views::jails::Jails;
use crate::vnet::list::JailRef;
use crate::walk::Problems;

/// The thread that wrote the dump: the one that crashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashedThread {
    /// The thread's number (`td_tid`), from the kernel's `dumptid`.
    pub tid: i64,
    /// `None` if it is on no list.
    pub thread: Option<ThreadName>,
    /// The jail of its credential.
    pub jail: Option<JailRef>,
    /// That jail's vnet.
    pub jail_vnet: Option<VirtAddr>,
    /// td_vnet: `None` outside the network stack.
    pub curvnet: Option<VirtAddr>,
    /// The CPU that it ran on; `None` if that is unknown.
    pub cpu: Option<u64>,
    /// Why the thread was not found.
    pub problems: Problems,
}

impl CrashedThread {
    /// Finds it; `jails` give the name of its jail. `None` if the kernel says that no thread
    /// wrote the dump, or is running.
    ///
    /// # Errors
    /// The kernel does not say which thread that was, or it cannot be read.
    pub fn find(target: &Target, jails: Option<&Jails>) -> Result<Option<Self>, ReadError> {
        if target.memory().is_live() {
            return Ok(None);
        }
        let tid = i64::from(target.integer("dumptid")? as i32);
        if tid == 0 {
            return Ok(None);
        }
        let (thread, problems) =
            match threads::all(target)?.find(|it| it.thread.int("td_tid") == Ok(tid)) {
                Ok(found) => (found.copied(), Problems::default()),
                Err(problem) => (None, problem.into()),
            };
        let prison =
            thread.as_ref().and_then(|thread| threads::prison(&thread.thread, "td_ucred").ok()?);
        let jail = prison.and_then(|prison| jails?.at(prison.address));
        Ok(Some(Self {
            tid,
            jail: jail.map(JailRef::from),
            jail_vnet: prison.and_then(|prison| prison.pointer("pr_vnet").ok()?.non_null()),
            curvnet: thread.as_ref().and_then(|it| it.thread.pointer("td_vnet").ok()?.non_null()),
            cpu: thread.as_ref().and_then(|it| registers::processor(&it.thread, "td_oncpu")),
            thread: thread.map(|thread| thread.name()),
            problems,
        }))
    }
}

impl fmt::Display for CrashedThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(thread) = &self.thread else {
            return match self.problems.none() {
                Ok(()) => write!(f, "thread {}, which is on no list of threads", self.tid),
                Err(_) => {
                    let tid = self.tid;
                    write!(f, "thread {tid}, which is not on the readable part of the lists")
                }
            };
        };
        write!(f, "{thread}")?;
        if let Some(jail) = &self.jail {
            let name = if jail.jid == 0 { "0, the host".to_owned() } else { jail.title() };
            write!(f, ", jail {name}")?;
        }
        if self.curvnet.is_none() { f.write_str(", in no vnet") } else { Ok(()) }
    }
}
