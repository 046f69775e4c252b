//! The registers of each processor, which hypervisors record in the cores that they write.
//!
//! For each processor in order, QEMU (`dump/dump.c` and `target/*/arch_dump.c`, 4 to 9) writes
//! a note CORE with a `struct elf_prstatus` of Linux. For x86 guests of either width
//! it also writes a note called QEMU with a `QEMUCPUState` of version 1. If both are there,
//! the second is used: the first has no control registers.
//!
//! In a core that vnetkvm wrote, a note says that the notes CORE are about threads, whose registers
//! are also in memory. The processors, if a hypervisor noted them, have notes VNETKVM.

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::budget::{Exhausted, Share};
use crate::bytes::Fields;

/// What one processor was doing when the core was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Processor {
    /// The address of the next instruction.
    pub counter: VirtAddr,
    /// The stack pointer.
    pub stack: VirtAddr,
    /// The frame pointer; on powerpc64, which has none, the stack pointer.
    pub frame: VirtAddr,
    /// The return address of the current function, on machines that keep it in a register.
    pub link: Option<VirtAddr>,
    /// The general registers, these among them, by their numbers in DWARF.
    pub general: [Option<u64>; 32],
}

/// More than any machine has.
const MOST: usize = 1024;

/// The contents of the notes of a core, in the order of processors.
#[derive(Debug, Default)]
pub(super) struct Notes {
    statuses: Vec<Processor>,
    states: Vec<Processor>,
    roots: Vec<PhysAddr>,
    of_threads: bool,
}

/// The type of the empty note VNETKVM that makes the notes CORE those of threads.
const NT_THREADS: u32 = 0x5648_0001;
/// The type of the note VNETKVM with a `struct elf_prstatus` of a processor.
const NT_PROCESSOR: u32 = 0x5648_0002;

impl Notes {
    /// Reads one more segment of notes. Each note is a step of `work`.
    ///
    /// # Errors
    /// There are more notes than steps. The earlier notes stay.
    pub fn read(&mut self, notes: &[u8], arch: Arch, work: &Share<'_>) -> Result<(), Exhausted> {
        let fields = Fields::new(notes, arch.endian());
        let mut at = 0_usize;
        while let Some((note, next)) = Note::at(fields, at) {
            work.work(1)?;
            self.add(&note, arch);
            let Some(next) = next else { break };
            at = next;
        }
        Ok(())
    }

    fn add(&mut self, note: &Note<'_>, arch: Arch) {
        let Some(contents) = note.contents else { return };
        if note.name.starts_with(b"VNETK") {
            match note.kind {
                NT_THREADS => {
                    self.of_threads = true;
                    self.statuses.clear();
                }
                NT_PROCESSOR if self.statuses.len() < MOST => {
                    let status = Fields::new(contents, arch.endian());
                    self.statuses.extend(status_shape(arch).read(&status));
                }
                _ => {}
            }
            return;
        }
        if note.name.starts_with(b"QEMU\0") && is_x86(arch) && self.states.len() < MOST {
            let state = Fields::little(contents);
            self.roots.extend(state.u64(X86_STATE_CR3).map(PhysAddr::new));
            self.states.extend(x86_state_shape(arch).read(&state));
        } else if note.name.starts_with(b"CORE\0") && !self.of_threads && self.statuses.len() < MOST
        {
            let status = Fields::new(contents, arch.endian());
            self.statuses.extend(status_shape(arch).read(&status));
        }
    }

    /// Are the notes about threads of a kernel?
    pub fn are_of_threads(&self) -> bool {
        self.of_threads
    }

    /// The processors and, on x86, the page-table root (CR3) of each.
    pub fn finish(self) -> (Vec<Processor>, Vec<PhysAddr>) {
        let processors = if self.states.is_empty() { self.statuses } else { self.states };
        (processors, self.roots)
    }
}

/// One note: an Elf_Nhdr, the name and the contents, each aligned to four bytes.
struct Note<'a> {
    /// Its first bytes.
    name: &'a [u8],
    kind: u32,
    /// `None` where the segment ends before they do.
    contents: Option<&'a [u8]>,
}

impl<'a> Note<'a> {
    /// The note at `at` and the position of the next one; `None` if no position is possible.
    fn at(fields: Fields<'a>, at: usize) -> Option<(Self, Option<usize>)> {
        let name_at = at.checked_add(12)?;
        let (name_len, len) = (fields.u32(at)? as usize, fields.u32(at.checked_add(4)?)? as usize);
        let desc = name_at.checked_add(name_len.checked_next_multiple_of(4)?)?;
        let name = fields.slice(name_at, NAME).unwrap_or_default();
        let next = len.checked_next_multiple_of(4).and_then(|len| desc.checked_add(len));
        let kind = fields.u32(at.checked_add(8)?)?;
        Some((Self { name, kind, contents: fields.slice(desc, len) }, next))
    }
}

/// The length of the relevant names in bytes, with the NUL.
const NAME: usize = 5;

fn is_x86(arch: Arch) -> bool {
    matches!(arch, Arch::Amd64 | Arch::I386)
}

/// Where registers lie in a note: each is counted from `start`, in words of `size` bytes.
struct Shape {
    size: usize,
    start: usize,
    counter: usize,
    stack: usize,
    frame: usize,
    link: Option<usize>,
    /// The general registers, by their numbers in DWARF from `first` on.
    first: usize,
    general: &'static [usize],
}

/// The places of rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp and r8 to r15 in a `QEMUCPUState`.
const AMD64_STATE: &[usize] = &[0, 3, 2, 1, 4, 5, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
/// The places of eax, ecx, edx, ebx, esp, ebp, esi and edi there.
const I386_STATE: &[usize] = &[0, 2, 3, 1, 6, 7, 4, 5];
/// The offset of its cr[3].
const X86_STATE_CR3: usize = 416;

/// A `QEMUCPUState`, which has registers of 64 bits for all x86.
fn x86_state_shape(arch: Arch) -> Shape {
    let general = if arch == Arch::Amd64 { AMD64_STATE } else { I386_STATE };
    Shape { size: 8, start: 8, counter: 16, stack: 6, frame: 7, link: None, first: 0, general }
}

/// The same registers in Linux's `struct user_regs_struct`.
const AMD64_REGS: &[usize] = &[10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0];
const I386_REGS: &[usize] = &[6, 1, 2, 0, 15, 5, 3, 4];
/// Where the order is that of DWARF.
const IN_ORDER: &[usize] = &[
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    26, 27, 28, 29, 30, 31,
];

/// `pr_reg` of an `elf_prstatus` is at 112, or at 72 if pointers have 4 bytes.
fn status_shape(arch: Arch) -> Shape {
    let (counter, stack, frame, link) = match arch {
        Arch::Amd64 => (16, 19, 4, None),
        Arch::I386 => (12, 15, 5, None),
        Arch::Arm64 => (32, 31, 29, Some(30)),
        Arch::Arm => (15, 13, 11, Some(14)),
        // pc is in the place of x0.
        Arch::Riscv64 => (0, 2, 8, Some(1)),
        // r1 is both; nip follows the 32 registers.
        Arch::Powerpc64 | Arch::Powerpc64le => (32, 1, 1, Some(36)),
    };
    let (first, general) = match arch {
        Arch::Amd64 => (0, AMD64_REGS),
        Arch::I386 => (0, I386_REGS),
        Arch::Arm => (0, IN_ORDER.get(..15).unwrap_or_default()),
        Arch::Riscv64 => (1, IN_ORDER.get(1..).unwrap_or_default()),
        Arch::Arm64 | Arch::Powerpc64 | Arch::Powerpc64le => (0, IN_ORDER),
    };
    let size = arch.pointer_size() as usize;
    let start = if size == 4 { 72 } else { 112 };
    Shape { size, start, counter, stack, frame, link, first, general }
}

impl Shape {
    fn read(&self, fields: &Fields<'_>) -> Option<Processor> {
        let word = |place: usize| {
            let at = place.checked_mul(self.size)?.checked_add(self.start)?;
            if self.size == 4 { fields.u32(at).map(u64::from) } else { fields.u64(at) }
        };
        let address = |place| word(place).map(VirtAddr::new);
        let mut general = [None; 32];
        for (register, place) in general.iter_mut().skip(self.first).zip(self.general) {
            *register = word(*place);
        }
        Some(Processor {
            counter: address(self.counter)?,
            stack: address(self.stack)?,
            frame: address(self.frame)?,
            link: self.link.and_then(address),
            general,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn each_note_costs_a_step() {
        // Notes without name and contents are the smallest there are.
        let notes = [0; 12 * 100];
        let budget = Budget::default();
        let read = |most| {
            Notes::default().read(&notes, Arch::Amd64, &budget.share("the list of notes", most))
        };
        assert_eq!(read(1000), Ok(()));
        assert_eq!(budget.work_done(), 100);
        assert_eq!(read(99).unwrap_err().limit, 99);
    }
}
