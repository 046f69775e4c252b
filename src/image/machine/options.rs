//! The kind of machine to simulate.

use serde::Deserialize;

use super::amd64::Amd64;
use super::arm::{ArmLong, ArmShort};
use super::arm64::Arm64;
use super::i386::I386;
use super::powerpc64::{Hashed, Radix};
use super::riscv64::Riscv64;
use super::space::Space;
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::image::ImageError;

/// The options of a machine. The defaults are an ordinary one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineOptions {
    /// Size of the physical memory in bytes: whole megabytes, at least 4 MB.
    pub memory: u64,
    /// Physical address of the kernel image; `None` for where the boot loader puts it.
    pub load: Option<PhysAddr>,
    /// Where the kernel map starts. On amd64, FreeBSD 8 had it near the kernel, and 10 and later
    /// have
    /// it at 0xfffffe…. `None` is the usual place of the architecture.
    pub kernel_map: Option<VirtAddr>,
    /// The kind of page tables; `None` for the architecture's usual one.
    pub paging: Option<Paging>,
    /// Use large pages for the direct map and the kernel image.
    pub superpages: bool,
    /// Overwrite freed objects with 0xdeadc0de, as a kernel with INVARIANTS does.
    pub trash_freed: bool,
}

impl Default for MachineOptions {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            load: None,
            kernel_map: None,
            paging: None,
            superpages: true,
            trash_freed: false,
        }
    }
}

impl MachineOptions {
    /// The address space of `arch` with these page tables.
    ///
    /// # Errors
    /// The architecture has no such page tables.
    pub(in crate::image) fn space(&self, arch: Arch) -> Result<&'static dyn Space, ImageError> {
        space(arch, self.paging)
    }
}

/// The kinds of page tables that are not an architecture's usual one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// amd64, five levels.
    La57,
    /// arm64, pages of 16 KB.
    #[serde(rename = "16k")]
    Pages16k,
    /// riscv64, four levels.
    Sv48,
    /// i386, 8-byte entries.
    Pae,
    /// armv7, 8-byte entries.
    Lpae,
    /// powerpc64, a hashed page table.
    Hashed,
}

impl Paging {
    /// Its name in scenarios: `la57`.
    pub fn name(self) -> &'static str {
        match self {
            Self::La57 => "la57",
            Self::Pages16k => "16k",
            Self::Sv48 => "sv48",
            Self::Pae => "pae",
            Self::Lpae => "lpae",
            Self::Hashed => "hashed",
        }
    }
}

/// The address space of `arch` with page tables of kind `paging`, or the usual ones.
fn space(arch: Arch, paging: Option<Paging>) -> Result<&'static dyn Space, ImageError> {
    Ok(match (arch, paging) {
        (Arch::Amd64, None) => &Amd64 { la57: false },
        (Arch::Amd64, Some(Paging::La57)) => &Amd64 { la57: true },
        (Arch::Arm64, None) => &Arm64 { pages_of_16k: false },
        (Arch::Arm64, Some(Paging::Pages16k)) => &Arm64 { pages_of_16k: true },
        (Arch::Riscv64, None) => &Riscv64 { sv48: false },
        (Arch::Riscv64, Some(Paging::Sv48)) => &Riscv64 { sv48: true },
        (Arch::I386, None) => &I386 { pae: false },
        (Arch::I386, Some(Paging::Pae)) => &I386 { pae: true },
        (Arch::Arm, None) => &ArmShort,
        (Arch::Arm, Some(Paging::Lpae)) => &ArmLong,
        (Arch::Powerpc64 | Arch::Powerpc64le, None) => &Radix,
        (Arch::Powerpc64 | Arch::Powerpc64le, Some(Paging::Hashed)) => &Hashed,
        (arch, Some(paging)) => return Err(ImageError::BadPaging { arch, paging: paging.name() }),
    })
}
