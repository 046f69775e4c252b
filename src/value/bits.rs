//! Bit-fields out of bytes.

use crate::bytes::Endian;
use crate::types::model::BitField;

/// How many bytes, from the field's own offset on, hold all of its bits.
#[must_use]
pub fn bytes_of(field: BitField) -> usize {
    (field.bit_offset.saturating_add(field.bit_size).div_ceil(8)).min(16) as usize
}

/// The unsigned number in a bit-field; `bytes` begin at the field's offset.
#[must_use]
pub fn extract(endian: Endian, bytes: &[u8], field: BitField) -> u128 {
    let all = endian.uint(&bytes[..bytes.len().min(16)]);
    let width = bytes.len().min(16) as u64 * 8;
    let below = match endian {
        Endian::Little => field.bit_offset,
        // Bits are counted from the most significant one.
        Endian::Big => width.saturating_sub(field.bit_offset.saturating_add(field.bit_size)),
    };
    let shifted = if below >= 128 { 0 } else { all >> below };
    if field.bit_size >= 128 { shifted } else { shifted & ((1u128 << field.bit_size) - 1) }
}

/// `value` read as a signed number of `width` bits.
#[must_use]
pub fn sign_extend(value: u128, width: u64) -> i128 {
    if width == 0 || width >= 128 {
        return value as i128;
    }
    let shift = 128 - width as u32;
    (value << shift) as i128 >> shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders() {
        let field = BitField { bit_offset: 4, bit_size: 6, exact: true };
        assert_eq!(bytes_of(field), 2);
        assert_eq!(extract(Endian::Little, &[0b1010_0000, 0b0000_0011], field), 0b11_1010);
        assert_eq!(extract(Endian::Big, &[0b0000_1011, 0b0100_0000], field), 0b10_1101);
    }

    #[test]
    fn signs_extend() {
        assert_eq!(sign_extend(0b111, 3), -1);
        assert_eq!(sign_extend(0b011, 3), 3);
        assert_eq!(sign_extend(u64::MAX.into(), 64), -1);
    }
}
