//! Truth, comparisons, and what is evaluated only under a condition.

use crate::addr::VirtAddr;
use crate::expr::eval::{ExprError, Operand, Operator, Scope};
use crate::expr::integer::Integer;
use crate::expr::{Binary, Expr, Logical};
use crate::types::TypeId;
use crate::types::model::{Encoding, Type};

/// The longest string that is compared, in bytes.
const LONGEST_TEXT: usize = 4096;

impl Scope<'_> {
    /// `condition ? yes : no`
    pub(super) fn conditional(
        &self,
        condition: &Expr,
        yes: &Expr,
        no: &Expr,
    ) -> Result<Operand, ExprError> {
        let condition = self.eval(condition)?;
        self.each(condition, &mut |condition| {
            if self.truth(&condition)? { self.eval(yes) } else { self.eval(no) }
        })
    }

    /// `left && right`, `left || right`
    pub(super) fn logical(
        &self,
        op: Logical,
        left: &Expr,
        right: &Expr,
    ) -> Result<Operand, ExprError> {
        let left = self.eval(left)?;
        self.each(left, &mut |left| {
            let decides = op == Logical::Or;
            if self.truth(&left)? == decides {
                return Ok(Operand::Integer(Integer::truth(decides)));
            }
            let right = self.eval(right)?;
            self.each(right, &mut |right| Ok(Operand::Integer(Integer::truth(self.truth(&right)?))))
        })
    }

    /// Whether it is not 0. An array is at an address, which never is.
    pub(super) fn truth(&self, operand: &Operand) -> Result<bool, ExprError> {
        if self.array_address(operand)?.is_some() {
            return Ok(true);
        }
        Ok(self.integer(operand)?.value != 0)
    }

    /// The result of `==`, `<` and the like. Texts are compared by what they say, arrays by where
    /// they are.
    pub(super) fn compare(
        &self,
        op: Binary,
        left: &Operand,
        right: &Operand,
    ) -> Result<Operand, ExprError> {
        let is_text = |operand: &Operand| matches!(operand, Operand::Text(_));
        if is_text(left) || is_text(right) {
            return self.compare_texts(op, left, right);
        }
        let (a, b) = (self.scalar(left)?, self.scalar(right)?);
        let compared = a.binary(op, b, self.target.arch());
        Ok(Operand::Integer(compared.map_err(|why| self.undefined(why))?))
    }

    /// An unknown name that is compared with a string was meant as a string.
    pub(super) fn or_text(&self, why: ExprError, other: &Operand) -> ExprError {
        let first = match other {
            Operand::Many(many) => many.elements.first(),
            one => Some(one),
        };
        let is_text = |operand| matches!(self.text_of(operand), Ok(Some(_)));
        if first.is_some_and(is_text) { why.or_quoted() } else { why }
    }

    fn compare_texts(
        &self,
        op: Binary,
        left: &Operand,
        right: &Operand,
    ) -> Result<Operand, ExprError> {
        let text = |operand: &Operand| {
            let text = self.text_of(operand)?;
            text.ok_or_else(|| self.wrong(Operator::Comparison, operand))
        };
        let order = text(left)?.cmp(&text(right)?);
        let holds = match op {
            Binary::Equal => order.is_eq(),
            Binary::NotEqual => order.is_ne(),
            Binary::Less => order.is_lt(),
            Binary::LessOrEqual => order.is_le(),
            Binary::Greater => order.is_gt(),
            _ => order.is_ge(),
        };
        Ok(Operand::Integer(Integer::truth(holds)))
    }

    /// The string that an operand is: a literal, an array of characters, or what a pointer to
    /// characters points to. `None` if it is none of these.
    pub(super) fn text_of(&self, operand: &Operand) -> Result<Option<String>, ExprError> {
        let bytes = match operand {
            Operand::Text(text) => return Ok(Some(text.to_string())),
            Operand::Place { bits: Some(_), .. } => return Ok(None),
            Operand::Place { .. } | Operand::Number { .. } | Operand::Scattered(_) => {
                let Some((start, most)) = self.characters(operand)? else { return Ok(None) };
                self.target.memory().c_string(start, most)?
            }
            _ => return Ok(None),
        };
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Where the characters of an array, or behind a pointer, begin, and how many there are at most.
    fn characters(&self, operand: &Operand) -> Result<Option<(VirtAddr, usize)>, ExprError> {
        if let Operand::Place { type_id, address, .. } = operand
            && let Some((element, count)) = self.types()?.elements(*type_id)?
        {
            let most = count.unwrap_or(u64::MAX).min(LONGEST_TEXT as u64) as usize;
            return Ok(self.is_character(element)?.then_some((*address, most)));
        }
        match self.pointee(operand)? {
            Some(to) if self.is_character(to)? => {
                let address = VirtAddr::new(self.integer(operand)?.value as u64);
                Ok(Some((address, LONGEST_TEXT)))
            }
            _ => Ok(None),
        }
    }

    /// A number, or the address that an array stands for.
    pub(super) fn scalar(&self, operand: &Operand) -> Result<Integer, ExprError> {
        match self.array_address(operand)? {
            Some(address) => self.integer(&address),
            None => self.integer(operand),
        }
    }

    fn array_address(&self, operand: &Operand) -> Result<Option<Operand>, ExprError> {
        let Operand::Place { type_id, address, bits: None, .. } = operand else { return Ok(None) };
        let is_array = self.types()?.elements(*type_id)?.is_some();
        Ok(is_array.then(|| self.address_alone(address.get())))
    }

    fn is_character(&self, type_id: TypeId) -> Result<bool, ExprError> {
        Ok(match &*self.types()?.resolve(type_id)?.1 {
            Type::Base(base) => {
                matches!(base.encoding, Encoding::SignedChar | Encoding::UnsignedChar)
            }
            _ => false,
        })
    }

    /// Whether it is a struct, union or array.
    pub(super) fn is_composite(&self, type_id: TypeId) -> Result<bool, ExprError> {
        let (_, kind) = self.types()?.resolve(type_id)?;
        Ok(matches!(*kind, Type::Record(_) | Type::Array(_)))
    }
}
