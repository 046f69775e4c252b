//! info.N: the header of vmcore.N in words, as savecore(8) writes it.
//!
//! `printheader` in `sbin/savecore/savecore.c`, 10.4 and 14.0.

use std::io::Write;

use super::DumpFile;
use super::device::SECTOR;
use super::kernel_header::{Compression, HeaderVersion, KernelHeader, Origin};
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::image::ImageError;

/// The text for a dump of `len` bytes; `None` if savecore(8) did not save it.
pub(in crate::image) fn info_file(
    file: &DumpFile,
    version: HeaderVersion,
    arch: Arch,
    origin: &Origin,
    len: u64,
) -> Result<Option<Vec<u8>>, ImageError> {
    if !file.is_saved() {
        return Ok(None);
    }
    let compression = file.compression().unwrap_or(Compression::None);
    let header = KernelHeader {
        version,
        arch,
        origin,
        block: SECTOR,
        length: len,
        extent: len,
        compression,
    };
    let mut text = Vec::new();
    match version {
        HeaderVersion::V1 => old(&mut text, &header)?,
        HeaderVersion::V4 => new(&mut text, &header)?,
    }
    Ok(Some(text))
}

const DEVICE: &str = "/dev/ada0p3";

/// In the form of savecore 10.4, with the time from ctime(3).
fn old(out: &mut Vec<u8>, header: &KernelHeader<'_>) -> Result<(), ImageError> {
    writeln!(out, "Dump header from device {DEVICE}")?;
    architecture(out, header)?;
    writeln!(out, "  Dump Length: {}B ({} MB)", header.length, header.length >> 20)?;
    writeln!(out, "  Blocksize: {}", header.block)?;
    writeln!(out, "  Dumptime: Fri Nov 22 14:08:22 2019")?;
    rest(out, header)
}

/// In the form of savecore 12 and later, with the time as in 14.0.
fn new(out: &mut Vec<u8>, header: &KernelHeader<'_>) -> Result<(), ImageError> {
    writeln!(out, "Dump header from device: {DEVICE}")?;
    architecture(out, header)?;
    writeln!(out, "  Dump Length: {}", header.length)?;
    writeln!(out, "  Blocksize: {}", header.block)?;
    let compression = match header.compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    };
    writeln!(out, "  Compression: {compression}")?;
    writeln!(out, "  Dumptime: 2019-11-22 14:08:22 +0000")?;
    rest(out, header)
}

fn architecture(out: &mut Vec<u8>, header: &KernelHeader<'_>) -> Result<(), ImageError> {
    writeln!(out, "  Architecture: {}", header.arch)?;
    Ok(writeln!(out, "  Architecture Version: {}", header.architecture_version())?)
}

/// The version string ends with its own newline, as in kernels.
fn rest(out: &mut Vec<u8>, header: &KernelHeader<'_>) -> Result<(), ImageError> {
    let origin = header.origin;
    // It is printed in the byte order of the machine that runs savecore(8).
    let parity = match header.arch.endian() {
        Endian::Little => u32::from_le_bytes(header.parity()),
        Endian::Big => u32::from_be_bytes(header.parity()),
    };
    for part in [
        b"  Hostname: ",
        &*origin.host,
        b"\n  Magic: FreeBSD Kernel Dump\n  Version String: ",
        &origin.version,
        b"  Panic String: ",
        &origin.panic,
        b"\n",
    ] {
        out.extend(part);
    }
    writeln!(out, "  Dump Parity: {parity}")?;
    writeln!(out, "  Bounds: 0")?;
    Ok(writeln!(out, "  Dump Status: good")?)
}

#[cfg(test)]
mod tests {
    use super::super::kernel_header::TIME;
    use super::*;

    #[test]
    fn both_releases_texts() {
        let origin = Origin {
            host: b"gw".to_vec(),
            version: b"FreeBSD 12.1\n    root@build\n".to_vec(),
            panic: b"page fault".to_vec(),
        };
        let text = |version, name: &str| {
            let file = DumpFile::try_from(name.to_owned()).unwrap();
            let text = info_file(&file, version, Arch::Amd64, &origin, 3 << 20).unwrap();
            text.map(|text| String::from_utf8(text).unwrap())
        };
        let new = text(HeaderVersion::V4, "minidump-v2.gz").unwrap();
        assert!(
            new.starts_with(
                "Dump header from device: /dev/ada0p3\n  Architecture: amd64\n  \
             Architecture Version: 2\n  Dump Length: 3145728\n  Blocksize: 512\n  \
             Compression: gzip\n  Dumptime: 2019-11-22 14:08:22 +0000\n  Hostname: gw\n  \
             Magic: FreeBSD Kernel Dump\n  Version String: FreeBSD 12.1\n    root@build\n  \
             Panic String: page fault\n  Dump Parity: "
            ),
            "{new}"
        );
        let old = text(HeaderVersion::V1, "full").unwrap();
        assert!(old.contains("device /dev/ada0p3\n") && old.contains("3145728B (3 MB)\n"), "{old}");
        assert!(old.ends_with("  Bounds: 0\n  Dump Status: good\n"), "{old}");
        assert_eq!(text(HeaderVersion::V4, "full.device-v4"), None);
        assert_eq!(text(HeaderVersion::V4, "raw"), None);
        assert_eq!(TIME % 86400, 14 * 3600 + 8 * 60 + 22);
    }
}
