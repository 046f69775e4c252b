//! Compressed debug sections (SHF_COMPRESSED): an Elf_Chdr, then a zlib or zstd stream.

use std::io::Read;

use crate::arch::Arch;
use crate::bytes::Fields;

const ELFCOMPRESS_ZLIB: u32 = 1;
const ELFCOMPRESS_ZSTD: u32 = 2;

/// No debug section compresses better than this: the DWARF of kernels is 3 to 8 times the
/// size of its streams. A zlib header could promise 1,000 times, and a zstd header any number.
const MAX_RATIO: u64 = 64;

/// A section up to this size is always accepted, in bytes: small ones may be mostly zeros.
const ALWAYS: u64 = 1 << 20;

/// Unpacks the bytes of a section, which begin with its Elf32_Chdr or Elf64_Chdr.
///
/// # Errors
/// The reason in words: an unknown algorithm, an impossible size, or a damaged stream.
pub fn unpack(section: &[u8], arch: Arch) -> Result<Vec<u8>, String> {
    let fields = Fields::new(section, arch.endian());
    let (size, header) = match arch.pointer_size() {
        8 => (fields.u64(8), 24),
        _ => (fields.u32(4).map(u64::from), 12),
    };
    let (Some(kind), Some(size), Some(stream)) = (fields.u32(0), size, section.get(header..))
    else {
        return Err("it is shorter than its compression header".into());
    };
    let packed = stream.len() as u64;
    if size > packed.saturating_mul(MAX_RATIO).max(ALWAYS) {
        return Err(format!(
            "its header says that {packed} bytes unpack to {size} (ch_size), \
             and debug information does not pack to less than a part in {MAX_RATIO}"
        ));
    }
    match kind {
        ELFCOMPRESS_ZLIB => exactly(flate2::read::ZlibDecoder::new(stream), size),
        ELFCOMPRESS_ZSTD => {
            let decoder =
                zstd::stream::read::Decoder::new(stream).map_err(|why| why.to_string())?;
            exactly(decoder, size)
        }
        other => Err(format!("compression type {other} is unknown")),
    }
}

fn exactly(stream: impl Read, size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size as usize).map_err(|why| why.to_string())?;
    stream.take(size).read_to_end(&mut bytes).map_err(|_| "its compressed data is damaged")?;
    if bytes.len() as u64 != size {
        return Err(format!("it unpacks to {} bytes instead of {size}", bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn section(kind: u32, size: u64, stream: &[u8]) -> Vec<u8> {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(size.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
        bytes.extend(stream);
        bytes
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn both_algorithms_unpack() {
        let text = b"vnet_entry_ipstat vnet_entry_tcpstat".repeat(20);
        let size = text.len() as u64;
        let packed = section(ELFCOMPRESS_ZLIB, size, &zlib(&text));
        assert_eq!(unpack(&packed, Arch::Amd64).unwrap(), text);
        let packed = section(ELFCOMPRESS_ZSTD, size, &zstd::encode_all(&text[..], 3).unwrap());
        assert_eq!(unpack(&packed, Arch::Amd64).unwrap(), text);
    }

    #[test]
    fn a_wrong_size_is_an_error() {
        let stream = zlib(b"twelve bytes");
        let error = unpack(&section(ELFCOMPRESS_ZLIB, 13, &stream), Arch::Amd64).unwrap_err();
        assert!(error.contains("instead of 13"), "{error}");
        assert!(unpack(&section(ELFCOMPRESS_ZLIB, u64::MAX, &stream), Arch::Amd64).is_err());
    }

    #[test]
    fn what_packs_better_than_debug_information_does_is_not_unpacked() {
        let zeros = vec![0; 8 << 20];
        let packed = [
            section(ELFCOMPRESS_ZLIB, 8 << 20, &zlib(&zeros)),
            section(ELFCOMPRESS_ZSTD, 8 << 20, &zstd::encode_all(&zeros[..], 3).unwrap()),
        ];
        for section in packed {
            let error = unpack(&section, Arch::Amd64).unwrap_err();
            assert!(error.contains("ch_size") && error.contains("8388608"), "{error}");
        }
        let small = section(ELFCOMPRESS_ZLIB, 1 << 20, &zlib(&zeros[..1 << 20]));
        assert_eq!(unpack(&small, Arch::Amd64).unwrap().len(), 1 << 20);
    }

    #[test]
    fn what_is_no_stream_is_an_error() {
        assert!(unpack(&section(9, 12, b"whatever"), Arch::Amd64).unwrap_err().contains("unknown"));
        assert!(unpack(&[0; 10], Arch::Amd64).is_err());
        for kind in [ELFCOMPRESS_ZLIB, ELFCOMPRESS_ZSTD] {
            let error = unpack(&section(kind, 12, &[0xff; 64]), Arch::Amd64).unwrap_err();
            assert_eq!(error, "its compressed data is damaged");
        }
    }
}
