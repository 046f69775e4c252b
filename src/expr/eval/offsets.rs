//! `offsetof` and `container_of`.

use crate::expr::eval::{ExprError, Operand, Operator, Scope};
use crate::expr::{Expr, Step, TypeName};
use crate::types::{TypeError, TypeId, WantedKind};

impl Scope<'_> {
    /// `offsetof(struct ifnet, if_xname)`, in bytes.
    pub(super) fn offset_of(&self, of: &TypeName, steps: &[Step]) -> Result<Operand, ExprError> {
        let record = self.type_named(of)?;
        Ok(self.size(self.offset(record, steps)?))
    }

    /// `container_of(pointer, struct ifnet, if_link)`: a pointer to the struct around what
    /// `pointer` points to.
    pub(super) fn container_of(
        &self,
        pointer: &Expr,
        of: &TypeName,
        steps: &[Step],
    ) -> Result<Operand, ExprError> {
        let record = self.type_named(of)?;
        let offset = self.offset(record, steps)?;
        let type_id = self.types()?.pointer_to(record);
        let pointer = self.eval(pointer)?;
        self.each(pointer, &mut |pointer| {
            let inner = self.integer(&pointer)?.value as u64;
            let value = self.target.arch().wrap(inner.wrapping_sub(offset));
            Ok(Operand::Number { value: value.into(), type_id })
        })
    }

    fn offset(&self, record: TypeId, steps: &[Step]) -> Result<u64, ExprError> {
        let types = self.types()?;
        let (mut at, mut offset) = (record, 0u64);
        for step in steps {
            let (next, distance) = match step {
                Step::Member(name) => {
                    let field = types.member(at, name)?;
                    if field.bits.is_some() {
                        let (type_name, kind) =
                            (Some(types.name(at)), super::OperandKind::BitField);
                        let operator = Operator::OffsetOf(name.to_string());
                        return Err(ExprError::WrongOperand { operator, type_name, kind });
                    }
                    (field.type_id, field.offset)
                }
                Step::Index(index) => {
                    let element = self.array_element(at)?.ok_or_else(|| TypeError::WrongKind {
                        type_name: types.name(at),
                        wanted: WantedKind::Array,
                    })?;
                    (element, index.wrapping_mul(types.size_of(element)?))
                }
            };
            (at, offset) = (next, offset.wrapping_add(distance));
        }
        Ok(offset)
    }
}
