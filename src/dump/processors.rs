//! The registers of each processor, which hypervisors note in the cores that they write.
//!
//! QEMU (`dump/dump.c` and `target/*/arch_dump.c`, 4 to 9) writes for each processor, in
//! its order, a note CORE with a `struct elf_prstatus` of Linux, and for x86 guests of
//! either width one called QEMU with a `QEMUCPUState` of version 1. The second kind is
//! taken where there are both: the first has no place for control registers.

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::budget::{Budget, Exhausted};
use crate::bytes::Fields;

/// What one processor was doing when the core was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Processor {
    /// The instruction that it is about to run.
    pub counter: VirtAddr,
    pub stack: VirtAddr,
    pub frame: VirtAddr,
    /// Where the function that runs returns to, on machines that keep that in a register.
    pub link: Option<VirtAddr>,
}

/// More than any machine has.
const MOST: usize = 1024;

/// What the notes of a core tell, in the order of processors.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    pub processors: Vec<Processor>,
    /// The page-table root of each (CR3), on x86.
    pub roots: Vec<PhysAddr>,
}

impl Notes {
    /// Reads a segment of notes.
    ///
    /// # Errors
    /// There are more of them than the budget has steps.
    pub fn read(notes: &[u8], arch: Arch, budget: &Budget) -> Result<Self, Exhausted> {
        let fields = Fields::new(notes, arch.endian());
        let (mut statuses, mut states, mut roots) = (Vec::new(), Vec::new(), Vec::new());
        let mut at = 0_usize;
        while let (Some(name_len), Some(len)) = (fields.u32(at), fields.u32(at + 4)) {
            budget.work(1)?;
            let name_at = at + 12;
            let desc = (name_len as usize).checked_next_multiple_of(4);
            let Some(desc) = desc.and_then(|len| name_at.checked_add(len)) else { break };
            let contents = fields.slice(desc, len as usize);
            let place =
                |name: &[u8]| contents.filter(|_| fields.slice(name_at, name.len()) == Some(name));
            if let Some(state) = place(b"QEMU\0").filter(|_| is_x86(arch) && states.len() < MOST) {
                let state = Fields::little(state);
                roots.extend(state.u64(X86_STATE_CR3).map(PhysAddr::new));
                states.extend(X86_STATE.read(&state));
            } else if let Some(status) = place(b"CORE\0").filter(|_| statuses.len() < MOST) {
                let status = Fields::new(status, arch.endian());
                statuses.extend(status_shape(arch).read(&status));
            }
            let next = (len as usize).checked_next_multiple_of(4);
            let Some(next) = next.and_then(|len| desc.checked_add(len)) else { break };
            at = next;
        }
        Ok(Self { processors: if states.is_empty() { statuses } else { states }, roots })
    }
}

fn is_x86(arch: Arch) -> bool {
    matches!(arch, Arch::Amd64 | Arch::I386)
}

/// Where registers lie in a note, and in how many bytes.
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

/// `pr_reg` of an `elf_prstatus` is at 112, or at 72 where pointers have 4 bytes.
fn status_shape(arch: Arch) -> Shape {
    // The numbers of the registers in pr_reg.
    let (counter, stack, frame, link) = match arch {
        Arch::Amd64 => (16, 19, 4, None),
        Arch::I386 => (12, 15, 5, None),
        Arch::Arm64 => (32, 31, 29, Some(30)),
        Arch::Arm => (15, 13, 11, Some(14)),
        // pc stands in the place of x0.
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
    use crate::budget::Allowance;

    #[test]
    fn each_note_costs_a_step() {
        // Notes without name and contents are the smallest there are.
        let notes = [0; 12 * 100];
        let budget = |work| Budget::new(Allowance { work, bytes: 0 });
        let spent = budget(1000);
        assert!(Notes::read(&notes, Arch::Amd64, &spent).is_ok());
        assert_eq!(spent.work_done(), 100);
        let why = Notes::read(&notes, Arch::Amd64, &budget(99)).unwrap_err();
        assert_eq!(why.limit, 99);
    }
}
