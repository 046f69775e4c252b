//! Archives and compressed files that are not unpacked here. FreeBSD's sets and packages
//! are tar archives compressed with xz or zstd.

use std::path::Path;

use super::OtherFile;
use super::magic::begins;
use crate::bytes::Fields;
use crate::source::unpack::{self, Packing};

/// An archive of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Archive {
    /// A tar archive, uncompressed or compressed with gzip or zstd.
    Tar,
    /// A compressed archive, judged by its name; its contents were not examined.
    Compressed,
    /// A zip archive.
    Zip,
    /// A zip archive without files.
    EmptyZip,
    /// A 7z archive.
    SevenZip,
    /// A RAR archive.
    Rar,
    /// A cpio archive.
    Cpio,
    /// An ar archive.
    Ar,
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// By gzip(1).
    Gzip,
    /// By zstd(1).
    Zstd,
    /// By bzip2(1).
    Bzip2,
    /// By xz(1).
    Xz,
    /// By lz4(1).
    Lz4,
    /// By lzop(1).
    Lzop,
    /// By compress(1).
    Compress,
}

impl Archive {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Tar => "a tar archive",
            Self::Compressed => "a compressed archive",
            Self::Zip => "a zip archive",
            Self::EmptyZip => "an empty zip archive",
            Self::SevenZip => "a 7z archive",
            Self::Rar => "a RAR archive",
            Self::Cpio => "a cpio archive",
            Self::Ar => "an ar archive",
        }
    }
}

impl Compression {
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Gzip => "a gzip-compressed file",
            Self::Zstd => "a zstd-compressed file",
            Self::Bzip2 => "a bzip2-compressed file",
            Self::Xz => "an xz-compressed file",
            Self::Lz4 => "an lz4-compressed file",
            Self::Lzop => "an lzop-compressed file",
            Self::Compress => "a file of compress(1)",
        }
    }
}

/// First bytes, and the kind of file that they begin.
const ARCHIVES: &[(&[u8], Archive)] = &[
    (b"PK\x03\x04", Archive::Zip),
    (b"PK\x05\x06", Archive::EmptyZip),
    (b"7z\xbc\xaf\x27\x1c", Archive::SevenZip),
    (b"Rar!\x1a\x07", Archive::Rar),
    (b"070701", Archive::Cpio),
    (b"070702", Archive::Cpio),
    (b"070707", Archive::Cpio),
    (b"\xc7\x71", Archive::Cpio),
    (b"!<arch>\n", Archive::Ar),
];

const COMPRESSED: &[(&[u8], Compression)] = &[
    (b"\x1f\x8b", Compression::Gzip),
    (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    (b"BZh", Compression::Bzip2),
    (b"\xfd7zXZ\0", Compression::Xz),
    (b"\x04\x22\x4d\x18", Compression::Lz4),
    (b"\x89LZO\0", Compression::Lzop),
    (b"\x1f\x9d", Compression::Compress),
];

/// The endings of names of compressed archives.
const NAMES: [&str; 8] = [".txz", ".tgz", ".tbz", ".tbz2", ".tzst", ".pkg", ".tar", ".tzs"];

pub(super) fn recognise(path: &Path, bytes: &[u8]) -> Option<OtherFile> {
    if let Some(archive) = inside(bytes) {
        return Some(archive);
    }
    if let Some((_, archive)) = ARCHIVES.iter().find(|(magic, _)| begins(bytes, magic)) {
        return Some(OtherFile::Archive(*archive));
    }
    let (_, compression) = COMPRESSED.iter().find(|(magic, _)| begins(bytes, magic))?;
    Some(match has_archives_name(path) {
        true => OtherFile::Archive(Archive::Compressed),
        false => OtherFile::Compressed(*compression),
    })
}

/// The tar archive that `bytes` begin, compressed or not. Of gzip and zstd data, the
/// beginning is unpacked to find out.
pub fn inside(bytes: &[u8]) -> Option<OtherFile> {
    let unpacked = Packing::of(bytes).map(|packing| unpack::beginning(bytes, packing, BLOCK));
    let first = unpacked.as_deref().unwrap_or(bytes);
    let fields = Fields::little(first);
    if fields.slice(257, 5) != Some(b"ustar") {
        return None;
    }
    Some(match fields.text(0, 100) {
        Some(member) if TEXT_DUMP_MEMBERS.contains(&member.as_str()) => OtherFile::TextDump,
        _ => OtherFile::Archive(Archive::Tar),
    })
}

/// How many bytes of an archive are read: a tar header.
const BLOCK: usize = 512;

const TEXT_DUMP_MEMBERS: &[&str] =
    &["ddb.txt", "config.txt", "msgbuf.txt", "panic.txt", "version.txt"];

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
    fn an_archive_is_known_through_its_compression() {
        let plain = tar("usr/lib/debug/boot/kernel/kernel.debug");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let zstd = zstd::encode_all(&plain[..], 1).unwrap();
        for bytes in [plain, gzip.finish().unwrap(), zstd] {
            assert_eq!(known("sets/debug", &bytes), OtherFile::Archive(Archive::Tar));
        }
    }

    #[test]
    fn an_archive_that_cannot_be_looked_into_is_known_by_its_name() {
        for name in ["kernel-dbg.txz", "base.tar.xz"] {
            assert_eq!(known(name, b"\xfd7zXZ\0"), OtherFile::Archive(Archive::Compressed));
        }
        assert_eq!(known("vmcore.0.xz", b"\xfd7zXZ\0"), OtherFile::Compressed(Compression::Xz));
        assert_eq!(known("vmcore.0.xz", b"\xfd7zX"), OtherFile::Compressed(Compression::Xz));
        // Its first block is not all there.
        assert_eq!(
            known("FreeBSD-kernel-dbg.pkg", b"\x28\xb5\x2f\xfd\x04"),
            OtherFile::Archive(Archive::Compressed)
        );
    }

    #[test]
    fn a_text_dump_holds_no_memory() {
        let text = known("textdump.tar.0", &tar("ddb.txt"));
        assert_eq!(text, OtherFile::TextDump);
        assert!(!text.may_hold_dump());
    }
}
