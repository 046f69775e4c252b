//! The notes of ELF cores that say what threads or processors were doing.
//!
//! Debuggers know the layouts of two systems: Linux's (`include/uapi/linux/elfcore.h`,
//! `arch/*/include/asm/ptrace.h`, 2.6 to 6), which QEMU writes for guests of any kind, and
//! FreeBSD's (`sys/sys/procfs.h`, `sys/*/include/reg.h`, 10 to main).

use super::entry_bytes;
use crate::arch::Arch;
use crate::bytes::Endian;

/// Whose layouts they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// FreeBSD.
    FreeBsd,
}

impl System {
    /// The name of its notes.
    #[must_use]
    pub fn owner(self) -> &'static str {
        match self {
            Self::Linux => "CORE",
            Self::FreeBsd => "FreeBSD",
        }
    }
}

/// The type of a [`status`].
pub const NT_PRSTATUS: u32 = 1;
/// The type of a [`process`].
pub const NT_PRPSINFO: u32 = 3;
/// The type of a [`thread_name`].
pub const NT_THRMISC: u32 = 7;
/// The name of notes that no debugger reads. They are for vnetkvm.
pub const VNETKVM: &str = "VNETKVM";
/// The type of the note that says that the other notes are about threads. It is empty.
pub const NT_THREADS: u32 = 0x5648_0001;
/// The type of a [`status`] of a processor, in order of CPU number.
pub const NT_PROCESSOR: u32 = 0x5648_0002;

/// The registers of a thread or a processor. A layout has no place for "unknown": those that are
/// `None` are written as zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registers {
    /// The address of the next instruction.
    pub counter: Option<u64>,
    /// The stack pointer.
    pub stack: Option<u64>,
    /// The frame pointer.
    pub frame: Option<u64>,
    /// The return address of the current function, in the link register; x86 has none.
    pub link: Option<u64>,
    /// The general registers by their numbers in DWARF. Those above come before them.
    pub general: [Option<u64>; 32],
}

/// The contents of an NT_PRSTATUS about the thread `id`: a `struct elf_prstatus` of Linux or a
/// `struct prstatus` of FreeBSD.
#[must_use]
pub fn status(system: System, arch: Arch, id: u32, registers: &Registers) -> Vec<u8> {
    let (word, endian) = (arch.pointer_size(), arch.endian());
    let places = Places::of(system, arch);
    let mut status = vec![0; places.size];
    if system == System::FreeBsd {
        // pr_version, and from pr_statussz on the sizes of this struct and of its registers.
        put(&mut status, 0, &entry_bytes(1, 4, endian));
        let registers = (places.size - places.registers) as u64;
        for (number, size) in (1..).zip([places.size as u64, registers]) {
            put(&mut status, number * word as usize, &entry_bytes(size, word, endian));
        }
    }
    put(&mut status, places.id, &entry_bytes(id.into(), 4, endian));
    let general = places.general.into_iter().zip(registers.general);
    let Registers { counter, stack, frame, link, .. } = *registers;
    let [at_counter, at_stack, at_frame, at_link] = places.named;
    let named =
        [(at_counter, counter), (at_stack, stack), (at_frame, frame), (at_link, link)].into_iter();
    for (at, value) in general.map(|(at, value)| (Some(at), value)).chain(named) {
        if let (Some(at), Some(value)) = (at, value) {
            put(&mut status, places.registers + at, &entry_bytes(value, word, endian));
        }
    }
    status
}

/// The contents of an NT_THRMISC of FreeBSD, a `struct thrmisc` with the name of the thread before it,
/// cut to 19 bytes.
#[must_use]
pub fn thread_name(name: &[u8]) -> Vec<u8> {
    let mut thread = vec![0; 24];
    put(&mut thread, 0, name.get(..19).unwrap_or(name));
    thread
}

/// The contents of an NT_PRPSINFO: a `struct elf_prpsinfo` with the number of a process, its name and
/// its arguments, which are cut to 15 and 79 bytes.
#[must_use]
pub fn process(arch: Arch, id: u32, name: &[u8], arguments: &[u8]) -> Vec<u8> {
    // In 32 bits, pr_uid and pr_gid have 16.
    let (size, pid, name_at, arguments_at) =
        if arch.pointer_size() == 8 { (136, 24, 40, 56) } else { (124, 12, 28, 44) };
    let mut process = vec![0; size];
    put(&mut process, pid, &entry_bytes(id.into(), 4, arch.endian()));
    put(&mut process, name_at, name.get(..15).unwrap_or(name));
    put(&mut process, arguments_at, arguments.get(..79).unwrap_or(arguments));
    process
}

/// A note: an Elf_Nhdr, the name and the contents, each padded to four bytes.
#[must_use]
pub fn note(name: &str, kind: u32, contents: &[u8], endian: Endian) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [name.len() as u64 + 1, contents.len() as u64, kind.into()] {
        bytes.extend(entry_bytes(field, 4, endian));
    }
    for part in [[name.as_bytes(), &[0]].concat().as_slice(), contents] {
        bytes.extend(part);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    }
    bytes
}

/// Offsets in a status, in bytes.
struct Places {
    size: usize,
    /// pr_pid
    id: usize,
    /// pr_reg, from which the others are counted.
    registers: usize,
    /// The program counter, the stack pointer, the frame pointer and the link register; `None` for
    /// what the machine has not, or what is among the others.
    named: [Option<usize>; 4],
    /// The general registers in the order of DWARF's numbers.
    general: Vec<usize>,
}

/// The places of words that follow each other from the first on.
fn words(arch: Arch, count: usize) -> Vec<usize> {
    (0..).step_by(arch.pointer_size() as usize).take(count).collect()
}

impl Places {
    fn of(system: System, arch: Arch) -> Self {
        match (system, arch.pointer_size()) {
            (System::Linux, 4) => Self { id: 24, ..Self::linux(arch, 72) },
            (System::Linux, _) => Self { id: 32, ..Self::linux(arch, 112) },
            (System::FreeBsd, 4) => Self { id: 24, ..Self::freebsd(arch, 28) },
            (System::FreeBsd, _) => Self { id: 40, ..Self::freebsd(arch, 48) },
        }
    }

    fn linux(arch: Arch, registers: usize) -> Self {
        let words = |count| words(arch, count);
        // After the registers follows pr_fpvalid.
        let (size, named, general): (usize, [usize; 4], Vec<usize>) = match arch {
            // rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15.
            Arch::Amd64 => (
                336,
                [128, 152, 32, NONE],
                vec![80, 96, 88, 40, 104, 112, 32, 152, 72, 64, 56, 48, 24, 16, 8, 0],
            ),
            // eax, ecx, edx, ebx, esp, ebp, esi, edi.
            Arch::I386 => (144, [48, 60, 20, NONE], vec![24, 4, 8, 0, 60, 20, 12, 16]),
            Arch::Arm64 => (392, [256, 248, 232, 240], words(32)),
            Arch::Arm => (148, [60, 52, 44, 56], words(15)),
            // pc has the place of x0, which is always 0; it is written later.
            Arch::Riscv64 => (376, [0, 16, 64, 8], words(32)),
            Arch::Powerpc64 | Arch::Powerpc64le => (504, [256, 8, NONE, 288], words(32)),
        };
        Self { size, id: 0, registers, named: named.map(known), general }
    }

    fn freebsd(arch: Arch, registers: usize) -> Self {
        let words = |count| words(arch, count);
        let (len, named, general): (usize, [usize; 4], Vec<usize>) = match arch {
            Arch::Amd64 => (
                176,
                [136, 160, 80, NONE],
                vec![112, 96, 104, 88, 72, 64, 80, 160, 56, 48, 40, 32, 24, 16, 8, 0],
            ),
            Arch::I386 => (76, [52, 64, 20, NONE], vec![40, 36, 32, 28, 64, 20, 16, 12]),
            Arch::Arm64 => (272, [256, 248, 232, 240], words(32)),
            Arch::Arm => (68, [60, 52, 44, 56], words(15)),
            Arch::Riscv64 => (264, [248, 8, 88, 0], riscv64_freebsd()),
            Arch::Powerpc64 | Arch::Powerpc64le => (296, [288, 8, NONE, 256], words(32)),
        };
        Self { size: registers + len, id: 0, registers, named: named.map(known), general }
    }
}

const NONE: usize = usize::MAX;

fn known(place: usize) -> Option<usize> {
    (place != NONE).then_some(place)
}

/// ra, sp, gp, tp, t0 to t6, s0 to s11, a0 to a7, sepc (`sys/riscv/include/reg.h`). x0 is not there, and gets
/// the place of sepc, which is written later.
fn riscv64_freebsd() -> Vec<usize> {
    let row = |first: usize, count: usize| (first..).step_by(8).take(count);
    let temporary = row(32, 7);
    let saved = row(88, 12);
    std::iter::once(248)
        .chain(row(0, 4))
        .chain(temporary.clone().take(3))
        .chain(saved.clone().take(2))
        .chain(row(184, 8))
        .chain(saved.skip(2))
        .chain(temporary.skip(3))
        .collect()
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + what.len()) {
        place.copy_from_slice(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DWARF numbers x0 to x31; FreeBSD's `struct reg` has groups.
    #[test]
    fn registers_of_riscv_have_their_places() {
        let places = riscv64_freebsd();
        let of = |numbers: &[usize]| numbers.iter().map(|at| places[*at] / 8).collect::<Vec<_>>();
        assert_eq!(of(&[1, 2, 3, 4, 5, 6, 7]), [0, 1, 2, 3, 4, 5, 6], "ra sp gp tp t0 t1 t2");
        assert_eq!(of(&[28, 29, 30, 31]), [7, 8, 9, 10], "t3 to t6");
        assert_eq!(of(&[8, 9, 18, 27]), [11, 12, 13, 22], "s0 s1 s2 s11");
        assert_eq!(of(&[10, 17]), [23, 30], "a0 a7");
    }

    #[test]
    fn a_status_of_freebsd_is_of_version_1_and_says_its_sizes() {
        let registers = Registers { counter: Some(7), ..Registers::default() };
        for (arch, size, counter) in [
            (Arch::Amd64, 224, 184),
            (Arch::I386, 104, 80),
            (Arch::Arm64, 320, 304),
            (Arch::Arm, 96, 88),
            (Arch::Riscv64, 312, 296),
            (Arch::Powerpc64le, 344, 336),
        ] {
            let status = status(System::FreeBsd, arch, 100_001, &registers);
            let word = arch.pointer_size() as usize;
            assert_eq!((status.len(), status[0], status[counter]), (size, 1, 7), "{arch:?}");
            assert_eq!(status[word..word + 2], (size as u16).to_le_bytes(), "{arch:?}");
            let id = if word == 8 { 40 } else { 24 };
            assert_eq!(status[id..id + 4], 100_001_u32.to_le_bytes(), "{arch:?}");
        }
    }
}
