//! The kernel dump header: 512 bytes before and after a dump on its device.
//!
//! `sys/sys/kerneldump.h` and `dump_init_header` in `sys/kern/kern_shutdown.c`:
//! version 1 of 10.4, version 4 of 12.0 and later. Big-endian on every
//! architecture; the XOR of its words of 32 bits is zero.

use serde::Deserialize;

use crate::arch::Arch;

/// The size of a header, in bytes.
pub(super) const LEN: usize = 512;

/// The two layouts of the kernel dump header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderVersion {
    /// Version 1, of 10 and earlier.
    V1,
    /// Version 4, of 12 and later.
    V4,
}

/// What a kernel records about itself in the header of its dump, as raw bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub host: Vec<u8>,
    pub version: Vec<u8>,
    pub panic: Vec<u8>,
}

/// A header to write.
#[derive(Debug)]
pub(super) struct KernelHeader<'a> {
    pub version: HeaderVersion,
    pub arch: Arch,
    pub origin: &'a Origin,
    /// The block size of the device, in bytes.
    pub block: u32,
    /// The size of the dump on the device, in bytes.
    pub length: u64,
    /// The number of bytes that the kernel reserved for it.
    pub extent: u64,
    pub compression: Compression,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None = 0,
    Gzip = 1,
    Zstd = 2,
}

/// The time of every dump, in seconds since 1970, so that one scenario always gives the same bytes.
pub(super) const TIME: u64 = 1_574_431_702;

impl KernelHeader<'_> {
    /// KERNELDUMP_…_VERSION for the architecture.
    pub fn architecture_version(&self) -> u32 {
        match self.arch {
            Arch::Amd64 | Arch::I386 => 2,
            _ => 1,
        }
    }

    /// The header, including the parity.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEN);
        text(&mut bytes, b"FreeBSD Kernel Dump", 20);
        text(&mut bytes, self.arch.name().as_bytes(), 12);
        let version = match self.version {
            HeaderVersion::V1 => 1_u32,
            HeaderVersion::V4 => 4,
        };
        bytes.extend(version.to_be_bytes());
        bytes.extend(self.architecture_version().to_be_bytes());
        bytes.extend(self.length.to_be_bytes());
        bytes.extend(TIME.to_be_bytes());
        if self.version == HeaderVersion::V4 {
            let key_size = 0_u32;
            bytes.extend(key_size.to_be_bytes());
        }
        bytes.extend(self.block.to_be_bytes());
        text(&mut bytes, &self.origin.host, 64);
        text(&mut bytes, &self.origin.version, 192);
        match self.version {
            HeaderVersion::V1 => text(&mut bytes, &self.origin.panic, 192),
            HeaderVersion::V4 => {
                text(&mut bytes, &self.origin.panic, 175);
                bytes.push(self.compression as u8);
                bytes.extend(self.extent.to_be_bytes());
                bytes.extend([0; 4]);
            }
        }
        let parity = parity(&bytes);
        bytes.extend(parity);
        bytes
    }

    /// The parity in the byte order of the header.
    pub fn parity(&self) -> [u8; 4] {
        let bytes = self.bytes();
        bytes.get(LEN - 4..).and_then(|parity| parity.try_into().ok()).unwrap_or_default()
    }
}

fn parity(bytes: &[u8]) -> [u8; 4] {
    let mut sum = [0; 4];
    for (at, byte) in bytes.iter().enumerate() {
        sum[at % 4] ^= byte;
    }
    sum
}

/// Text in a field of `size` bytes, truncated to leave room for a NUL (strlcpy(9)).
fn text(bytes: &mut Vec<u8>, text: &[u8], size: usize) {
    let end = bytes.len() + size;
    bytes.extend(text.iter().take(size - 1));
    bytes.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: HeaderVersion, panic: &str) -> Vec<u8> {
        let origin = Origin {
            host: b"gw.example.org".to_vec(),
            version: b"FreeBSD 12.1-RELEASE r354233 GENERIC\n".to_vec(),
            panic: panic.into(),
        };
        KernelHeader {
            version,
            arch: Arch::Arm64,
            origin: &origin,
            block: 512,
            length: 0x1234,
            extent: 0x5678_0000,
            compression: Compression::Zstd,
        }
        .bytes()
    }

    #[test]
    fn fields_lie_where_kerneldump_h_has_them() {
        let old = header(HeaderVersion::V1, "page fault");
        let new = header(HeaderVersion::V4, "page fault");
        for bytes in [&old, &new] {
            assert_eq!(bytes.len(), 512);
            assert_eq!(&bytes[..24], b"FreeBSD Kernel Dump\0aarc");
            assert_eq!(&bytes[36..48], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x12, 0x34]);
            assert_eq!(parity(bytes), [0; 4]);
        }
        assert_eq!(&old[32..36], &[0, 0, 0, 1]);
        assert_eq!(&old[56..63], &[0, 0, 2, 0, b'g', b'w', b'.']);
        assert_eq!((&old[124..131], &old[316..326]), (&b"FreeBSD"[..], &b"page fault"[..]));
        assert_eq!(&old[326..508], &[0; 182]);
        assert_eq!(&new[32..36], &[0, 0, 0, 4]);
        assert_eq!(&new[56..67], &[0, 0, 0, 0, 0, 0, 2, 0, b'g', b'w', b'.']);
        assert_eq!((&new[128..135], &new[320..330]), (&b"FreeBSD"[..], &b"page fault"[..]));
        assert_eq!(&new[495..508], &[2, 0, 0, 0, 0, 0x56, 0x78, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_long_panic_message_is_cut() {
        let long = "x".repeat(300);
        assert_eq!(&header(HeaderVersion::V1, &long)[506..508], b"x\0");
        assert_eq!(&header(HeaderVersion::V4, &long)[493..496], &[b'x', 0, 2]);
    }
}
