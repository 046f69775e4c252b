//! Compressed files: unpacked once, into a file without a name.
//!
//! The output goes to a temporary file that is unlinked at once, so that
//! nothing is left behind however the program ends. Runs of zeros become holes:
//! an unpacked dump takes no more disk space than the memory that was in use.
//! Bytes are read, decoded and written through buffers of a fixed size, and
//! a separate thread writes. Several gzip members or zstd frames may follow
//! each other, and zeros may follow them: dump devices are written in whole blocks.
//!
//! It refuses to fill a disk: if the output may not fit, it first counts
//! the bytes that are not in holes. A stream that is cut off gives what there is of it,
//! with a warning. A damaged one gives nothing.

mod packing;
mod sparse;
mod stream;

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::Source;
use crate::source::UnpackError;
pub use packing::Packing;
use sparse::{Stored, Writer};

/// How far unpacking has come, or other work that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes done so far; of unpacking, compressed bytes read.
    pub done: u64,
    /// Bytes in total.
    pub total: u64,
}

/// The result of unpacking.
#[derive(Debug)]
pub struct Unpacked {
    /// The plain bytes, with the path of the compressed file.
    pub source: Source,
    /// What was odd about the compressed file, as a sentence.
    pub warning: Option<String>,
}

/// Unpacks `packed` and calls `progress` from time to time.
///
/// # Errors
/// The stream is damaged, or there is no room for its contents.
pub fn unpack(
    packed: &Source,
    packing: Packing,
    progress: &mut dyn FnMut(Progress),
) -> Result<Unpacked, UnpackError> {
    let dir = temporary_directory();
    if let Some(free) = free_space(&dir) {
        check_space(packed, packing, &dir, free, progress)?;
    }
    let failed = |action, why: io::Error| UnpackError::File {
        action,
        dir: dir.clone(),
        why: why.to_string(),
    };
    let file = tempfile::tempfile_in(&dir).map_err(|why| failed("make", why))?;
    let (warning, written) = Writer::run(&file, |writer| decode(packed, writer, progress));
    let len = written.map_err(|why| failed("write", why))?;
    let warning = warning?;
    let source = Source::of_file(packed.path(), file).map_err(|why| failed("map", why))?;
    debug_assert_eq!(source.len(), len);
    Ok(Unpacked { source, warning })
}

/// The first `len` bytes that `packed` unpacks to, or fewer if there are not as many.
pub fn beginning(packed: &[u8], packing: Packing, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let decoder: Box<dyn Read + '_> = match packing {
        Packing::Gzip => Box::new(flate2::read::GzDecoder::new(packed)),
        Packing::Zstd => match zstd::Decoder::new(packed) {
            Ok(decoder) => Box::new(decoder),
            Err(_) => return bytes,
        },
    };
    // A damaged or truncated stream gives what precedes the damage.
    let _ = decoder.take(len as u64).read_to_end(&mut bytes);
    bytes
}

/// Checks, before anything is written, whether `free` bytes are enough.
fn check_space(
    packed: &Source,
    packing: Packing,
    dir: &Path,
    free: u64,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), UnpackError> {
    if most_likely_len(packed, packing) <= free {
        return Ok(());
    }
    let mut count = Stored::up_to(free);
    decode(packed, &mut count, progress)?;
    if count.is_over() {
        return Err(UnpackError::NoSpace { dir: dir.to_owned(), free });
    }
    Ok(())
}

/// Decodes all of `packed` into `blocks`. Returns what was odd about it.
fn decode(
    packed: &Source,
    blocks: &mut dyn stream::Blocks,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<String>, UnpackError> {
    const INPUT_BUFFER: usize = 256 << 10;
    let done = Cell::new(0);
    let reader = packed.reader().map_err(|why| UnpackError::Input { why: why.to_string() })?;
    let mut input = BufReader::with_capacity(INPUT_BUFFER, Counted { reader, done: &done });
    let total = packed.len();
    stream::decode(&mut input, total, blocks, &mut || {
        progress(Progress { done: done.get(), total })
    })
}

/// Counts what is read.
struct Counted<'a, R> {
    reader: R,
    done: &'a Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buf)?;
        self.done.set(self.done.get() + len as u64);
        Ok(len)
    }
}

/// The most bytes that may come out, as far as is known without decoding.
fn most_likely_len(packed: &Source, packing: Packing) -> u64 {
    // Pages that are not holes compress to about a tenth. A kernel that panics does
    // not record how long its dump will be. gzip records it modulo 2^32, and not where
    // padding follows.
    const RATIO: u64 = 32;
    let told = match packing {
        Packing::Zstd => {
            const LONGEST_FRAME_HEADER: usize = 18;
            let bytes = packed.bytes();
            let head = bytes.get(..LONGEST_FRAME_HEADER).unwrap_or(bytes);
            zstd::zstd_safe::get_frame_content_size(head).ok().flatten()
        }
        Packing::Gzip => None,
    };
    told.unwrap_or(0).max(packed.len().saturating_mul(RATIO))
}

/// Where FreeBSD and others put large temporary files: /tmp is often in memory.
fn temporary_directory() -> PathBuf {
    const LARGE: &str = "/var/tmp";
    match std::env::var_os("TMPDIR") {
        None if Path::new(LARGE).is_dir() => LARGE.into(),
        _ => std::env::temp_dir(),
    }
}

/// How many bytes can still be written to the file system of `dir`, if it says.
#[cfg(unix)]
fn free_space(dir: &Path) -> Option<u64> {
    let space = rustix::fs::statvfs(dir).ok()?;
    Some(space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(not(unix))]
fn free_space(_: &Path) -> Option<u64> {
    None
}

impl Source {
    /// A file that is already open, under the name `path`.
    fn of_file(path: &Path, file: File) -> io::Result<Self> {
        match file.metadata()?.len() {
            0 => Ok(Self::from_vec(path, Vec::new())),
            _ => Self::mapped(path, file),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Data, a long hole, data, and a hole that the end of the file is in.
    fn sample() -> Vec<u8> {
        let mut bytes = b"minidump".repeat(5000);
        bytes.resize(3 << 20, 0);
        bytes.extend(b"page".repeat(9999));
        bytes.resize(bytes.len() + 0x1_2345, 0);
        bytes
    }

    /// So many bytes that cannot be compressed well.
    fn noise(len: usize) -> Vec<u8> {
        let words = (0..len as u32 / 4 + 1).map(|n| n.wrapping_mul(0x9e37_79b9).rotate_left(7));
        words.flat_map(u32::to_le_bytes).take(len).collect()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn unpacked(bytes: Vec<u8>) -> Result<Unpacked, UnpackError> {
        let packing = Packing::of(&bytes).unwrap();
        unpack(&Source::from_vec("vmcore.0", bytes), packing, &mut |_| {})
    }

    #[test]
    fn both_forms_come_out_as_they_went_in() {
        for packed in [gzip(&sample()), zstd(&sample())] {
            let unpacked = unpacked(packed).unwrap();
            assert!(unpacked.source.bytes() == sample());
            assert_eq!(unpacked.warning, None);
            assert_eq!(unpacked.source.path(), Path::new("vmcore.0"));
        }
    }

    #[test]
    fn nothing_at_all_comes_out_as_an_empty_file() {
        assert!(unpacked(zstd(b"")).unwrap().source.is_empty());
        assert!(unpacked(gzip(b"")).unwrap().source.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn holes_stay_holes() {
        use std::os::unix::fs::MetadataExt;
        let packed = Source::from_vec("vmcore.0", zstd(&vec![0; 64 << 20]));
        let file = tempfile::tempfile().unwrap();
        let (warning, len) = Writer::run(&file, |writer| decode(&packed, writer, &mut |_| {}));
        assert_eq!((warning.unwrap(), len.unwrap()), (None, 64 << 20));
        let meta = file.metadata().unwrap();
        assert_eq!(meta.len(), 64 << 20);
        assert!(meta.blocks() * 512 <= 1 << 20, "{} blocks", meta.blocks());
    }

    #[test]
    fn streams_may_follow_each_other_and_zeros_may_follow_them() {
        for pack in [gzip, zstd] {
            let mut packed = pack(b"one ");
            packed.extend(pack(b"two"));
            packed.resize(packed.len().next_multiple_of(512) + 70_000, 0);
            let unpacked = unpacked(packed).unwrap();
            assert_eq!(unpacked.source.bytes(), b"one two");
            assert_eq!(unpacked.warning, None);
        }
    }

    #[test]
    fn streams_of_nothing_are_not_decoded_by_the_million() {
        for pack in [gzip, zstd] {
            let few = unpacked(pack(b"").repeat(4000)).unwrap();
            assert!(few.source.is_empty());
            let error = unpacked(pack(b"").repeat(100_000)).unwrap_err();
            assert!(error.to_string().contains("streams follow each other"), "{error}");
        }
    }

    #[test]
    fn what_follows_a_stream_and_is_no_padding_is_told() {
        for pack in [gzip, zstd] {
            let mut packed = pack(b"dump");
            packed.extend(b"\0\0swapped out long ago");
            let unpacked = unpacked(packed).unwrap();
            assert_eq!(unpacked.source.bytes(), b"dump");
            let warning = unpacked.warning.unwrap();
            assert!(warning.contains("other data follows"), "{warning}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_gives_what_is_there() {
        let noise = noise(1 << 20);
        for pack in [gzip, zstd] {
            let mut packed = pack(&noise);
            packed.truncate(packed.len() / 2);
            let unpacked = unpacked(packed).unwrap();
            let len = unpacked.source.bytes().len();
            assert!(len > 100_000 && len < noise.len(), "{len}");
            assert!(noise.starts_with(unpacked.source.bytes()));
            assert!(unpacked.warning.unwrap().contains("cut off"));
        }
    }

    #[test]
    fn a_stream_that_is_damaged_gives_nothing() {
        let mut packed = gzip(&b"dump".repeat(100));
        let crc = packed.len() - 8;
        packed[crc] ^= 1;
        let error = unpacked(packed).unwrap_err();
        assert!(matches!(error, UnpackError::Damaged { packing: "gzip", .. }), "{error:?}");
        assert!(unpacked(b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff".to_vec()).is_err());
        let error = unpacked(b"\x1f\x8b\x08".to_vec()).unwrap_err();
        assert!(error.to_string().contains("ends within its header"), "{error}");
    }

    #[test]
    fn progress_counts_compressed_bytes() {
        let packed = gzip(&sample());
        let total = packed.len() as u64;
        let mut seen = Vec::new();
        let source = Source::from_vec("vmcore.0", packed);
        unpack(&source, Packing::Gzip, &mut |progress| seen.push(progress)).unwrap();
        assert_eq!(seen.last(), Some(&Progress { done: total, total }));
        assert!(seen.is_sorted_by_key(|progress| progress.done));
    }

    #[test]
    fn the_length_is_known_beforehand_where_it_is_told() {
        let len = |bytes: Vec<u8>| {
            let packing = Packing::of(&bytes).unwrap();
            most_likely_len(&Source::from_vec("", bytes), packing)
        };
        let plain = vec![0; 64 << 20];
        let mut known = zstd::bulk::compress(&plain, 1).unwrap();
        assert_eq!(len(known.clone()), 64 << 20);
        known.truncate(5);
        assert_eq!(len(known), 5 * 32);
        let packed = gzip(&sample());
        assert_eq!(len(packed.clone()), packed.len() as u64 * 32);
    }

    #[test]
    fn too_little_space_is_told_before_anything_is_written() {
        let check = |packed: Vec<u8>, free| {
            let packing = Packing::of(&packed).unwrap();
            let source = Source::from_vec("vmcore.0", packed);
            check_space(&source, packing, Path::new("/var/tmp"), free, &mut |_| {})
        };
        // A page of noise, a hole, more noise.
        let mut plain = noise(4096);
        plain.resize(1 << 20, 0);
        plain.extend(noise(20_000));
        let needed = 24_096;
        for pack in [gzip, zstd] {
            let mut padded = pack(&plain);
            padded.resize(padded.len().next_multiple_of(512) + 512, 0);
            for packed in [pack(&plain), padded] {
                assert_eq!(check(packed.clone(), needed), Ok(()));
                let error = check(packed, needed - 1).unwrap_err();
                let message = error.to_string();
                assert!(message.contains("/var/tmp has room for 24095 bytes"), "{message}");
            }
        }
        // A frame that says it holds 2^60 bytes, and ends there.
        let mut liar = b"\x28\xb5\x2f\xfd\xe0".to_vec();
        liar.extend((1_u64 << 60).to_le_bytes());
        assert!(check(liar, 1 << 40).is_err());
    }
}
