//! Traps, interrupts and system calls on a stack: if the chain of calls ends in one of the
//! kernel's entry points, a `struct trapframe` has the registers of what was
//! interrupted.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::Target;
use crate::threads::general::{self, General};
use crate::threads::registers::{Registers, member};
use crate::threads::stack::entry::{Entry, Place, TrapKind};
use crate::value::Object;

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
    let entry = Entry::at(target, registers.counter?)?;
    let trapframe = target.types().ok()?.find("struct trapframe").ok()?;
    let size = target.types().ok()?.size_of(trapframe).ok()?;
    let at = match entry.place(target.arch())? {
        Place::AboveStack(past) => registers.stack?.wrapping_add(past),
        Place::BelowFrame => registers.frame?.wrapping_add(size.wrapping_neg()),
        Place::AtFrameNearStack(most) => {
            let (frame, stack) = (registers.frame, registers.stack?);
            let near = |frame: &VirtAddr| frame.offset_from(stack).is_some_and(|past| past < most);
            frame.filter(near).unwrap_or(stack)
        }
    };
    Some(read(&Object::new(target, trapframe, at), entry))
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
