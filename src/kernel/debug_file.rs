//! Which other file a kernel file wants beside it, and whether one that was
//! found is that file.

use crate::kernel::elf::ElfFile;

/// What the other half of a kernel is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub role: Role,
    /// The name in .gnu_debuglink: `kernel.debug`.
    pub link_name: Option<String>,
    pub build_id: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The file has no DWARF: its debug file is wanted.
    DebugFile,
    /// The file has no contents: the kernel it was split from is wanted.
    Kernel,
}

/// What `elf` needs beside it, if it does not have all itself.
pub fn wanted(elf: &ElfFile) -> Option<Wanted> {
    let role = match (elf.has_debug_info(), elf.is_debug_only()) {
        (true, false) => return None,
        (_, true) => Role::Kernel,
        (false, false) => Role::DebugFile,
    };
    Some(Wanted {
        role,
        link_name: elf.debug_link().map(|(name, _)| name),
        build_id: elf.build_id().map(<[u8]>::to_vec),
    })
}

/// Do the two files come from one link of one kernel?
///
/// Build-ids decide where both files have one, then the CRC in .gnu_debuglink.
/// Without either, the sections must lie at the same addresses.
pub fn belongs(kernel: &ElfFile, other: &ElfFile) -> bool {
    if kernel.arch() != other.arch() {
        return false;
    }
    if let (Some(ours), Some(theirs)) = (kernel.build_id(), other.build_id()) {
        return ours == theirs;
    }
    for (linked, target) in [(kernel, other), (other, kernel)] {
        if let Some((_, crc)) = linked.debug_link() {
            return crc32(target.source().bytes()) == crc;
        }
    }
    [".text", ".data", "set_vnet"].into_iter().all(|name| {
        let range = |elf: &ElfFile| elf.section(name).map(|section| section.range());
        range(kernel) == range(other)
    })
}

/// The CRC of .gnu_debuglink: the common CRC-32 over the whole debug file.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
