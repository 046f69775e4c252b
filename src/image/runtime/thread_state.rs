//! What threads do: run, wait for a processor, sleep, wait for a lock.
//!
//! `sys/sys/proc.h`: td_state, and the bits of td_inhibitors where it is TDS_INHIBITED. A sleeping
//! thread has the message of its sleep and the address it sleeps on (`sys/kern/subr_sleepqueue.c`),
//! one that waits for a lock the lock's name and a turnstile (`sys/kern/subr_turnstile.c`).

use super::Runtime;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

/// What a thread does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ThreadState {
    /// It runs on this CPU.
    Running {
        /// The CPU's id.
        cpu: u32,
    },
    /// It is on a run queue.
    Runnable,
    /// It sleeps.
    Sleeping {
        /// The message of its sleep: `kqread`.
        message: String,
        /// Is its stack swapped out?
        swapped: bool,
    },
    /// It waits for a lock.
    Locked {
        /// The kernel's variable: `vnet_rwlock`.
        lock: String,
    },
    /// A thread of an interrupt, which waits for one.
    Iwait,
    /// It is stopped by a signal.
    Suspended,
    /// It is not in use.
    Inactive,
}

/// td_oncpu of a thread that does not run (`NOCPU`); 255 in the u_char of older kernels.
const NOCPU: u64 = u64::MAX;

const TDI_SUSPENDED: u64 = 0x1;
const TDI_SLEEPING: u64 = 0x2;
const TDI_SWAPPED: u64 = 0x4;
const TDI_LOCK: u64 = 0x8;
const TDI_IWAIT: u64 = 0x10;

impl ThreadState {
    /// That of most threads: they wait for something to do.
    pub fn usual() -> Self {
        Self::asleep("select")
    }

    /// It sleeps, with that message.
    pub fn asleep(message: impl Into<String>) -> Self {
        Self::Sleeping { message: message.into(), swapped: false }
    }
}

impl Runtime {
    /// Leaves `thread`, a `struct thread`, in this state.
    ///
    /// # Errors
    /// There is no such lock or CPU.
    pub fn set_thread_state(
        &mut self,
        thread: Object,
        state: &ThreadState,
    ) -> Result<(), ImageError> {
        let (name, inhibitors) = match state {
            ThreadState::Running { .. } => ("TDS_RUNNING", 0),
            ThreadState::Runnable => ("TDS_RUNQ", 0),
            ThreadState::Sleeping { swapped: true, .. } => {
                ("TDS_INHIBITED", TDI_SLEEPING | TDI_SWAPPED)
            }
            ThreadState::Sleeping { .. } => ("TDS_INHIBITED", TDI_SLEEPING),
            ThreadState::Locked { .. } => ("TDS_INHIBITED", TDI_LOCK),
            ThreadState::Iwait => ("TDS_INHIBITED", TDI_IWAIT),
            ThreadState::Suspended => ("TDS_INHIBITED", TDI_SUSPENDED),
            ThreadState::Inactive => ("TDS_INACTIVE", 0),
        };
        self.set_state(thread, "td_state", name)?;
        self.kernel.set_if_any(thread, "td_inhibitors", inhibitors)?;
        let first = self.cpus.first().copied().unwrap_or(0);
        let (on, last) = match state {
            ThreadState::Running { cpu } if !self.cpus.contains(cpu) => {
                return Err(ImageError::Refused(format!("there is no CPU {cpu}")));
            }
            ThreadState::Running { cpu } => (u64::from(*cpu), *cpu),
            _ => (NOCPU, first),
        };
        self.kernel.set_if_any(thread, "td_oncpu", on)?;
        self.kernel.set_if_any(thread, "td_lastcpu", last.into())?;
        self.set_sleep(thread, state)?;
        self.set_wanted_lock(thread, state)
    }

    /// The thread on a CPU, if any, is switched out.
    pub(super) fn switch_out(&mut self, cpu: u32) -> Result<(), ImageError> {
        let swapper = self.kernel.variable("thread0_st").ok();
        let swapper = swapper.and_then(|storage| self.kernel.member(storage, "t0st_thread").ok());
        for thread in self.known_threads().into_iter().chain(swapper) {
            let runs = self.kernel.has(thread, "td_oncpu")
                && self.kernel.get(thread, "td_oncpu")? == u64::from(cpu);
            if runs {
                let state = match Some(thread) == swapper {
                    true => ThreadState::asleep("swapin"),
                    false => ThreadState::Runnable,
                };
                self.set_thread_state(thread, &state)?;
            }
        }
        Ok(())
    }

    /// td_wmesg and td_wchan. What is slept on is usually the object that something happens to.
    fn set_sleep(&mut self, thread: Object, state: &ThreadState) -> Result<(), ImageError> {
        let (message, channel) = match state {
            ThreadState::Sleeping { message, .. } => {
                (self.literal(message)?, VirtAddr::new(self.kernel.get(thread, "td_proc")?))
            }
            _ => (VirtAddr::new(0), VirtAddr::new(0)),
        };
        self.kernel.set_if_any(thread, "td_wmesg", message.get())?;
        self.kernel.set_if_any(thread, "td_wchan", channel.get())
    }

    fn set_wanted_lock(&mut self, thread: Object, state: &ThreadState) -> Result<(), ImageError> {
        let ThreadState::Locked { lock } = state else {
            self.kernel.set_if_any(thread, "td_lockname", 0)?;
            return self.kernel.set_if_any(thread, "td_blocked", 0);
        };
        let object = self.kernel.variable(lock)?;
        let own = self.kernel.member(object, "lock_object")?;
        let mut name = self.kernel.get(own, "lo_name")?;
        if name == 0 {
            name = self.literal(lock)?.get();
            self.kernel.set(own, "lo_name", name)?;
        }
        self.kernel.set_if_any(thread, "td_lockname", name)?;
        // A kernel whose debug information has no turnstiles.
        let Ok(turnstile) = self.kernel.malloc("turnstile", "struct turnstile") else {
            return Ok(());
        };
        self.kernel.set_pointer(turnstile, "ts_lockobj", own.address)?;
        self.kernel.set_if_any(thread, "td_blocked", turnstile.address.get())
    }
}
