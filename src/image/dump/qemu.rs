//! What QEMU's monitor command dump-guest-memory writes (without paging).
//!
//! `dump/dump.c`, `target/i386/arch_dump.c`, QEMU 4 to 7: an ELF core by physical
//! address, p_vaddr 0, with a wrong e_ehsize (8, the size of a pointer), and notes:
//! CORE with each CPU's registers and, for x86 guests, QEMU with the control
//! registers. A 32-bit x86 guest has 64-bit headers.

use std::io::{Seek, Write};

use super::contents::Contents;
use crate::arch::Arch;
use crate::image::ImageError;
use crate::writing::elf::{ElfCore, Segment};
use crate::writing::notes::{self, Registers, System};
use crate::writing::stretches;

/// The size of a `QEMUCPUState` in bytes, and the offset of its cr[3].
const CPU_STATE: usize = 440;
const CR3: usize = 416;
const RSP: usize = 56;
const RBP: usize = 64;
const RIP: usize = 136;

/// Writes all physical memory.
///
/// # Errors
/// Too many pages are omitted for ELF to count the segments, or `out` fails.
pub fn write(contents: &Contents<'_>, out: &mut (impl Write + Seek)) -> Result<(), ImageError> {
    let machine = contents.machine;
    let arch = machine.arch();
    let page = machine.page_size();
    let memory = contents.memory();
    let stretches: Vec<_> = stretches(&memory).collect();
    let core = ElfCore {
        arch,
        is_64: arch != Arch::Arm,
        os_abi: 0,
        version: 1,
        header_size: Some(8),
        notes: notes(contents),
        segments: Segment::in_order(&stretches, |_| 0),
        contents: stretches,
        extra: None,
    };
    Ok(core.write(&memory, page, out)?)
}

fn notes(contents: &Contents<'_>) -> Vec<u8> {
    let arch = contents.machine.arch();
    let endian = arch.endian();
    let mut all = Vec::new();
    for number in 0..contents.cpus {
        let processor = contents.machine.processor(number);
        let registers = Registers {
            counter: Some(processor.counter.get()),
            stack: Some(processor.stack.get()),
            frame: Some(processor.frame.get()),
            link: Some(processor.link.get()),
            general: processor.general.map(Some),
        };
        let status = notes::status(System::Linux, arch, number + 1, &registers);
        all.extend(notes::note(System::Linux.owner(), notes::NT_PRSTATUS, &status, endian));
    }
    for number in 0..contents.cpus {
        if !matches!(arch, Arch::Amd64 | Arch::I386) {
            break;
        }
        let mut state = vec![0; CPU_STATE];
        put(&mut state, 0, &1_u32.to_le_bytes());
        put(&mut state, 4, &(CPU_STATE as u32).to_le_bytes());
        let processor = contents.machine.processor(number);
        for (at, value) in general_of_state(arch).zip(processor.general) {
            put(&mut state, at, &value.to_le_bytes());
        }
        for (at, value) in
            [(RSP, processor.stack), (RBP, processor.frame), (RIP, processor.counter)]
        {
            put(&mut state, at, &value.get().to_le_bytes());
        }
        put(&mut state, CR3, &contents.machine.root().get().to_le_bytes());
        all.extend(notes::note("QEMU", 0, &state, endian));
    }
    all
}

/// The offsets of the general registers in a `QEMUCPUState`, in the order of DWARF's numbers.
/// Its own order is rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8 to r15.
fn general_of_state(arch: Arch) -> impl Iterator<Item = usize> {
    let first: [usize; 8] = match arch {
        Arch::I386 => [8, 24, 32, 16, RSP, RBP, 40, 48],
        _ => [8, 32, 24, 16, 40, 48, RBP, RSP],
    };
    let rest = if arch == Arch::I386 { 0 } else { 8 };
    first.into_iter().chain((72..).step_by(8).take(rest))
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}
