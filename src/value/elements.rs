//! The elements of an array: values, or the bytes of numbers.
//!
//! A value takes up dozens of bytes, and a buffer may have millions of one byte.
//! So numbers stay the bytes that they were read as, and each becomes a value when
//! it is looked at.

use std::borrow::Cow;

use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::types::model::Base;
use crate::value::access::ElementsIter;
use crate::value::memory_block::Holes;
use crate::value::model::Value;
use crate::value::{freed, number};

/// The elements of an array, in order.
#[derive(Debug, Clone)]
pub struct Elements(Kept);

#[derive(Debug, Clone)]
enum Kept {
    Values(Vec<Value>),
    Packed(Packed),
}

/// Numbers as the bytes that they lie in memory as.
#[derive(Debug, Clone)]
pub struct Packed {
    /// A whole number of elements.
    pub bytes: Box<[u8]>,
    /// What each of them is. Its size is not 0.
    pub base: Base,
    pub endian: Endian,
    /// Where the first lies.
    pub address: VirtAddr,
    /// Bytes that cannot be read, in order, and why.
    pub holes: Holes,
}

impl Elements {
    pub fn packed(numbers: Packed) -> Self {
        Self(Kept::Packed(numbers))
    }

    pub fn len(&self) -> usize {
        match &self.0 {
            Kept::Values(values) => values.len(),
            Kept::Packed(numbers) => numbers.bytes.len() / numbers.size(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, index: usize) -> Option<Cow<'_, Value>> {
        match &self.0 {
            Kept::Values(values) => values.get(index).map(Cow::Borrowed),
            Kept::Packed(numbers) => numbers.get(index).map(Cow::Owned),
        }
    }

    pub fn iter(&self) -> ElementsIter<'_> {
        self.into_iter()
    }

    /// The values themselves, where they are kept as such; numbers are not.
    pub fn values_mut(&mut self) -> &mut [Value] {
        match &mut self.0 {
            Kept::Values(values) => values,
            Kept::Packed(_) => &mut [],
        }
    }

    pub fn push(&mut self, value: Value) {
        if let Kept::Packed(_) = self.0 {
            self.0 = Kept::Values(self.iter().map(Cow::into_owned).collect());
        }
        if let Kept::Values(values) = &mut self.0 {
            values.push(value);
        }
    }

    /// Can the elements be neither records nor arrays?
    pub fn are_numbers(&self) -> bool {
        matches!(self.0, Kept::Packed(_))
    }

    /// How many of them hold something that `count` counts; of numbers only those that
    /// are errors are asked.
    pub fn sum_of(&self, count: impl Fn(&Value) -> usize) -> usize {
        match &self.0 {
            Kept::Values(values) => values.iter().map(count).sum(),
            Kept::Packed(numbers) => numbers.unreadable().map(|value| count(&value)).sum(),
        }
    }
}

impl Packed {
    fn size(&self) -> usize {
        usize::try_from(self.base.size).unwrap_or(usize::MAX).max(1)
    }

    fn get(&self, index: usize) -> Option<Value> {
        let start = index.checked_mul(self.size())?;
        let range = start..start.checked_add(self.size())?;
        let bytes = self.bytes.get(range.clone())?;
        let next = self.holes.partition_point(|(hole, _)| hole.end <= range.start);
        match self.holes.get(next).filter(|(hole, _)| hole.start < range.end) {
            Some((_, why)) => Some(Value::Error(why.clone())),
            None => {
                match freed::number(self.endian, bytes, self.address.wrapping_add(start as u64)) {
                    Some(why) => Some(Value::Error(why)),
                    None => number::decode(&self.base, bytes, self.endian),
                }
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
        Self(Kept::Values(values))
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
    use crate::types::model::Encoding;
    use crate::value::model::{ErrorKind, ValueError};

    #[test]
    fn numbers_are_the_values_that_they_are_the_bytes_of() {
        let why = ValueError { kind: ErrorKind::NotDumped, address: None, message: "gone".into() };
        let numbers = Packed {
            bytes: [1, 0, 0xfe, 0xff, 0, 0, 7, 0].into(),
            base: Base { name: "short".into(), size: 2, encoding: Encoding::Signed },
            endian: Endian::Little,
            address: VirtAddr::new(0x1000),
            holes: vec![(4..5, why.clone())],
        };
        let mut packed = Elements::packed(numbers);
        let values = [Value::Int(1), Value::Int(-2), Value::Error(why), Value::Int(7)];
        assert_eq!(packed, Elements::from(values.to_vec()));
        assert_eq!(packed.sum_of(|value| usize::from(matches!(value, Value::Error(_)))), 1);
        packed.push(Value::Bool(true));
        assert_eq!((packed.len(), packed.get(4).as_deref()), (5, Some(&Value::Bool(true))));
    }

    #[test]
    fn what_freed_memory_is_filled_with_is_no_number() {
        let numbers = Packed {
            bytes: [5u32, 0xdead_c0de].map(u32::to_be_bytes).concat().into(),
            base: Base { name: "unsigned int".into(), size: 4, encoding: Encoding::Unsigned },
            endian: Endian::Big,
            address: VirtAddr::new(0x1000),
            holes: Vec::new(),
        };
        let packed = Elements::packed(numbers);
        assert_eq!(packed.get(0).as_deref(), Some(&Value::Int(5)));
        let Some(Value::Error(why)) = packed.get(1).map(Cow::into_owned) else { panic!() };
        assert_eq!((why.kind, why.address), (ErrorKind::Freed, Some(VirtAddr::new(0x1004))));
        assert_eq!(packed.sum_of(|value| usize::from(matches!(value, Value::Error(_)))), 1);
    }
}
