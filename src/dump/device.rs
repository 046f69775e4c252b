//! Dump devices: finds a dump in a copy of one by its kernel dump headers.
//!
//! The kernel puts a dump at the end of its device: a header, the key if the dump is
//! encrypted, the dump, and the same header again in the last block
//! (`dump_start` and `dump_write_headers` in `sys/kern/kern_shutdown.c`, 14.0). A
//! compressed dump begins where an uncompressed one would (dumpextent) and ends
//! early. A copy may also begin with the first header. It may be a copy of a whole disk
//! with a GPT; then each partition is examined. If it lacks the last header, the first one
//! is searched for.
//!
//! A header with wrong parity is not believed. Headers that savecore(8) has
//! cleared, encrypted dumps, and text dumps are refused by name.

use super::header::{self, KernelDumpHeader};
use super::probe;
use crate::addr::FileOffset;
use crate::bytes::Fields;
use crate::dump::{DumpError, NotADump};
use crate::source::Source;
use crate::source::unpack::Packing;

const FORMAT: &str = "kernel dump";

/// A dump within a larger file.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    pub(super) header: KernelDumpHeader,
    /// Its first byte, after the header and the key.
    pub(super) offset: FileOffset,
    /// Its length in bytes, up to the end of the file.
    pub(super) len: u64,
    pub(super) warning: Option<String>,
}

/// The dump on a copy of a dump device; `None` if there are no headers. `bytes` is the copy.
///
/// # Errors
/// There is a dump but it cannot be read, or its headers are damaged.
pub(super) fn find(bytes: &[u8]) -> Result<Option<Found>, DumpError> {
    let at_end_of_all = at_end(bytes);
    // A copy of the dump's part of the device need not contain all of its extent.
    if !matches!(at_end_of_all, Ok(None) | Err(DumpError::BadField { .. })) {
        return at_end_of_all;
    }
    if let Some(found) = at_start(bytes)? {
        return Ok(Some(found));
    }
    at_end_of_all?;
    for (start, end) in partitions(bytes) {
        let Some(partition) = bytes.get(start..end) else { continue };
        if let Some(mut found) = at_end(partition)? {
            found.offset = found.offset.wrapping_add(start as u64);
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// By the header in the last block. Its size is that of the device's sectors.
fn at_end(bytes: &[u8]) -> Result<Option<Found>, DumpError> {
    const SMALLEST: usize = header::LEN;
    const LARGEST: usize = 64 << 10;
    let mut block = SMALLEST;
    while block <= LARGEST {
        let Some(at) = bytes.len().checked_sub(block).filter(|at| *at > 0) else { break };
        let last = bytes.get(at..).unwrap_or_default();
        refuse(last)?;
        if let Some(header) = KernelDumpHeader::parse(last)
            && (header.block_len == block as u64 || (header.block_len == 0 && block == SMALLEST))
        {
            return before(bytes, at, block, header);
        }
        block *= 2;
    }
    Ok(None)
}

/// The dump that ends at `end`, or has room up to it. Its last header is there.
fn before(
    bytes: &[u8],
    end: usize,
    block: usize,
    header: KernelDumpHeader,
) -> Result<Option<Found>, DumpError> {
    check(&header)?;
    let end = end as u64;
    let extent = match header.extent {
        Some(extent) => extent,
        None => header.dump_len.checked_next_multiple_of(block as u64).unwrap_or(u64::MAX),
    };
    let Some(start) = end.checked_sub(extent) else {
        let why = format!("there are only {end:#x} bytes before the last header");
        let field = if header.extent.is_some() { "dumpextent" } else { "dumplength" };
        return Err(bad(field, extent, &why));
    };
    if header.dump_len > extent {
        return Err(bad("dumplength", header.dump_len, &format!("dumpextent is {extent:#x}")));
    }
    let first = start.checked_sub(block as u64).and_then(|first| {
        let first = usize::try_from(first).ok()?;
        bytes.get(first..first.checked_add(header::LEN)?)
    });
    let same = first.and_then(KernelDumpHeader::parse).is_some_and(|first| first == header);
    let warning = (!same).then(|| {
        "the first header of the dump is not the same as the last: \
         something may have been written over the dump"
            .to_owned()
    });
    let len = header.dump_len;
    Ok(Some(Found { header, offset: FileOffset::new(start), len, warning }))
}

/// By a header at the start of the file.
fn at_start(bytes: &[u8]) -> Result<Option<Found>, DumpError> {
    refuse(bytes)?;
    let Some(header) = KernelDumpHeader::parse(bytes) else { return Ok(None) };
    check(&header)?;
    let start = header.block_len.max(header::LEN as u64);
    let left = bytes.len() as u64 - start.min(bytes.len() as u64);
    if left == 0 {
        let (needed, length) = (start.saturating_add(header.dump_len), bytes.len() as u64);
        let what = "the dump behind its header (blocksize, dumplength)";
        return Err(DumpError::Truncated { what, needed, length });
    }
    let len = header.dump_len.min(left);
    let warning = (len < header.dump_len).then(|| {
        let missing = header.dump_len - len;
        format!("the file ends {missing:#x} bytes before the dump does")
    });
    Ok(Some(Found { header, offset: FileOffset::new(start), len, warning }))
}

/// The dump on a copy of a device whose end, and the last header with it, is missing. It is
/// found by the first header, wherever that is, if a dump follows it.
///
/// The search runs from the end: an older and larger dump may have left its first
/// header before that of the last one. A kernel's memory may hold a copy of the header
/// too, but no dump follows it.
///
/// # Errors
/// There is such a header, but its dump cannot be read.
pub(super) fn without_its_end(source: &Source) -> Result<Option<Found>, DumpError> {
    /// How much of the file is searched, not counting holes.
    const MOST: usize = 16 << 30;
    let bytes = source.bytes();
    let mut left = MOST;
    for part in source.data().iter().rev() {
        let first = part.start - part.start % header::LEN;
        let mut at = part.end - part.end % header::LEN;
        while at >= first && left > 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            if let Some(found) = first_header(rest, at)? {
                return Ok(Some(found));
            }
            left = left.saturating_sub(header::LEN);
            let Some(before) = at.checked_sub(header::LEN) else { break };
            at = before;
        }
    }
    Ok(None)
}

/// The dump after the header that is at `at` in the file and at the start of `bytes`.
fn first_header(bytes: &[u8], at: usize) -> Result<Option<Found>, DumpError> {
    let header = KernelDumpHeader::parse(bytes);
    let Some(header) = header.filter(|header| header.parity_holds) else { return Ok(None) };
    check(&header)?;
    let block = header.block_len.max(header::LEN as u64);
    let dump = usize::try_from(block).ok().and_then(|block| bytes.get(block..));
    let dump = dump.filter(|dump| probe::is_core(dump) || Packing::of(dump).is_some());
    let Some(dump) = dump else { return Ok(None) };
    let (at, length) = (at as u64, (at + bytes.len()) as u64);
    let start = at.saturating_add(block);
    let extent = header.extent.unwrap_or(header.dump_len);
    let last = extent.checked_next_multiple_of(block).and_then(|extent| extent.checked_add(start));
    let end = last.and_then(|last| last.checked_add(block)).unwrap_or(u64::MAX);
    let len = header.dump_len.min(dump.len() as u64);
    let missing = match header.dump_len - len {
        0 => String::new(),
        missing => format!(", and {missing:#x} bytes of the dump with it"),
    };
    let warning = match end > length {
        true => format!(
            "the end of the dump device is missing{missing}: \
             it should be at {end:#x}, and the file ends at {length:#x}"
        ),
        false => format!("the last header of the dump, before {end:#x}, is damaged or gone"),
    };
    Ok(Some(Found { header, offset: FileOffset::new(start), len, warning: Some(warning) }))
}

/// A live dump that the kernel compressed: the stream is at the start of the file, and the
/// header at its end (`sys/kern/kern_vnodedumper.c`, 14.0).
pub(super) fn live(bytes: &[u8]) -> Option<Found> {
    let at = bytes.len().checked_sub(header::LEN)?;
    let header = KernelDumpHeader::parse(bytes.get(at..)?).filter(|header| header.parity_holds)?;
    let len = header.dump_len;
    let found = Found { header, offset: FileOffset::new(0), len, warning: None };
    (len <= at as u64).then_some(found)
}

/// Headers that say there is no readable dump.
fn refuse(block: &[u8]) -> Result<(), DumpError> {
    if block.starts_with(b"FreeBSD Text Dump\0") {
        return Err(NotADump::TextDump.into());
    }
    if block.starts_with(b"Cleared Kernel Dump\0") {
        return Err(NotADump::ClearedDevice.into());
    }
    Ok(())
}

fn check(header: &KernelDumpHeader) -> Result<(), DumpError> {
    if !header.parity_holds {
        let why = "all words of the header together (XOR) should be zero";
        return Err(bad("parity", header.parity.into(), why));
    }
    if !matches!(header.version, 1 | 4) {
        let what = format!("version {} of the kernel dump header (1 and 4 are)", header.version);
        return Err(DumpError::Unsupported { what });
    }
    if header.key_len != 0 {
        return Err(DumpError::Encrypted { key_len: header.key_len });
    }
    if header.dump_len == 0 {
        return Err(bad("dumplength", 0, "a dump is not empty"));
    }
    Ok(())
}

/// The partitions of a disk with a GPT: start and end, in bytes.
fn partitions(disk: &[u8]) -> Vec<(usize, usize)> {
    const MOST: usize = 256;
    let with_sectors = |sector: usize| -> Option<Vec<(usize, usize)>> {
        let table = disk.get(sector..)?.strip_prefix(b"EFI PART")?;
        let fields = Fields::little(table);
        let (first, count, size) = (fields.u64(72 - 8)?, fields.u32(80 - 8)?, fields.u32(84 - 8)?);
        let (count, size) = (usize::try_from(count).ok()?, usize::try_from(size).ok()?);
        let entries = disk.get(usize::try_from(first).ok()?.checked_mul(sector)?..)?;
        let entries = entries.chunks_exact(size.max(128)).take(count.min(MOST));
        Some(entries.filter_map(|entry| partition(entry, sector)).collect())
    };
    [512, 4096].into_iter().find_map(with_sectors).unwrap_or_default()
}

fn partition(entry: &[u8], sector: usize) -> Option<(usize, usize)> {
    let fields = Fields::little(entry);
    let (first, last) = (fields.u64(32)?, fields.u64(40)?);
    let start = usize::try_from(first).ok()?.checked_mul(sector)?;
    let end = usize::try_from(last).ok()?.checked_add(1)?.checked_mul(sector)?;
    (start > 0 && start < end).then_some((start, end))
}

fn bad(field: &'static str, value: u64, why: &str) -> DumpError {
    DumpError::BadField { format: FORMAT, field, value: format!("{value:#x}"), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::HeaderBytes;
    use super::*;

    /// A device of `blocks` blocks with a dump of `dump` at its end.
    fn device(header: &HeaderBytes, blocks: usize, dump: &[u8], extent: usize) -> Vec<u8> {
        let block = header.block;
        let mut bytes = vec![0xee; blocks * block];
        let last = bytes.len() - block;
        let start = last - extent;
        bytes[start..start + dump.len()].copy_from_slice(dump);
        for at in [start - block, last] {
            bytes[at..at + block].fill(0);
            bytes[at..at + header::LEN].copy_from_slice(&header.write());
        }
        bytes
    }

    fn header(version: u32, block: usize, len: u64, extent: u64) -> HeaderBytes {
        HeaderBytes { version, block, len, extent, ..HeaderBytes::default() }
    }

    #[test]
    fn a_dump_lies_before_the_last_block() {
        let dump = [0xdd; 5000];
        for (version, block) in [(1, 512), (4, 512), (1, 4096), (4, 4096)] {
            let extent = 5000_usize.next_multiple_of(block);
            let header = header(version, block, 5000, extent as u64);
            let bytes = device(&header, 40, &dump, extent);
            let found = find(&bytes).unwrap().unwrap();
            let start = found.offset.get() as usize;
            assert_eq!(&bytes[start..start + found.len as usize], &dump, "{version} {block}");
            assert_eq!(found.warning, None);
        }
    }

    #[test]
    fn a_compressed_dump_ends_before_its_extent_does() {
        let header = HeaderBytes { compression: 2, ..header(4, 512, 700, 8192) };
        let bytes = device(&header, 40, &[0xdd; 700], 8192);
        let found = find(&bytes).unwrap().unwrap();
        assert_eq!(found.offset.get(), 39 * 512 - 8192);
        assert_eq!(found.len, 700);
        assert_eq!(found.header.compression, header::Compression::Zstd);
    }

    #[test]
    fn headers_that_disagree_are_told() {
        let header = header(4, 512, 1024, 1024);
        let mut bytes = device(&header, 8, &[0xdd; 1024], 1024);
        let first = bytes.len() - 512 - 1024 - 512;
        bytes[first + 70] ^= 1;
        assert!(find(&bytes).unwrap().unwrap().warning.unwrap().contains("first header"));
    }

    #[test]
    fn a_file_may_begin_with_the_header() {
        let header = header(4, 512, 1024, 1024);
        let mut bytes = header.write();
        bytes.extend([0xdd; 1024]);
        let found = find(&bytes).unwrap().unwrap();
        assert_eq!((found.offset.get(), found.len), (512, 1024));
        bytes.truncate(1000);
        let found = find(&bytes).unwrap().unwrap();
        assert_eq!(found.len, 488);
        assert!(found.warning.unwrap().contains("0x218 bytes before"));
        bytes.truncate(512);
        assert!(matches!(find(&bytes), Err(DumpError::Truncated { .. })));
    }

    #[test]
    fn the_end_of_the_device_may_be_missing() {
        for (version, block) in [(1, 512), (4, 512), (4, 4096)] {
            let mut dump = vec![0xdd; 8192];
            dump[..24].copy_from_slice(b"minidump FreeBSD/amd64\0\0");
            let header = header(version, block, 8192, 8192);
            let whole = device(&header, 40, &dump, 8192);
            for missing in [1, 512, 4096, 6000] {
                let bytes = &whole[..whole.len() - missing];
                let found = without_its_end(&Source::from_vec("device", bytes.to_vec()));
                let found = found.unwrap().unwrap();
                let start = found.offset.get() as usize;
                assert_eq!(start, whole.len() - block - 8192, "{version} {block} {missing}");
                assert_eq!(found.len as usize, 8192.min(bytes.len() - start));
                let warning = found.warning.unwrap();
                assert!(warning.contains("end of the dump device is missing"), "{warning}");
                assert_eq!(warning.contains("of the dump with it"), found.len < 8192);
            }
        }
    }

    #[test]
    fn the_last_of_several_dumps_is_meant() {
        let mut dump = vec![0xdd; 8192];
        dump[..24].copy_from_slice(b"minidump FreeBSD/amd64\0\0");
        let mut bytes = device(&header(4, 512, 8192, 8192), 40, &dump, 8192);
        let newer = device(&header(4, 512, 4096, 4096), 10, &dump[..4096], 4096);
        let at = bytes.len() - newer.len();
        bytes[at..].copy_from_slice(&newer);
        bytes.truncate(bytes.len() - 512);
        let search = |bytes: &[u8]| without_its_end(&Source::from_vec("device", bytes.to_vec()));
        assert_eq!(search(&bytes).unwrap().unwrap().header.dump_len, 4096);
        // What only was in the kernel's memory has no dump behind it.
        let mut memory = vec![0; 8192];
        memory[1024..1536].copy_from_slice(&header(4, 512, 4096, 4096).write());
        assert_eq!(search(&memory), Ok(None));
        let encrypted = HeaderBytes { key: 512, ..header(4, 512, 4096, 4096) };
        memory[1024..1536].copy_from_slice(&encrypted.write());
        assert_eq!(search(&memory), Err(DumpError::Encrypted { key_len: 512 }));
    }

    #[test]
    fn a_partition_of_a_disk_may_have_it() {
        let header = header(4, 512, 1024, 1024);
        let device = device(&header, 20, &[0xdd; 1024], 1024);
        let mut disk = vec![0; 200 * 512];
        disk[512..520].copy_from_slice(b"EFI PART");
        disk[512 + 72..512 + 80].copy_from_slice(&2_u64.to_le_bytes());
        disk[512 + 80..512 + 84].copy_from_slice(&128_u32.to_le_bytes());
        disk[512 + 84..512 + 88].copy_from_slice(&128_u32.to_le_bytes());
        let entry = 1024 + 128;
        disk[entry + 32..entry + 40].copy_from_slice(&40_u64.to_le_bytes());
        disk[entry + 40..entry + 48].copy_from_slice(&59_u64.to_le_bytes());
        disk[40 * 512..60 * 512].copy_from_slice(&device);
        let found = find(&disk).unwrap().unwrap();
        assert_eq!(found.offset.get(), 59 * 512 - 1024);
    }

    #[test]
    fn headers_that_cannot_be_are_refused_by_field() {
        let message = |header: HeaderBytes| {
            let mut bytes = vec![0; 4096];
            bytes[4096 - header::LEN..].copy_from_slice(&header.write());
            find(&bytes).unwrap_err().to_string()
        };
        assert!(message(header(4, 512, 512, 1 << 40)).contains("dumpextent is 0x10000000000"));
        assert!(message(header(1, 512, u64::MAX, 0)).contains("dumplength is 0xffff"));
        assert!(message(header(4, 512, 4096, 1024)).contains("dumplength is 0x1000"));
        assert!(message(header(4, 512, 0, 1024)).contains("dumplength is 0x0"));
        assert!(message(header(7, 512, 512, 512)).contains("version 7"));
        let encrypted = HeaderBytes { key: 512, ..header(4, 512, 512, 512) };
        assert!(message(encrypted).contains("an encrypted dump"));
        let cleared = HeaderBytes { magic: b"Cleared Kernel Dump", ..header(4, 512, 512, 512) };
        assert!(message(cleared).contains("was cleared"));
        let text = HeaderBytes { magic: b"FreeBSD Text Dump", ..header(4, 512, 512, 512) };
        assert!(message(text).contains("a text dump"));
        let mut bytes = header(4, 512, 512, 512).write();
        bytes[100] ^= 1;
        assert!(find(&bytes).unwrap_err().to_string().contains("parity"));
    }

    #[test]
    fn most_files_have_no_headers() {
        assert_eq!(find(b""), Ok(None));
        assert_eq!(find(&[0; 5000]), Ok(None));
    }
}
