//! The registers of each architecture, by their numbers in DWARF.

use crate::arch::Arch;

/// The number of the stack pointer, the frame pointer and the return address.
pub(super) struct Numbers {
    pub stack: u16,
    pub frame: u16,
    pub back: u16,
}

/// The stack pointer, the frame pointer and the return address.
pub(super) fn numbers(arch: Arch) -> Numbers {
    let (stack, frame, back) = match arch {
        Arch::Amd64 => (7, 6, 16),
        Arch::I386 => (4, 5, 8),
        Arch::Arm64 => (31, 29, 30),
        Arch::Arm => (13, 11, 14),
        Arch::Riscv64 => (2, 8, 1),
        Arch::Powerpc64 | Arch::Powerpc64le => (1, 31, 65),
    };
    Numbers { stack, frame, back }
}

/// Whether a call pushes its return address.
pub(super) fn pushes(arch: Arch) -> bool {
    matches!(arch, Arch::Amd64 | Arch::I386)
}

/// The members of `struct pcb` that have the stack pointer, and the program counter in some
/// release.
pub(super) fn pcb_pointers(arch: Arch) -> (&'static str, &'static [&'static str]) {
    match arch {
        Arch::Amd64 => ("pcb_rsp", &["pcb_rip"]),
        Arch::I386 => ("pcb_esp", &["pcb_eip"]),
        Arch::Arm64 => ("pcb_sp", &["pcb_pc", "pcb_x[30]", "pcb_x[11]"]),
        Arch::Arm => ("pcb_regs.sf_sp", &["pcb_regs.sf_pc"]),
        Arch::Riscv64 => ("pcb_sp", &["pcb_ra"]),
        Arch::Powerpc64 | Arch::Powerpc64le => ("pcb_sp", &["pcb_lr"]),
    }
}

/// The members of `struct trapframe` that have registers, with their numbers.
pub(super) fn trap_members(arch: Arch) -> Vec<(String, u16)> {
    let named = |names: &[&str], first: u16| -> Vec<(String, u16)> {
        names.iter().zip(first..).map(|(name, number)| (format!("tf_{name}"), number)).collect()
    };
    let array = |name: &str, count: u16, first: u16| -> Vec<(String, u16)> {
        (0..count).map(|index| (format!("{name}[{index}]"), first + index)).collect()
    };
    match arch {
        Arch::Amd64 => named(
            &[
                "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11",
                "r12", "r13", "r14", "r15",
            ],
            0,
        ),
        // Within the kernel there is no stack pointer among them.
        Arch::I386 => {
            let mut all = named(&["eax", "ecx", "edx", "ebx"], 0);
            all.extend(named(&["ebp", "esi", "edi"], 5));
            all
        }
        Arch::Arm64 => {
            let mut all = array("tf_x", 30, 0);
            all.extend([("tf_lr".to_owned(), 30), ("tf_sp".to_owned(), 31)]);
            all
        }
        Arch::Riscv64 => {
            let mut all = named(&["ra", "sp", "gp", "tp"], 1);
            all.extend(array("tf_t", 3, 5));
            all.extend((3..7).map(|index| (format!("tf_t[{index}]"), 25 + index)));
            all.extend(array("tf_s", 2, 8));
            all.extend((2..12).map(|index| (format!("tf_s[{index}]"), 16 + index)));
            all.extend(array("tf_a", 8, 10));
            all
        }
        Arch::Powerpc64 | Arch::Powerpc64le => array("fixreg", 32, 0),
        Arch::Arm => named(&["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"], 0),
    }
}

/// The members of `struct pcb` that have registers, with their numbers. Those of several releases
/// are among them.
pub(super) fn pcb_members(arch: Arch) -> Vec<(String, u16)> {
    let list = |all: &[(&str, u16)]| -> Vec<(String, u16)> {
        all.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
    };
    match arch {
        Arch::Amd64 => list(&[
            ("pcb_rbx", 3),
            ("pcb_rbp", 6),
            ("pcb_r12", 12),
            ("pcb_r13", 13),
            ("pcb_r14", 14),
            ("pcb_r15", 15),
        ]),
        Arch::I386 => list(&[("pcb_ebx", 3), ("pcb_ebp", 5), ("pcb_esi", 6), ("pcb_edi", 7)]),
        Arch::Arm64 => (19..30).map(|number| (format!("pcb_x[{number}]"), number)).collect(),
        Arch::Riscv64 => {
            let mut all = list(&[("pcb_s[0]", 8), ("pcb_s[1]", 9)]);
            all.extend((2..12).map(|index| (format!("pcb_s[{index}]"), 16 + index)));
            all
        }
        Arch::Powerpc64 | Arch::Powerpc64le => {
            (12..32).map(|number| (format!("pcb_context[{}]", number - 12), number)).collect()
        }
        Arch::Arm => list(&[
            ("pcb_regs.sf_r4", 4),
            ("pcb_regs.sf_r5", 5),
            ("pcb_regs.sf_r6", 6),
            ("pcb_regs.sf_r7", 7),
            ("pcb_regs.sf_r8", 8),
            ("pcb_regs.sf_r9", 9),
            ("pcb_regs.sf_r10", 10),
            ("pcb_regs.sf_r11", 11),
        ]),
    }
}

/// arm64's pcb begins with x19 since 14.
pub(super) fn newer_pcb_members(arch: Arch) -> Vec<(String, u16)> {
    match arch {
        Arch::Arm64 => (19..30).map(|number| (format!("pcb_x[{}]", number - 19), number)).collect(),
        arch => pcb_members(arch),
    }
}
