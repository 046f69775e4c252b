//! Compressed dumps, as the kernel writes them itself (dumpon(8) -z and -Z).
//!
//! `sys/kern/subr_compressor.c`, 12.0: one gzip member, or one zstd frame with a
//! checksum and without its length. On a device, and in the vmcore.N.gz that
//! savecore(8) copied block by block, zeros fill the last block.

use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

/// A compressed file is padded to a multiple of this, in bytes: the block size of most devices.
const BLOCK: u64 = 512;

/// Compresses all of `input`. Returns the length of the stream.
pub(super) fn gzip(mut input: impl Read, out: &mut (impl Write + Seek)) -> io::Result<u64> {
    let mut encoder = GzEncoder::new(&mut *out, Compression::fast());
    io::copy(&mut input, &mut encoder)?;
    encoder.finish()?;
    out.stream_position()
}

/// The same with zstd.
pub(super) fn zstd(mut input: impl Read, out: &mut (impl Write + Seek)) -> io::Result<u64> {
    let mut encoder = zstd::Encoder::new(&mut *out, 1)?;
    encoder.include_checksum(true)?;
    io::copy(&mut input, &mut encoder)?;
    encoder.finish()?;
    out.stream_position()
}

/// Zeros that fill the last block of a stream of `len` bytes.
pub(super) fn pad(out: &mut (impl Write + Seek), len: u64) -> io::Result<()> {
    out.seek(SeekFrom::Start(len))?;
    let missing = len.next_multiple_of(BLOCK) - len;
    io::copy(&mut io::repeat(0).take(missing), out)?;
    out.flush()
}
