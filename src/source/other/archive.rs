//! Archives and compressed files that are not unpacked here. FreeBSD's sets and packages
//! are tar archives, compressed by xz or zstd.

use std::path::Path;

use super::{OtherFile, begins};
use crate::bytes::Fields;
use crate::source::unpack::{self, Packing};

/// First bytes, what they begin, and the program that unpacks it.
const ARCHIVES: &[(&[u8], &str, &str)] = &[
    (b"PK\x03\x04", "a zip archive", "unzip"),
    (b"PK\x05\x06", "an empty zip archive", "unzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
    (b"Rar!\x1a\x07", "a RAR archive", "unrar x"),
    (b"070701", "a cpio archive", "cpio -id <"),
    (b"070702", "a cpio archive", "cpio -id <"),
    (b"070707", "a cpio archive", "cpio -id <"),
    (b"\xc7\x71", "a cpio archive", "cpio -id <"),
    (b"!<arch>\n", "an ar archive", "ar x"),
];

const COMPRESSED: &[(&[u8], &str, &str)] = &[
    (b"\x1f\x8b", "a gzip-compressed file", "gunzip"),
    (b"\x28\xb5\x2f\xfd", "a zstd-compressed file", "zstd -d"),
    (b"BZh", "a bzip2-compressed file", "bunzip2"),
    (b"\xfd7zXZ\0", "an xz-compressed file", "unxz"),
    (b"\x04\x22\x4d\x18", "an lz4-compressed file", "lz4 -d"),
    (b"\x89LZO\0", "an lzop-compressed file", "lzop -d"),
    (b"\x1f\x9d", "a file of compress(1)", "uncompress"),
];

/// How the names of compressed archives end.
const NAMES: [&str; 8] = [".txz", ".tgz", ".tbz", ".tbz2", ".tzst", ".pkg", ".tar", ".tzs"];

pub(super) fn recognise(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    if let Some(archive) = inside(path, bytes) {
        return Some(archive);
    }
    if let Some((_, what, tool)) = ARCHIVES.iter().find(|(magic, ..)| begins(bytes, magic)) {
        return Some(archive(path, what, tool));
    }
    let (_, what, tool) = COMPRESSED.iter().find(|(magic, ..)| begins(bytes, magic))?;
    if has_archives_name(path) {
        return Some(archive(path, "a compressed archive", "tar -xf"));
    }
    let hint = format!("unpack it first: {tool} {}", path.display());
    Some(OtherFile {
        what: (*what).to_owned(),
        may_hold_dump: true,
        for_kernel: Some(hint.clone()),
        for_dump: hint,
    })
}

/// The tar archive that `bytes` begin, if they do, whether it is compressed or not: of
/// what is compressed by gzip or zstd the beginning is unpacked.
pub fn inside(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    let unpacked = Packing::of(bytes).map(|packing| unpack::beginning(bytes, packing, BLOCK));
    let first = unpacked.as_deref().unwrap_or(bytes);
    let fields = Fields::little(first);
    if fields.slice(257, 5) != Some(b"ustar") {
        return None;
    }
    match fields.text(0, 100) {
        Some(member) if TEXT_DUMP_MEMBERS.contains(&member.as_str()) => Some(OtherFile {
            what: "a text dump".to_owned(),
            may_hold_dump: false,
            for_dump: format!(
                "it is what ddb(4) printed and holds no memory: read it with tar -xf {}",
                path.display()
            ),
            for_kernel: None,
        }),
        _ => Some(archive(path, "a tar archive", "tar -xf")),
    }
}

/// What is read of an archive, in bytes: a header of tar.
const BLOCK: usize = 512;

const TEXT_DUMP_MEMBERS: &[&str] =
    &["ddb.txt", "config.txt", "msgbuf.txt", "panic.txt", "version.txt"];

fn archive(path: &Path, what: &str, tool: &str) -> OtherFile {
    let command = format!("{tool} {}", path.display());
    OtherFile {
        what: what.to_owned(),
        may_hold_dump: true,
        for_dump: format!("unpack it, and give the vmcore that is in it: {command}"),
        for_kernel: Some(format!(
            "take out usr/lib/debug/boot/kernel/kernel.debug, or boot/kernel/kernel: {command}"
        )),
    }
}

fn has_archives_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains(".tar.") || NAMES.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn tar(member: &str) -> Vec<u8> {
        let mut bytes = vec![0; 1024];
        bytes[..member.len()].copy_from_slice(member.as_bytes());
        bytes[257..262].copy_from_slice(b"ustar");
        bytes
    }

    fn known(name: &str, bytes: &[u8]) -> OtherFile {
        recognise(Path::new(name), bytes).unwrap()
    }

    #[test]
    fn what_is_in_a_compressed_archive_is_to_be_taken_out() {
        let plain = tar("usr/lib/debug/boot/kernel/kernel.debug");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        for bytes in [plain, gzip.finish().unwrap(), zstd] {
            let archive = known("sets/debug", &bytes);
            assert_eq!(archive.what, "a tar archive");
            let hint = archive.for_kernel.unwrap();
            assert!(hint.contains("usr/lib/debug/boot/kernel/kernel.debug"), "{hint}");
            assert!(hint.ends_with("tar -xf sets/debug"), "{hint}");
        }
    }

    #[test]
    fn an_archive_that_cannot_be_looked_into_is_known_by_its_name() {
        for name in ["kernel-dbg.txz", "base.tar.xz"] {
            assert_eq!(known(name, b"\xfd7zXZ\0").what, "a compressed archive");
        }
        assert_eq!(known("vmcore.0.xz", b"\xfd7zXZ\0").what, "an xz-compressed file");
        assert_eq!(known("vmcore.0.xz", b"\xfd7zX").what, "an xz-compressed file");
        // Its first block is not all there.
        assert_eq!(
            known("FreeBSD-kernel-dbg.pkg", b"\x28\xb5\x2f\xfd\x04").what,
            "a compressed archive"
        );
    }

    #[test]
    fn a_text_dump_holds_no_memory() {
        let text = known("textdump.tar.0", &tar("ddb.txt"));
        assert_eq!(text.what, "a text dump");
        assert_eq!(text.for_kernel, None);
    }
}
