//! Traps and interrupts on a stack: if the chain of calls ends in one of the
//! kernel's entry points, a `struct trapframe` has the registers of what was
//! interrupted.
//!
//! The debug information does not say which functions these are, nor where the trap frame lies
//! relative to the frame whose call they made. They come from `sys/*/*/db_trace.c` and the
//! assembler sources (12.1, 14.0).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::Target;
use crate::threads::registers::{Registers, member};
use crate::value::Object;

/// Entry points of amd64 and i386; each of them may end in `_pti`.
const X86: [&str; 15] = [
    "calltrap",
    "mchk_calltrap",
    "nmi_calltrap",
    "fork_trampoline",
    "Xdblfault",
    "Xtimerint",
    "Xipi_intr_bitmap_handler",
    "Xcpustop",
    "Xcpususpend",
    "Xrendezvous",
    "Xxen_intr_upcall",
    "Xfast_syscall",
    "fast_syscall_common",
    "Xint0x80_syscall",
    "Xlcall_syscall",
];
/// The entry points of interrupts, one for each vector.
const X86_VECTORS: [&str; 2] = ["Xatpic_intr", "Xapic_isr"];

const ARM64: [&str; 2] = ["handle_el1h_sync", "handle_el1h_irq"];
const RISCV: [&str; 1] = ["cpu_exception_handler_supervisor"];

/// What was interrupted, if a call into the function `entry` returns to it from the frame
/// at `frame`, whose caller's frame is `caller`.
pub(super) fn interrupted(
    target: &Target,
    entry: &str,
    frame: VirtAddr,
    caller: VirtAddr,
) -> Option<Registers> {
    let trapframe = target.types().ok()?.find("struct trapframe").ok()?;
    let size = target.types().ok()?.size_of(trapframe).ok()?;
    let word = target.arch().pointer_size();
    let at = match target.arch() {
        // Above the saved frame pointer and the return address.
        Arch::Amd64 | Arch::I386 if is_x86_entry(entry) => frame.wrapping_add(2 * word),
        // The entry point makes a frame right above it.
        Arch::Arm64 if ARM64.contains(&entry) => caller.wrapping_add(size.wrapping_neg()),
        // The stack pointer of the entry point, where its callee's frame begins.
        Arch::Riscv64 if RISCV.contains(&entry) => frame,
        _ => return None,
    };
    Some(registers(&Object::new(target, trapframe, at)))
        .filter(|registers| registers.counter.is_some())
}

fn is_x86_entry(name: &str) -> bool {
    let bare = name.strip_suffix("_pti").unwrap_or(name);
    X86.contains(&bare) || X86_VECTORS.iter().any(|vector| bare.starts_with(vector))
}

fn registers(trap: &Object<'_>) -> Registers {
    let get = |name| member(trap, name).filter(|value| !value.is_null());
    match trap.target().arch() {
        Arch::Amd64 => Registers {
            counter: get("tf_rip"),
            stack: get("tf_rsp"),
            frame: get("tf_rbp"),
            link: None,
        },
        // Within the kernel the processor pushes no stack pointer: the stack goes on there.
        Arch::I386 => Registers {
            counter: get("tf_eip"),
            stack: trap.member("tf_esp").ok().map(|place| place.address),
            frame: get("tf_ebp"),
            link: None,
        },
        Arch::Arm64 => Registers {
            counter: get("tf_elr"),
            stack: get("tf_sp"),
            frame: get("tf_x[29]"),
            link: get("tf_lr"),
        },
        Arch::Riscv64 => Registers {
            counter: get("tf_sepc"),
            stack: get("tf_sp"),
            frame: get("tf_s[0]"),
            link: get("tf_ra"),
        },
        Arch::Arm | Arch::Powerpc64 | Arch::Powerpc64le => Registers::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_x86_entry;

    #[test]
    fn entry_points_are_known_by_name() {
        assert!(is_x86_entry("calltrap") && is_x86_entry("Xcpustop_pti"));
        assert!(is_x86_entry("Xapic_isr3") && is_x86_entry("Xatpic_intr15_pti"));
        assert!(!is_x86_entry("trap") && !is_x86_entry("Xcpustop_handler"));
    }
}
