//! What kind of file is this? Dumps are recognised by their first bytes, and so are the files
//! of other programs ([`other`]). The rest may be memory without any header.

use std::path::Path;

use super::minidump;
use crate::bytes::Fields;
use crate::dump::{DumpError, NotADump};
use crate::source::unpack::Packing;
use crate::source::{Source, other};

const ELF_MAGIC: &[u8] = b"\x7fELF";

/// What a file appears to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Minidump,
    ElfCore,
    /// It has no known header: raw memory, or a dump device.
    Unknown,
}

/// Recognises `source`.
///
/// # Errors
/// It is a file of another kind, or a dump that must first be unpacked or decrypted.
/// The error says which, and how.
pub(super) fn probe(source: &Source) -> Result<Kind, DumpError> {
    let bytes = source.bytes();
    if source.is_device() {
        return Ok(Kind::Unknown);
    }
    if bytes.is_empty() {
        return Err(NotADump::Empty.into());
    }
    if bytes.starts_with(minidump::MAGIC) || minidump::MAGIC.starts_with(bytes) {
        return minidump_of(bytes);
    }
    if bytes.starts_with(ELF_MAGIC) {
        return elf(source);
    }
    match other::recognise(source.path(), bytes) {
        // Compressed files were unpacked, but not any number of times.
        Some(other) if Packing::of(bytes).is_some() => Err(DumpError::PackedAgain(other)),
        Some(other) => Err(other.into()),
        None => Ok(Kind::Unknown),
    }
}

/// Does a dump begin here, without any layers around it?
pub(super) fn is_core(bytes: &[u8]) -> bool {
    bytes.starts_with(minidump::MAGIC) || bytes.starts_with(ELF_MAGIC)
}

/// The architecture's name is a part of the magic.
fn minidump_of(bytes: &[u8]) -> Result<Kind, DumpError> {
    const MAGIC_LEN: u64 = 24;
    let length = bytes.len() as u64;
    match length < MAGIC_LEN {
        true => {
            Err(DumpError::Truncated { what: "the minidump header", needed: MAGIC_LEN, length })
        }
        false => Ok(Kind::Minidump),
    }
}

fn elf(source: &Source) -> Result<Kind, DumpError> {
    const ET_CORE: u16 = 4;
    let bytes = source.bytes();
    if let Some(other) = other::of_a_machine(bytes) {
        return Err(other.into());
    }
    let types = [Fields::little(bytes), Fields::big(bytes)].map(|fields| fields.u16(16));
    let e_type = match Fields::little(bytes).u8(5) {
        Some(1) => types[0],
        Some(2) => types[1],
        // The byte order is not known yet. The reader reports any further damage.
        _ if types.contains(&Some(ET_CORE)) => Some(ET_CORE),
        _ => types[0],
    };
    let what = match e_type {
        Some(ET_CORE) => return Ok(Kind::ElfCore),
        Some(1) => NotADump::ElfObject,
        Some(2 | 3) => NotADump::ElfExecutable,
        Some(other) => NotADump::ElfOfType(other),
        None => NotADump::ElfCutOff,
    };
    Err(what.into())
}

/// The error for a file in which nothing was found.
pub(super) fn unknown(source: &Source) -> DumpError {
    if let Some(other) = other::by_its_end(source.bytes()) {
        return other.into();
    }
    if source.is_device() {
        return NotADump::Device.into();
    }
    if let Some(damaged) = damaged_magic(source.bytes()) {
        return damaged;
    }
    let what = match is_zeros(source) {
        Some(whole) => NotADump::Zeros { whole },
        None if is_vmware(source.path()) => NotADump::VmwareMemory,
        None => NotADump::Unknown { magic: source.bytes().iter().take(4).copied().collect() },
    };
    what.into()
}

/// A file that is a dump except for its first bytes.
fn damaged_magic(bytes: &[u8]) -> Option<DumpError> {
    const ET_CORE: u16 = 4;
    let (format, magic) = if bytes.get(8..)?.starts_with(b" FreeBSD/") {
        ("minidump", minidump::MAGIC)
    } else {
        let ident = bytes.get(4..7)?;
        let fields = match ident {
            [1 | 2, 1, 1] => Fields::little(bytes),
            [1 | 2, 2, 1] => Fields::big(bytes),
            _ => return None,
        };
        (fields.u16(16)? == ET_CORE && fields.u32(20)? <= 1).then_some(("ELF core", ELF_MAGIC))?
    };
    let is = bytes.get(..magic.len())?;
    Some(DumpError::BadField {
        format,
        field: "magic",
        value: format!("\"{}\"", is.escape_ascii()),
        why: format!("it is \"{}\" in each, and the rest is as in one", magic.escape_ascii()),
    })
}

/// A .vmem file is raw memory.
fn is_vmware(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "vmem")
}

/// Are there only zeros, and was the whole file examined? `None` if there is something else.
/// A machine's memory may well begin with many zeros.
fn is_zeros(source: &Source) -> Option<bool> {
    const MOST: usize = 256 << 20;
    let mut left = MOST;
    for part in source.data() {
        let looked_at = source.bytes().get(part.clone()).unwrap_or_default();
        let looked_at = looked_at.get(..left).unwrap_or(looked_at);
        if looked_at.iter().any(|byte| *byte != 0) {
            return None;
        }
        if looked_at.len() < part.len() {
            return Some(false);
        }
        left -= looked_at.len();
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, bytes: &[u8]) -> String {
        let source = Source::from_vec(name, bytes.to_vec());
        probe(&source).map(|_| unknown(&source)).unwrap_or_else(|error| error).to_string()
    }

    #[test]
    fn dumps_are_known_by_their_first_bytes() {
        let probe = |bytes: &[u8]| probe(&Source::from_vec("vmcore.0", bytes.to_vec()));
        assert_eq!(probe(b"minidump FreeBSD/amd64\0\0"), Ok(Kind::Minidump));
        let mut core = *b"\x7fELF\x02\x01\x01\xff\0\0\0\0\0\0\0\0\x04\0";
        assert_eq!(probe(&core), Ok(Kind::ElfCore));
        core[5] = 2;
        core[16..].copy_from_slice(&[0, 4]);
        assert_eq!(probe(&core), Ok(Kind::ElfCore));
        assert_eq!(probe(b"anything"), Ok(Kind::Unknown));
    }

    #[test]
    fn what_may_hold_a_dump_is_named() {
        let cannot = |what: &str| format!("this is {what}: it cannot be read as it is");
        assert_eq!(message("vmcore.3.xz", b"\xfd7zXZ\0...."), cannot("an xz-compressed file"));
        assert_eq!(message("disk.img", b"QFI\xfb\0\0\0\x03"), cannot("a qcow2 disk image"));
        assert_eq!(message("vmcore_encrypted.0", b"\x91\x22"), cannot("an encrypted dump"));
        let mut disk = vec![7; 4096];
        disk[3584..3592].copy_from_slice(b"conectix");
        assert_eq!(message("disk.vhd", &disk), cannot("a VHD disk image"));
    }

    #[test]
    fn a_kernel_in_the_place_of_the_core_is_noticed() {
        let kernel = b"\x7fELF\x02\x01\x01\x09\0\0\0\0\0\0\0\0\x02\0";
        assert!(message("kernel", kernel).contains("ELF executable"));
        assert!(message("kernel", b"\x7fELF").contains("cut off"));
        assert!(message("vmcore.0", b"minidump Fr").contains("the file ends at 0xb"));
    }

    #[test]
    fn whatever_else_lies_in_var_crash_is_named() {
        assert!(message("core.txt.0", b"").contains("an empty file"));
        let info = message("info.2", b"Dump header from device");
        assert_eq!(info, "this is the description of a dump, not a crash dump");
        let damaged = message("vmcore.0", b"minidamp FreeBSD/amd64\0\0");
        assert!(damaged.contains("magic is \"minidamp FreeBSD/\""), "{damaged}");
        assert!(message("vmcore.0", &[0; 100]).contains("only zeros"));
        assert!(message("notes.txt", b"hello").contains("unknown format (magic 68 65"));
        assert!(message("vm.vmem", b"hello").contains("VMware"));
    }

    #[test]
    fn memory_may_begin_with_zeros() {
        let mut memory = vec![0; 3 << 20];
        assert!(message("vmcore.raw", &memory).contains("only zeros"));
        memory[2 << 20] = 1;
        assert!(message("vmcore.raw", &memory).contains("unknown format"));
    }
}
