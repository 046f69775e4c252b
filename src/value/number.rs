//! Numbers and enums: bytes and a type to a [`Value`].

use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::types::model::{Base, Encoding, Enumeration, Enumerator};
use crate::value::format::Bits;
use crate::value::model::{EnumValue, Value};
use crate::value::{bits, float, freed};

/// Bytes of the widest number that is taken apart.
const WIDEST: usize = 16;

/// A type each of whose values is a number of 8 bytes at most: how its bytes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Number {
    kind: Kind,
    /// In bytes, from 1 to 8.
    size: u8,
    endian: Endian,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    SignedChar,
    UnsignedChar,
    Float,
}

impl Number {
    /// `None` for a type with other values.
    pub fn of(base: &Base, endian: Endian) -> Option<Self> {
        let kind = match base.encoding {
            Encoding::Bool => Kind::Bool,
            Encoding::SignedChar if base.size == 1 => Kind::SignedChar,
            Encoding::Signed | Encoding::SignedChar => Kind::Signed,
            Encoding::UnsignedChar if base.size == 1 && is_char(base) => Kind::UnsignedChar,
            Encoding::Unsigned | Encoding::UnsignedChar | Encoding::Utf => Kind::Unsigned,
            Encoding::Float if matches!(base.size, 4 | 8) => Kind::Float,
            Encoding::Float | Encoding::Other => return None,
        };
        let size = u8::try_from(base.size).ok().filter(|size| (1..=8).contains(size))?;
        Some(Self { kind, size, endian })
    }

    /// Bytes of a value.
    pub fn size(self) -> usize {
        self.size.into()
    }

    /// Where the number of that index lies among others.
    pub fn place(self, index: usize) -> Option<Range<usize>> {
        let start = index.checked_mul(self.size())?;
        Some(start..start.checked_add(self.size())?)
    }

    /// The value with these bytes, whatever they are.
    pub fn value(self, bytes: &[u8]) -> Value {
        self.value_of(self.endian.uint(bytes) as u64)
    }

    /// The value with these bytes that lies at `address`; an error where they are what freed
    /// memory is filled with.
    pub fn value_at(self, bytes: &[u8], address: VirtAddr) -> Value {
        let raw = self.endian.uint(bytes) as u64;
        match freed::is_word(raw, bytes.len()) {
            true => freed::word(raw, address).into(),
            false => self.value_of(raw),
        }
    }

    /// The number with these bytes, without its type.
    pub(in crate::value) fn bits(self, bytes: &[u8]) -> Bits {
        let signed = matches!(self.kind, Kind::Signed | Kind::SignedChar | Kind::Float);
        let float = match self.kind {
            Kind::Float => float::decode(bytes, self.endian),
            _ => None,
        };
        let width = u64::from(self.size) * 8;
        Bits { float, ..Bits::new(self.endian.uint(bytes), width, signed) }
    }

    /// Is it one byte of text or data, and so part of what gdb may show as a string?
    pub fn is_byte(self) -> bool {
        self.size == 1 && self.kind != Kind::Bool
    }

    /// Serialises what [`Number::value_at`] gives.
    ///
    /// # Errors
    /// Those of the serializer.
    #[inline]
    pub fn serialize_at<S: Serializer>(
        self,
        bytes: &[u8],
        address: VirtAddr,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let raw = self.endian.uint(bytes) as u64;
        if freed::is_word(raw, bytes.len()) {
            return freed::word(raw, address).serialize(serializer);
        }
        match self.kind {
            Kind::Unsigned | Kind::UnsignedChar => serializer.serialize_u64(raw),
            Kind::Signed | Kind::SignedChar => serializer.serialize_i64(self.signed(raw)),
            Kind::Bool | Kind::Float => self.value_of(raw).serialize(serializer),
        }
    }

    /// Are there numbers among these that freed memory is filled with?
    pub fn any_freed(self, bytes: &[u8]) -> bool {
        let is_freed = |word: &[u8]| freed::is_word(self.endian.uint(word) as u64, word.len());
        self.size.is_multiple_of(4) && bytes.chunks_exact(self.size()).any(is_freed)
    }

    fn signed(self, raw: u64) -> i64 {
        let unused = 64 - u32::from(self.size) * 8;
        (raw << unused) as i64 >> unused
    }

    fn value_of(self, raw: u64) -> Value {
        let signed = || i128::from(self.signed(raw));
        match self.kind {
            Kind::Unsigned => Value::Int(raw.into()),
            Kind::Signed => Value::Int(signed()),
            Kind::Bool => Value::Bool(raw != 0),
            Kind::SignedChar => Value::Char(signed()),
            Kind::UnsignedChar => Value::Char(raw.into()),
            Kind::Float if self.size == 4 => Value::Float(f32::from_bits(raw as u32).into()),
            Kind::Float => Value::Float(f64::from_bits(raw)),
        }
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

/// The number that `bytes` are, without its type.
pub(in crate::value) fn bits(base: &Base, bytes: &[u8], endian: Endian) -> Bits {
    let float = match base.encoding {
        Encoding::Float => float::decode(bytes, endian),
        _ => None,
    };
    let bytes = bytes.get(..WIDEST).unwrap_or(bytes);
    Bits { float, ..Bits::new(endian.uint(bytes), bytes.len() as u64 * 8, is_signed(base)) }
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

/// Is it a type of integers, `char` included?
pub fn is_integer(base: &Base) -> bool {
    !matches!(base.encoding, Encoding::Bool | Encoding::Float | Encoding::Other)
}

/// Does the type have numbers below 0?
pub fn is_signed(base: &Base) -> bool {
    matches!(base.encoding, Encoding::Signed | Encoding::SignedChar | Encoding::Float)
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
    Value::Enum(EnumValue { name: name.or_else(|| flags(enumeration, value)), value }.into())
}

/// The names of several flags that are set: `A | B`, as gdb prints them. An enum is of
/// flags if each enumerator is a single bit; bits without a name are told as a number.
fn flags(enumeration: &Enumeration, value: i128) -> Option<Box<str>> {
    let mut names = Vec::new();
    let mut rest = value;
    for Enumerator { name, value: bit } in &enumeration.enumerators {
        if *bit < 0 || bit & (bit.wrapping_sub(1)) != 0 {
            return None;
        }
        // Of two names for one bit, the first is used.
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
    fn a_number_is_what_its_type_says() {
        use Encoding::*;
        let encodings =
            [Bool, Signed, Unsigned, SignedChar, UnsignedChar, Utf, Float, Other].into_iter();
        let bases = encodings.flat_map(|encoding| (0..=16).map(move |size| (encoding, size)));
        for (encoding, size) in bases {
            for name in ["char", "other"] {
                let base = Base { name: name.into(), size, encoding };
                for endian in [Endian::Little, Endian::Big] {
                    let Some(number) = Number::of(&base, endian) else {
                        let none = encoding == Other || size == 0 || size > 8;
                        assert!(none || encoding == Float, "{base:?}");
                        continue;
                    };
                    assert_eq!(number.size() as u64, size);
                    for byte in [0, 1, 0x61, 0x80, 0xff] {
                        let bytes: Vec<u8> = (0..size as u8).map(|at| byte ^ at).collect();
                        let known = decode(&base, &bytes, endian).unwrap();
                        // NaN is not equal to itself.
                        let told = |value| format!("{value:?}");
                        assert_eq!(told(number.value(&bytes)), told(known), "{base:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn flags_are_told_by_name() {
        let enumerators = [("A", 1), ("B", 2), ("C", 4), ("D", 4), ("ZERO", 0)];
        let enumerators = enumerators.map(|(name, value)| Enumerator { name: name.into(), value });
        let (name, enumerators) = (None, enumerators.to_vec());
        let mut of_flags =
            Enumeration { name, size: 4, signed: false, enumerators, declaration: false };
        let name = |enumeration: &Enumeration, raw| match enum_value(enumeration, raw, 32) {
            Value::Enum(found) => found.name.map(String::from),
            other => panic!("{other:?}"),
        };
        for (raw, told) in [(5, "A | C"), (4, "C"), (0, "ZERO"), (0x13, "A | B | unknown: 0x10")] {
            assert_eq!(name(&of_flags, raw).as_deref(), Some(told));
        }
        assert_eq!(name(&of_flags, 0x40), None);
        // A state is not a combination of two others.
        of_flags.enumerators.push(Enumerator { name: "THREE".into(), value: 3 });
        assert_eq!(name(&of_flags, 5), None);
    }
}
