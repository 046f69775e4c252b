//! The kernel's entry points: where traps, interrupts and system calls enter it, and where
//! each leaves the `struct trapframe` with the registers of what was interrupted.
//!
//! The debug information does not say which functions these are, nor where the trap frame lies
//! relative to the frame whose call they made. They come from `sys/*/*/db_trace.c` and the
//! assembler sources (12.1, 14.0).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::Target;

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

/// An entry point of the kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub kind: TrapKind,
    /// Whether it is for what runs in user space, where it is for that alone or for the kernel.
    pub user: Option<bool>,
}

/// Where an entry point leaves the trap frame, seen from the function that it called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// So many bytes above the stack pointer.
    AboveStack(u64),
    /// The frame pointer is right above it.
    BelowFrame,
    /// At the frame pointer, if that is less than so many bytes above the stack pointer; or
    /// else at the stack pointer.
    AtFrameNearStack(u64),
}

impl Entry {
    /// The entry point that a call returns to at `back`.
    pub fn at(target: &Target, back: VirtAddr) -> Option<Self> {
        if matches!(target.arch(), Arch::Powerpc64 | Arch::Powerpc64le) {
            let behind = back.wrapping_add(POWERPC_SLOT);
            let label = target.kernel().label(behind)?;
            let there = label.address == behind && POWERPC.contains(&label.name);
            return there.then_some(Self { kind: TrapKind::Trap, user: None });
        }
        let label = target.kernel().label(VirtAddr::new(back.get().wrapping_sub(1)))?;
        Self::named(target.arch(), label.name)
    }

    /// The entry point with this name; `None` on powerpc, where labels behind it have names.
    pub fn named(arch: Arch, name: &str) -> Option<Self> {
        let listed = |known: &[(&str, TrapKind)]| {
            let kind = known.iter().find(|(entry, _)| *entry == name)?.1;
            let of_user = name.contains("_el0_") || name.ends_with("_user");
            Some(Self { kind, user: (kind != TrapKind::Fork).then_some(of_user) })
        };
        match arch {
            Arch::Amd64 | Arch::I386 => x86_entry(name).map(|kind| Self { kind, user: None }),
            Arch::Arm64 => listed(&ARM64),
            Arch::Riscv64 => listed(&RISCV),
            Arch::Arm | Arch::Powerpc64 | Arch::Powerpc64le => None,
        }
    }

    /// Where it leaves the trap frame.
    pub fn place(self, arch: Arch) -> Option<Place> {
        match arch {
            // On riscv64 the stack pointer of the entry point is where its callee's frame begins.
            Arch::Amd64 | Arch::Riscv64 => Some(Place::AboveStack(0)),
            // Since 12 the frame pointer leads to it, past an argument of the call.
            Arch::I386 => Some(Place::AtFrameNearStack(32)),
            // The entry point makes a frame right above it.
            Arch::Arm64 if self.kind == TrapKind::Fork => Some(Place::AboveStack(0)),
            Arch::Arm64 => Some(Place::BelowFrame),
            Arch::Powerpc64 | Arch::Powerpc64le => Some(Place::AboveStack(POWERPC_FRAME)),
            Arch::Arm => None,
        }
    }
}

fn x86_entry(name: &str) -> Option<TrapKind> {
    let bare = name.strip_suffix("_pti").unwrap_or(name);
    let listed = X86.iter().find(|(entry, _)| *entry == bare).map(|(_, kind)| *kind);
    let vector = || X86_VECTORS.iter().any(|vector| bare.starts_with(vector));
    listed.or_else(|| vector().then_some(TrapKind::Interrupt))
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
