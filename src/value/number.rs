//! Numbers and enums: bytes and a type to a [`Value`].

use crate::bytes::Endian;
use crate::types::model::{Base, Encoding, Enumeration, Enumerator};
use crate::value::model::Value;
use crate::value::{bits, float};

/// Bytes of the widest number that is taken apart.
const WIDEST: usize = 16;

/// Is every value of this type a number of 8 bytes at most?
pub fn is_word(base: &Base) -> bool {
    match base.encoding {
        Encoding::Other => false,
        Encoding::Float => matches!(base.size, 4 | 8),
        _ => (1..=8).contains(&base.size),
    }
}

/// The number that `bytes` are; `None` where the type is of none that is known.
pub fn decode(base: &Base, bytes: &[u8], endian: Endian) -> Option<Value> {
    match base.encoding {
        Encoding::Float => float::decode(bytes, endian).map(Value::Float),
        Encoding::Other => None,
        _ if bytes.len() > WIDEST => None,
        _ => Some(integer(base, endian.uint(bytes), bytes.len() as u64 * 8)),
    }
}

/// The low `width` bits of `raw` as a number of that type.
pub fn integer(base: &Base, raw: u128, width: u64) -> Value {
    match base.encoding {
        Encoding::Bool => Value::Bool(raw != 0),
        Encoding::Signed => Value::Int(bits::sign_extend(raw, width)),
        Encoding::SignedChar if width == 8 => Value::Char(bits::sign_extend(raw, width)),
        Encoding::SignedChar => Value::Int(bits::sign_extend(raw, width)),
        Encoding::UnsignedChar if width == 8 && is_char(base) => Value::Char(raw as i128),
        // Past 2^127 an unsigned number does not fit the model's integers.
        _ => i128::try_from(raw)
            .map_or_else(|_| Value::Bytes(raw.to_le_bytes().to_vec().into()), Value::Int),
    }
}

/// `char` itself. `u_char` and `uint8_t` hold numbers.
pub fn is_char(base: &Base) -> bool {
    &*base.name == "char"
}

/// The low `width` bits of `raw` as a value of that enum.
pub fn enum_value(enumeration: &Enumeration, raw: u128, width: u64) -> Value {
    let value = if enumeration.signed { bits::sign_extend(raw, width) } else { raw as i128 };
    let named = enumeration.enumerators.iter().find(|enumerator| enumerator.value == value);
    let name = named.map(|enumerator| enumerator.name.clone());
    Value::Enum { name: name.or_else(|| flags(enumeration, value)), value }
}

/// The names of several flags that are set: `A | B`, as gdb tells them. An enum is of
/// flags if each enumerator is a single bit; bits without a name are told as a number.
fn flags(enumeration: &Enumeration, value: i128) -> Option<Box<str>> {
    let mut names = Vec::new();
    let mut rest = value;
    for Enumerator { name, value: bit } in &enumeration.enumerators {
        if *bit < 0 || bit & (bit.wrapping_sub(1)) != 0 {
            return None;
        }
        // Of two names for one bit the first is told.
        if rest & bit != 0 {
            names.push(name.to_string());
            rest &= !bit;
        }
    }
    if names.is_empty() {
        return None;
    }
    if rest != 0 {
        names.push(format!("unknown: {rest:#x}"));
    }
    Some(names.join(" | ").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_told_by_name() {
        let enumerators = [("A", 1), ("B", 2), ("C", 4), ("D", 4), ("ZERO", 0)];
        let enumerators = enumerators.map(|(name, value)| Enumerator { name: name.into(), value });
        let (name, enumerators) = (None, enumerators.to_vec());
        let mut of_flags =
            Enumeration { name, size: 4, signed: false, enumerators, declaration: false };
        let name = |enumeration: &Enumeration, raw| match enum_value(enumeration, raw, 32) {
            Value::Enum { name, .. } => name.map(String::from),
            other => panic!("{other:?}"),
        };
        for (raw, told) in [(5, "A | C"), (4, "C"), (0, "ZERO"), (0x13, "A | B | unknown: 0x10")] {
            assert_eq!(name(&of_flags, raw).as_deref(), Some(told));
        }
        assert_eq!(name(&of_flags, 0x40), None);
        // A state is none of two others.
        of_flags.enumerators.push(Enumerator { name: "THREE".into(), value: 3 });
        assert_eq!(name(&of_flags, 5), None);
    }
}
