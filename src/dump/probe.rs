//! What kind of file is this? Dumps are known by their first bytes, and so are the files
//! of other programs ([`other`]). What is left may be memory without any header.

use std::path::Path;

use super::minidump;
use crate::bytes::Fields;
use crate::dump::DumpError;
use crate::source::Source;
use crate::source::other::{self, OtherFile};
use crate::source::unpack::Packing;

const ELF_MAGIC: &[u8] = b"\x7fELF";

/// What a file seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Minidump,
    ElfCore,
    /// It does not say what it is: raw memory, or a dump device.
    Unknown,
}

/// Tells what `source` is.
///
/// # Errors
/// It is a file of another kind, or a dump that must be unpacked or decrypted first;
/// the error says which, and with what.
pub(super) fn probe(source: &Source) -> Result<Kind, DumpError> {
    let bytes = source.bytes();
    if source.is_device() {
        return Ok(Kind::Unknown);
    }
    if bytes.is_empty() {
        return Err(not_a_dump("an empty file", "was the disk full when savecore ran?"));
    }
    if bytes.starts_with(minidump::MAGIC) || minidump::MAGIC.starts_with(bytes) {
        return minidump_of(bytes);
    }
    if bytes.starts_with(ELF_MAGIC) {
        return elf(source);
    }
    match other::recognise(source.path(), bytes) {
        // What is compressed was unpacked, but not without end.
        Some(other) if Packing::of(bytes).is_some() => {
            let what = format!("{} that is compressed once more", other.what);
            Err(DumpError::Wrapped { what, hint: other.for_dump })
        }
        Some(other) => Err(other_file(other)),
        None => Ok(Kind::Unknown),
    }
}

/// Does a dump begin here, with nothing around it?
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
    if let Some(other) = other::of_a_machine(source.path(), bytes) {
        return Err(other_file(other));
    }
    let types = [Fields::little(bytes), Fields::big(bytes)].map(|fields| fields.u16(16));
    let e_type = match Fields::little(bytes).u8(5) {
        Some(1) => types[0],
        Some(2) => types[1],
        // What the byte order is has yet to be told; that it is damaged as well.
        _ if types.contains(&Some(ET_CORE)) => Some(ET_CORE),
        _ => types[0],
    };
    let what = match e_type {
        Some(ET_CORE) => return Ok(Kind::ElfCore),
        Some(1) => "an ELF object file or kernel module".to_owned(),
        Some(2 | 3) => "an ELF executable, such as a kernel".to_owned(),
        Some(other) => format!("an ELF file of an unknown type (e_type {other:#x})"),
        None => {
            let hint = "was it copied whole? info.N beside the dump tells its length (Dump Length)";
            return Err(not_a_dump("the beginning of an ELF file, cut off", hint));
        }
    };
    let hint = "the kernel goes to -N and the core to -M: have they changed places?";
    Err(not_a_dump(&what, hint))
}

/// What to say of a file that is known, and is no dump.
pub(super) fn other_file(other: OtherFile) -> DumpError {
    let OtherFile { what, for_dump: hint, .. } = other;
    match other.may_hold_dump {
        true => DumpError::Wrapped { what, hint },
        false => DumpError::NotADump { what, hint },
    }
}

/// A dump whose header says that it is encrypted by a key of so many bytes.
pub(super) fn encrypted(key_len: u32) -> DumpError {
    let what = format!("an encrypted dump (dumpkeysize is {key_len:#x})");
    DumpError::Wrapped { what, hint: other::decrypt("") }
}

pub(super) fn text_dump() -> DumpError {
    let hint = "a text dump is what ddb(4) printed and holds no memory: read it with tar -xf";
    not_a_dump("a text dump", hint)
}

/// What to say of a file in which nothing was found.
pub(super) fn unknown(source: &Source) -> DumpError {
    if let Some(other) = other::by_its_end(source.path(), source.bytes()) {
        return other_file(other);
    }
    if source.is_device() {
        let hint = "memory devices are read with the very kernel that is running (-N)";
        return not_a_dump("a character device", hint);
    }
    if let Some(damaged) = damaged_magic(source.bytes()) {
        return damaged;
    }
    let what = match is_zeros(source) {
        None if is_vmware(source.path()) => "a memory file of VMware, or the like".to_owned(),
        None => {
            let magic = source.bytes().iter().take(4).map(|byte| format!(" {byte:02x}"));
            format!("data in no format that is known (magic{})", magic.collect::<String>())
        }
        Some(true) => "nothing but zeros, and no magic".to_owned(),
        Some(false) => "zeros as far as it was looked at, and no magic".to_owned(),
    };
    let hint = "if this is raw memory, give the kernel that ran in it with -N; \
                a vmcore begins with \"minidump FreeBSD/\" or is an ELF core file";
    not_a_dump(&what, hint)
}

/// What is a dump but for its first bytes.
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

/// Are there only zeros, and was all of the file looked at? `None` if there is something.
/// The memory of a machine may well begin with many.
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

pub(super) fn not_a_dump(what: &str, hint: &str) -> DumpError {
    DumpError::NotADump { what: what.to_owned(), hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(name: &str, bytes: &[u8]) -> (String, String) {
        let source = Source::from_vec(name, bytes.to_vec());
        let error = probe(&source).map(|_| unknown(&source)).unwrap_or_else(|error| error);
        (error.to_string(), error.hint().to_owned())
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
    fn a_compressed_dump_names_the_program_to_run() {
        let (what, hint) = message("vmcore.3.xz", b"\xfd7zXZ\0....");
        assert!(what.contains("xz-compressed"), "{what}");
        assert_eq!(hint, "unpack it first: unxz vmcore.3.xz");
        let (what, hint) = message("disk.img", b"QFI\xfb\0\0\0\x03");
        assert!(what.contains("a qcow2 disk image"), "{what}");
        assert_eq!(hint, "convert it first: qemu-img convert -O raw disk.img device.raw");
        let mut disk = vec![7; 4096];
        disk[3584..3592].copy_from_slice(b"conectix");
        assert!(message("disk.vhd", &disk).0.contains("a VHD disk image"));
    }

    #[test]
    fn a_kernel_in_the_place_of_the_core_is_noticed() {
        let kernel = b"\x7fELF\x02\x01\x01\x09\0\0\0\0\0\0\0\0\x02\0";
        let (what, hint) = message("kernel", kernel);
        assert!(what.contains("ELF executable"), "{what}");
        assert!(hint.contains("-N") && hint.contains("-M"), "{hint}");
        assert!(message("kernel", b"\x7fELF").0.contains("cut off"));
        assert!(message("vmcore.0", b"minidump Fr").0.contains("the file ends at 0xb"));
    }

    #[test]
    fn whatever_else_lies_in_var_crash_is_named() {
        assert!(message("vmcore_encrypted.0", b"\x91\x22").1.contains("decryptcore"));
        assert!(message("core.txt.0", b"").0.contains("an empty file"));
        assert!(message("info.2", b"Dump header from device").1.contains("vmcore.2"));
        let (what, _) = message("vmcore.0", b"minidamp FreeBSD/amd64\0\0");
        assert!(what.contains("magic is \"minidamp FreeBSD/\""), "{what}");
        assert!(message("vmcore.0", &[0; 100]).0.contains("nothing but zeros"));
        let (what, hint) = message("notes.txt", b"hello");
        assert!(what.contains("no format") && hint.contains("raw memory"), "{what}; {hint}");
        assert!(message("vm.vmem", b"hello").0.contains("VMware"));
    }

    #[test]
    fn memory_may_begin_with_zeros() {
        let mut memory = vec![0; 3 << 20];
        let (what, hint) = message("vmcore.raw", &memory);
        assert!(what.contains("nothing but zeros") && hint.contains("-N"), "{what}; {hint}");
        memory[2 << 20] = 1;
        assert!(message("vmcore.raw", &memory).0.contains("no format"));
    }
}
