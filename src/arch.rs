//! The machine architectures of FreeBSD: what reading their memory depends on.

use std::fmt;

use crate::bytes::Endian;

/// A machine architecture, named after FreeBSD's `MACHINE_ARCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// `amd64`, x86 with 64 bits.
    Amd64,
    /// `aarch64`, which FreeBSD's directories and minidumps call arm64.
    Arm64,
    /// `riscv64`. The kernel uses three or four levels of page tables (Sv39, Sv48).
    Riscv64,
    /// `i386`, x86 with 32 bits, with or without PAE.
    I386,
    /// `armv7`; dumps of `armv6` look the same.
    Arm,
    /// `powerpc64`, big-endian.
    Powerpc64,
    /// `powerpc64le`, little-endian.
    Powerpc64le,
}

impl Arch {
    /// Every architecture that is supported.
    pub const ALL: [Self; 7] = [
        Self::Amd64,
        Self::Arm64,
        Self::Riscv64,
        Self::I386,
        Self::Arm,
        Self::Powerpc64,
        Self::Powerpc64le,
    ];

    /// The architecture of an ELF file with these header fields. `None` if FreeBSD does not run
    /// on it.
    pub fn from_elf(e_machine: u16, is_64: bool, endian: Endian) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| {
            arch.elf_machine() == e_machine
                && (arch.pointer_size() == 8) == is_64
                && arch.endian() == endian
        })
    }

    /// FreeBSD's name: `amd64`, `aarch64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "aarch64",
            Self::Riscv64 => "riscv64",
            Self::I386 => "i386",
            Self::Arm => "armv7",
            Self::Powerpc64 => "powerpc64",
            Self::Powerpc64le => "powerpc64le",
        }
    }

    /// The `e_machine` of its ELF files.
    pub fn elf_machine(self) -> u16 {
        match self {
            Self::I386 => 3,
            Self::Powerpc64 | Self::Powerpc64le => 21,
            Self::Arm => 40,
            Self::Amd64 => 62,
            Self::Arm64 => 183,
            Self::Riscv64 => 243,
        }
    }

    /// Size of a pointer and of a `long`, in bytes.
    pub fn pointer_size(self) -> u64 {
        match self {
            Self::I386 | Self::Arm => 4,
            Self::Amd64 | Self::Arm64 | Self::Riscv64 | Self::Powerpc64 | Self::Powerpc64le => 8,
        }
    }

    /// Order of the bytes in a number.
    pub fn endian(self) -> Endian {
        match self {
            Self::Powerpc64 => Endian::Big,
            _ => Endian::Little,
        }
    }

    /// `value` truncated to the width of a pointer, where kernel address arithmetic wraps.
    pub fn wrap(self, value: u64) -> u64 {
        match self.pointer_size() {
            4 => value & 0xffff_ffff,
            _ => value,
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_is_known_by_its_elf_header() {
        for arch in Arch::ALL {
            let is_64 = arch.pointer_size() == 8;
            assert_eq!(Arch::from_elf(arch.elf_machine(), is_64, arch.endian()), Some(arch));
        }
        assert_eq!(Arch::from_elf(21, true, Endian::Big), Some(Arch::Powerpc64));
        assert_eq!(Arch::from_elf(21, true, Endian::Little), Some(Arch::Powerpc64le));
        assert_eq!(Arch::from_elf(62, false, Endian::Little), None, "x32 is none of FreeBSD's");
        assert_eq!(Arch::from_elf(8, true, Endian::Big), None);
    }

    #[test]
    fn addresses_wrap_at_the_width_of_a_pointer() {
        assert_eq!(Arch::I386.wrap(0x1_0000_0010), 0x10);
        assert_eq!(Arch::Amd64.wrap(0x1_0000_0010), 0x1_0000_0010);
    }
}
