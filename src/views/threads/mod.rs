//! The threads: what each was doing, in which jail and in which vnet.
//!
//! A thread's vnet is that of the jail of its credential; its curvnet (`td_vnet`) is the one that
//! it works in, and NULL outside the network stack. Threads of the kernel work in the vnets of
//! jails, so that the two need not agree.

mod curvnet;
mod null_curvnet;
mod state;

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::threads::{self, Thread, ThreadName, registers};
use crate::value::model::ValueError;
use crate::views::backtrace::Tracer;
use crate::views::call_out::CallOut;
use crate::views::known_vnets::KnownVnets;
use crate::views::recursions;
use crate::walk::Problems;

pub use state::{Doing, Lock, State, Wait};

/// A thread as the dump has it. Members that cannot be read are errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThreadView {
    /// The thread and its process.
    pub name: ThreadName,
    /// The address of its struct proc.
    pub process: VirtAddr,
    /// The address of the struct prison of its credential; `None` if it has no credential.
    pub prison: Result<Option<VirtAddr>, ValueError>,
    /// The address of that prison's vnet.
    pub jail_vnet: Result<Option<VirtAddr>, ValueError>,
    /// Whether it runs, and if not, why.
    pub doing: Result<Doing, ValueError>,
    /// What it waits for.
    pub wait: Wait,
    /// The processor that it runs on.
    pub cpu: Option<u64>,
    /// The processor that it ran on last.
    pub last_cpu: Option<u64>,
    /// The address of its curvnet; `None` outside the network stack.
    pub curvnet: Result<Option<VirtAddr>, ValueError>,
    /// The function that set its curvnet, which kernels with VNET_DEBUG record.
    pub set_by: Result<Option<Box<str>>, ValueError>,
    /// It wrote the dump.
    pub dumping: bool,
    /// What is wrong with its curvnet.
    pub call_outs: Vec<CallOut>,
    /// Why it is unknown whether something is.
    pub unknown: Option<Box<str>>,
}

/// All threads, the one that wrote the dump first, and then in the order of the kernel's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threads {
    /// Those that could be read.
    pub threads: Vec<ThreadView>,
    /// What keeps others from being known.
    pub problems: Problems,
}

impl Threads {
    /// Reads them. `vnets` are those that a curvnet may be; `None` without VIMAGE. `tracer` reads
    /// the stack of the thread that wrote the dump.
    ///
    /// # Errors
    /// The kernel has no such lists, or no debug information about them.
    pub fn read<'t>(
        target: &'t Target,
        vnets: Option<&KnownVnets<'_>>,
        tracer: &Tracer<'t>,
    ) -> Result<Self, ReadError> {
        let mut problems = Problems::default();
        let processes = threads::by_process(target)?.take(&mut problems);
        let dumper = target.integer("dumptid").map(|tid| i64::from(tid as i32));
        let dumper = dumper.ok().filter(|tid| *tid != 0);
        let has_vnet_debug = recursions::has_vnet_debug(target);
        let mut threads: Vec<ThreadView> = Vec::new();
        for threads::Process { process, threads: own } in processes {
            for thread in own {
                let mut view = ThreadView::read(&Thread { thread, process }, has_vnet_debug);
                view.dumping = dumper.is_some() && view.name.tid == dumper;
                let call_out = match (vnets, &view.curvnet) {
                    (Some(vnets), Ok(Some(curvnet))) => {
                        Ok(curvnet::check(vnets, &thread, *curvnet, view.dumping))
                    }
                    (Some(_), Ok(None)) if view.dumping => {
                        let trace = tracer.trace(&Thread { thread, process });
                        let trace = trace.map_err(|why| format!("its stack: {why}").into());
                        trace.and_then(|trace| null_curvnet::check(target, &trace))
                    }
                    _ => Ok(None),
                };
                match call_out {
                    Ok(call_out) => view.call_outs.extend(call_out),
                    Err(why) => view.unknown = Some(why),
                }
                threads.push(view);
            }
        }
        threads.sort_by_key(|thread| !thread.dumping);
        Ok(Self { threads, problems })
    }
}

impl ThreadView {
    fn read(thread: &Thread<'_>, has_vnet_debug: bool) -> Self {
        let name = thread.name();
        let Thread { thread, process } = thread;
        let prison = threads::prison(thread, "td_ucred");
        let jail_vnet = match &prison {
            Ok(Some(prison)) => prison.pointer("pr_vnet").map(VirtAddr::non_null),
            Ok(None) => Ok(None),
            Err(why) => Err(why.clone()),
        };
        let prison = prison.map(|prison| prison.map(|prison| prison.address));
        Self {
            name,
            process: process.address,
            prison: prison.map_err(ValueError::from),
            jail_vnet: jail_vnet.map_err(ValueError::from),
            doing: Doing::read(thread, process).map_err(ValueError::from),
            wait: Wait::read(thread),
            cpu: registers::processor(thread, "td_oncpu"),
            last_cpu: registers::processor(thread, "td_lastcpu"),
            curvnet: thread.pointer("td_vnet").map(VirtAddr::non_null).map_err(ValueError::from),
            set_by: if has_vnet_debug {
                thread.text_behind("td_vnet_lpush").map_err(ValueError::from)
            } else {
                Ok(None)
            },
            dumping: false,
            call_outs: Vec::new(),
            unknown: None,
        }
    }
}
