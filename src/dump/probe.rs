//! What kind of file is this? Dumps by their first bytes, and a good word for
//! everything else that people hand to `-M` by mistake.

use std::path::Path;

use super::minidump;
use crate::bytes::Fields;
use crate::error::DumpError;
use crate::source::Source;

const ELF_MAGIC: &[u8] = b"\x7fELF";

/// A dump that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Minidump,
    ElfCore,
}

/// Tells what `source` is.
///
/// # Errors
/// It is no dump, or one that must be unpacked or decrypted first; the error says
/// which, and with what.
pub(super) fn probe(source: &Source) -> Result<Kind, DumpError> {
    let bytes = source.bytes();
    if source.is_device() {
        let hint = "memory devices are read with the very kernel that is running (-N)";
        return Err(not_a_dump("a character device", hint));
    }
    if bytes.is_empty() {
        return Err(not_a_dump("an empty file", "was the disk full when savecore ran?"));
    }
    if bytes.starts_with(minidump::MAGIC) || minidump::MAGIC.starts_with(bytes) {
        return minidump_of(bytes);
    }
    if bytes.starts_with(ELF_MAGIC) {
        return elf(bytes);
    }
    Err(packed(source.path(), bytes)
        .or_else(|| beside_a_dump(source.path(), bytes))
        .unwrap_or_else(|| unknown(source)))
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

fn elf(bytes: &[u8]) -> Result<Kind, DumpError> {
    const ET_CORE: u16 = 4;
    let fields = match Fields::little(bytes).u8(5) {
        Some(2) => Fields::big(bytes),
        _ => Fields::little(bytes),
    };
    let what = match fields.u16(16) {
        Some(ET_CORE) => return Ok(Kind::ElfCore),
        Some(1) => "an ELF object file or kernel module",
        Some(2 | 3) => "an ELF executable, such as a kernel",
        Some(_) => "an ELF file of an unknown type",
        None => {
            let hint = "was it copied whole? info.N beside the dump tells its length (Dump Length)";
            return Err(not_a_dump("the beginning of an ELF file, cut off", hint));
        }
    };
    let hint = "the kernel goes to -N and the core to -M: have they changed places?";
    Err(not_a_dump(what, hint))
}

/// Files that may hold a dump, packed by some other program.
fn packed(path: &Path, bytes: &[u8]) -> Option<DumpError> {
    const FORMS: &[(&[u8], &str, &str)] = &[
        (b"\x1f\x8b", "a gzip-compressed file that is compressed once more", "gunzip"),
        (b"\x28\xb5\x2f\xfd", "a zstd-compressed file that is compressed once more", "zstd -d"),
        (b"BZh", "a bzip2-compressed file", "bunzip2"),
        (b"\xfd7zXZ\0", "an xz-compressed file", "unxz"),
        (b"PK\x03\x04", "a zip archive", "unzip"),
        (b"QFI\xfb", "a qcow2 disk image", "qemu-img convert -O raw"),
    ];
    let (_, what, tool) = FORMS.iter().find(|(magic, ..)| bytes.starts_with(magic))?;
    let hint = match *tool {
        // What it makes needs a name.
        "qemu-img convert -O raw" => {
            format!("convert it first: {tool} {} device.raw", path.display())
        }
        tool => format!("unpack it first: {tool} {}", path.display()),
    };
    Some(DumpError::Wrapped { what: (*what).to_owned(), hint })
}

/// The other files that savecore(8) leaves in a crash directory.
fn beside_a_dump(path: &Path, bytes: &[u8]) -> Option<DumpError> {
    const TEXT_DUMP_MEMBERS: &[&str] =
        &["ddb.txt", "config.txt", "msgbuf.txt", "panic.txt", "version.txt"];
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("vmcore_encrypted.") {
        return Some(encrypted());
    }
    let fields = Fields::little(bytes);
    if fields.slice(257, 5) == Some(b"ustar") {
        return Some(match fields.text(0, 100) {
            Some(member) if TEXT_DUMP_MEMBERS.contains(&member.as_str()) => text_dump(),
            _ => not_a_dump("a tar archive", "unpack it and give the vmcore that is in it"),
        });
    }
    if bytes.starts_with(b"Dump header from device") {
        let hint = "info.N describes a dump: the memory is in vmcore.N beside it";
        return Some(not_a_dump("the description of a dump", hint));
    }
    if bytes.starts_with(b"KDUMP   ") || bytes.starts_with(b"makedumpfile") {
        let hint =
            "write it again as plain ELF, in QEMU with dump-guest-memory without -z, -l or -s";
        return Some(not_a_dump("a kdump-compressed image, a Linux format", hint));
    }
    None
}

pub(super) fn encrypted() -> DumpError {
    DumpError::Wrapped {
        what: "an encrypted dump".to_owned(),
        hint: "decrypt it first: decryptcore -p PRIVATE_KEY -k key.N -e vmcore_encrypted.N -c vmcore.N"
            .to_owned(),
    }
}

pub(super) fn text_dump() -> DumpError {
    let hint = "a text dump is what ddb(4) printed and holds no memory: read it with tar -xf";
    not_a_dump("a text dump", hint)
}

fn unknown(source: &Source) -> DumpError {
    let what = match is_zeros(source) {
        None => "data in no format that is known",
        Some(true) => "nothing but zeros",
        Some(false) => "zeros as far as it was looked at",
    };
    let hint = "if this is raw memory, give the kernel that ran in it with -N; \
                a vmcore begins with \"minidump FreeBSD/\" or is an ELF core file";
    not_a_dump(what, hint)
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
        let error = probe(&Source::from_vec(name, bytes.to_vec())).unwrap_err();
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
    }

    #[test]
    fn a_compressed_dump_names_the_program_to_run() {
        let (what, hint) = message("vmcore.3.xz", b"\xfd7zXZ\0....");
        assert!(what.contains("xz-compressed"), "{what}");
        assert_eq!(hint, "unpack it first: unxz vmcore.3.xz");
        let (what, hint) = message("vmcore.0.gz", b"\x1f\x8b\x08");
        assert!(what.contains("compressed once more"), "{what}");
        assert_eq!(hint, "unpack it first: gunzip vmcore.0.gz");
        assert_eq!(message("crash.zip", b"PK\x03\x04").1, "unpack it first: unzip crash.zip");
        let (what, hint) = message("disk.img", b"QFI\xfb\0\0\0\x03");
        assert!(what.contains("a qcow2 disk image"), "{what}");
        assert_eq!(hint, "convert it first: qemu-img convert -O raw disk.img device.raw");
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
    fn text_dumps_have_no_memory() {
        let mut tar = vec![0; 512];
        tar[..7].copy_from_slice(b"ddb.txt");
        tar[257..262].copy_from_slice(b"ustar");
        assert!(message("textdump.tar.0", &tar).0.contains("a text dump"));
        tar[..7].copy_from_slice(b"foo.txt");
        assert!(message("crash.tar", &tar).0.contains("a tar archive"));
    }

    #[test]
    fn whatever_else_lies_in_var_crash_is_named() {
        assert!(message("vmcore_encrypted.0", b"\x91\x22").1.contains("decryptcore"));
        assert!(
            message("info.0", b"Dump header from device: /dev/ada0p3\n").1.contains("vmcore.N")
        );
        assert!(message("vmcore.0", b"").0.contains("an empty file"));
        assert!(message("vmcore.0", &[0; 100]).0.contains("nothing but zeros"));
        let (what, hint) = message("notes.txt", b"hello");
        assert!(what.contains("no format") && hint.contains("raw memory"), "{what}; {hint}");
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
