//! Checked, endian-aware reads of numbers and strings from a byte slice.
//!
//! Nothing here panics on a short slice: a read past its end is `None`.

use std::fmt;

use serde::{Serialize, Serializer};

/// Bytes that become text at once.
const HEX_CHUNK: usize = 64;

/// Displays bytes as a string of hex digits.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: [char; 16] =
            ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or_default();
        // Megabytes are written this way. Formatting each byte would take far longer.
        let mut text = String::with_capacity(2 * HEX_CHUNK);
        self.0.chunks(HEX_CHUNK).try_for_each(|bytes| {
            text.clear();
            bytes.iter().for_each(|byte| text.extend([digit(byte >> 4), digit(byte & 15)]));
            f.write_str(&text)
        })
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Serializes an integer of any C type exactly: as a number if it fits in 64 bits, else as a
/// string.
pub fn integer<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(number) = u64::try_from(*number) {
        serializer.serialize_u64(number)
    } else if let Ok(number) = i64::try_from(*number) {
        serializer.serialize_i64(number)
    } else {
        serializer.collect_str(number)
    }
}

/// The order of the bytes in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endian {
    /// The lowest byte comes first.
    Little,
    /// The highest byte comes first.
    Big,
}

impl Endian {
    /// The `size` low bytes of a number, in this order; `size` is at most 8.
    pub fn bytes(self, value: u64, size: u64) -> Vec<u8> {
        let mut bytes = value.to_le_bytes().to_vec();
        bytes.truncate(size as usize);
        if self == Self::Big {
            bytes.reverse();
        }
        bytes
    }

    /// The bytes of a 32-bit number in this order.
    #[must_use]
    pub fn word(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// The unsigned number that `bytes` (at most 16) encode in this order.
    pub fn uint(self, bytes: &[u8]) -> u128 {
        debug_assert!(bytes.len() <= 16);
        // The sizes of nearly all numbers, without a loop.
        match (self, bytes) {
            (_, &[a]) => return a.into(),
            (Self::Little, &[a, b]) => return u16::from_le_bytes([a, b]).into(),
            (Self::Little, &[a, b, c, d]) => return u32::from_le_bytes([a, b, c, d]).into(),
            (Self::Little, &[a, b, c, d, e, f, g, h]) => {
                return u64::from_le_bytes([a, b, c, d, e, f, g, h]).into();
            }
            _ => {}
        }
        let digit = |sum: u128, byte: &u8| sum << 8 | u128::from(*byte);
        match self {
            Self::Little => bytes.iter().rev().fold(0, digit),
            Self::Big => bytes.iter().fold(0, digit),
        }
    }
}

impl From<Endian> for gimli::RunTimeEndian {
    fn from(endian: Endian) -> Self {
        match endian {
            Endian::Little => Self::Little,
            Endian::Big => Self::Big,
        }
    }
}

/// The fields of a binary structure: a byte slice and the byte order of its numbers.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    bytes: &'a [u8],
    endian: Endian,
}

impl<'a> Fields<'a> {
    /// Fields in `bytes`, at offsets from its start.
    pub fn new(bytes: &'a [u8], endian: Endian) -> Self {
        Self { bytes, endian }
    }

    /// Little-endian fields.
    pub fn little(bytes: &'a [u8]) -> Self {
        Self::new(bytes, Endian::Little)
    }

    /// Big-endian fields.
    pub fn big(bytes: &'a [u8]) -> Self {
        Self::new(bytes, Endian::Big)
    }

    /// The `len` bytes at `offset`, or `None` where the slice is too short.
    pub fn slice(&self, offset: usize, len: usize) -> Option<&'a [u8]> {
        self.bytes.get(offset..offset.checked_add(len)?)
    }

    /// The byte at `offset`.
    pub fn u8(&self, offset: usize) -> Option<u8> {
        self.bytes.get(offset).copied()
    }

    /// The 16-bit number at `offset`, aligned or not.
    pub fn u16(&self, offset: usize) -> Option<u16> {
        self.uint(offset, 2).map(|value| value as u16)
    }

    /// The 32-bit number at `offset`, aligned or not.
    pub fn u32(&self, offset: usize) -> Option<u32> {
        self.uint(offset, 4).map(|value| value as u32)
    }

    /// The 64-bit number at `offset`, aligned or not.
    pub fn u64(&self, offset: usize) -> Option<u64> {
        self.uint(offset, 8)
    }

    /// The unsigned number of `size` bytes (at most 8) at `offset`.
    pub fn uint(&self, offset: usize, size: usize) -> Option<u64> {
        debug_assert!(size <= 8);
        Some(self.endian.uint(self.slice(offset, size)?) as u64)
    }

    /// The text of a fixed-size field: up to its first NUL, or all of it.
    pub fn text(&self, offset: usize, len: usize) -> Option<String> {
        let field = self.slice(offset, len)?;
        let end = memchr::memchr(0, field).unwrap_or(field.len());
        Some(String::from_utf8_lossy(&field[..end]).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_byte_order() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(Fields::little(&bytes).u32(0), Some(0x0403_0201));
        assert_eq!(Fields::big(&bytes).u16(6), Some(0x0708));
        assert_eq!(Fields::big(&bytes).u64(0), Some(0x0102_0304_0506_0708));
    }

    #[test]
    fn a_short_slice_is_none_not_a_panic() {
        let fields = Fields::little(&[1, 2]);
        assert_eq!(fields.u32(0), None);
        assert_eq!(fields.u16(usize::MAX), None);
        assert_eq!(fields.text(1, 2), None);
    }

    #[test]
    fn text_ends_at_its_first_nul() {
        assert_eq!(Fields::little(b"amd64\0xx").text(0, 8).as_deref(), Some("amd64"));
        assert_eq!(Fields::little(b"full").text(0, 4).as_deref(), Some("full"));
    }
}
