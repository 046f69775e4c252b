//! The value of an expression in one network stack.
//!
//! A name is looked up as C code in that vnet would see it: a virtualized
//! variable first (with or without its `V_`), then a global of the kernel. A
//! symbol `vnet_entry_NAME` is what it is in the symbol table: the initial
//! value in the kernel's own set. Arithmetic is C's, in the types that C does it in.

mod cpus;
mod error;
mod names;
mod numbers;
mod operand;
mod places;
mod scattered;

use std::cell::{Cell, RefCell};

use crate::expr::integer::{Integer, IntegerType, Undefined};
use crate::expr::{Binary, Expr, ExprKind, Unary};
use crate::target::Target;
use crate::types::{TypeId, Types};
use crate::vnet::Stack;
use crate::vnet::variables::Variables;

pub use cpus::{CopyOfCpu, PerCpu};
pub use error::{ExprError, OperandKind, Operator};
pub use operand::Operand;
pub use scattered::Scattered;

/// The names that an expression can use.
pub struct Scope<'t> {
    target: &'t Target,
    /// `None` in a kernel without VIMAGE.
    variables: Option<&'t Variables>,
    stack: Stack<'t>,
    per_cpu: &'t dyn PerCpu<'t>,
    notes: RefCell<Vec<Box<str>>>,
    remarks: RefCell<Vec<Box<str>>>,
    /// Only the type is asked for, as of the operand of `sizeof`: nothing is read.
    unevaluated: Cell<bool>,
}

impl<'t> Scope<'t> {
    /// `variables` are `None` in a kernel without VIMAGE.
    pub fn new(
        target: &'t Target,
        variables: Option<&'t Variables>,
        stack: Stack<'t>,
        per_cpu: &'t dyn PerCpu<'t>,
    ) -> Self {
        let (notes, remarks, unevaluated) = Default::default();
        Self { target, variables, stack, per_cpu, notes, remarks, unevaluated }
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
        match &expr.kind {
            ExprKind::Name(name) => self.name(name),
            ExprKind::Int(literal) => Ok(Operand::Integer(literal.integer(self.target.arch()))),
            ExprKind::Dpcpu { name, cpu } => self.dpcpu(name, cpu.as_deref()),
            ExprKind::Cpu(number) => self.struct_pcpu(number),
            ExprKind::Member { base, name, arrow } => self.member(base, name, *arrow),
            ExprKind::Index { base, index } => self.index(base, index),
            ExprKind::Unary { op, operand } => self.unary(*op, operand),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right),
            ExprKind::Cast { to, operand } => {
                let to = self.type_named(to)?;
                let operand = self.eval(operand)?;
                self.cast(to, &operand)
            }
            ExprKind::SizeOfType(name) => {
                let id = self.type_named(name)?;
                Ok(self.size(self.types()?.size_of(id)?))
            }
            ExprKind::SizeOf(operand) => self.size_of(operand),
        }
    }

    fn unary(&self, op: Unary, operand: &Expr) -> Result<Operand, ExprError> {
        let inner = self.eval(operand)?;
        let arch = self.target.arch();
        Ok(Operand::Integer(match op {
            Unary::Deref => return self.follow(&inner),
            Unary::AddressOf => return self.address_of(inner),
            Unary::Plus => self.integer(&inner)?,
            Unary::Negate => self.integer(&inner)?.negate(arch),
            Unary::Complement => self.integer(&inner)?.complement(arch),
        }))
    }

    fn binary(&self, op: Binary, left: &Expr, right: &Expr) -> Result<Operand, ExprError> {
        let (left, right) = (self.eval(left)?, self.eval(right)?);
        if let Binary::Add | Binary::Subtract = op
            && let Some(sum) = self.pointer_sum(op, &left, &right)?
        {
            return Ok(sum);
        }
        let (a, b) = (self.integer(&left)?, self.integer(&right)?);
        match a.binary(op, b, self.target.arch()) {
            Ok(result) => Ok(Operand::Integer(result)),
            // An operand that is not computed has a type all the same.
            Err(_) if self.unevaluated.get() => Ok(Operand::Integer(a)),
            Err(why) => Err(self.undefined(why)),
        }
    }

    /// The operand of `sizeof` is not evaluated: a pointer in it is not followed.
    fn size_of(&self, operand: &Expr) -> Result<Operand, ExprError> {
        let outer = self.unevaluated.replace(true);
        let found = self.eval(operand);
        self.unevaluated.set(outer);
        if let (Err(_), ExprKind::Name(name)) = (&found, &operand.kind)
            && let Ok(id) = self.types()?.find(&name.to_string())
        {
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
        Some(type_id) => Operand::Place { type_id, address, bits: None },
        None => Operand::Untyped { address, size },
    }
}
