//! The registers of each processor, which hypervisors record in the cores that they write.
//!
//! For each processor in order, QEMU (`dump/dump.c` and `target/*/arch_dump.c`, 4 to 9) writes
//! a note CORE with a `struct elf_prstatus` of Linux. For x86 guests of either width
//! it also writes a note called QEMU with a `QEMUCPUState` of version 1. If both are there,
//! the second is used: the first has no control registers.

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
}

/// More than any machine has.
const MOST: usize = 1024;

/// The contents of the notes of a core, in the order of processors.
#[derive(Debug, Default)]
pub(super) struct Notes {
    statuses: Vec<Processor>,
    states: Vec<Processor>,
    roots: Vec<PhysAddr>,
}

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
        if note.name.starts_with(b"QEMU\0") && is_x86(arch) && self.states.len() < MOST {
            let state = Fields::little(contents);
            self.roots.extend(state.u64(X86_STATE_CR3).map(PhysAddr::new));
            self.states.extend(X86_STATE.read(&state));
        } else if note.name.starts_with(b"CORE\0") && self.statuses.len() < MOST {
            let status = Fields::new(contents, arch.endian());
            self.statuses.extend(status_shape(arch).read(&status));
        }
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
        Some((Self { name, contents: fields.slice(desc, len) }, next))
    }
}

/// The length of the relevant names in bytes, with the NUL.
const NAME: usize = 5;

fn is_x86(arch: Arch) -> bool {
    matches!(arch, Arch::Amd64 | Arch::I386)
}

/// Where registers lie in a note, and how many bytes each takes.
struct Shape {
    size: usize,
    counter: usize,
    stack: usize,
    frame: usize,
    link: Option<usize>,
}

/// rsp, rbp and rip of a `QEMUCPUState`, which has registers of 64 bits for all x86.
const X86_STATE: Shape = Shape { size: 8, counter: 136, stack: 56, frame: 64, link: None };
/// Its cr[3].
const X86_STATE_CR3: usize = 416;

/// `pr_reg` of an `elf_prstatus` is at 112, or at 72 if pointers have 4 bytes.
fn status_shape(arch: Arch) -> Shape {
    // The numbers of the registers in pr_reg.
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
    let size = arch.pointer_size() as usize;
    let start = if size == 4 { 72 } else { 112 };
    let place = |number: usize| start + number * size;
    Shape {
        size,
        counter: place(counter),
        stack: place(stack),
        frame: place(frame),
        link: link.map(place),
    }
}

impl Shape {
    fn read(&self, fields: &Fields<'_>) -> Option<Processor> {
        let get = |at| {
            let value = if self.size == 4 { fields.u32(at).map(u64::from) } else { fields.u64(at) };
            value.map(VirtAddr::new)
        };
        Some(Processor {
            counter: get(self.counter)?,
            stack: get(self.stack)?,
            frame: get(self.frame)?,
            link: self.link.and_then(get),
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
