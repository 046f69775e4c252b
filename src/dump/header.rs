//! The kernel dump header: the 512 bytes that the kernel writes before and after
//! a dump on its dump device (`sys/sys/kerneldump.h`; version 1 before 12.0, 4 since).
//!
//! savecore(8) omits it from the vmcore and writes its contents into info.N. It is
//! still in an image of a dump device and at the end of a live dump.
//! All its fields are big-endian, on every architecture.

use crate::bytes::Fields;

/// The header's length, in bytes.
pub(super) const LEN: usize = 512;

/// What the kernel recorded about its own dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelDumpHeader {
    /// 1 before 12.0, 4 since.
    pub version: u32,
    /// `MACHINE_ARCH` of the machine: `amd64`.
    pub architecture: String,
    /// Length of the dump on the device, in bytes.
    pub dump_len: u64,
    /// Length of the part of the device that was reserved for the dump, in bytes. `None` before
    /// version 4. A compressed dump may fill less.
    pub extent: Option<u64>,
    /// Length of a block of the device, in bytes. The header fills one block.
    pub block_len: u64,
    /// When the dump was written, in seconds since 1970.
    pub time: u64,
    /// The machine's host name.
    pub host: String,
    /// The kernel's version string.
    pub kernel_version: String,
    /// The panic message; empty if the kernel did not panic.
    pub panic: String,
    /// How the kernel compressed the dump.
    pub compression: Compression,
    /// Length of the key of an encrypted dump, in bytes; 0 if the dump is not encrypted.
    pub key_len: u32,
    /// The stored checksum: with it, the XOR of all words of the header is zero.
    pub parity: u32,
    /// Is the XOR of the header's words zero, as it should be?
    pub parity_holds: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    Unknown(u8),
}

impl KernelDumpHeader {
    /// Reads the header at the start of `bytes`; `None` if there is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..LEN)?;
        let fields = Fields::big(bytes);
        if fields.text(0, 20)? != "FreeBSD Kernel Dump" {
            return None;
        }
        let version = fields.u32(32)?;
        // Version 4 put the size of an encryption key before the block size,
        // and took the panic string's last bytes for the compression.
        let keyed = version >= 4;
        let text_at = if keyed { 64 } else { 60 };
        Some(Self {
            version,
            architecture: fields.text(20, 12)?,
            dump_len: fields.u64(40)?,
            extent: if keyed { Some(fields.u64(496)?) } else { None },
            block_len: fields.u32(if keyed { 60 } else { 56 })?.into(),
            time: fields.u64(48)?,
            host: fields.text(text_at, 64)?,
            kernel_version: fields.text(text_at + 64, 192)?,
            panic: fields.text(text_at + 256, if keyed { 175 } else { 192 })?,
            compression: match fields.u8(495)? {
                _ if !keyed => Compression::None,
                0 => Compression::None,
                1 => Compression::Gzip,
                2 => Compression::Zstd,
                other => Compression::Unknown(other),
            },
            key_len: if keyed { fields.u32(56)? } else { 0 },
            parity: fields.u32(508)?,
            parity_holds: parity(fields)? == 0,
        })
    }
}

fn parity(fields: Fields<'_>) -> Option<u32> {
    (0..LEN).step_by(4).try_fold(0, |sum, at| Some(sum ^ fields.u32(at)?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header in the making.
    pub(in crate::dump) struct HeaderBytes {
        pub magic: &'static [u8],
        pub version: u32,
        pub len: u64,
        pub extent: u64,
        pub key: u32,
        pub block: usize,
        pub compression: u8,
    }

    impl Default for HeaderBytes {
        fn default() -> Self {
            let magic = b"FreeBSD Kernel Dump";
            Self { magic, version: 4, len: 0, extent: 0, key: 0, block: 512, compression: 0 }
        }
    }

    impl HeaderBytes {
        /// As the kernel writes it, parity included.
        pub fn write(&self) -> Vec<u8> {
            let mut bytes = vec![0; LEN];
            let mut put = |at: usize, what: &[u8]| bytes[at..at + what.len()].copy_from_slice(what);
            put(0, self.magic);
            put(20, b"amd64");
            put(32, &self.version.to_be_bytes());
            put(40, &self.len.to_be_bytes());
            put(48, &1_600_000_000_u64.to_be_bytes());
            let text = if self.version >= 4 { 64 } else { 60 };
            put(text - 4, &(self.block as u32).to_be_bytes());
            put(text, b"web01.example.org");
            put(text + 64, b"FreeBSD 12.1-RELEASE GENERIC\n");
            put(text + 256, b"page fault");
            if self.version >= 4 {
                put(56, &self.key.to_be_bytes());
                put(495, &[self.compression]);
                put(496, &self.extent.to_be_bytes());
            }
            let sum = parity(Fields::big(&bytes)).unwrap();
            bytes[508..].copy_from_slice(&sum.to_be_bytes());
            bytes
        }
    }

    fn header(version: u32) -> Vec<u8> {
        let (len, extent) = (0x1234_5000, 0x2000_0000);
        HeaderBytes { version, len, extent, key: 96, compression: 2, ..HeaderBytes::default() }
            .write()
    }

    #[test]
    fn both_layouts_are_read() {
        let old = KernelDumpHeader::parse(&header(1)).unwrap();
        assert_eq!((old.host.as_str(), old.panic.as_str()), ("web01.example.org", "page fault"));
        assert_eq!((old.compression, old.key_len), (Compression::None, 0));
        let new = KernelDumpHeader::parse(&header(4)).unwrap();
        assert_eq!((new.host.as_str(), new.panic.as_str()), ("web01.example.org", "page fault"));
        assert_eq!((new.compression, new.key_len), (Compression::Zstd, 96));
        assert_eq!((new.dump_len, new.time), (0x1234_5000, 1_600_000_000));
        assert_eq!((old.extent, new.extent), (None, Some(0x2000_0000)));
        assert_eq!((old.block_len, new.block_len), (512, 512));
        assert!(old.parity_holds && new.parity_holds);
    }

    #[test]
    fn a_flipped_bit_breaks_the_parity() {
        let mut bytes = header(4);
        bytes[100] ^= 1;
        assert!(!KernelDumpHeader::parse(&bytes).unwrap().parity_holds);
    }

    #[test]
    fn a_short_or_foreign_block_is_no_header() {
        assert_eq!(KernelDumpHeader::parse(&header(4)[..511]), None);
        assert_eq!(KernelDumpHeader::parse(&[0; LEN]), None);
    }
}
