//! The registers that gdb expects of each architecture, in gdb's order, and where a thread's
//! registers have them.
//!
//! The names and the order are those of gdb's features (`gdb/features/*/*.xml`, gdb 13). A feature
//! must be complete, so registers that no `struct pcb` has are there too, and are unavailable.

use crate::arch::Arch;
use crate::bytes::Endian;
use crate::threads::registers::Registers;

/// A set of registers that gdb knows by name.
pub(super) struct Feature {
    /// `org.gnu.gdb.i386.core`
    pub name: &'static str,
    pub registers: Vec<Register>,
}

/// A register.
pub(super) struct Register {
    pub name: String,
    pub bits: u32,
    /// gdb's name of its type.
    pub type_name: &'static str,
    /// Its number in packets.
    pub number: u32,
    pub source: Source,
}

/// Where its value comes from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// The program counter.
    Counter,
    /// The register with this number in DWARF.
    Numbered(u16),
    /// It is always zero.
    Zero,
    /// Nothing saves it.
    Nowhere,
}

/// The features of an architecture.
pub(super) fn features(arch: Arch) -> Vec<Feature> {
    let mut number = 0;
    let mut feature = |name, mut registers: Vec<Register>| {
        for register in &mut registers {
            // gdb's numbers of arm's registers leave room for those of an old floating-point unit.
            if arch == Arch::Arm && register.name == "cpsr" {
                number = 25;
            }
            register.number = number;
            number += 1;
        }
        Feature { name, registers }
    };
    match arch {
        Arch::Amd64 => vec![feature("org.gnu.gdb.i386.core", amd64())],
        Arch::I386 => vec![feature("org.gnu.gdb.i386.core", i386())],
        Arch::Arm64 => vec![feature("org.gnu.gdb.aarch64.core", arm64())],
        Arch::Arm => vec![feature("org.gnu.gdb.arm.core", arm())],
        Arch::Riscv64 => vec![feature("org.gnu.gdb.riscv.cpu", riscv64())],
        Arch::Powerpc64 | Arch::Powerpc64le => {
            vec![feature("org.gnu.gdb.power.core", powerpc64())]
        }
    }
}

/// gdb's name of an architecture.
pub(super) fn architecture(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "i386:x86-64",
        Arch::I386 => "i386",
        Arch::Arm64 => "aarch64",
        Arch::Arm => "arm",
        Arch::Riscv64 => "riscv:rv64",
        Arch::Powerpc64 | Arch::Powerpc64le => "powerpc:common64",
    }
}

impl Register {
    fn new(name: impl Into<String>, bits: u32, type_name: &'static str, source: Source) -> Self {
        Self { name: name.into(), bits, type_name, number: 0, source }
    }

    /// Its bytes in a thread's registers; `None` if nothing saved it.
    pub fn bytes(&self, arch: Arch, registers: &Registers) -> Option<Vec<u8>> {
        let value = match self.source {
            Source::Counter => registers.counter?.get(),
            Source::Numbered(number) => registers.numbered(arch, number)?,
            Source::Zero => 0,
            Source::Nowhere => return None,
        };
        let len = self.bits as usize / 8;
        Some(match arch.endian() {
            Endian::Little => value.to_le_bytes().get(..len)?.to_vec(),
            Endian::Big => value.to_be_bytes().get(8_usize.checked_sub(len)?..)?.to_vec(),
        })
    }
}

const CODE: &str = "code_ptr";
const DATA: &str = "data_ptr";

fn amd64() -> Vec<Register> {
    // gdb's order is not DWARF's.
    let named: [(&str, u16); 8] = [
        ("rax", 0),
        ("rbx", 3),
        ("rcx", 2),
        ("rdx", 1),
        ("rsi", 4),
        ("rdi", 5),
        ("rbp", 6),
        ("rsp", 7),
    ];
    let mut all: Vec<Register> = named
        .into_iter()
        .map(|(name, number)| {
            let type_name = if matches!(name, "rbp" | "rsp") { DATA } else { "int64" };
            Register::new(name, 64, type_name, Source::Numbered(number))
        })
        .collect();
    all.extend((8..16).map(|n| Register::new(format!("r{n}"), 64, "int64", Source::Numbered(n))));
    all.push(Register::new("rip", 64, CODE, Source::Counter));
    x86_rest(&mut all);
    all
}

fn i386() -> Vec<Register> {
    const NAMES: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
    let mut all: Vec<Register> = NAMES
        .into_iter()
        .zip(0..)
        .map(|(name, number)| {
            let type_name = if matches!(name, "esp" | "ebp") { DATA } else { "int32" };
            Register::new(name, 32, type_name, Source::Numbered(number))
        })
        .collect();
    all.push(Register::new("eip", 32, CODE, Source::Counter));
    x86_rest(&mut all);
    all
}

/// Flags, segments and the floating-point unit, which neither a switch nor a dump of the kernel
/// saves.
fn x86_rest(all: &mut Vec<Register>) {
    let nowhere =
        |name: String, bits, type_name| Register::new(name, bits, type_name, Source::Nowhere);
    for name in ["eflags", "cs", "ss", "ds", "es", "fs", "gs"] {
        all.push(nowhere(name.to_owned(), 32, "int32"));
    }
    all.extend((0..8).map(|number| nowhere(format!("st{number}"), 80, "i387_ext")));
    for name in ["fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop"] {
        all.push(nowhere(name.to_owned(), 32, "int"));
    }
}

fn arm64() -> Vec<Register> {
    let general = |n| Register::new(format!("x{n}"), 64, "int", Source::Numbered(n));
    let mut all: Vec<Register> = (0..31).map(general).collect();
    all.push(Register::new("sp", 64, DATA, Source::Numbered(31)));
    all.push(Register::new("pc", 64, CODE, Source::Counter));
    all.push(Register::new("cpsr", 32, "int", Source::Nowhere));
    all
}

fn arm() -> Vec<Register> {
    let general = |n| Register::new(format!("r{n}"), 32, "uint32", Source::Numbered(n));
    let mut all: Vec<Register> = (0..13).map(general).collect();
    all.push(Register::new("sp", 32, DATA, Source::Numbered(13)));
    all.push(Register::new("lr", 32, "int", Source::Numbered(14)));
    all.push(Register::new("pc", 32, CODE, Source::Counter));
    all.push(Register::new("cpsr", 32, "int", Source::Nowhere));
    all
}

fn riscv64() -> Vec<Register> {
    const NAMES: [&str; 32] = [
        "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1", "a0", "a1", "a2", "a3", "a4",
        "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
        "t5", "t6",
    ];
    let general = |(name, number): (&'static str, u16)| {
        let type_name = match name {
            "ra" => CODE,
            "sp" | "gp" | "tp" | "fp" => DATA,
            _ => "int",
        };
        let source = if number == 0 { Source::Zero } else { Source::Numbered(number) };
        Register::new(name, 64, type_name, source)
    };
    let mut all: Vec<Register> = NAMES.into_iter().zip(0..).map(general).collect();
    all.push(Register::new("pc", 64, CODE, Source::Counter));
    all
}

fn powerpc64() -> Vec<Register> {
    let general = |n| Register::new(format!("r{n}"), 64, "uint64", Source::Numbered(n));
    let mut all: Vec<Register> = (0..32).map(general).collect();
    all.push(Register::new("pc", 64, CODE, Source::Counter));
    for (name, bits) in [("msr", 64), ("cr", 32), ("lr", 64), ("ctr", 64), ("xer", 32)] {
        let type_name = match name {
            "lr" => CODE,
            _ if bits == 32 => "uint32",
            _ => "uint64",
        };
        all.push(Register::new(name, bits, type_name, Source::Nowhere));
    }
    all
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::threads::general::General;

    pub const ARCHES: [Arch; 7] = [
        Arch::Amd64,
        Arch::I386,
        Arch::Arm64,
        Arch::Arm,
        Arch::Riscv64,
        Arch::Powerpc64,
        Arch::Powerpc64le,
    ];

    fn all(arch: Arch) -> Vec<Register> {
        features(arch).into_iter().flat_map(|feature| feature.registers).collect()
    }

    /// The numbers are those of gdb's features: 64bit-core.xml, 32bit-core.xml, aarch64-core.xml,
    /// arm-core.xml, riscv/64bit-cpu.xml, power64-core.xml.
    #[test]
    fn features_are_complete_and_in_the_order_of_gdb() {
        for (arch, count, bytes, places) in [
            (Arch::Amd64, 40, 276, &[(1, "rbx"), (7, "rsp"), (16, "rip"), (24, "st0")][..]),
            (Arch::I386, 32, 176, &[(3, "ebx"), (4, "esp"), (8, "eip"), (31, "fop")]),
            (Arch::Arm64, 34, 268, &[(30, "x30"), (31, "sp"), (32, "pc"), (33, "cpsr")]),
            (Arch::Arm, 17, 68, &[(13, "sp"), (14, "lr"), (15, "pc"), (16, "cpsr")]),
            (Arch::Riscv64, 33, 264, &[(1, "ra"), (8, "fp"), (31, "t6"), (32, "pc")]),
            (Arch::Powerpc64, 38, 296, &[(32, "pc"), (33, "msr"), (35, "lr"), (37, "xer")]),
            (Arch::Powerpc64le, 38, 296, &[(1, "r1"), (34, "cr"), (36, "ctr"), (37, "xer")]),
        ] {
            let all = all(arch);
            assert_eq!(all.len(), count, "{arch:?}");
            assert_eq!(all.iter().map(|it| it.bits / 8).sum::<u32>(), bytes, "{arch:?}");
            for (place, name) in places {
                assert_eq!(all[*place].name, *name, "{arch:?}");
            }
        }
    }

    /// What was saved under a name is what gdb gets under it, in the machine's order of bytes.
    #[test]
    fn each_register_has_the_value_of_its_name() {
        for arch in ARCHES {
            let all = all(arch);
            let values = 0x0102_0304_0506_0700..;
            let saved: Vec<(String, u64)> = all
                .iter()
                .zip(values)
                .map(|(register, value)| (name_in_pcb(arch, &register.name), value))
                .collect();
            let general = General::of_named(arch, &saved);
            let counter = Some(VirtAddr::new(0x55));
            let registers = Registers { general, counter, ..Registers::default() };
            let mut known = 0;
            for (register, (_, value)) in all.iter().zip(&saved) {
                let value = match &*register.name {
                    "rip" | "eip" | "pc" => 0x55,
                    "zero" => 0,
                    _ => *value,
                };
                let Some(bytes) = register.bytes(arch, &registers) else { continue };
                let len = register.bits as usize / 8;
                let expected = match arch.endian() {
                    Endian::Little => value.to_le_bytes()[..len].to_vec(),
                    Endian::Big => value.to_be_bytes()[8 - len..].to_vec(),
                };
                assert_eq!(bytes, expected, "{arch:?} {}", register.name);
                known += 1;
            }
            let expected = match arch {
                Arch::Amd64 => 17,
                Arch::I386 => 9,
                Arch::Arm => 16,
                _ => 33,
            };
            assert_eq!(known, expected, "{arch:?}");
        }
    }

    /// What the kernel's structs call a register of gdb's.
    fn name_in_pcb(arch: Arch, name: &str) -> String {
        match (arch, name) {
            (Arch::Arm64, "x30") => "lr".to_owned(),
            (Arch::Riscv64, "fp") => "s0".to_owned(),
            (Arch::Powerpc64 | Arch::Powerpc64le, _) if name.starts_with('r') => {
                name.replacen('r', "fixreg", 1)
            }
            _ => name.to_owned(),
        }
    }

    #[test]
    fn what_nothing_saved_has_no_bytes() {
        for arch in ARCHES {
            for register in all(arch) {
                let bytes = register.bytes(arch, &Registers::default());
                assert_eq!(bytes.is_some(), register.name == "zero", "{arch:?} {}", register.name);
            }
        }
    }
}
