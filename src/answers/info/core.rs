//! What a dump says about itself, and what savecore(8) says about it.

use std::path::Path;

use serde::Serialize;

use crate::addr::{PhysAddr, VirtAddr};
use crate::dump::{Core, Format};
use crate::session::SavecoreInfo;

/// A dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoreInfo {
    /// The path of its file.
    pub path: String,
    /// In words: `minidump version 2`.
    pub format: String,
    /// The machine's architecture, as FreeBSD calls it: `amd64`.
    pub arch: &'static str,
    /// Bytes, uncompressed.
    pub size: u64,
    /// `None` for a dump that is not compressed.
    pub compressed: Option<CompressedInfo>,
    /// Bytes.
    pub page_size: u64,
    /// The number of pages that it holds.
    pub pages: u64,
    /// The number of pages of memory that the machine had.
    pub memory_pages: Option<u64>,
    /// The number of pages that are missing because the file is cut off.
    pub pages_cut_off: u64,
    /// What only a minidump has.
    pub minidump: Option<MinidumpInfo>,
    /// What is read of a machine that is running; `None` for a dump.
    pub live: Option<LiveInfo>,
    /// Seconds since 1970, from the kernel dump header.
    pub time: Option<u64>,
    /// The version of the kernel that wrote it.
    pub version: Option<String>,
}

/// A minidump's header (`struct minidumphdr`, `sys/amd64/include/minidump.h` and
/// its likes).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MinidumpInfo {
    /// The version of the format.
    pub version: u32,
    /// The start of the kernel's part of the address space.
    pub kernbase: VirtAddr,
    /// `None` on architectures without one.
    pub direct_map: Option<DirectMapInfo>,
    /// Bytes.
    pub message_buffer_size: u64,
    /// Bytes.
    pub bitmap_size: u64,
    /// Bytes.
    pub page_map_size: u64,
}

/// Where all of physical memory is mapped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectMapInfo {
    /// Its first address.
    pub start: VirtAddr,
    /// The address after its last byte.
    pub end: VirtAddr,
    /// The physical address at its start.
    pub physical: PhysAddr,
}

/// The memory of a machine that is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveInfo {
    /// Where its kernel says that it has memory: nothing else is read. `None` in a device by
    /// virtual addresses, which itself knows what is mapped.
    pub ranges: Option<Vec<PhysicalRange>>,
}

/// A range of physical addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PhysicalRange {
    /// Its first address.
    pub start: PhysAddr,
    /// The address after its last byte.
    pub end: PhysAddr,
}

/// How a dump is compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompressedInfo {
    /// `gzip` or `zstd`.
    pub form: &'static str,
    /// Bytes of the compressed file.
    pub size: u64,
}

/// What savecore(8) wrote beside the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InfoFileInfo {
    /// The path of the file: `info.0`.
    pub path: String,
    /// When the machine crashed, as savecore wrote it.
    pub time: Option<String>,
    /// `good`, or what is wrong with the dump.
    pub status: Option<String>,
    /// Bytes that the dump should have.
    pub dump_size: Option<u64>,
}

impl CoreInfo {
    pub(super) fn of(path: &Path, core: &Core, version: Option<String>) -> Self {
        Self {
            path: path.display().to_string(),
            format: core.format.to_string(),
            arch: core.arch.name(),
            size: core.facts.file_len,
            compressed: core
                .packed
                .map(|packed| CompressedInfo { form: packed.packing.name(), size: packed.len }),
            page_size: core.facts.page_size,
            pages: core.facts.pages,
            memory_pages: core.facts.memory_pages,
            pages_cut_off: core.facts.pages_cut_off,
            minidump: MinidumpInfo::of(core),
            live: core.is_live().then(|| LiveInfo::of(core)),
            time: core.header.as_ref().map(|header| header.time),
            version,
        }
    }

    /// The page size for counts: small pages if the core does not say.
    pub(super) fn recount(&mut self, page_size: u64) {
        let all =
            [Some(&mut self.pages), Some(&mut self.pages_cut_off), self.memory_pages.as_mut()];
        for pages in all.into_iter().flatten() {
            *pages = pages.saturating_mul(self.page_size) / page_size.max(1);
        }
        self.page_size = page_size;
    }
}

impl LiveInfo {
    fn of(core: &Core) -> Self {
        let ranges = core.memory().ranges().into_iter();
        let ranges = ranges.map(|range| PhysicalRange { start: range.start, end: range.end });
        Self { ranges: (core.format == Format::Live).then(|| ranges.collect()) }
    }
}

impl MinidumpInfo {
    fn of(core: &Core) -> Option<Self> {
        let Format::Minidump { version } = core.format else { return None };
        let facts = core.facts.minidump.as_ref()?;
        let direct_map = facts.direct_map.as_ref().map(|map| DirectMapInfo {
            start: map.range.start,
            end: map.range.end,
            physical: map.phys,
        });
        Some(Self {
            version,
            kernbase: facts.kernbase,
            direct_map,
            message_buffer_size: facts.message_buffer.len(),
            bitmap_size: facts.bitmap_len,
            page_map_size: facts.page_map_len,
        })
    }
}

impl From<SavecoreInfo> for InfoFileInfo {
    fn from(saved: SavecoreInfo) -> Self {
        let SavecoreInfo { path, info } = saved;
        Self {
            path: path.display().to_string(),
            time: info.time,
            status: info.status,
            dump_size: info.dump_len,
        }
    }
}
