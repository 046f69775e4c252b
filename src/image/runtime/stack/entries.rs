//! The entry points of the kernel, and the trap frames that they save.

use std::collections::BTreeMap;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::Runtime;
use crate::image::runtime::stack::layer::Layer;
use crate::image::runtime::stack::machine::{self, numbers};
use crate::image::runtime::stack::options::{Placed, StackOptions};

/// Names of entry points, by architecture.
const X86: [&str; 10] = [
    "calltrap",
    "nmi_calltrap",
    "mchk_calltrap",
    "Xdblfault",
    "fork_trampoline",
    "fast_syscall_common",
    "Xint0x80_syscall",
    "Xtimerint",
    "Xapic_isr1",
    "Xcpustop",
];
const ARM64: [&str; 5] =
    ["handle_el1h_sync", "handle_el1h_irq", "handle_el0_sync", "handle_el0_irq", "fork_trampoline"];
const RISCV: [&str; 3] =
    ["cpu_exception_handler_supervisor", "cpu_exception_handler_user", "fork_trampoline"];
const POWERPC: [&str; 1] = ["generictrap"];

/// Where programs run.
const USER_CODE: u64 = 0x20_3a7c;

/// Where their stacks are.
fn user_stack(arch: Arch) -> u64 {
    match arch.pointer_size() {
        4 => 0xbfbf_ea10,
        _ => 0x7fff_ffff_ea10,
    }
}

/// Whether a function is an entry point.
pub(super) fn is_entry(arch: Arch, name: &str) -> bool {
    match arch {
        Arch::Amd64 | Arch::I386 => X86.contains(&name),
        Arch::Arm64 => ARM64.contains(&name),
        Arch::Riscv64 => RISCV.contains(&name),
        Arch::Powerpc64 | Arch::Powerpc64le => POWERPC.contains(&name),
        Arch::Arm => false,
    }
}

impl Layer {
    /// An entry point saves the registers of what it interrupted, which is `outer`, or
    /// else a program; a new thread of the kernel has none.
    pub(super) fn enter_kernel(
        &mut self,
        runtime: &mut Runtime,
        entry: &Placed,
        outer: Option<&Placed>,
        options: &StackOptions,
    ) -> Result<(), ImageError> {
        let type_id = runtime.kernel().types().find("struct trapframe")?;
        let size = runtime.kernel().types().size_of(type_id)?;
        let extra = match self.arch {
            Arch::Arm64 => 16,
            Arch::Powerpc64 | Arch::Powerpc64le => 48,
            _ => 0,
        };
        // i386 pushes no stack pointer when the kernel is interrupted.
        let missing = match (self.arch, outer) {
            (Arch::I386, Some(_)) => 8,
            _ => 0,
        };
        let below = (self.stack.wrapping_sub(size + extra).wrapping_add(missing)) & !0xf;
        let below = if missing > 0 { self.stack.wrapping_sub(size - missing) } else { below };
        let at = match self.arch {
            Arch::Powerpc64 | Arch::Powerpc64le => below + 48,
            _ => below,
        };
        let frame = Object::new(VirtAddr::new(at), type_id);
        let before = self.stack;
        match outer {
            Some(_) => self.save(runtime, frame)?,
            None if entry.name == "fork_trampoline" => self.set(numbers(self.arch).frame, 0),
            None => self.save_user(runtime, frame, options)?,
        }
        self.store_all(runtime, frame, &entry.trap)?;
        match self.arch {
            Arch::Arm64 => {
                let above = at + size;
                self.store_pair(runtime, above)?;
                self.set(29, if entry.name == "fork_trampoline" { 0 } else { above });
            }
            Arch::I386 if entry.name != "fork_trampoline" => self.set(5, at),
            Arch::Powerpc64 | Arch::Powerpc64le => {
                let place = VirtAddr::new(below);
                runtime.kernel_mut().machine_mut().set_pointer(place, VirtAddr::new(before))?;
            }
            _ => {}
        }
        self.stack = below;
        self.trapframe = at;
        if self.arch == Arch::I386 {
            // The argument of the call.
            self.stack = self.stack.wrapping_sub(4);
            let (place, to) = (VirtAddr::new(self.stack), VirtAddr::new(at));
            runtime.kernel_mut().machine_mut().set_pointer(place, to)?;
        }
        self.counter = entry.counter.get();
        Ok(())
    }

    /// The registers of the kernel.
    fn save(&self, runtime: &mut Runtime, frame: Object) -> Result<(), ImageError> {
        for (member, number) in machine::trap_members(self.arch) {
            self.store(runtime, frame, &member, self.register(number).unwrap_or(0))?;
        }
        let others: &[(&str, u64)] = match self.arch {
            Arch::Amd64 => &[("tf_cs", 0x20), ("tf_ss", 0x28), ("tf_rflags", 0x1_0246)],
            Arch::I386 => &[("tf_cs", 0x20), ("tf_eflags", 0x1_0246)],
            Arch::Arm64 => &[("tf_spsr", 0x6000_0345), ("tf_esr", 0x9600_0004)],
            Arch::Riscv64 => &[("tf_sstatus", 0x120), ("tf_scause", 13)],
            _ => &[("srr1", 0x8000_0000_0000_1032), ("exc", 0x300)],
        };
        for (member, value) in others {
            self.store(runtime, frame, member, *value)?;
        }
        self.store(runtime, frame, counter_member(self.arch), self.counter)?;
        if matches!(self.arch, Arch::Powerpc64 | Arch::Powerpc64le) {
            self.store(runtime, frame, "fixreg[1]", self.stack)?;
        }
        Ok(())
    }

    /// The registers of a program that makes a system call.
    fn save_user(
        &mut self,
        runtime: &mut Runtime,
        frame: Object,
        options: &StackOptions,
    ) -> Result<(), ImageError> {
        let stack = user_stack(self.arch);
        let members: Vec<(&str, u64)> = match self.arch {
            Arch::Amd64 => vec![
                ("tf_rax", options.syscall),
                ("tf_rsp", stack),
                ("tf_rbp", stack + 0x30),
                ("tf_cs", 0x43),
                ("tf_ss", 0x3b),
                ("tf_rflags", 0x202),
            ],
            Arch::I386 => vec![
                ("tf_eax", options.syscall),
                ("tf_esp", stack),
                ("tf_ebp", stack + 0x30),
                ("tf_cs", 0x33),
                ("tf_ss", 0x3b),
                ("tf_eflags", 0x202),
            ],
            Arch::Arm64 => vec![
                ("tf_x[8]", options.syscall),
                ("tf_sp", stack),
                ("tf_x[29]", stack + 0x30),
                ("tf_esr", 0x5600_0000),
                ("tf_spsr", 0x8000_0000),
            ],
            Arch::Riscv64 => vec![
                ("tf_t[0]", options.syscall),
                ("tf_sp", stack),
                ("tf_s[0]", stack + 0x30),
                ("tf_scause", 8),
                ("tf_sstatus", 0x20),
            ],
            _ => vec![
                ("fixreg[0]", options.syscall),
                ("fixreg[1]", stack),
                ("srr1", 0x8000_0000_0000_d032),
                ("exc", 0xc00),
            ],
        };
        for (member, value) in members {
            self.store(runtime, frame, member, value)?;
        }
        self.store(runtime, frame, counter_member(self.arch), USER_CODE)?;
        // Entry points leave the program's frame pointer.
        self.set(numbers(self.arch).frame, stack + 0x30);
        Ok(())
    }

    fn store_all(
        &self,
        runtime: &mut Runtime,
        frame: Object,
        values: &BTreeMap<String, u64>,
    ) -> Result<(), ImageError> {
        let prefix = match self.arch {
            Arch::Powerpc64 | Arch::Powerpc64le => "",
            _ => "tf_",
        };
        for (name, value) in values {
            self.store(runtime, frame, &format!("{prefix}{name}"), *value)?;
        }
        Ok(())
    }

    /// The frame record above a trap frame.
    fn store_pair(&self, runtime: &mut Runtime, at: u64) -> Result<(), ImageError> {
        let machine = runtime.kernel_mut().machine_mut();
        machine.set_pointer(VirtAddr::new(at), VirtAddr::new(self.registers[29]))?;
        machine.set_pointer(VirtAddr::new(at + 8), VirtAddr::new(self.registers[30]))
    }

    fn store(
        &self,
        runtime: &mut Runtime,
        frame: Object,
        member: &str,
        value: u64,
    ) -> Result<(), ImageError> {
        let place = runtime.kernel().member(frame, member)?;
        runtime.kernel_mut().store(place, value)
    }
}

fn counter_member(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "tf_rip",
        Arch::I386 => "tf_eip",
        Arch::Arm64 => "tf_elr",
        Arch::Riscv64 => "tf_sepc",
        Arch::Powerpc64 | Arch::Powerpc64le => "srr0",
        Arch::Arm => "tf_pc",
    }
}
