//! Processes and their threads: the jail and the curvnet of each.

use super::Runtime;
use super::jail::text;
use super::queue::Queue;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

/// A process to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessOptions {
    /// The name of the program, p_comm.
    pub name: String,
    /// The process id; `None` for the next free one.
    pub pid: Option<u64>,
    /// The thread id; `None` for the next free one.
    pub tid: Option<u64>,
    /// The jail it runs in; `None` for the host.
    pub jail: Option<String>,
    /// Is its thread inside the network stack, with curvnet (td_vnet) set to its jail's stack?
    pub in_network_stack: bool,
    /// Is its thread the one that writes the dump? It then runs on the first CPU.
    pub dumping: bool,
}

impl ProcessOptions {
    /// A process with that name on the host, outside the network stack.
    pub fn new(name: impl Into<String>) -> Self {
        let (pid, tid, jail) = (None, None, None);
        Self { name: name.into(), pid, tid, jail, in_network_stack: false, dumping: false }
    }
}

/// A thread, by the name of its process.
#[derive(Debug)]
pub(super) struct NamedThread {
    name: String,
    thread: Object,
}

/// td_oncpu of a thread that does not run (`NOCPU`); 255 in the u_char of older kernels.
const NOCPU: u64 = u64::MAX;

impl Runtime {
    /// fork1: a process with one thread, added at the head of `allproc`. Returns its thread's
    /// `struct thread`.
    ///
    /// # Errors
    /// There is no such jail, or a text is too long.
    pub fn create_process(&mut self, options: &ProcessOptions) -> Result<Object, ImageError> {
        let jail = options.jail.as_deref().unwrap_or("0");
        let prison = self.prison(jail)?;
        let vnet = self.jail_vnet(jail)?.filter(|_| options.in_network_stack);
        let pid = options.pid.unwrap_or(self.last_pid.wrapping_add(1));
        let tid = options.tid.unwrap_or(self.last_tid.wrapping_add(1));
        self.last_pid = self.last_pid.max(pid);
        self.last_tid = self.last_tid.max(tid);

        let cred = self.kernel.malloc("cred", "struct ucred")?;
        self.kernel.set(cred, "cr_ref", 2)?;
        self.kernel.set_pointer(cred, "cr_prison", prison.address)?;
        for member in ["pr_ref", "pr_uref"] {
            let count = self.kernel.get(prison, member)?;
            self.kernel.set(prison, member, count.wrapping_add(1))?;
        }

        let process = self.kernel.malloc("proc", "struct proc")?;
        let thread = self.kernel.malloc("thread", "struct thread")?;
        self.link_process(process, thread)?;
        self.kernel.set(process, "p_pid", pid)?;
        self.kernel.set_pointer(process, "p_ucred", cred.address)?;
        self.set_text(process, "p_comm", &options.name)?;
        self.set_state(process, "p_state", "PRS_NORMAL")?;

        self.kernel.set(thread, "td_tid", tid)?;
        self.kernel.set_pointer(thread, "td_proc", process.address)?;
        self.kernel.set_pointer(thread, "td_ucred", cred.address)?;
        let curvnet = vnet.map_or(VirtAddr::new(0), |vnet| vnet.0);
        self.kernel.set_pointer(thread, "td_vnet", curvnet)?;
        self.set_text(thread, "td_name", &options.name)?;
        self.kernel.set_if_any(thread, "td_oncpu", NOCPU)?;
        if options.dumping {
            self.run_on_first_cpu(thread, tid)?;
        }
        self.threads.push(NamedThread { name: options.name.clone(), thread });
        Ok(thread)
    }

    /// The `struct thread` of the newest process with that name.
    ///
    /// # Errors
    /// There is none.
    pub fn thread(&self, process: &str) -> Result<Object, ImageError> {
        let found = self.threads.iter().rev().find(|known| known.name == process);
        let found = found.map(|known| known.thread);
        found.ok_or_else(|| ImageError::Refused(format!("there is no process {process}")))
    }

    fn link_process(&mut self, process: Object, thread: Object) -> Result<(), ImageError> {
        let list = self.kernel.variable("allproc")?;
        let queue = Queue::of(&self.kernel, list.type_id, process.type_id, "p_list")?;
        queue.insert_head(self.kernel.machine_mut(), list.address, process.address)?;
        let threads = self.kernel.member(process, "p_threads")?;
        let queue = Queue::of(&self.kernel, threads.type_id, thread.type_id, "td_plist")?;
        queue.init(self.kernel.machine_mut(), threads.address)?;
        queue.insert_tail(self.kernel.machine_mut(), threads.address, thread.address)
    }

    fn run_on_first_cpu(&mut self, thread: Object, tid: u64) -> Result<(), ImageError> {
        self.kernel.set_symbol("dumptid", tid)?;
        let first = self.cpus.first().copied().unwrap_or(0);
        self.kernel.set_if_any(thread, "td_oncpu", u64::from(first))?;
        self.set_state(thread, "td_state", "TDS_RUNNING")
    }

    /// Enumerators by name, where this release has the member.
    pub(super) fn set_state(
        &mut self,
        object: Object,
        member: &str,
        state: &str,
    ) -> Result<(), ImageError> {
        if !self.kernel.has(object, member) {
            return Ok(());
        }
        let member = self.kernel.member(object, member)?;
        self.kernel.assign(member, &text(state))
    }
}
