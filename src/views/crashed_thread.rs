//! The thread that wrote the dump, and its jail and vnet.

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::threads::{self, ThreadName, registers};
use crate::vnet::list::JailRef;
use crate::walk::Problems;

/// The thread that wrote the dump: the one that crashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrashedThread {
    /// The thread's number (`td_tid`), from the kernel's `dumptid`.
    pub tid: i64,
    /// `None` if it is on no list.
    pub thread: Option<ThreadName>,
    /// The struct prison of its credential.
    pub prison: Option<VirtAddr>,
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
    /// Finds it among all `threads`. `None` if the kernel says that no thread wrote the dump, or
    /// is running.
    ///
    /// # Errors
    /// The kernel does not say which thread that was, or it cannot be read.
    pub(crate) fn find<'l>(
        target: &Target,
        threads: impl FnOnce() -> Result<&'l threads::Listed, ReadError>,
    ) -> Result<Option<Self>, ReadError> {
        if target.memory().is_live() {
            return Ok(None);
        }
        let tid = i64::from(target.integer("dumptid")? as i32);
        if tid == 0 {
            return Ok(None);
        }
        let (thread, problems) = match threads()?.with_id(target, tid) {
            Ok(found) => (found, Problems::default()),
            Err(problem) => (None, problem.into()),
        };
        let prison =
            thread.as_ref().and_then(|thread| threads::prison(&thread.thread, "td_ucred").ok()?);
        Ok(Some(Self {
            tid,
            prison: prison.map(|prison| prison.address),
            jail_vnet: prison.and_then(|prison| prison.pointer("pr_vnet").ok()?.non_null()),
            curvnet: thread.as_ref().and_then(|it| it.thread.pointer("td_vnet").ok()?.non_null()),
            cpu: thread.as_ref().and_then(|it| registers::processor(&it.thread, "td_oncpu")),
            thread: thread.map(|thread| thread.name()),
            problems,
        }))
    }

    /// The thread in words, with its `jail` if that is known: `thread 100100 (nginx, process 812), jail 3 (web01)`.
    #[must_use]
    pub fn title(&self, jail: Option<&JailRef>) -> String {
        let Some(thread) = &self.thread else {
            let where_not = match self.problems.none() {
                Ok(()) => "which is on no list of threads",
                Err(_) => "which is not on the readable part of the lists",
            };
            return format!("thread {}, {where_not}", self.tid);
        };
        let jail = jail.map_or_else(String::new, |jail| match jail.jid {
            0 => ", jail 0, the host".to_owned(),
            _ => format!(", jail {}", jail.title()),
        });
        let nowhere = if self.curvnet.is_none() { ", in no vnet" } else { "" };
        format!("{thread}{jail}{nowhere}")
    }
}
