//! Kernel stacks: the calls that a thread is in, and the registers that lead to them.
//!
//! A sleeping thread has its registers in its `struct pcb`, a running one in the pcb of its
//! processor, and the dumping one in `dumppcb` (`sys/kern/kern_shutdown.c`). From the frame
//! pointer there, a chain of frames leads from call to call. The architecture's calling
//! convention says where in a frame the older frame pointer and the return address are.

use super::Runtime;
use super::thread_state::ThreadState;
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::image::ImageError;
use crate::image::object::Object;

/// A calling convention, as offsets in bytes from the frame pointer.
struct Convention {
    /// Where the caller's frame pointer is kept.
    caller: i64,
    /// Where the return address is kept: in this frame, or in the caller's.
    return_address: i64,
    in_callers_frame: bool,
    /// Members of `struct pcb` that hold the frame pointer. The first that exists is used.
    frame: &'static [&'static str],
    /// Its member that holds the stack pointer.
    stack: &'static str,
    /// Its members that hold the program counter. The first that exists is used.
    counter: &'static [&'static str],
}

/// Bytes between two frames.
const FRAME: u64 = 0x60;
/// KSTACK_PAGES of most machines.
const STACK_PAGES: u64 = 4;

/// The functions called to sleep and to panic, innermost first. A kernel has some of them.
const SLEEP: &[&str] = &["sched_switch", "mi_switch", "sleepq_switch", "sleepq_wait", "_sleep"];
const PANIC: &[&str] = &["doadump", "kern_reboot", "vpanic", "panic"];

impl Runtime {
    /// Makes `thread` sleep in `function`, or panic there if it is the dumping one. It was
    /// called through `callers`, innermost first.
    pub(super) fn sleep_in(
        &mut self,
        thread: Object,
        function: VirtAddr,
        callers: &[&str],
    ) -> Result<(), ImageError> {
        let dumping = self.is_dumping(thread)?;
        let on_top = if dumping { PANIC } else { SLEEP };
        let mut calls: Vec<VirtAddr> = on_top.iter().filter_map(|name| self.within(name)).collect();
        calls.push(self.middle(function));
        calls.extend(callers.iter().filter_map(|name| self.within(name)));
        let (top, pcb) = self.kernel_stack(thread)?;
        let (frame, stack) = self.push_frames(top, &calls)?;
        let pcb = match dumping {
            true => self.kernel.variable("dumppcb").unwrap_or(pcb),
            false => pcb,
        };
        let arch = self.kernel.machine().arch();
        let convention = convention(arch);
        let counter = calls.first().copied().unwrap_or(function);
        for (members, value) in [
            (convention.frame, frame),
            (&[convention.stack][..], stack),
            (convention.counter, counter),
        ] {
            let member = members.iter().find_map(|name| self.kernel.member(pcb, name).ok());
            if let Some(member) = member {
                self.kernel.store(member, value.get())?;
            }
        }
        if !dumping {
            self.set_thread_state(thread, &ThreadState::usual())?;
        }
        Ok(())
    }

    /// The thread's stack and the pcb at its upper end, which are made now if it has none. Returns
    /// where the oldest frame may be.
    pub(super) fn kernel_stack(
        &mut self,
        thread: Object,
    ) -> Result<(VirtAddr, Object), ImageError> {
        let page = self.kernel.machine().page_size();
        let pcb_type = self.kernel.types().find("struct pcb")?;
        let size = self.kernel.types().size_of(pcb_type)?.next_multiple_of(64);
        let known = VirtAddr::new(self.kernel.get(thread, "td_pcb")?);
        if !known.is_null() {
            return Ok((known, Object::new(known, pcb_type)));
        }
        let base = self.kernel.machine_mut().malloc("kstack", STACK_PAGES * page)?;
        let pcb = base.wrapping_add((STACK_PAGES * page).saturating_sub(size));
        self.kernel.set_if_any(thread, "td_kstack", base.get())?;
        self.kernel.set_if_any(thread, "td_kstack_pages", STACK_PAGES)?;
        self.kernel.set_pointer(thread, "td_pcb", pcb)?;
        Ok((pcb, Object::new(pcb, pcb_type)))
    }

    /// The members of a pcb with the stack pointer, and with the program counter in some release.
    pub(super) fn pcb_pointers(&self) -> (&'static str, &'static [&'static str]) {
        let convention = convention(self.kernel.machine().arch());
        (convention.stack, convention.counter)
    }

    /// Writes a frame for each call below `top`. Returns the newest frame and the stack pointer.
    fn push_frames(
        &mut self,
        top: VirtAddr,
        calls: &[VirtAddr],
    ) -> Result<(VirtAddr, VirtAddr), ImageError> {
        let convention = convention(self.kernel.machine().arch());
        let machine = self.kernel.machine_mut();
        let frame_of = |number: usize| {
            let depth = (calls.len() - number) as u64;
            VirtAddr::new(top.get().wrapping_sub(depth * FRAME))
        };
        for number in 0..calls.len() {
            let frame = frame_of(number);
            let caller = match number + 1 < calls.len() {
                true => frame_of(number + 1),
                false => VirtAddr::new(0),
            };
            let back = calls.get(number + 1).copied().unwrap_or_default();
            machine.set_pointer(frame.wrapping_add(convention.caller.cast_unsigned()), caller)?;
            let holder = if convention.in_callers_frame { caller } else { frame };
            if !holder.is_null() {
                let at = holder.wrapping_add(convention.return_address.cast_unsigned());
                machine.set_pointer(at, back)?;
            }
        }
        let frame = frame_of(0);
        let below = if convention.in_callers_frame { 0 } else { FRAME / 2 };
        Ok((frame, VirtAddr::new(frame.get().wrapping_sub(below))))
    }

    /// An address in the middle of the function `name`, like a return address.
    fn within(&self, name: &str) -> Option<VirtAddr> {
        self.kernel.address_of(name).map(|function| self.middle(function))
    }

    fn middle(&self, function: VirtAddr) -> VirtAddr {
        let size = self.symbol_at(function).map_or(0, |symbol| symbol.size);
        // On most machines, instructions are at multiples of 4.
        let half = (size / 2) & !3;
        function.wrapping_add(half.max(if size > 4 { 4 } else { 0 }))
    }

    pub(super) fn is_dumping(&self, thread: Object) -> Result<bool, ImageError> {
        let Some(dumper) = self.kernel.address_of("dumptid") else { return Ok(false) };
        let tid = self.kernel.get(thread, "td_tid")?;
        let size = self.kernel.member(thread, "td_tid")?;
        let size = self.kernel.types().size_of(size.type_id)?;
        Ok(self.kernel.machine().uint(dumper, size)? == tid)
    }
}

fn convention(arch: Arch) -> Convention {
    match arch {
        Arch::Amd64 => Convention {
            caller: 0,
            return_address: 8,
            in_callers_frame: false,
            frame: &["pcb_rbp"],
            stack: "pcb_rsp",
            counter: &["pcb_rip"],
        },
        Arch::I386 => Convention {
            caller: 0,
            return_address: 4,
            in_callers_frame: false,
            frame: &["pcb_ebp"],
            stack: "pcb_esp",
            counter: &["pcb_eip"],
        },
        // x29 and x30. Newer pcbs begin with x19.
        Arch::Arm64 => Convention {
            caller: 0,
            return_address: 8,
            in_callers_frame: false,
            frame: &["pcb_x[29]", "pcb_x[10]"],
            stack: "pcb_sp",
            counter: &["pcb_pc", "pcb_x[30]", "pcb_x[11]"],
        },
        Arch::Arm => Convention {
            caller: 0,
            return_address: 4,
            in_callers_frame: false,
            frame: &["pcb_regs.sf_r11"],
            stack: "pcb_regs.sf_sp",
            counter: &["pcb_regs.sf_pc"],
        },
        // s0 points at the end of the frame.
        Arch::Riscv64 => Convention {
            caller: -16,
            return_address: -8,
            in_callers_frame: false,
            frame: &["pcb_s[0]"],
            stack: "pcb_sp",
            counter: &["pcb_ra"],
        },
        // r1 is stack and frame pointer; a function saves its link register in its caller's frame.
        Arch::Powerpc64 | Arch::Powerpc64le => Convention {
            caller: 0,
            return_address: 16,
            in_callers_frame: true,
            frame: &["pcb_sp"],
            stack: "pcb_sp",
            counter: &["pcb_lr"],
        },
    }
}
