//! Traps, interrupts and system calls on a stack: if the chain of calls ends in one of the
//! kernel's entry points, a `struct trapframe` has the registers of what was
//! interrupted.
//!
//! The debug information does not say which functions these are, nor where the trap frame lies
//! relative to the frame whose call they made. They come from `sys/*/*/db_trace.c` and the
//! assembler sources (12.1, 14.0).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::Target;
use crate::threads::general::{self, General};
use crate::threads::registers::{Registers, member};
use crate::value::Object;

/// Why the kernel was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapKind {
    /// A trap or an exception.
    Trap,
    /// An interrupt.
    Interrupt,
    /// A system call.
    Syscall,
    /// A new thread begins here, as if it returned from a trap.
    Fork,
}

/// The trap frame behind an entry point of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    /// Its address.
    pub at: VirtAddr,
    pub kind: TrapKind,
    /// Whether it has what ran in user space.
    pub from_user: bool,
    /// The registers that lead to what was interrupted.
    pub registers: Registers,
    /// All its registers, by their names.
    pub named: Vec<(String, u64)>,
}

/// Entry points of amd64 and i386; each of them may end in `_pti`.
const X86: [(&str, TrapKind); 15] = [
    ("calltrap", TrapKind::Trap),
    ("mchk_calltrap", TrapKind::Trap),
    ("nmi_calltrap", TrapKind::Trap),
    ("Xdblfault", TrapKind::Trap),
    ("fork_trampoline", TrapKind::Fork),
    ("Xtimerint", TrapKind::Interrupt),
    ("Xipi_intr_bitmap_handler", TrapKind::Interrupt),
    ("Xcpustop", TrapKind::Interrupt),
    ("Xcpususpend", TrapKind::Interrupt),
    ("Xrendezvous", TrapKind::Interrupt),
    ("Xxen_intr_upcall", TrapKind::Interrupt),
    ("Xfast_syscall", TrapKind::Syscall),
    ("fast_syscall_common", TrapKind::Syscall),
    ("Xint0x80_syscall", TrapKind::Syscall),
    ("Xlcall_syscall", TrapKind::Syscall),
];
/// The entry points of interrupts, one for each vector.
const X86_VECTORS: [&str; 2] = ["Xatpic_intr", "Xapic_isr"];

/// arm64 tells system calls from traps by the exception's syndrome. Each level that may
/// be interrupted has entry points of its own.
const ARM64: [(&str, TrapKind); 6] = [
    ("handle_el1h_sync", TrapKind::Trap),
    ("handle_el1h_irq", TrapKind::Interrupt),
    ("handle_el0_sync", TrapKind::Trap),
    ("handle_el0_irq", TrapKind::Interrupt),
    ("handle_el0_error", TrapKind::Trap),
    ("fork_trampoline", TrapKind::Fork),
];
const RISCV: [(&str, TrapKind); 3] = [
    ("cpu_exception_handler_supervisor", TrapKind::Trap),
    ("cpu_exception_handler_user", TrapKind::Trap),
    ("fork_trampoline", TrapKind::Fork),
];
/// Labels behind the call of a trap handler, and the words between the return address
/// and them (powerpc).
const POWERPC: [&str; 2] = ["trapexit", "asttrapexit"];
const POWERPC_SLOT: u64 = 4;
/// Where the trap frame lies above the stack pointer (powerpc64).
const POWERPC_FRAME: u64 = 48;

/// Exception class of a system call (ESR_ELx, arm64).
const EXCP_SVC64: u64 = 0x15;
/// `scause` of a system call, and the bit of an interrupt (riscv).
const EXCP_USER_ECALL: u64 = 8;
const EXCP_INTR: u64 = 1 << 63;
/// Exceptions of a system call and of interrupts (powerpc).
const EXC_SC: u64 = 0xc00;
const EXC_EXI: u64 = 0x500;
const EXC_DECR: u64 = 0x900;

/// The trap frame that lies behind a return address in an entry point. `registers` are
/// those in the entry point.
pub(super) fn behind(target: &Target, registers: &Registers) -> Option<Trap> {
    let back = registers.counter?;
    let arch = target.arch();
    let entry = Entry::at(target, back)?;
    let kind = entry.kind;
    let trapframe = target.types().ok()?.find("struct trapframe").ok()?;
    let size = target.types().ok()?.size_of(trapframe).ok()?;
    let at = match arch {
        Arch::Amd64 => registers.stack?,
        // Since 12 the frame pointer leads to it, past an argument of the call.
        Arch::I386 => {
            let (frame, stack) = (registers.frame, registers.stack?);
            let near = |frame: &VirtAddr| frame.offset_from(stack).is_some_and(|past| past <= 16);
            frame.filter(near).unwrap_or(stack)
        }
        // The entry point makes a frame right above it.
        Arch::Arm64 if kind == TrapKind::Fork => registers.stack?,
        Arch::Arm64 => registers.frame?.wrapping_add(size.wrapping_neg()),
        // The stack pointer of the entry point, where its callee's frame begins.
        Arch::Riscv64 => registers.stack?,
        Arch::Powerpc64 | Arch::Powerpc64le => registers.stack?.wrapping_add(POWERPC_FRAME),
        Arch::Arm => return None,
    };
    Some(read(&Object::new(target, trapframe, at), entry))
}

/// An entry point of the kernel.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: TrapKind,
    /// Whether it is for what runs in user space, where it is for that alone or for the kernel.
    user: Option<bool>,
}

impl Entry {
    /// The entry point that a call returns to at `back`.
    fn at(target: &Target, back: VirtAddr) -> Option<Self> {
        if matches!(target.arch(), Arch::Powerpc64 | Arch::Powerpc64le) {
            let behind = back.wrapping_add(POWERPC_SLOT);
            let label = target.kernel().label(behind)?;
            let there = label.address == behind && POWERPC.contains(&label.name);
            return there.then_some(Self { kind: TrapKind::Trap, user: None });
        }
        let name = target.kernel().label(VirtAddr::new(back.get().wrapping_sub(1)))?.name;
        let listed = |known: &[(&str, TrapKind)]| {
            let kind = known.iter().find(|(entry, _)| *entry == name)?.1;
            let of_user = name.contains("_el0_") || name.ends_with("_user");
            Some(Self { kind, user: (kind != TrapKind::Fork).then_some(of_user) })
        };
        match target.arch() {
            Arch::Amd64 | Arch::I386 => x86_entry(name).map(|kind| Self { kind, user: None }),
            Arch::Arm64 => listed(&ARM64),
            Arch::Riscv64 => listed(&RISCV),
            Arch::Arm | Arch::Powerpc64 | Arch::Powerpc64le => None,
        }
    }
}

fn x86_entry(name: &str) -> Option<TrapKind> {
    let bare = name.strip_suffix("_pti").unwrap_or(name);
    let listed = X86.iter().find(|(entry, _)| *entry == bare).map(|(_, kind)| *kind);
    let vector = || X86_VECTORS.iter().any(|vector| bare.starts_with(vector));
    listed.or_else(|| vector().then_some(TrapKind::Interrupt))
}

fn read(trap: &Object<'_>, Entry { kind: entry, user }: Entry) -> Trap {
    let arch = trap.target().arch();
    let named = general::named(trap);
    let value = |name: &str| named.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let (kind, from_user) = match arch {
        Arch::Amd64 | Arch::I386 => (entry, value("cs").is_some_and(|cs| cs & 3 == 3)),
        Arch::Arm64 => {
            let calls = value("esr").is_some_and(|esr| esr >> 26 & 0x3f == EXCP_SVC64);
            let user = user.unwrap_or(value("spsr").is_some_and(|spsr| spsr & 0xf == 0));
            (if calls && user && entry == TrapKind::Trap { TrapKind::Syscall } else { entry }, user)
        }
        Arch::Riscv64 => {
            let cause = value("scause").unwrap_or(0);
            let kind = match entry {
                TrapKind::Trap if cause & EXCP_INTR != 0 => TrapKind::Interrupt,
                TrapKind::Trap if cause == EXCP_USER_ECALL => TrapKind::Syscall,
                entry => entry,
            };
            // SPP: the mode that was interrupted.
            (kind, value("sstatus").is_some_and(|status| status & 0x100 == 0))
        }
        Arch::Powerpc64 | Arch::Powerpc64le => {
            let kind = match value("exc").map(|exc| exc & !0xff) {
                Some(EXC_SC) => TrapKind::Syscall,
                Some(EXC_EXI | EXC_DECR) => TrapKind::Interrupt,
                _ => entry,
            };
            // PSL_PR
            (kind, value("srr1").is_some_and(|msr| msr & 0x4000 != 0))
        }
        Arch::Arm => (entry, false),
    };
    let from_user = user.unwrap_or(from_user);
    let mut registers = registers(trap);
    registers.general = General::of_named(arch, &named);
    Trap { at: trap.address, kind, from_user, registers, named }
}

impl Trap {
    /// A register by its name.
    pub fn register(&self, name: &str) -> Option<u64> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Whether there is nothing in it: no thread was interrupted.
    pub fn is_empty(&self) -> bool {
        self.named.iter().all(|(_, value)| *value == 0)
    }
}

fn registers(trap: &Object<'_>) -> Registers {
    let get = |name| member(trap, name).filter(|value| !value.is_null());
    let general = General::default();
    match trap.target().arch() {
        Arch::Amd64 => Registers {
            counter: get("tf_rip"),
            stack: get("tf_rsp"),
            frame: get("tf_rbp"),
            link: None,
            general,
        },
        // Within the kernel the processor pushes no stack pointer: the stack goes on there.
        Arch::I386 => Registers {
            counter: get("tf_eip"),
            stack: trap.member("tf_esp").ok().map(|place| place.address),
            frame: get("tf_ebp"),
            link: None,
            general,
        },
        Arch::Arm64 => Registers {
            counter: get("tf_elr"),
            stack: get("tf_sp"),
            frame: get("tf_x[29]"),
            link: get("tf_lr"),
            general,
        },
        Arch::Riscv64 => Registers {
            counter: get("tf_sepc"),
            stack: get("tf_sp"),
            frame: get("tf_s[0]"),
            link: get("tf_ra"),
            general,
        },
        Arch::Powerpc64 | Arch::Powerpc64le => Registers {
            counter: get("srr0"),
            stack: get("fixreg[1]"),
            frame: get("fixreg[1]"),
            link: get("lr"),
            general,
        },
        Arch::Arm => Registers::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{TrapKind, x86_entry};

    #[test]
    fn entry_points_are_known_by_name() {
        assert_eq!(x86_entry("calltrap"), Some(TrapKind::Trap));
        assert_eq!(x86_entry("Xcpustop_pti"), Some(TrapKind::Interrupt));
        assert_eq!(x86_entry("Xapic_isr3"), Some(TrapKind::Interrupt));
        assert_eq!(x86_entry("Xatpic_intr15_pti"), Some(TrapKind::Interrupt));
        assert_eq!(x86_entry("trap"), None);
        assert_eq!(x86_entry("Xcpustop_handler"), None);
    }
}
