//! What surrounds a dump on its device, and what follows a live one.
//!
//! `dump_start` and `dump_write_headers` in `sys/kern/kern_shutdown.c`, 10.4 and
//! 14.0: the dump ends where its extent does, one block before the end of the
//! device, with the header there and in the block before the extent. A live dump
//! (`sys/kern/kern_vnodedumper.c`, 14.0) starts at the file's first byte, and the
//! header, without the rest of its block, follows on the next page.

use std::io::{self, Read, Seek, Write};

use super::kernel_header::KernelHeader;
use crate::writing::Sparse;

/// The sector size of the device, in bytes.
pub(super) const SECTOR: u32 = 512;

/// Bytes at the start of the device that dumps never use (`SIZEOF_METADATA`), and some free
/// space.
const BEFORE: u64 = (64 << 10) + (192 << 10);

/// A device with `dump` at its end.
pub(super) fn device(
    dump: impl Read,
    header: &KernelHeader<'_>,
    out: &mut (impl Write + Seek),
) -> io::Result<()> {
    let mut out = Sparse::new(out, header.block.into());
    let header_block = header.bytes();
    out.zeros(BEFORE);
    out.padded(&header_block)?;
    let len = out.copy(dump)?;
    out.zeros(header.extent.saturating_sub(len));
    out.padded(&header_block)?;
    out.finish()
}

/// A file with a live dump.
pub(super) fn live(
    dump: impl Read,
    header: &KernelHeader<'_>,
    out: &mut (impl Write + Seek),
) -> io::Result<()> {
    let page = u64::from(header.block);
    let mut out = Sparse::new(out, page);
    let len = out.copy(dump)?;
    out.zeros(len.next_multiple_of(page) - len);
    out.bytes(&header.bytes())?;
    out.finish()
}
