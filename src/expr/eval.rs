//! The value of an expression in one network stack.
//!
//! A name is looked up as C code in that vnet would see it: a virtualized
//! variable first (with or without its `V_`), then a global of the kernel. A
//! symbol `vnet_entry_NAME` is what it is in the symbol table: the initial
//! value in the kernel's own set. Arithmetic is C's, in the types that C does it in. What is done
//! to the elements of a list is done to each.

mod cpus;
mod error;
mod kept;
mod lists;
mod logic;
mod many;
mod names;
mod numbers;
mod objects;
mod offsets;
mod operand;
mod places;
mod scattered;
mod surroundings;
mod totals;

use std::cell::{Cell, RefCell};
use std::ops::Range;

use crate::expr::integer::{Integer, IntegerType, Undefined};
use crate::expr::{Binary, Expr, ExprKind, Function, Unary};
use crate::target::Target;
use crate::types::{TypeId, Types};
use crate::vnet::Stack;
use crate::vnet::variables::Variables;

pub use error::{ExprError, OperandKind, Operator};
pub use kept::{Kept, KeptValue};
pub use operand::{Many, Operand};
pub use scattered::Scattered;
pub use surroundings::{CopyOfCpu, Surroundings};

/// The names that an expression can use.
pub struct Scope<'t> {
    target: &'t Target,
    /// `None` in a kernel without VIMAGE.
    variables: Option<&'t Variables>,
    stack: Stack<'t>,
    around: &'t dyn Surroundings<'t>,
    kept: Option<&'t Kept>,
    /// The elements that filters decide about, the innermost last.
    elements: RefCell<Vec<Operand>>,
    notes: RefCell<Vec<Box<str>>>,
    remarks: RefCell<Vec<Box<str>>>,
    /// The part of the expression that failed, the innermost one.
    mistake: RefCell<Option<Range<usize>>>,
    /// Only the type is asked for, as of the operand of `sizeof`: nothing is read.
    unevaluated: Cell<bool>,
}

impl<'t> Scope<'t> {
    /// `variables` are `None` in a kernel without VIMAGE.
    pub fn new(
        target: &'t Target,
        variables: Option<&'t Variables>,
        stack: Stack<'t>,
        around: &'t dyn Surroundings<'t>,
        kept: Option<&'t Kept>,
    ) -> Self {
        let (elements, notes, remarks, mistake, unevaluated) = Default::default();
        Self {
            target,
            variables,
            stack,
            around,
            kept,
            elements,
            notes,
            remarks,
            mistake,
            unevaluated,
        }
    }

    /// What explains the expressions evaluated so far, and doubts about them, a sentence each.
    pub fn said(self) -> (Vec<Box<str>>, Vec<Box<str>>) {
        (self.notes.into_inner(), self.remarks.into_inner())
    }

    /// Evaluates an expression, reading memory only where a number is needed to go on.
    ///
    /// # Errors
    /// A name, member or type is unknown, an operator does not apply, or a
    /// pointer on the way cannot be read.
    pub fn eval(&self, expr: &Expr) -> Result<Operand, ExprError> {
        self.eval_part(expr).inspect_err(|_| {
            self.mistake.borrow_mut().get_or_insert_with(|| expr.point());
        })
    }

    /// The part of the last expression that has no value.
    pub fn mistake(&self) -> Option<Range<usize>> {
        self.mistake.borrow().clone()
    }

    fn eval_part(&self, expr: &Expr) -> Result<Operand, ExprError> {
        self.target.budget().work(1)?;
        match &expr.kind {
            ExprKind::Name(name) => self.name(name),
            ExprKind::Int(literal) => Ok(Operand::Integer(literal.integer(self.target.arch()))),
            ExprKind::Dpcpu { name, cpu } => self.dpcpu(name, cpu.as_deref()),
            ExprKind::Text(text) => Ok(Operand::Text(text.clone())),
            ExprKind::Kept(name) => self.kept.unwrap_or(&Kept::default()).get(name),
            ExprKind::Call { function, argument } => self.call(*function, argument),
            ExprKind::Element => self.element_of_filter(),
            ExprKind::Member { base, name, arrow } => self.member(base, name, *arrow),
            ExprKind::Index { base, index } => {
                let base = self.eval(base)?;
                let index = self.index_of(&base, index)?;
                self.index(base, index)
            }
            ExprKind::Slice { base, from, to } => self.slice(base, from, to),
            ExprKind::Repeat { start, count } => self.repeat(start, count),
            ExprKind::All(base) => self.all(base),
            ExprKind::Along { base, link, index } => self.along(base, link, index),
            ExprKind::Filter { base, condition } => self.filter(base, condition),
            ExprKind::Unary { op, operand } => {
                let operand = self.eval(operand)?;
                self.each(operand, &mut |operand| self.unary(*op, operand))
            }
            ExprKind::Binary { op, left, right } => {
                let left = self.eval(left)?;
                let right = self.eval(right).map_err(|why| match op.compares() {
                    true => self.or_text(why, &left),
                    false => why,
                })?;
                self.each_of_two(left, right, &mut |left, right| self.binary(*op, &left, &right))
            }
            ExprKind::Logical { op, left, right } => self.logical(*op, left, right),
            ExprKind::Conditional { condition, yes, no } => self.conditional(condition, yes, no),
            ExprKind::Cast { to, operand } => {
                let to = self.type_named(to)?;
                let operand = self.eval(operand)?;
                self.each(operand, &mut |operand| self.cast(to, &operand))
            }
            ExprKind::OffsetOf { of, steps } => self.offset_of(of, steps),
            ExprKind::ContainerOf { pointer, of, steps } => self.container_of(pointer, of, steps),
            ExprKind::SizeOfType(name) => {
                let id = self.type_named(name)?;
                Ok(self.size(self.types()?.size_of(id)?))
            }
            ExprKind::SizeOf(operand) => self.size_of(operand),
        }
    }

    fn call(&self, function: Function, argument: &Expr) -> Result<Operand, ExprError> {
        let argument = self.eval(argument).map_err(|why| match function {
            Function::Jail => why.or_quoted(),
            _ => why,
        })?;
        match function {
            Function::Cpu | Function::Vnet | Function::Jail | Function::Thread => {
                self.each(argument, &mut |argument| self.found_by(function, &argument))
            }
            _ => self.total(function, argument),
        }
    }

    fn unary(&self, op: Unary, inner: Operand) -> Result<Operand, ExprError> {
        let arch = self.target.arch();
        Ok(Operand::Integer(match op {
            Unary::Deref => return self.follow(&inner),
            Unary::AddressOf => return self.address_of(inner),
            Unary::Plus => self.integer(&inner)?,
            Unary::Negate => self.integer(&inner)?.negate(arch),
            Unary::Complement => self.integer(&inner)?.complement(arch),
            Unary::Not => Integer::truth(!self.truth(&inner)?),
        }))
    }

    fn binary(&self, op: Binary, left: &Operand, right: &Operand) -> Result<Operand, ExprError> {
        if op.compares() {
            return self.compare(op, left, right);
        }
        if let Binary::Add | Binary::Subtract = op
            && let Some(sum) = self.pointer_sum(op, left, right)?
        {
            return Ok(sum);
        }
        let (a, b) = (self.integer(left)?, self.integer(right)?);
        match a.binary(op, b, self.target.arch()) {
            Ok(result) => Ok(Operand::Integer(result)),
            // An operand that is not computed has a type all the same.
            Err(_) if self.unevaluated.get() => Ok(Operand::Integer(a)),
            Err(why) => Err(self.undefined(why)),
        }
    }

    /// The operand of `sizeof` is not evaluated: a pointer in it is not followed.
    fn size_of(&self, operand: &Expr) -> Result<Operand, ExprError> {
        let found = self.without_reading(operand);
        if let (Err(_), ExprKind::Name(name)) = (&found, &operand.kind)
            && let Ok(id) = self.types()?.find(&name.to_string())
        {
            self.forgive();
            return Ok(self.size(self.types()?.size_of(id)?));
        }
        match found? {
            Operand::Place { type_id, bits: None, .. }
            | Operand::Scattered(Scattered { type_id, bits: None, .. })
            | Operand::Number { type_id, .. } => Ok(self.size(self.types()?.size_of(type_id)?)),
            Operand::Integer(Integer { of, .. }) => {
                Ok(self.size(u64::from(of.bits(self.target.arch()) / 8)))
            }
            Operand::Untyped { size, .. } => Ok(self.size(size)),
            other => Err(self.wrong(Operator::Sizeof, &other)),
        }
    }

    /// What an expression would be, if its memory were read.
    fn without_reading(&self, expr: &Expr) -> Result<Operand, ExprError> {
        let outer = self.unevaluated.replace(true);
        let found = self.eval(expr);
        self.unevaluated.set(outer);
        found
    }

    /// What failed is no mistake.
    fn forgive(&self) {
        self.mistake.take();
    }

    /// The type of an expression, which is not evaluated.
    ///
    /// # Errors
    /// As [`Scope::eval`], or it has none.
    pub fn type_of(&self, expr: &Expr) -> Result<TypeId, ExprError> {
        match self.without_reading(expr)? {
            Operand::Place { type_id, .. }
            | Operand::Scattered(Scattered { type_id, .. })
            | Operand::Number { type_id, .. } => Ok(type_id),
            Operand::Integer(Integer { of, .. }) => Ok(self.types()?.find(of.name())?),
            other => Err(self.wrong(Operator::Typeof, &other)),
        }
    }

    /// A number of bytes, as a `size_t`.
    fn size(&self, bytes: u64) -> Operand {
        let arch = self.target.arch();
        Operand::Integer(IntegerType::size(arch).wrap(bytes.into(), arch))
    }

    fn undefined(&self, why: Undefined) -> ExprError {
        match why {
            Undefined::DivisionByZero => ExprError::DivisionByZero,
            Undefined::Shift { count, of } => {
                ExprError::ShiftCount { count, of: of.name(), bits: of.bits(self.target.arch()) }
            }
        }
    }

    fn remark(&self, remark: String) {
        let mut remarks = self.remarks.borrow_mut();
        let remark = remark.into_boxed_str();
        if !self.unevaluated.get() && !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }

    fn types(&self) -> Result<&'t Types, ExprError> {
        Ok(self.target.types()?)
    }

    fn wrong(&self, operator: Operator, operand: &Operand) -> ExprError {
        operand.refused(operator, self.target)
    }
}

fn place(type_id: Option<TypeId>, address: crate::addr::VirtAddr, size: u64) -> Operand {
    match type_id {
        Some(type_id) => Operand::place(type_id, address),
        None => Operand::Untyped { address, size },
    }
}
