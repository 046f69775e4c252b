//! Arithmetic of bit-fields and of numbers narrower than the host's.

use crate::bytes::Endian;

/// The distance of a bit-field's lowest-numbered bit from the start of its
/// record, from the DWARF 2 and 3 encoding. `from_top` is the number of bits between the
/// most significant bit of the storage unit (`storage` bytes at `location`)
/// and that of the field.
///
/// FreeBSD's compilers write it in every DWARF version. On i386 `from_top` may
/// be negative, if the field extends past a 4-byte aligned storage unit.
pub fn first_bit(
    endian: Endian,
    location: u64,
    storage: u64,
    from_top: i64,
    size: u64,
) -> Option<u64> {
    let start = i128::from(location) * 8;
    let first = match endian {
        Endian::Little => start + i128::from(storage) * 8 - i128::from(from_top) - i128::from(size),
        Endian::Big => start + i128::from(from_top),
    };
    u64::try_from(first).ok()
}

/// `value` truncated to a number of `bits` bits.
pub fn truncate(value: i128, bits: u64, signed: bool) -> i128 {
    if bits == 0 || bits >= 128 {
        return value;
    }
    let shift = 128 - bits as u32;
    if signed { value << shift >> shift } else { ((value as u128) << shift >> shift) as i128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_encoding_counts_from_the_top() {
        // tcpcb.t_state: 4 bits, storage unit uint32_t at 28, bits 16 to 19.
        assert_eq!(first_bit(Endian::Little, 28, 4, 12, 4), Some(30 * 8));
        // A big-endian field that begins 12 bits into the same storage unit.
        assert_eq!(first_bit(Endian::Big, 28, 4, 12, 4), Some(28 * 8 + 12));
        assert_eq!(first_bit(Endian::Little, 4, 4, -8, 8), Some(8 * 8));
        assert_eq!(first_bit(Endian::Little, 0, 1, 200, 8), None);
    }

    #[test]
    fn numbers_wrap_at_their_width() {
        assert_eq!(truncate(0xff, 8, true), -1);
        assert_eq!(truncate(-1, 8, false), 0xff);
        assert_eq!(truncate(u64::MAX.into(), 64, true), -1);
        assert_eq!(truncate(5, 128, false), 5);
    }
}
