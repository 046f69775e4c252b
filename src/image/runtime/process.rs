//! Processes and their threads: the jail and the curvnet of each.
//!
//! `sys/kern/kern_fork.c`, `kern_exit.c`. A process is on `allproc` and among its parent's
//! children. One that has ended is a zombie until its parent asks for its status: on `zombproc` up
//! to 12, and on no list of all later.

use super::Runtime;
use super::jail::text;
use super::queue::Queue;
use super::thread_state::ThreadState;
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
    /// The name of its parent; `None` for process 1, or 0 if there is no 1.
    pub parent: Option<String>,
    /// Is it a process of the kernel?
    pub kernel: bool,
    /// Is its thread inside the network stack, with curvnet (td_vnet) set to its jail's stack?
    pub in_network_stack: bool,
    /// Is its thread the one that writes the dump? It then runs on the first CPU.
    pub dumping: bool,
    /// What its thread does; `None` for a usual sleep.
    pub state: Option<ThreadState>,
}

impl ProcessOptions {
    /// A process with that name on the host, outside the network stack.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            pid: None,
            tid: None,
            jail: None,
            parent: None,
            kernel: false,
            in_network_stack: false,
            dumping: false,
            state: None,
        }
    }
}

/// A thread, by the name of its process, or by that and its own: `nginx/worker`.
#[derive(Debug)]
pub(super) struct NamedThread {
    name: String,
    thread: Object,
}

/// P_KPROC and P_SYSTEM.
const KERNEL_PROCESS: u64 = 0x204;
/// P_INMEM: its stacks are in memory.
const IN_MEMORY: u64 = 0x1000_0000;

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
        self.last_pid = self.last_pid.max(pid);
        let parent = self.parent_of(options.parent.as_deref())?;

        let cred = self.crget(prison)?;
        let users = self.kernel.get(prison, "pr_uref")?;
        self.kernel.set(prison, "pr_uref", users.wrapping_add(1))?;
        let process = self.kernel.malloc("proc", "struct proc")?;
        self.link_process(process, parent, prison)?;
        self.kernel.set(process, "p_pid", pid)?;
        self.kernel.set_pointer(process, "p_ucred", cred.address)?;
        self.set_text(process, "p_comm", &options.name)?;
        self.set_state(process, "p_state", "PRS_NORMAL")?;
        let flags = if options.kernel { IN_MEMORY | KERNEL_PROCESS } else { IN_MEMORY };
        self.kernel.set_if_any(process, "p_flag", flags)?;
        let thread = self.add_thread(process, &options.name, options.tid)?;
        let curvnet = vnet.map_or(VirtAddr::new(0), |vnet| vnet.0);
        self.kernel.set_pointer(thread, "td_vnet", curvnet)?;
        match (&options.state, options.dumping) {
            (_, true) => self.run_on_first_cpu(thread)?,
            (Some(state), false) => self.set_thread_state(thread, state)?,
            (None, false) => self.set_thread_state(thread, &ThreadState::usual())?,
        }
        self.threads.push(NamedThread { name: options.name.clone(), thread });
        Ok(thread)
    }

    /// thr_new or kthread_add: another thread of the newest process with that name, with the
    /// credential and the vnet of none.
    ///
    /// # Errors
    /// There is no such process, or the name is too long.
    pub fn create_thread(
        &mut self,
        process: &str,
        name: &str,
        tid: Option<u64>,
        state: &ThreadState,
    ) -> Result<Object, ImageError> {
        let first = self.thread(process)?;
        let owner = VirtAddr::new(self.kernel.get(first, "td_proc")?);
        let owner = self.kernel.object(owner, "struct proc")?;
        let thread = self.add_thread(owner, name, tid)?;
        self.set_thread_state(thread, state)?;
        self.threads.push(NamedThread { name: format!("{process}/{name}"), thread });
        Ok(thread)
    }

    /// exit1 of the newest process with that name, and proc_reap if its parent has asked for its
    /// status.
    ///
    /// # Errors
    /// There is no such process.
    pub fn exit_process(&mut self, name: &str, reaped: bool) -> Result<(), ImageError> {
        let thread = self.thread(name)?;
        let process = VirtAddr::new(self.kernel.get(thread, "td_proc")?);
        let process = self.kernel.object(process, "struct proc")?;
        let cred = self.credential(process, "p_ucred")?;
        let prison = VirtAddr::new(self.kernel.get(cred, "cr_prison")?);
        let prison = self.prison_at(prison)?;
        self.process_queue("allproc", |queue, m, head| queue.remove(m, head, process.address))?;
        if self.kernel.has(prison, "pr_proclist") && self.kernel.has(process, "p_jaillist") {
            let head = self.kernel.member(prison, "pr_proclist")?;
            let queue = Queue::of(&self.kernel, head.type_id, process.type_id, "p_jaillist")?;
            queue.remove(self.kernel.machine_mut(), head.address, process.address)?;
        }
        let has_list = self.kernel.address_of("zombproc").is_some();
        if has_list && !reaped {
            let at = process.address;
            self.process_queue("zombproc", |queue, m, head| queue.insert_head(m, head, at))?;
        }
        self.close_descriptors(process)?;
        self.set_state(process, "p_state", "PRS_ZOMBIE")?;
        self.set_thread_state(thread, &ThreadState::Inactive)?;
        self.kernel.set_pointer(thread, "td_vnet", VirtAddr::new(0))?;
        self.prison_proc_free(prison)?;
        if reaped { self.reap(process, thread, cred) } else { Ok(()) }
    }

    /// proc_reap.
    fn reap(&mut self, process: Object, thread: Object, cred: Object) -> Result<(), ImageError> {
        let parent = VirtAddr::new(self.kernel.get(process, "p_pptr")?);
        let head = self.kernel.object(parent, "struct proc")?;
        let head = self.kernel.member(head, "p_children")?;
        let queue = Queue::of(&self.kernel, head.type_id, process.type_id, "p_sibling")?;
        queue.remove(self.kernel.machine_mut(), head.address, process.address)?;
        self.threads.retain(|known| known.thread != thread);
        for holder in [thread, process] {
            self.kernel.machine_mut().free(holder.address)?;
            self.crfree(cred)?;
        }
        Ok(())
    }

    /// The `struct thread` of the newest process with that name; `process/thread` for one of
    /// several.
    ///
    /// # Errors
    /// There is none.
    pub fn thread(&self, process: &str) -> Result<Object, ImageError> {
        let found = self.threads.iter().rev().find(|known| known.name == process);
        let found = found.map(|known| known.thread);
        found.ok_or_else(|| ImageError::Refused(format!("there is no process {process}")))
    }

    /// The `struct proc` of a parent: by name, else process 1, else process 0.
    fn parent_of(&self, name: Option<&str>) -> Result<Option<Object>, ImageError> {
        let first = match name {
            Some(name) => Some(self.thread(name)?),
            None => self.thread("init").ok(),
        };
        match first {
            Some(thread) => {
                let parent = VirtAddr::new(self.kernel.get(thread, "td_proc")?);
                self.kernel.object(parent, "struct proc").map(Some)
            }
            None => Ok(self.kernel.variable("proc0").ok()),
        }
    }

    /// A thread of a process, with the process's credential.
    fn add_thread(
        &mut self,
        process: Object,
        name: &str,
        tid: Option<u64>,
    ) -> Result<Object, ImageError> {
        let tid = tid.unwrap_or(self.last_tid.wrapping_add(1));
        self.last_tid = self.last_tid.max(tid);
        let thread = self.kernel.malloc("thread", "struct thread")?;
        let threads = self.kernel.member(process, "p_threads")?;
        let queue = Queue::of(&self.kernel, threads.type_id, thread.type_id, "td_plist")?;
        let known = if self.kernel.has(process, "p_numthreads") {
            self.kernel.get(process, "p_numthreads")?
        } else {
            0
        };
        if known == 0 {
            queue.init(self.kernel.machine_mut(), threads.address)?;
        }
        queue.insert_tail(self.kernel.machine_mut(), threads.address, thread.address)?;
        self.kernel.set_if_any(process, "p_numthreads", known + 1)?;
        let cred = self.credential(process, "p_ucred")?;
        self.crhold(cred)?;
        self.kernel.set(thread, "td_tid", tid)?;
        self.kernel.set_pointer(thread, "td_proc", process.address)?;
        for member in ["td_ucred", "td_realucred"] {
            self.kernel.set_if_any(thread, member, cred.address.get())?;
        }
        self.set_text(thread, "td_name", name)?;
        Ok(thread)
    }

    fn link_process(
        &mut self,
        process: Object,
        parent: Option<Object>,
        prison: Object,
    ) -> Result<(), ImageError> {
        let at = process.address;
        self.process_queue("allproc", |queue, m, head| queue.insert_head(m, head, at))?;
        if self.kernel.has(prison, "pr_proclist") && self.kernel.has(process, "p_jaillist") {
            let head = self.kernel.member(prison, "pr_proclist")?;
            let queue = Queue::of(&self.kernel, head.type_id, process.type_id, "p_jaillist")?;
            queue.insert_head(self.kernel.machine_mut(), head.address, at)?;
        }
        let Some(parent) = parent.filter(|_| self.kernel.has(process, "p_children")) else {
            return Ok(());
        };
        self.kernel.set_pointer(process, "p_pptr", parent.address)?;
        let head = self.kernel.member(parent, "p_children")?;
        let queue = Queue::of(&self.kernel, head.type_id, process.type_id, "p_sibling")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, at)
    }

    /// Changes a list of all processes.
    fn process_queue(
        &mut self,
        list: &str,
        change: impl FnOnce(
            &Queue,
            &mut crate::image::machine::Machine,
            VirtAddr,
        ) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let list = self.kernel.variable(list)?;
        let process = self.kernel.types().find("struct proc")?;
        let queue = Queue::of(&self.kernel, list.type_id, process, "p_list")?;
        change(&queue, self.kernel.machine_mut(), list.address)
    }

    /// It writes the dump. Whoever ran there is switched out.
    fn run_on_first_cpu(&mut self, thread: Object) -> Result<(), ImageError> {
        let tid = self.kernel.get(thread, "td_tid")?;
        self.kernel.set_symbol("dumptid", tid)?;
        let first = self.cpus.first().copied().unwrap_or(0);
        self.switch_out(first)?;
        self.set_thread_state(thread, &ThreadState::Running { cpu: first })
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

    /// The threads that the runtime made, in that order.
    pub(super) fn known_threads(&self) -> Vec<Object> {
        self.threads.iter().map(|known| known.thread).collect()
    }
}
