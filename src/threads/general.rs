//! Registers by name and by number: what a `struct pcb` or a `struct trapframe` has.

use crate::arch::Arch;
use crate::types::model::Type;
use crate::types::{TypeId, Types};
use crate::value::Object;

/// Registers by their numbers in DWARF. Those that are unknown are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct General([Option<u64>; COUNT]);

/// The general registers of the machine that has the most.
const COUNT: usize = 32;
/// Elements of the largest array of registers.
const MOST_ELEMENTS: u64 = 32;

impl General {
    /// A register.
    pub fn get(&self, number: u16) -> Option<u64> {
        self.0.get(usize::from(number)).copied().flatten()
    }

    /// Sets a register, or forgets it.
    pub fn set(&mut self, number: u16, value: Option<u64>) {
        if let Some(register) = self.0.get_mut(usize::from(number)) {
            *register = value;
        }
    }

    /// Those of a list of names and values.
    pub fn of_named(arch: Arch, named: &[(String, u64)]) -> Self {
        let mut all = Self::default();
        for (name, value) in named {
            if let Some(number) = number(arch, name) {
                all.set(number, Some(*value));
            }
        }
        all
    }
}

impl From<[Option<u64>; COUNT]> for General {
    fn from(all: [Option<u64>; COUNT]) -> Self {
        Self(all)
    }
}

/// Where a struct keeps a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name without the prefix: `rip` for `tf_rip`, `x29` for `tf_x[29]`.
    pub name: String,
    /// In bytes from the start of the struct.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

/// Where a struct keeps its registers, in the order of its members.
pub fn places(types: &Types, of: TypeId) -> Vec<Place> {
    let mut all = Vec::new();
    add_places(types, of, None, &mut all);
    all
}

/// `within` is the offset of the struct in the one that was asked about.
fn add_places(types: &Types, of: TypeId, within: Option<u64>, all: &mut Vec<Place>) {
    let Ok((id, own)) = types.resolve(of) else { return };
    let Type::Record(record) = &*own else { return };
    for member in &record.members {
        let Some(name) = member.name.as_deref() else { continue };
        let Ok(field) = types.member(id, name) else { continue };
        let offset = within.unwrap_or(0).wrapping_add(field.offset);
        let short = name.split_once('_').map_or(name, |(_, short)| short);
        let Ok((_, stripped)) = types.strip(field.type_id) else { continue };
        match &*stripped {
            Type::Base(_) => {
                let Ok(size) = types.size_of(field.type_id) else { continue };
                all.push(Place { name: short.to_owned(), offset, size });
            }
            Type::Array(array) => {
                let count = array.counts.first().copied().flatten().unwrap_or(0);
                let first = first_of(types.arch(), short, count);
                let Ok(size) = types.size_of(array.element) else { continue };
                all.extend((0..count.min(MOST_ELEMENTS)).map(|index| Place {
                    name: format!("{short}{}", index.wrapping_add(first)),
                    offset: offset.wrapping_add(size.wrapping_mul(index)),
                    size,
                }));
            }
            // Of arm's pcb (`struct switchframe`, sys/arm/include/frame.h, 10 to main).
            Type::Record(_) if name == "pcb_regs" && within.is_none() => {
                add_places(types, field.type_id, Some(offset), all);
            }
            _ => {}
        }
    }
}

/// All registers of a struct that can be read, in the order of its members, by their names
/// without the prefix.
pub fn named(object: &Object<'_>) -> Vec<(String, u64)> {
    let Ok(types) = object.target().types() else { return Vec::new() };
    let places = places(types, object.type_id).into_iter();
    places
        .filter_map(|place| Some((read(object, &place)?, place.name)))
        .map(|(value, name)| (name, value))
        .collect()
}

fn read(object: &Object<'_>, place: &Place) -> Option<u64> {
    let target = object.target();
    let mut bytes = [0; 8];
    let used = bytes.get_mut(..usize::try_from(place.size).unwrap_or(8).min(8))?;
    target.memory().read(object.address.wrapping_add(place.offset), used).ok()?;
    Some(target.arch().endian().uint(used) as u64)
}

/// The number of an array's first register: arm64's pcb begins with x19 since 14, powerpc's
/// with r12.
fn first_of(arch: Arch, name: &str, count: u64) -> u64 {
    match (arch, name) {
        (Arch::Arm64, "x") if count < 16 => 19,
        (Arch::Powerpc64 | Arch::Powerpc64le, "context") => 12,
        _ => 0,
    }
}

/// The number in DWARF of a register by its name; `None` if it is no general register.
pub fn number(arch: Arch, name: &str) -> Option<u16> {
    const AMD64: [&str; 16] = [
        "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12",
        "r13", "r14", "r15",
    ];
    const I386: [&str; 8] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
    let indexed = |prefix: &str, first: u16, from: u16| {
        let index: u16 = name.strip_prefix(prefix)?.parse().ok()?;
        (index < 32).then(|| index.checked_sub(from)?.checked_add(first))?
    };
    let position = |names: &[&str]| names.iter().position(|known| *known == name);
    match arch {
        Arch::Amd64 => position(&AMD64).map(|at| at as u16),
        Arch::I386 => position(&I386).map(|at| at as u16),
        Arch::Arm64 => match name {
            "lr" => Some(30),
            "sp" => Some(31),
            _ => indexed("x", 0, 0),
        },
        Arch::Riscv64 => match name {
            "ra" => Some(1),
            "sp" => Some(2),
            "gp" => Some(3),
            "tp" => Some(4),
            "s0" => Some(8),
            "s1" => Some(9),
            "t0" | "t1" | "t2" => indexed("t", 5, 0),
            _ => {
                indexed("t", 28, 3).or_else(|| indexed("s", 18, 2)).or_else(|| indexed("a", 10, 0))
            }
        },
        Arch::Powerpc64 | Arch::Powerpc64le => match name {
            "sp" => Some(1),
            _ => indexed("fixreg", 0, 0).or_else(|| indexed("context", 0, 0)),
        },
        Arch::Arm => match name {
            "sp" => Some(13),
            "lr" => Some(14),
            _ => indexed("r", 0, 0),
        },
    }
}

/// The number of the stack pointer.
pub fn stack_pointer(arch: Arch) -> u16 {
    match arch {
        Arch::Amd64 => 7,
        Arch::I386 => 4,
        Arch::Arm64 => 31,
        Arch::Arm => 13,
        Arch::Riscv64 => 2,
        Arch::Powerpc64 | Arch::Powerpc64le => 1,
    }
}

/// The number of the frame pointer. On powerpc64, r31 is one where a function needs it.
pub fn frame_pointer(arch: Arch) -> u16 {
    match arch {
        Arch::Amd64 => 6,
        Arch::I386 => 5,
        Arch::Arm64 => 29,
        Arch::Arm => 11,
        Arch::Riscv64 => 8,
        Arch::Powerpc64 | Arch::Powerpc64le => 31,
    }
}

/// Whether a function leaves a register as its caller had it.
pub fn is_preserved(arch: Arch, number: u16) -> bool {
    match arch {
        Arch::Amd64 => matches!(number, 3 | 6 | 12..=15),
        Arch::I386 => matches!(number, 3 | 5..=7),
        Arch::Arm64 => matches!(number, 19..=29),
        Arch::Arm => matches!(number, 4..=11),
        Arch::Riscv64 => matches!(number, 8 | 9 | 18..=27),
        Arch::Powerpc64 | Arch::Powerpc64le => matches!(number, 14..=31),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_have_the_numbers_of_dwarf() {
        for (arch, name, expected) in [
            (Arch::Amd64, "rbx", Some(3)),
            (Arch::Amd64, "r15", Some(15)),
            (Arch::Amd64, "rip", None),
            (Arch::I386, "edi", Some(7)),
            (Arch::Arm64, "x19", Some(19)),
            (Arch::Arm64, "sp", Some(31)),
            (Arch::Riscv64, "t3", Some(28)),
            (Arch::Riscv64, "s11", Some(27)),
            (Arch::Riscv64, "a0", Some(10)),
            (Arch::Powerpc64, "fixreg31", Some(31)),
        ] {
            assert_eq!(number(arch, name), expected, "{name}");
        }
    }
}
