//! Static variables whose bytes are not all in one place in memory: the compiler kept the
//! members apart, or worked out what was left of them.
//!
//! Their members are chosen like those of any other; what lies in one piece of memory is then a
//! place like any other too. What is nowhere has no value.

use crate::bytes::Endian;
use crate::expr::eval::ExprError;
use crate::target::{ReadError, Target};
use crate::types::model::BitField;
use crate::types::{Kept, Piece, Static, TypeId};
use crate::value::bits;

/// A variable in pieces, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scattered {
    /// As an expression: `uuid_last.node`.
    pub name: Box<str>,
    pub type_id: TypeId,
    pub bits: Option<BitField>,
    pub pieces: Vec<Piece>,
}

impl Scattered {
    /// A static variable.
    ///
    /// # Errors
    /// Its location cannot be worked out.
    pub fn of(target: &Target, found: &Static) -> Result<Self, ReadError> {
        let pieces = target.pieces(found)?;
        let name = match &found.function {
            Some(function) => format!("{function}.{}", found.name),
            None => found.name.to_string(),
        };
        Ok(Self { name: name.into(), type_id: found.type_id, bits: None, pieces })
    }

    /// The part at `offset`, of `len` bytes.
    pub fn part(
        &self,
        name: &str,
        type_id: TypeId,
        offset: u64,
        len: u64,
        bits: Option<BitField>,
    ) -> Self {
        let name = format!("{}{name}", self.name);
        let pieces = slice(&self.pieces, offset, len);
        Self { name: name.into(), type_id, bits, pieces }
    }

    /// Its bytes as an integer, and how many bits of that count.
    ///
    /// # Errors
    /// Some of it was optimised out, or cannot be read.
    pub fn uint(&self, target: &Target) -> Result<(u128, u64), ExprError> {
        let mut bytes: Vec<u8> = Vec::new();
        for piece in &self.pieces {
            let len = piece.len.min(LARGEST) as usize;
            match &piece.kept {
                Kept::At(address) => {
                    let start = bytes.len();
                    bytes.resize(start + len, 0);
                    let read = target.memory().read(*address, &mut bytes[start..]);
                    read.map_err(ReadError::from)?;
                }
                Kept::Value(value) => bytes.extend(value.iter().take(len)),
                Kept::Nowhere => return Err(ExprError::OptimisedOut(self.name.to_string())),
            }
        }
        bytes.truncate(LARGEST as usize);
        let endian: Endian = target.arch().endian();
        Ok(match self.bits {
            Some(field) => (bits::extract(endian, &bytes, field), field.bit_size),
            None => (endian.uint(&bytes), bytes.len() as u64 * 8),
        })
    }
}

/// The most bytes of an integer.
const LARGEST: u64 = 16;

/// The pieces of `len` bytes from `offset` on.
fn slice(pieces: &[Piece], offset: u64, len: u64) -> Vec<Piece> {
    let end = offset.saturating_add(len);
    let mut start = 0u64;
    let mut found = Vec::new();
    for piece in pieces {
        let next = start.saturating_add(piece.len);
        let (from, to) = (offset.max(start), end.min(next));
        if from < to {
            let skipped = from - start;
            let kept = match &piece.kept {
                Kept::At(address) => Kept::At(address.wrapping_add(skipped)),
                Kept::Value(bytes) => {
                    let bytes = bytes.get(skipped as usize..).unwrap_or_default();
                    Kept::Value(bytes.get(..(to - from) as usize).unwrap_or(bytes).into())
                }
                Kept::Nowhere => Kept::Nowhere,
            };
            found.push(Piece { len: to - from, kept });
        }
        start = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;

    #[test]
    fn a_part_is_made_of_parts_of_the_pieces() {
        let at = |address| Kept::At(VirtAddr::new(address));
        let all = [
            Piece { len: 8, kept: at(0x100) },
            Piece { len: 2, kept: Kept::Nowhere },
            Piece { len: 4, kept: Kept::Value([1, 2, 3, 4].into()) },
        ];
        assert_eq!(slice(&all, 2, 4), [Piece { len: 4, kept: at(0x102) }]);
        assert_eq!(slice(&all, 11, 2), [Piece { len: 2, kept: Kept::Value([2, 3].into()) }]);
        assert_eq!(slice(&all, 6, 5).iter().map(|piece| piece.len).collect::<Vec<_>>(), [2, 2, 1]);
        assert_eq!(slice(&all, 14, 8), []);
        assert_eq!(slice(&all, u64::MAX, 8), []);
    }
}
