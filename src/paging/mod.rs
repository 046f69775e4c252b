//! Translates kernel virtual addresses to physical ones.
//!
//! A translation works only on physical memory and numbers: a minidump's page
//! map, or the root of page tables. It never sees a symbol; the caller knows the
//! kernel and passes addresses. A fault names the entry, table or level that failed.
//!
//! Each architecture has one file: how many levels there are and what an entry means.
//! `walk` and `page_map` do what is the same for all. Nothing is cached:
//! a translation is a handful of reads of mapped memory, takes no lock and
//! allocates nothing.

pub mod amd64;
pub mod arm;
pub mod arm64;
pub mod i386;
mod kernel_image;
mod page_map;
pub mod powerpc64;
mod powerpc64_hash;
pub mod riscv64;
mod translate;
mod walk;

use crate::addr::{PhysAddr, VirtAddr};
use crate::dump::{PageMap, PageMapFormat, PhysicalMemory};
use crate::fault::Fault;

pub use kernel_image::{KernelImage, Sample};
pub use translate::{Mapping, Root, Translate};
pub use walk::PageTables;

/// The translation by a minidump's page map.
pub fn page_map(map: PageMap) -> Box<dyn Translate> {
    Box::new(match map.format {
        PageMapFormat::Amd64Pages | PageMapFormat::Amd64Directories => amd64::page_map(map),
        PageMapFormat::Arm64 { page_size } => arm64::page_map(map, page_size),
        PageMapFormat::Riscv64 => riscv64::page_map(map),
        PageMapFormat::I386 => i386::page_map(map, i386::Paging::Plain),
        PageMapFormat::I386Pae => i386::page_map(map, i386::Paging::Pae),
        PageMapFormat::ArmShort => arm::page_map(map, arm::Paging::Short),
        PageMapFormat::ArmLong => arm::page_map(map, arm::Paging::Long),
        PageMapFormat::Powerpc64Hash { endian } => {
            return Box::new(powerpc64_hash::HashMap { map, endian });
        }
        PageMapFormat::Powerpc64Radix => return Box::new(powerpc64::RadixMap { map }),
    })
}

/// The translation of a core by virtual addresses, which changes nothing.
pub fn identity() -> Box<dyn Translate> {
    struct Identity;
    impl Translate for Identity {
        fn translate(&self, _: &dyn PhysicalMemory, at: VirtAddr) -> Result<Mapping, Fault> {
            Ok(Mapping { phys: PhysAddr::new(at.get()), len: (u64::MAX - at.get()).max(1) })
        }

        fn next(&self, memory: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr> {
            memory.next(PhysAddr::new(at.get())).map(|held| VirtAddr::new(held.start.get()))
        }
    }
    Box::new(Identity)
}
