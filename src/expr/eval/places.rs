//! Members, elements, and targets of pointers.

use crate::addr::VirtAddr;
use crate::expr::eval::{ExprError, Operand, Operator, Scattered, Scope};
use crate::expr::integer::IntegerType;
use crate::expr::{Binary, Expr};
use crate::types::model::Type;
use crate::types::{TypeError, TypeId};
use crate::value::{NumberMeaning, bits};

impl Scope<'_> {
    pub(super) fn member(
        &self,
        base: &Expr,
        name: &str,
        arrow: bool,
    ) -> Result<Operand, ExprError> {
        let operand = self.eval(base)?;
        if let Operand::Function { .. } = operand
            && let Some(found) = self.static_of_function(base, name)
        {
            return found;
        }
        self.each(operand, &mut |operand| self.member_of(operand, name, arrow))
    }

    fn member_of(&self, operand: Operand, name: &str, arrow: bool) -> Result<Operand, ExprError> {
        let types = self.types()?;
        if let Operand::Scattered(whole) = &operand
            && self.pointee(&operand)?.is_none()
        {
            let field = types.member(whole.type_id, name)?;
            let len = match field.bits {
                Some(bits) => bits::bytes_of(bits) as u64,
                None => types.size_of(field.type_id)?,
            };
            let name = format!(".{name}");
            let part = whole.part(&name, field.type_id, field.offset, len, field.bits);
            return Operand::of_pieces(part);
        }
        // As in gdb, `.` and `->` both do what only one of them can mean.
        let record = match self.pointee(&operand)? {
            Some(_) => self.follow(&operand)?,
            None => operand,
        };
        let Operand::Place { type_id, address, bits: None, .. } = record else {
            let operator = if arrow { "->" } else { "." };
            return Err(self.wrong(Operator::Member(format!("{operator}{name}")), &record));
        };
        if let Some(found) = self.variable_of(type_id, address, name) {
            return found;
        }
        let field = match types.member(type_id, name) {
            Err(TypeError::NoMember { .. }) if self.is_variable_of(type_id, name) => {
                return Err(ExprError::VariableNotMember(name.into()));
            }
            found => found?,
        };
        let address = address.wrapping_add(field.offset);
        let meaning = NumberMeaning::of_member_in(types, type_id, name);
        Ok(Operand::Place { type_id: field.type_id, address, bits: field.bits, meaning })
    }

    /// `base[index]`, and as C has it `index[base]`. The base may be the head of a list.
    pub(super) fn index(&self, base: Operand, index: Operand) -> Result<Operand, ExprError> {
        self.each_of_two(base, index, &mut |mut base, mut index| {
            if self.array_or_pointer(&base)?.is_none() && self.array_or_pointer(&index)?.is_some() {
                std::mem::swap(&mut base, &mut index);
            }
            let index = self.integer(&index)?.value;
            if let Some(mut picked) = self.of_list(&base, index, index)? {
                return picked.elements.pop().ok_or_else(|| self.wrong(Operator::Index, &base));
            }
            self.check_index(&base, index)?;
            self.element(&base, index)
        })
    }

    /// The element of that number, inside the array or not.
    pub(super) fn element(&self, base: &Operand, index: i128) -> Result<Operand, ExprError> {
        if let Operand::Scattered(whole) = base
            && let Some(element) = self.array_element(whole.type_id)?
        {
            let size = self.types()?.size_of(element)?;
            let offset = u64::try_from(index).ok().and_then(|index| index.checked_mul(size));
            let offset = offset.unwrap_or(u64::MAX);
            let part = whole.part(&format!("[{index}]"), element, offset, size, None);
            return Operand::of_pieces(part);
        }
        let (element, start) =
            self.array_or_pointer(base)?.ok_or_else(|| self.wrong(Operator::Index, base))?;
        let offset = index.wrapping_mul(self.types()?.size_of(element)?.into()) as u64;
        let address = VirtAddr::new(self.target.arch().wrap(start.wrapping_add(offset)));
        Ok(Operand::place(element, address))
    }

    /// Something else lies past the end of a declared array. An array of no or one element
    /// at the end of a struct may be the old way to write a flexible one.
    pub(super) fn check_index(&self, base: &Operand, index: i128) -> Result<(), ExprError> {
        let (Operand::Place { type_id, .. } | Operand::Scattered(Scattered { type_id, .. })) = base
        else {
            return Ok(());
        };
        let (_, kind) = self.types()?.resolve(*type_id)?;
        let Type::Array(array) = &*kind else { return Ok(()) };
        if let Some(Some(count @ 2..)) = array.counts.first()
            && !(0..i128::from(*count)).contains(&index)
        {
            let what = self.types()?.name(*type_id);
            self.remark(format!("[{index}] is outside an array of type {what}"));
        }
        Ok(())
    }

    /// The target of a pointer, as a place; of an array, its first element.
    pub(super) fn follow(&self, pointer: &Operand) -> Result<Operand, ExprError> {
        match pointer {
            Operand::Function { .. } => return Ok(pointer.clone()),
            Operand::Scattered(whole) if self.array_element(whole.type_id)?.is_some() => {
                return self.element(pointer, 0);
            }
            _ => {}
        }
        let (to, address) = self
            .array_or_pointer(pointer)?
            .ok_or_else(|| self.wrong(Operator::Dereference, pointer))?;
        Ok(Operand::place(to, VirtAddr::new(address)))
    }

    pub(super) fn address_of(&self, operand: Operand) -> Result<Operand, ExprError> {
        match operand {
            Operand::Place { type_id, address, bits: None, .. } => {
                let type_id = self.types()?.pointer_to(type_id);
                Ok(Operand::Number { value: address.get().into(), type_id })
            }
            // As in C, a function is its own address.
            function @ Operand::Function { .. } => Ok(function),
            Operand::Untyped { address, .. } => Ok(match self.target.types() {
                Ok(types) => {
                    let type_id = types.pointer_to(TypeId::VOID);
                    Operand::Number { value: address.get().into(), type_id }
                }
                Err(_) => self.address_alone(address.get()),
            }),
            other => Err(self.wrong(Operator::AddressOf, &other)),
        }
    }

    /// The sum or difference of operands, one of which is a pointer, counted in elements that it
    /// points to; `None` if neither is a pointer.
    pub(super) fn pointer_sum(
        &self,
        op: Binary,
        left: &Operand,
        right: &Operand,
    ) -> Result<Option<Operand>, ExprError> {
        let (pointers, number) = match (self.pointer(left)?, self.pointer(right)?) {
            (None, None) => return Ok(None),
            (Some(left), Some(other)) if op == Binary::Subtract => {
                return self.distance(left, other, right).map(Some);
            }
            (Some(_), Some(_)) => return Err(self.wrong(Operator::Plus, right)),
            (None, Some(_)) if op == Binary::Subtract => {
                return Err(self.wrong(Operator::Minus, right));
            }
            (Some(pointer), None) => (pointer, right),
            (None, Some(pointer)) => (pointer, left),
        };
        let (to, start) = pointers;
        let steps = self.integer(number)?.value;
        let distance = steps.wrapping_mul(self.step(to)?.into());
        let distance = if op == Binary::Add { distance } else { distance.wrapping_neg() };
        let value = self.target.arch().wrap(start.wrapping_add(distance as u64));
        let type_id = self.types()?.pointer_to(to);
        Ok(Some(Operand::Number { value: value.into(), type_id }))
    }

    fn distance(
        &self,
        (to, end): (TypeId, u64),
        (other, start): (TypeId, u64),
        right: &Operand,
    ) -> Result<Operand, ExprError> {
        let step = self.step(to)?;
        // The same type has another id in every unit: that the sizes agree has to do.
        if step != self.step(other)? {
            return Err(self.wrong(Operator::Minus, right));
        }
        let arch = self.target.arch();
        let of = IntegerType::distance(arch);
        let bytes = of.wrap(end.wrapping_sub(start).into(), arch).value;
        let steps = bytes.checked_div(step.into());
        Ok(Operand::Integer(of.wrap(steps.ok_or(ExprError::DivisionByZero)?, arch)))
    }

    /// The size of a step of a pointer to this type. Pointers to void and to functions
    /// step by single bytes, as in gcc and gdb.
    fn step(&self, to: TypeId) -> Result<u64, ExprError> {
        let types = self.types()?;
        match &*types.resolve(to)?.1 {
            Type::Void | Type::Function(_) => Ok(1),
            _ => Ok(types.size_of(to)?),
        }
    }

    /// As [`Scope::array_or_pointer`]; a function is a pointer too, to nothing that has a type.
    fn pointer(&self, operand: &Operand) -> Result<Option<(TypeId, u64)>, ExprError> {
        match operand {
            Operand::Function { address } => Ok(Some((TypeId::VOID, address.get()))),
            _ => self.array_or_pointer(operand),
        }
    }

    /// What a pointer points at, or an array's elements are, and the address of the
    /// first; `None` if it is neither.
    fn array_or_pointer(&self, operand: &Operand) -> Result<Option<(TypeId, u64)>, ExprError> {
        if let Some(to) = self.pointee(operand)? {
            return Ok(Some((to, self.integer(operand)?.value as u64)));
        }
        let Operand::Place { type_id, address, bits: None, .. } = operand else { return Ok(None) };
        Ok(self.array_element(*type_id)?.map(|element| (element, address.get())))
    }

    pub(super) fn pointee(&self, operand: &Operand) -> Result<Option<TypeId>, ExprError> {
        let (Operand::Place { type_id, .. }
        | Operand::Scattered(Scattered { type_id, .. })
        | Operand::Number { type_id, .. }) = operand
        else {
            return Ok(None);
        };
        match self.types()?.pointee(*type_id) {
            Ok(to) => Ok(Some(to)),
            Err(TypeError::WrongKind { .. }) => Ok(None),
            Err(why) => Err(why.into()),
        }
    }

    /// The type of an array's elements: for several dimensions, of its rows.
    pub(super) fn array_element(&self, type_id: TypeId) -> Result<Option<TypeId>, ExprError> {
        let types = self.types()?;
        let (_, kind) = types.resolve(type_id)?;
        let Type::Array(array) = &*kind else { return Ok(None) };
        Ok(Some(match &array.counts[..] {
            [] | [_] => array.element,
            [_, inner @ ..] => types.rows_of(array.element, inner),
        }))
    }
}
