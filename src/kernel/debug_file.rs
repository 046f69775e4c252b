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

/// Why `other` cannot come from the link that `file` comes from, as the end of a sentence
/// about `other`; `None` if nothing speaks against it.
///
/// Build-ids decide where both files have one, then the CRC in .gnu_debuglink.
/// Without either, the sections must lie at the same addresses.
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

/// The CRC of .gnu_debuglink: the common CRC-32 over the whole debug file.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
