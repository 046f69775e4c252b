//! Several operands at once: the elements of a list, a slice or a filter.
//!
//! What is done to all of them is done to each. One that cannot be read is an error in its own
//! place, and the others are computed all the same.

use crate::expr::eval::{ExprError, Many, Operand, Scope};
use crate::target::ReadError;

impl Scope<'_> {
    /// Applies `apply` to an operand, or to every one of many. If that gives many again, they
    /// follow each other.
    pub(super) fn each(
        &self,
        operand: Operand,
        apply: &mut dyn FnMut(Operand) -> Result<Operand, ExprError>,
    ) -> Result<Operand, ExprError> {
        let Many { elements, problems } = match operand {
            Operand::Many(many) => many,
            unreadable @ Operand::Unreadable(_) => return Ok(unreadable),
            one => return apply(one),
        };
        let mut all = Many { elements: Vec::with_capacity(elements.len()), problems };
        for element in elements {
            self.add(&mut all, self.each(element, apply))?;
        }
        Ok(Operand::Many(all))
    }

    /// The same for two operands, of which at most one may be many.
    pub(super) fn each_of_two(
        &self,
        left: Operand,
        right: Operand,
        apply: &mut dyn FnMut(Operand, Operand) -> Result<Operand, ExprError>,
    ) -> Result<Operand, ExprError> {
        match (&left, &right) {
            (Operand::Many(_), Operand::Many(_)) => Err(ExprError::TwoLists),
            (Operand::Many(_) | Operand::Unreadable(_), _) => {
                self.each(left, &mut |left| apply(left, right.clone()))
            }
            (_, Operand::Many(_) | Operand::Unreadable(_)) => {
                self.each(right, &mut |right| apply(left.clone(), right))
            }
            _ => apply(left, right),
        }
    }

    /// Adds an element, or several. Memory that cannot be read is an element too.
    pub(super) fn add(
        &self,
        all: &mut Many,
        found: Result<Operand, ExprError>,
    ) -> Result<(), ExprError> {
        let found = match found {
            Err(ExprError::Read(ReadError::Fault(fault))) => {
                self.forgive();
                Operand::Unreadable(Box::new(fault))
            }
            found => found?,
        };
        let budget = self.target.budget();
        match found {
            Operand::Many(Many { elements, problems }) => {
                budget.bytes((elements.len() * size_of::<Operand>()) as u64)?;
                all.elements.extend(elements);
                all.problems.extend(problems);
            }
            one => {
                budget.work(1)?;
                budget.bytes(size_of::<Operand>() as u64)?;
                all.elements.push(one);
            }
        }
        Ok(())
    }
}
