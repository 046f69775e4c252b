//! Floating-point numbers of the target as the host's `f64`.

use crate::bytes::Endian;

/// The number in `bytes`, where their size is one that C uses.
pub fn decode(bytes: &[u8], endian: Endian) -> Option<f64> {
    let raw = endian.uint(bytes.get(..bytes.len().min(16))?);
    match bytes.len() {
        4 => Some(f32::from_bits(raw as u32).into()),
        8 => Some(f64::from_bits(raw as u64)),
        // The x87's 80 bits, padded to 12 or 16 bytes.
        10 | 12 | 16 if endian == Endian::Little => Some(x87(raw)),
        _ => None,
    }
}

/// Sign and 15 bits of exponent above a 64-bit mantissa with an explicit one.
fn x87(raw: u128) -> f64 {
    let mantissa = raw as u64;
    let exponent = (raw >> 64) as u16 & 0x7fff;
    let sign = if raw >> 79 & 1 == 1 { -1.0 } else { 1.0 };
    match exponent {
        0 if mantissa == 0 => 0.0 * sign,
        0x7fff if mantissa << 1 == 0 => f64::INFINITY * sign,
        0x7fff => f64::NAN,
        _ => sign * mantissa as f64 * 2f64.powi(i32::from(exponent) - 16383 - 63),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_double_of_the_x87() {
        let mut bytes = [0u8; 16];
        bytes[7] = 0xc0;
        bytes[8..10].copy_from_slice(&0x4000u16.to_le_bytes());
        assert_eq!(decode(&bytes, Endian::Little), Some(3.0));
        bytes[9] |= 0x80;
        assert_eq!(decode(&bytes, Endian::Little), Some(-3.0));
    }

    #[test]
    fn the_common_sizes() {
        assert_eq!(decode(&1.5f32.to_le_bytes(), Endian::Little), Some(1.5));
        assert_eq!(decode(&2.5f64.to_be_bytes(), Endian::Big), Some(2.5));
        assert_eq!(decode(&[0; 3], Endian::Little), None);
    }
}
