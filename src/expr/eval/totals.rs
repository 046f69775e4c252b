//! What many operands amount to: how many there are, their sum, the least, the largest, and each
//! different one.
//!
//! A list that broke off has no count and no sum, nor has one of which an element cannot be read.

use std::cmp::Ordering;

use rustc_hash::FxHashSet;

use crate::expr::eval::{ExprError, Many, Operand, Scope};
use crate::expr::integer::{Integer, IntegerType, Rank};
use crate::expr::{Binary, Function};
use crate::target::ReadError;
use crate::value::read::MAX_SIZE;

impl Scope<'_> {
    /// `count(...)` and its like.
    pub(super) fn total(&self, function: Function, over: Operand) -> Result<Operand, ExprError> {
        let many = self.many(over)?;
        if let Err(problem) = many.problems.none() {
            let (function, problem) = (function.name(), problem.into());
            return Err(ExprError::BrokenList { function, problem });
        }
        let arch = self.target.arch();
        // What is in an element's place may be more than one element.
        for element in &many.elements {
            if let Operand::Unreadable(fault) = element {
                return Err(ReadError::from((**fault).clone()).into());
            }
        }
        match function {
            Function::Count => Ok(self.size(many.elements.len() as u64)),
            Function::Sum => {
                let mut sum =
                    Integer { value: 0, of: IntegerType { rank: Rank::LongLong, unsigned: false } };
                for element in &many.elements {
                    let term = self.integer(element)?;
                    // Even a sum of many small numbers has room.
                    let wide = IntegerType { rank: Rank::LongLong, ..term.of };
                    let added = sum.binary(Binary::Add, wide.wrap(term.value, arch), arch);
                    sum = added.map_err(|why| self.undefined(why))?;
                }
                Ok(Operand::Integer(sum))
            }
            Function::Min => self.extreme(many, function, Ordering::Less),
            Function::Max => self.extreme(many, function, Ordering::Greater),
            _ => self.different(many),
        }
    }

    /// The first element that is on that side of all others.
    fn extreme(
        &self,
        many: Many,
        function: Function,
        side: Ordering,
    ) -> Result<Operand, ExprError> {
        let mut found: Option<(i128, Operand)> = None;
        for element in many.elements {
            let value = self.integer(&element)?.value;
            if found.as_ref().is_none_or(|(best, _)| value.cmp(best) == side) {
                found = Some((value, element));
            }
        }
        let (_, found) = found.ok_or(ExprError::NothingIn { function: function.name() })?;
        Ok(found)
    }

    /// The first of all that are equal.
    fn different(&self, many: Many) -> Result<Operand, ExprError> {
        let mut seen = FxHashSet::default();
        let mut kept = Many::default();
        for element in many.elements {
            if seen.insert(self.key(&element)?) {
                kept.elements.push(element);
            }
        }
        Ok(Operand::Many(kept))
    }

    /// What equal operands have in common: the number, the text, or the bytes.
    fn key(&self, operand: &Operand) -> Result<Vec<u8>, ExprError> {
        if let Some(text) = self.text_of(operand)? {
            return Ok(text.into_bytes());
        }
        if let Operand::Place { type_id, address, bits: None, .. } = operand
            && self.is_composite(*type_id)?
        {
            let size = self.types()?.size_of(*type_id)?.min(MAX_SIZE);
            self.target.budget().bytes(size)?;
            let mut bytes = vec![0; size as usize];
            self.target.memory().read(*address, &mut bytes)?;
            return Ok(bytes);
        }
        Ok(self.integer(operand)?.value.to_le_bytes().to_vec())
    }
}
