//! Which other file a kernel file needs, and whether a file that was found
//! is that file.

use crate::kernel::elf::ElfFile;

/// How to recognise the other half of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which half is missing.
    pub role: Role,
    /// The name in .gnu_debuglink: `kernel.debug`.
    pub link_name: Option<String>,
    /// The GNU build-id, which both halves share; `None` if the file has none.
    pub build_id: Option<Vec<u8>>,
}

/// The missing half of a split kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The file has no DWARF, so its debug file is needed.
    DebugFile,
    /// The file has no contents, so the kernel it was split from is needed.
    Kernel,
}

/// What `elf` needs beside it; `None` if it is complete.
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

/// Evidence that `other` is not the other half of `file`, as the end of a sentence
/// about `other`; `None` if there is none.
///
/// If both files have a build-id, it decides; otherwise the CRC in .gnu_debuglink.
/// Without either, the sections must be at the same addresses.
pub fn difference(file: &ElfFile, other: &ElfFile) -> Option<String> {
    if file.arch() != other.arch() {
        return Some(format!("is for {}, not for {}", other.arch().name(), file.arch().name()));
    }
    if let (Some(ours), Some(theirs)) = (file.build_id(), other.build_id()) {
        let why =
            || format!("is of another build: its build-id is {}, not {}", hex(theirs), hex(ours));
        return (ours != theirs).then(why);
    }
    for (linked, target) in [(file, other), (other, file)] {
        if let Some((_, told)) = linked.debug_link() {
            let is = crc32(target.source().bytes());
            let why = || {
                let (file, told) = (linked.source().path().display(), told);
                format!(
                    "is of another build: by the .gnu_debuglink of {file} the CRC is {told:08x}, not {is:08x}"
                )
            };
            return (is != told).then(why);
        }
    }
    let moved = [".text", ".data", "set_vnet"].into_iter().find(|name| {
        let range = |elf: &ElfFile| elf.section(name).map(|section| section.range());
        range(file) != range(other)
    })?;
    let place = |elf: &ElfFile| match elf.section(moved).map(|section| section.range()) {
        Some(range) => format!("at {}..{}", range.start, range.end),
        None => "nowhere".to_owned(),
    };
    let (theirs, ours) = (place(other), place(file));
    Some(format!("is of another build: its {moved} lies {theirs}, not {ours}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The CRC of .gnu_debuglink: the usual CRC-32 of the whole debug file.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
