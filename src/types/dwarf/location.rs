//! Where the parts of a static variable are: evaluates its DW_AT_location.
//!
//! Usually that is one address. It may be one address for each member, with gaps for
//! members that were optimised out (DW_OP_piece), or a number that is computed from
//! memory: clang stores an int that is only ever 0 or 42 as one byte
//! (DW_OP_deref_size, DW_OP_mul, DW_OP_stack_value).

use gimli::{AttributeValue, EvaluationResult, Location, constants as dw};

use crate::addr::VirtAddr;
use crate::bytes::Endian;
use crate::types::TypeError;
use crate::types::dwarf::Reader;
use crate::types::dwarf::load::Loader;
use crate::types::dwarf::place::Place;
use crate::types::dwarf::sections::Slice;
use crate::types::dwarf::sections::damaged;
use crate::types::ids::foreign;
use crate::types::statics::{Kept, Piece, Static};

/// The most operations in one location. Compilers write a dozen. In a damaged file they may
/// jump in a loop.
const MOST_OPERATIONS: u32 = 1000;

impl Reader<'_> {
    /// The pieces of `variable`, which together have the size of its type, in a kernel that
    /// runs `slide` bytes after its link address. `read` returns an integer of a given size
    /// in bytes at an address of the running kernel. Its error is passed on.
    ///
    /// # Errors
    /// The location is damaged, the type has no size, or `read` fails.
    pub fn pieces<E: From<TypeError>>(
        self,
        variable: &Static,
        slide: u64,
        read: &dyn Fn(VirtAddr, u64) -> Result<u64, E>,
    ) -> Result<Vec<Piece>, E> {
        let size = self.types.size_of(variable.type_id)?;
        let place = Place::of(variable.entry).ok_or_else(foreign)?;
        let loader = Loader::at(self, place)?;
        let broken = |why: String| damaged(place.section, place.offset, why);
        let entry = loader.entry(place.offset).ok_or_else(|| broken("no entry".into()))?;
        let found = match entry.attr_value(dw::DW_AT_location) {
            Some(AttributeValue::Exprloc(expression)) => {
                loader.evaluate(expression, size, slide, read)?
            }
            Some(AttributeValue::Block(block)) => {
                loader.evaluate(gimli::Expression(block), size, slide, read)?
            }
            _ => {
                let value = entry.attr_value(dw::DW_AT_const_value);
                vec![Piece { len: size, kept: self.constant(value, size) }]
            }
        };
        Ok(fitted(found, size))
    }

    fn constant(self, value: Option<AttributeValue<Slice<'_>>>, size: u64) -> Kept {
        match value {
            Some(AttributeValue::Block(block)) => Kept::Value(block.slice().into()),
            Some(AttributeValue::Sdata(value)) => self.number(value as u64, size),
            Some(value) => match value.udata_value() {
                Some(value) => self.number(value, size),
                None => Kept::Nowhere,
            },
            None => Kept::Nowhere,
        }
    }

    /// A number as the bytes of a variable of `size` bytes.
    fn number(self, value: u64, size: u64) -> Kept {
        let Some(len) = usize::try_from(size).ok().filter(|len| *len <= 8) else {
            return Kept::Nowhere;
        };
        let bytes = match self.types.endian() {
            Endian::Little => value.to_le_bytes()[..len].to_vec(),
            Endian::Big => value.to_be_bytes()[8 - len..].to_vec(),
        };
        Kept::Value(bytes.into())
    }
}

impl<'a> Loader<'a> {
    fn evaluate<E: From<TypeError>>(
        &self,
        expression: gimli::Expression<Slice<'a>>,
        size: u64,
        slide: u64,
        read: &dyn Fn(VirtAddr, u64) -> Result<u64, E>,
    ) -> Result<Vec<Piece>, E> {
        let broken =
            |why: &dyn ToString| damaged(self.unit.section, self.unit.offset, why.to_string());
        let mut evaluation = expression.evaluation(self.unit.encoding);
        evaluation.set_max_iterations(MOST_OPERATIONS);
        let mut state = evaluation.evaluate().map_err(|why| broken(&why))?;
        loop {
            let next = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address.wrapping_add(slide))
                }
                EvaluationResult::RequiresIndexedAddress { index, .. } => {
                    let address =
                        self.reader.file.sections.indexed_address(index.0 as u64, &self.root.bases);
                    let address = address.ok_or_else(|| broken(&"an address it does not have"))?;
                    evaluation.resume_with_indexed_address(address.wrapping_add(slide))
                }
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    let word = read(VirtAddr::new(address), size.into())?;
                    evaluation.resume_with_memory(gimli::Value::Generic(word))
                }
                // Registers and frames: the location of a static never uses them.
                _ => return Ok(vec![Piece { len: size, kept: Kept::Nowhere }]),
            };
            state = next.map_err(|why| broken(&why))?;
        }
        let pieces = evaluation.result().into_iter().map(|piece| {
            let bits = piece.size_in_bits.unwrap_or(size.saturating_mul(8));
            // No compiler splits a static into pieces of single bits.
            let whole = bits % 8 == 0 && piece.bit_offset.is_none_or(|offset| offset == 0);
            let len = bits.div_ceil(8);
            let kept = match piece.location {
                _ if !whole => Kept::Nowhere,
                Location::Address { address } => Kept::At(VirtAddr::new(address)),
                Location::Value { value } => match value.to_u64(u64::MAX) {
                    Ok(value) => self.reader.number(value, len),
                    Err(_) => Kept::Nowhere,
                },
                Location::Bytes { value } => Kept::Value(value.slice().into()),
                _ => Kept::Nowhere,
            };
            Piece { len, kept }
        });
        Ok(pieces.collect())
    }
}

/// The pieces, cut at the end of the variable. What they do not cover is nowhere.
fn fitted(pieces: Vec<Piece>, size: u64) -> Vec<Piece> {
    let mut left = size;
    let mut fitted: Vec<Piece> = Vec::new();
    for piece in pieces {
        let len = piece.len.min(left);
        left -= len;
        let enough = |bytes: &[u8]| bytes.len() as u64 >= len;
        let kept = match piece.kept {
            Kept::Value(bytes) if !enough(&bytes) => Kept::Nowhere,
            kept => kept,
        };
        if len > 0 {
            fitted.push(Piece { len, kept });
        }
    }
    if left > 0 {
        fitted.push(Piece { len: left, kept: Kept::Nowhere });
    }
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_the_size_of_the_variable() {
        let at = |address| Kept::At(VirtAddr::new(address));
        let found = vec![Piece { len: 8, kept: at(0x10) }, Piece { len: 9, kept: at(0x40) }];
        let all = fitted(found.clone(), 24);
        assert_eq!(all.iter().map(|piece| piece.len).collect::<Vec<_>>(), [8, 9, 7]);
        assert_eq!(all[2].kept, Kept::Nowhere);
        assert_eq!(fitted(found, 10)[1], Piece { len: 2, kept: at(0x40) });
        let short = vec![Piece { len: 4, kept: Kept::Value([1].into()) }];
        assert_eq!(fitted(short, 4), [Piece { len: 4, kept: Kept::Nowhere }]);
    }
}
