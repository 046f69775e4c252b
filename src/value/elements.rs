//! The elements of an array: values, or the bytes of numbers.
//!
//! A value takes up dozens of bytes, and a buffer may have millions of one byte.
//! So numbers stay the bytes that they were read as, and each becomes a value when
//! it is looked at.

use std::borrow::Cow;

use crate::addr::VirtAddr;
use crate::value::access::ElementsIter;
use crate::value::memory_block::Holes;
use crate::value::model::Value;
use crate::value::number::Number;

/// The elements of an array, in order.
#[derive(Debug, Clone)]
pub struct Elements(Kept);

#[derive(Debug, Clone)]
enum Kept {
    Values(Box<[Value]>),
    Few(Few),
    Packed(Box<Packed>),
}

/// A few numbers, all of them readable.
#[derive(Debug, Clone, Copy)]
struct Few {
    number: Number,
    /// Bytes that are in use: a whole number of elements.
    len: u8,
    bytes: [u8; Self::MOST],
}

impl Few {
    const MOST: usize = 16;
}

/// Numbers as their bytes in memory.
#[derive(Debug, Clone)]
struct Packed {
    number: Number,
    /// A whole number of elements.
    bytes: Box<[u8]>,
    /// The address of the first.
    address: VirtAddr,
    /// Bytes that cannot be read, in order, and why.
    holes: Holes,
}

impl Elements {
    /// Numbers as the bytes that they lie in memory as, a whole number of elements, the first
    /// of them at `address`; `holes` are bytes that cannot be read, in order, and why.
    pub(in crate::value) fn numbers(
        number: Number,
        bytes: &[u8],
        address: VirtAddr,
        holes: Holes,
    ) -> Self {
        let mut few = Few { number, len: bytes.len() as u8, bytes: [0; Few::MOST] };
        match few.bytes.get_mut(..bytes.len()) {
            Some(kept) if holes.is_empty() && !number.any_freed(bytes) => {
                kept.copy_from_slice(bytes);
                Self(Kept::Few(few))
            }
            _ => Self(Kept::Packed(Packed { number, bytes: bytes.into(), address, holes }.into())),
        }
    }

    /// The number of elements that were read, errors included.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Values(values) => values.len(),
            Kept::Few(few) => usize::from(few.len) / few.number.size(),
            Kept::Packed(packed) => packed.bytes.len() / packed.number.size(),
        }
    }

    /// Whether no element was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`, from 0; `None` past the last that was read.
    pub fn get(&self, index: usize) -> Option<Cow<'_, Value>> {
        match &self.0 {
            Kept::Values(values) => values.get(index).map(Cow::Borrowed),
            Kept::Few(few) => few.get(index).map(Cow::Owned),
            Kept::Packed(packed) => packed.get(index).map(Cow::Owned),
        }
    }

    /// The elements in their order.
    #[must_use]
    pub fn iter(&self) -> ElementsIter<'_> {
        self.into_iter()
    }

    /// The values, if they are kept as values; numbers are not.
    pub fn values_mut(&mut self) -> &mut [Value] {
        match &mut self.0 {
            Kept::Values(values) => values,
            Kept::Few(_) | Kept::Packed(_) => &mut [],
        }
    }

    /// Whether the elements are numbers, and so neither records nor arrays.
    #[must_use]
    pub fn are_numbers(&self) -> bool {
        !matches!(self.0, Kept::Values(_))
    }

    /// The sum of `count` over all elements; of numbers, only those that
    /// are errors are counted.
    pub fn sum_of(&self, count: impl Fn(&Value) -> usize) -> usize {
        match &self.0 {
            Kept::Values(values) => values.iter().map(count).sum(),
            Kept::Few(_) => 0,
            Kept::Packed(packed) => packed.unreadable().map(|value| count(&value)).sum(),
        }
    }
}

impl Few {
    fn get(&self, index: usize) -> Option<Value> {
        let bytes = self.bytes.get(..usize::from(self.len))?;
        Some(self.number.value(bytes.get(self.number.place(index)?)?))
    }
}

impl Packed {
    fn get(&self, index: usize) -> Option<Value> {
        let range = self.number.place(index)?;
        let bytes = self.bytes.get(range.clone())?;
        let next = self.holes.partition_point(|(hole, _)| hole.end <= range.start);
        match self.holes.get(next).filter(|(hole, _)| hole.start < range.end) {
            Some((_, why)) => Some(why.clone().into()),
            None => {
                let address = self.address.wrapping_add(range.start as u64);
                Some(self.number.value_at(bytes, address))
            }
        }
    }

    /// The elements that are errors.
    fn unreadable(&self) -> impl Iterator<Item = Value> {
        let elements = (0..).map_while(|index| self.get(index));
        elements.filter(|value| matches!(value, Value::Error(_)))
    }
}

impl From<Vec<Value>> for Elements {
    fn from(values: Vec<Value>) -> Self {
        Self(Kept::Values(values.into()))
    }
}

impl PartialEq for Elements {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Endian;
    use crate::types::model::{Base, Encoding};
    use crate::value::model::{ErrorKind, ValueError};

    fn numbers(
        size: u64,
        encoding: Encoding,
        endian: Endian,
        bytes: &[u8],
        holes: Holes,
    ) -> Elements {
        let number = Number::of(&Base { name: "number".into(), size, encoding }, endian).unwrap();
        Elements::numbers(number, bytes, VirtAddr::new(0x1000), holes)
    }

    fn errors(elements: &Elements) -> usize {
        elements.sum_of(|value| usize::from(matches!(value, Value::Error(_))))
    }

    #[test]
    fn numbers_are_the_values_that_they_are_the_bytes_of() {
        let why = ValueError { kind: ErrorKind::NotDumped, address: None, message: "gone".into() };
        for count in [4, 20] {
            let mut bytes = [1, 0, 0xfe, 0xff, 0, 0, 7, 0].to_vec();
            bytes.resize(count * 2, 9);
            let mut values = vec![Value::Int(1), Value::Int(-2), Value::Int(0), Value::Int(7)];
            values.resize(count, Value::Int(0x909));
            let short = |holes| numbers(2, Encoding::Signed, Endian::Little, &bytes, holes);
            assert_eq!(short(Vec::new()), Elements::from(values.clone()));
            assert_eq!(short(Vec::new()).get(count), None);
            assert_eq!(errors(&short(Vec::new())), 0);
            let holed = short(vec![(4..5, why.clone())]);
            values[2] = why.clone().into();
            assert_eq!((errors(&holed), holed), (1, values.into()));
        }
    }

    #[test]
    fn what_freed_memory_is_filled_with_is_no_number() {
        for (endian, count) in [(Endian::Big, 2), (Endian::Little, 2), (Endian::Big, 20)] {
            let mut words = [5u32, 0xdead_c0de].to_vec();
            words.resize(count, 7);
            let word = |word: &u32| endian.bytes((*word).into(), 4);
            let bytes: Vec<u8> = words.iter().flat_map(word).collect();
            let packed = numbers(4, Encoding::Unsigned, endian, &bytes, Vec::new());
            assert_eq!(packed.get(0).as_deref(), Some(&Value::Int(5)));
            let Some(Value::Error(why)) = packed.get(1).map(Cow::into_owned) else { panic!() };
            assert_eq!((why.kind, why.address), (ErrorKind::Freed, Some(VirtAddr::new(0x1004))));
            assert_eq!(errors(&packed), 1);
        }
    }
}
