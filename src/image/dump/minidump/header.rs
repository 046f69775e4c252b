//! The header of a minidump, field by field.

use super::style::Sizes;
use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::image::machine::{Machine, entry_bytes};

/// A header's fields, one after another.
pub(super) struct Header {
    pub(super) bytes: Vec<u8>,
    endian: Endian,
}

impl Header {
    /// A header that starts with `magic`, in a field of `size` bytes.
    pub(super) fn new(magic: &str, size: usize, endian: Endian) -> Self {
        let mut header = Self { bytes: Vec::new(), endian };
        header.text(magic, size);
        header
    }

    pub(super) fn text(&mut self, text: &str, size: usize) {
        let end = self.bytes.len() + size;
        self.bytes.extend(text.as_bytes());
        self.bytes.resize(end, 0);
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.bytes.extend(entry_bytes(value.into(), 4, self.endian));
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.bytes.extend(entry_bytes(value, 8, self.endian));
    }

    pub(super) fn address(&mut self, at: VirtAddr) {
        self.u64(at.get());
    }

    /// The fields that follow the magic in all headers.
    pub(super) fn sizes(&mut self, sizes: &Sizes) {
        for size in [sizes.version, sizes.message, sizes.bitmap, sizes.page_map] {
            self.u32(size);
        }
    }
}

/// What arm64 and riscv64 have in common.
pub(super) fn direct_map_header(magic: &str, machine: &Machine, sizes: &Sizes) -> Header {
    let mut header = Header::new(magic, 24, machine.arch().endian());
    header.sizes(sizes);
    let map = machine.space().layout().direct_map.clone().unwrap_or_default();
    header.address(machine.image().start);
    header.u64(machine.direct().start.get());
    header.address(map.start);
    header.address(map.end);
    header.u32(sizes.dump_avail);
    header
}
