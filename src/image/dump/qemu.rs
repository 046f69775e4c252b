//! What QEMU's monitor command dump-guest-memory writes (without paging).
//!
//! `dump/dump.c`, `target/i386/arch_dump.c`, QEMU 4 to 7: an ELF core by physical
//! address, p_vaddr 0, with a wrong e_ehsize (8, the size of a pointer), and notes:
//! CORE with each CPU's registers and, for x86 guests, QEMU with the control
//! registers. A 32-bit x86 guest has 64-bit headers.

use std::io::{Seek, Write};

use super::contents::Contents;
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::image::ImageError;
use crate::image::machine::Processor;
use crate::writing::elf::{ElfCore, Segment};
use crate::writing::{entry_bytes, stretches};

const NT_PRSTATUS: u32 = 1;
/// The size of a `QEMUCPUState` in bytes, and the offset of its cr[3].
const CPU_STATE: usize = 440;
const CR3: usize = 416;
const RSP: usize = 56;
const RBP: usize = 64;
const RIP: usize = 136;

/// The offset of the processor's number in an `elf_prstatus`.
const PR_PID: usize = 32;

/// Writes all physical memory.
///
/// # Errors
/// Too many pages are omitted for ELF to count the segments, or `out` fails.
pub fn write(contents: &Contents<'_>, out: &mut (impl Write + Seek)) -> Result<(), ImageError> {
    let machine = contents.machine;
    let arch = machine.arch();
    let page = machine.page_size();
    let memory = contents.memory();
    let core = ElfCore {
        arch,
        is_64: arch != Arch::Arm,
        os_abi: 0,
        version: 1,
        header_size: Some(8),
        notes: notes(contents),
        segments: stretches(&memory).map(|row| Segment::physical(0, row, page)).collect(),
        extra: None,
    };
    Ok(core.write(&memory, page, out)?)
}

fn notes(contents: &Contents<'_>) -> Vec<u8> {
    let arch = contents.machine.arch();
    let endian = arch.endian();
    let mut notes = Vec::new();
    for number in 0..contents.cpus {
        let mut status = vec![0; prstatus_size(arch)];
        put(&mut status, PR_PID, &entry_bytes(u64::from(number) + 1, 4, endian));
        let word = arch.pointer_size();
        let processor = contents.machine.processor(number);
        for (at, value) in general(arch).into_iter().zip(processor.general) {
            put(&mut status, at, &entry_bytes(value, word, endian));
        }
        for (at, value) in registers(arch, &processor) {
            put(&mut status, at, &entry_bytes(value.get(), word, endian));
        }
        notes.extend(note("CORE", NT_PRSTATUS, &status, endian));
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
        notes.extend(note("QEMU", 0, &state, endian));
    }
    notes
}

/// The offsets of registers in an `elf_prstatus`.
fn registers(arch: Arch, processor: &Processor) -> Vec<(usize, VirtAddr)> {
    let Processor { counter, stack, frame, link, .. } = *processor;
    match arch {
        Arch::Amd64 => vec![(240, counter), (264, stack), (144, frame)],
        Arch::I386 => vec![(120, counter), (132, stack), (92, frame)],
        Arch::Arm64 => vec![(368, counter), (360, stack), (344, frame), (352, link)],
        Arch::Arm => vec![(132, counter), (124, stack), (116, frame), (128, link)],
        Arch::Riscv64 => vec![(112, counter), (128, stack), (176, frame), (120, link)],
        Arch::Powerpc64 | Arch::Powerpc64le => vec![(368, counter), (120, stack), (400, link)],
    }
}

/// The offsets there of the general registers, in the order of DWARF's numbers.
fn general(arch: Arch) -> Vec<usize> {
    match arch {
        // rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15.
        Arch::Amd64 => {
            vec![192, 208, 200, 152, 216, 224, 144, 264, 184, 176, 168, 160, 136, 128, 120, 112]
        }
        // eax, ecx, edx, ebx, esp, ebp, esi, edi.
        Arch::I386 => vec![96, 76, 80, 72, 132, 92, 84, 88],
        Arch::Arm => (72..132).step_by(4).collect(),
        // x0, which is always 0, has the place of pc; that is written later.
        Arch::Arm64 | Arch::Riscv64 | Arch::Powerpc64 | Arch::Powerpc64le => {
            (112..368).step_by(8).collect()
        }
    }
}

/// The same in a `QEMUCPUState`, whose order is rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8 to r15.
fn general_of_state(arch: Arch) -> impl Iterator<Item = usize> {
    let first: [usize; 8] = match arch {
        Arch::I386 => [8, 24, 32, 16, RSP, RBP, 40, 48],
        _ => [8, 32, 24, 16, 40, 48, RBP, RSP],
    };
    let rest = if arch == Arch::I386 { 0 } else { 8 };
    first.into_iter().chain((72..).step_by(8).take(rest))
}

/// The size in bytes of Linux's `struct elf_prstatus`, whose layout QEMU uses.
fn prstatus_size(arch: Arch) -> usize {
    match arch {
        Arch::Amd64 => 336,
        Arch::I386 => 144,
        Arch::Arm64 => 392,
        Arch::Riscv64 => 376,
        Arch::Arm => 148,
        Arch::Powerpc64 | Arch::Powerpc64le => 504,
    }
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}

fn note(name: &str, kind: u32, desc: &[u8], endian: Endian) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [name.len() as u64 + 1, desc.len() as u64, kind.into()] {
        bytes.extend(entry_bytes(field, 4, endian));
    }
    for part in [[name.as_bytes(), &[0]].concat().as_slice(), desc] {
        bytes.extend(part);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}
