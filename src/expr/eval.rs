//! What an expression is worth in one vnet.
//!
//! A name is looked up as C code in that vnet would see it: a virtualized
//! variable first (with or without its `V_`), then a global of the kernel. A
//! symbol `vnet_entry_NAME` is what it is in the symbol table: the initial
//! value in the kernel's own set. Arithmetic is done in 128 bits and then cut to
//! the width of the wider operand's type, as C does.

mod operand;
mod scattered;

use std::cell::RefCell;

use crate::addr::VirtAddr;
use crate::error::{ExprError, TypeError, VnetError};
use crate::expr::{Binary, Expr, ExprKind, Name, TypeName, Unary};
use crate::kernel::{SymbolKind, VNET_PREFIX};
use crate::target::Target;
use crate::types::model::{Encoding, Type};
use crate::types::{self, Static, TypeId, Types};
use crate::value::bits;
use crate::vnet::variables::{self, Variables};
use crate::vnet::{Vnet, VnetVariable};

pub use operand::Operand;
pub use scattered::Scattered;

/// What the names in an expression may mean.
pub struct Scope<'t> {
    target: &'t Target,
    /// `None` in a kernel without VIMAGE.
    variables: Option<&'t Variables>,
    vnet: Option<&'t Vnet>,
    remarks: RefCell<Vec<Box<str>>>,
}

impl<'t> Scope<'t> {
    /// `variables` are `None` in a kernel without VIMAGE.
    pub fn new(
        target: &'t Target,
        variables: Option<&'t Variables>,
        vnet: Option<&'t Vnet>,
    ) -> Self {
        Self { target, variables, vnet, remarks: RefCell::default() }
    }

    /// What was doubtful about the expressions evaluated so far, a sentence each.
    pub fn remarks(self) -> Vec<Box<str>> {
        self.remarks.into_inner()
    }

    /// Evaluates an expression, reading memory only where a pointer is followed.
    ///
    /// # Errors
    /// A name, member or type is not known, an operator does not apply, or a
    /// pointer on the way cannot be read.
    pub fn eval(&self, expr: &Expr) -> Result<Operand, ExprError> {
        match &expr.kind {
            ExprKind::Name(name) => self.name(name),
            ExprKind::Int(value) => Ok(number(i128::from(*value))),
            ExprKind::Member { base, name, arrow } => self.member(base, name, *arrow),
            ExprKind::Index { base, index } => {
                let index = self.number(index)?;
                let base = self.eval(base)?;
                self.element(&base, index)
            }
            ExprKind::Unary { op, operand } => self.unary(*op, operand),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right),
            ExprKind::Cast { to, operand } => {
                let to = self.type_named(to)?;
                let operand = self.eval(operand)?;
                self.cast(to, &operand)
            }
            ExprKind::SizeOfType(name) => {
                let id = self.type_named(name)?;
                Ok(number(self.types()?.size_of(id)?.into()))
            }
            ExprKind::SizeOf(operand) => self.size_of(operand),
        }
    }

    fn name(&self, name: &Name) -> Result<Operand, ExprError> {
        let bare = name.name.strip_prefix("V_").unwrap_or(&name.name);
        if let Some(variables) = self.variables
            && let Some(variable) = variables.one(bare, name.file.as_deref())?
        {
            return self.variable(variable);
        }
        if let (Some(variables), Some(file)) = (self.variables, &name.file)
            && let Ok(elsewhere @ [_, ..]) = variables.matching(bare).as_deref()
        {
            let name = format!("{bare}@{file}");
            let near = elsewhere.iter().filter_map(|v| Some(format!("{bare}@{}", v.home()?)));
            return Err(VnetError::NoSuchVariable { name, near: near.collect() }.into());
        }
        // Without VIMAGE the plain global is what V_ names.
        let plain = if self.variables.is_none() { bare } else { &name.name };
        self.global(plain, name.file.as_deref())
    }

    fn variable(&self, variable: &VnetVariable) -> Result<Operand, ExprError> {
        let name = || variable.name.to_string();
        let vnet = self.vnet.ok_or_else(|| ExprError::NoVnet { name: name() })?;
        let address = vnet
            .copy_of(self.target, variable.master)
            .map_err(|why| ExprError::NoCopy { name: name(), why: why.into() })?;
        Ok(place(variable.type_id, address, variable.size))
    }

    fn global(&self, name: &str, file: Option<&str>) -> Result<Operand, ExprError> {
        let symbols: Vec<_> = self.target.kernel().symbols().named(name).collect();
        let typed = |address| self.target.types().ok().and_then(|t| t.variable_at(address));
        if let ([first, _, ..], Some(file)) = (&symbols[..], file) {
            let in_file = symbols.iter().find_map(|symbol| {
                let found = typed(symbol.address)?;
                found.file.as_deref()?.ends_with(file).then_some((symbol, found))
            });
            if let Some((symbol, found)) = in_file {
                return Ok(place(Some(found.type_id), symbol.address, symbol.size));
            }
            if let Some(found) = self.static_named(name, Some(file)) {
                return found;
            }
            let name = first.name.to_owned();
            return Err(VnetError::NoSuchVariable {
                name: format!("{name}@{file}"),
                near: vec![name],
            }
            .into());
        }
        let Some(symbol) = self.target.kernel().symbol(name) else {
            let renamed = self.static_named(name, file);
            return renamed.unwrap_or_else(|| Err(self.unknown_in(name, file)));
        };
        if symbol.kind == SymbolKind::Function {
            return Ok(Operand::Function { address: symbol.address });
        }
        let type_id = typed(symbol.address).map(|found| found.type_id);
        // What the symbol has may be no more than a part of the variable.
        let shrunk = || self.static_named(name, file)?.ok();
        if type_id.is_none()
            && let Some(found @ Operand::Scattered(_)) = shrunk()
        {
            return Ok(found);
        }
        Ok(place(type_id, symbol.address, symbol.size))
    }

    /// The static variable of that name that no symbol leads to; of several the first,
    /// which is remarked.
    fn static_named(&self, name: &str, file: Option<&str>) -> Option<Result<Operand, ExprError>> {
        let is_meant = |found: &Static| {
            file.is_none_or(|file| found.file.as_deref().is_some_and(|path| path.ends_with(file)))
        };
        let found: Vec<_> = self.target.statics(name).into_iter().filter(is_meant).collect();
        let operand = Scattered::of(self.target, found.first()?);
        if let [_, _, ..] = found[..] {
            let names = found.iter().map(|found| match (&found.function, &found.file) {
                (Some(function), _) => format!("{function}.{name}"),
                (None, Some(file)) => format!("{name}@{file}"),
                (None, None) => name.to_owned(),
            });
            let mut names: Vec<String> = names.collect();
            names.dedup();
            if names.len() > 1 {
                let count = names.len();
                let names = names.join(", ");
                let remark = format!(
                    "{count} static variables are called {name}: {names}; this is the first"
                );
                self.remarks.borrow_mut().push(remark.into());
            }
        }
        Some(operand)
    }

    /// `function.name`, as symbols call the static variable of a function.
    fn static_of_function(
        &self,
        function: &Expr,
        name: &str,
    ) -> Option<Result<Operand, ExprError>> {
        let ExprKind::Name(Name { name: function, .. }) = &function.kind else { return None };
        let mut found = self.target.statics(name).into_iter();
        let found = found.find(|found| found.function.as_deref() == Some(function))?;
        Some(Scattered::of(self.target, &found))
    }

    fn unknown_in(&self, name: &str, file: Option<&str>) -> ExprError {
        let elsewhere = self.target.statics(name);
        let files = elsewhere.iter().filter_map(|found| found.file.as_deref());
        let near: Vec<String> = files.map(|path| format!("{name}@{path}")).collect();
        match file {
            Some(file) if !near.is_empty() => {
                VnetError::NoSuchVariable { name: format!("{name}@{file}"), near }.into()
            }
            _ => self.unknown(name),
        }
    }

    fn unknown(&self, name: &str) -> ExprError {
        if let Ok(types) = self.target.types() {
            if types.has_variable(name) {
                return ExprError::OptimisedOut(name.to_owned());
            }
            if types.find(name).is_ok() {
                return ExprError::TypeNotValue(name.to_owned());
            }
        }
        let bare = name.strip_prefix("V_").unwrap_or(name);
        let mut near = match self.variables.map(|variables| variables.matching(bare)) {
            Some(Err(VnetError::NoSuchVariable { near, .. })) => near,
            _ => Vec::new(),
        };
        // What begins with V_ was meant to be a vnet's.
        if self.variables.is_none() || bare == name {
            let named = variables::names_like(self.target.kernel(), bare);
            near.extend(named.into_iter().filter(|name| !name.starts_with(VNET_PREFIX)));
            near.sort_unstable();
            near.dedup();
            near = types::most_like(near, |known| known, bare);
        }
        ExprError::NoSuchName { name: name.to_owned(), near }
    }

    fn member(&self, base: &Expr, name: &str, arrow: bool) -> Result<Operand, ExprError> {
        let operand = self.eval(base)?;
        if let Operand::Function { .. } = operand
            && let Some(found) = self.static_of_function(base, name)
        {
            return found;
        }
        let types = self.types()?;
        if let Operand::Scattered(whole) = &operand {
            let field = types.member(whole.type_id, name)?;
            let len = match field.bits {
                Some(bits) => bits::bytes_of(bits) as u64,
                None => types.size_of(field.type_id)?,
            };
            let name = format!(".{name}");
            return whole.part(&name, field.type_id, field.offset, len, field.bits);
        }
        // As in gdb, `.` and `->` both do what only one of them can mean.
        let record = match self.pointee(&operand)? {
            Some(_) => self.follow(&operand)?,
            None => operand,
        };
        let Operand::Place { type_id, address, bits: None } = record else {
            let operator = if arrow { "->" } else { "." };
            return Err(self.wrong(&format!("{operator}{name}"), &record));
        };
        let field = types.member(type_id, name)?;
        let address = address.wrapping_add(field.offset);
        Ok(Operand::Place { type_id: field.type_id, address, bits: field.bits })
    }

    fn element(&self, base: &Operand, index: i128) -> Result<Operand, ExprError> {
        let types = self.types()?;
        self.check_index(base, index)?;
        if let (Operand::Scattered(whole), Some(element)) = (base, self.array_element(base)?) {
            let size = types.size_of(element)?;
            let offset = u64::try_from(index).ok().and_then(|index| index.checked_mul(size));
            let offset = offset.unwrap_or(u64::MAX);
            return whole.part(&format!("[{index}]"), element, offset, size, None);
        }
        let (element, start) = match (self.array_element(base)?, self.pointee(base)?) {
            (Some(element), _) => (element, base.address().ok_or_else(|| self.wrong("[]", base))?),
            (None, Some(element)) => (element, VirtAddr::new(self.value_of(base)? as u64)),
            (None, None) => return Err(self.wrong("[]", base)),
        };
        let offset = index.wrapping_mul(types.size_of(element)?.into()) as u64;
        let address = VirtAddr::new(self.target.arch().wrap(start.get().wrapping_add(offset)));
        Ok(Operand::Place { type_id: element, address, bits: None })
    }

    /// Past the end of a declared array lies something else. An array of none or one
    /// at the end of a struct may be the old way to write a flexible one.
    fn check_index(&self, base: &Operand, index: i128) -> Result<(), ExprError> {
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
            let remark = format!("[{index}] is outside of an array of type {what}");
            self.remarks.borrow_mut().push(remark.into());
        }
        Ok(())
    }

    fn unary(&self, op: Unary, operand: &Expr) -> Result<Operand, ExprError> {
        let inner = self.eval(operand)?;
        match op {
            Unary::Deref if self.array_element(&inner)?.is_some() => self.element(&inner, 0),
            Unary::Deref => self.follow(&inner),
            Unary::AddressOf => match inner {
                Operand::Place { type_id, address, bits: None } => Ok(Operand::Number {
                    value: address.get().into(),
                    type_id: Some(self.types()?.pointer_to(type_id)),
                }),
                // As in C, a function is its own address.
                function @ Operand::Function { .. } => Ok(function),
                Operand::Untyped { address, .. } => {
                    let to_void = self.target.types().map(|types| types.pointer_to(TypeId::VOID));
                    Ok(Operand::Number { value: address.get().into(), type_id: to_void.ok() })
                }
                other => Err(self.wrong("&", &other)),
            },
            Unary::Negate => Ok(number(self.value_of(&inner)?.wrapping_neg())),
            Unary::Complement => Ok(number(!self.value_of(&inner)?)),
        }
    }

    fn binary(&self, op: Binary, left: &Expr, right: &Expr) -> Result<Operand, ExprError> {
        let (left, right) = (self.eval(left)?, self.eval(right)?);
        if let (Some(to), Binary::Add | Binary::Subtract) = (self.pointee(&left)?, op) {
            return self.pointer_sum(op, &left, &right, to);
        }
        let (a, b) = (self.value_of(&left)?, self.value_of(&right)?);
        let value = match op {
            Binary::Multiply => a.wrapping_mul(b),
            Binary::Divide => a.checked_div(b).ok_or(ExprError::DivisionByZero)?,
            Binary::Remainder => a.checked_rem(b).ok_or(ExprError::DivisionByZero)?,
            Binary::Add => a.wrapping_add(b),
            Binary::Subtract => a.wrapping_sub(b),
            Binary::ShiftLeft => a << shift_count(b)?,
            Binary::ShiftRight => a >> shift_count(b)?,
            Binary::And => a & b,
            Binary::Xor => a ^ b,
            Binary::Or => a | b,
        };
        Ok(number(bits::sign_extend(value as u128, if fits(value) { 128 } else { 64 })))
    }

    fn pointer_sum(
        &self,
        op: Binary,
        left: &Operand,
        right: &Operand,
        to: TypeId,
    ) -> Result<Operand, ExprError> {
        let size = i128::from(self.types()?.size_of(to).unwrap_or(1).max(1));
        let (a, b) = (self.value_of(left)?, self.value_of(right)?);
        if op == Binary::Subtract && self.pointee(right)?.is_some() {
            return Ok(number(a.wrapping_sub(b) / size));
        }
        let distance = b.wrapping_mul(size);
        let value =
            if op == Binary::Add { a.wrapping_add(distance) } else { a.wrapping_sub(distance) };
        let value = i128::from(self.target.arch().wrap(value as u64));
        Ok(Operand::Number { value, type_id: Some(self.types()?.pointer_to(to)) })
    }

    fn cast(&self, to: TypeId, operand: &Operand) -> Result<Operand, ExprError> {
        let types = self.types()?;
        let (_, kind) = types.resolve(to)?;
        if matches!(&*kind, Type::Record(_) | Type::Array(_)) {
            // Looks at the same bytes as another type, which C forbids and
            // every debugger allows.
            return match operand.address() {
                Some(address) => Ok(Operand::Place { type_id: to, address, bits: None }),
                None => Err(self.wrong(&format!("({})", types.name(to)), operand)),
            };
        }
        let value = match self.array_element(operand)? {
            // An array decays to the address of its first element.
            Some(_) => operand.address().map_or(0, |address| address.get().into()),
            None => self.value_of(operand)?,
        };
        if matches!(&*kind, Type::Base(base) if base.encoding == Encoding::Bool) {
            return Ok(Operand::Number { value: (value != 0).into(), type_id: Some(to) });
        }
        let width = types.size_of(to)?.saturating_mul(8);
        let signed = types.is_signed(to)?;
        let cut = bits::sign_extend(value as u128, width);
        let cut = if signed || width >= 128 { cut } else { cut & ((1i128 << width) - 1) };
        Ok(Operand::Number { value: cut, type_id: Some(to) })
    }

    fn size_of(&self, operand: &Expr) -> Result<Operand, ExprError> {
        if let ExprKind::Name(Name { name, file: None }) = &operand.kind
            && let (Err(_), Ok(id)) = (self.eval(operand), self.types()?.find(name))
        {
            return Ok(number(self.types()?.size_of(id)?.into()));
        }
        match self.eval(operand)? {
            Operand::Place { type_id, bits: None, .. }
            | Operand::Scattered(Scattered { type_id, bits: None, .. })
            | Operand::Number { type_id: Some(type_id), .. } => {
                Ok(number(self.types()?.size_of(type_id)?.into()))
            }
            Operand::Untyped { size, .. } => Ok(number(size.into())),
            other => Err(self.wrong("sizeof", &other)),
        }
    }

    /// What a pointer points at, as a place.
    fn follow(&self, pointer: &Operand) -> Result<Operand, ExprError> {
        let to = self.pointee(pointer)?.ok_or_else(|| self.wrong("*", pointer))?;
        let address = VirtAddr::new(self.value_of(pointer)? as u64);
        Ok(Operand::Place { type_id: to, address, bits: None })
    }

    fn pointee(&self, operand: &Operand) -> Result<Option<TypeId>, ExprError> {
        let (Operand::Place { type_id, .. }
        | Operand::Scattered(Scattered { type_id, .. })
        | Operand::Number { type_id: Some(type_id), .. }) = operand
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
    fn array_element(&self, operand: &Operand) -> Result<Option<TypeId>, ExprError> {
        let (Operand::Place { type_id, .. } | Operand::Scattered(Scattered { type_id, .. })) =
            operand
        else {
            return Ok(None);
        };
        let types = self.types()?;
        let (_, kind) = types.resolve(*type_id)?;
        let Type::Array(array) = &*kind else { return Ok(None) };
        Ok(Some(match &array.counts[..] {
            [] | [_] => array.element,
            [_, inner @ ..] => types.rows_of(array.element, inner),
        }))
    }

    fn number(&self, expr: &Expr) -> Result<i128, ExprError> {
        let operand = self.eval(expr)?;
        self.value_of(&operand)
    }

    /// The number that an operand is: an integer, enum or bool, or a pointer's address.
    fn value_of(&self, operand: &Operand) -> Result<i128, ExprError> {
        let (type_id, address, field) = match *operand {
            Operand::Number { value, .. } => return Ok(value),
            Operand::Untyped { address, size: size @ (1 | 2 | 4 | 8) } => {
                return Ok(self.target.memory().uint(address, size as usize)?.into());
            }
            Operand::Function { address } => return Ok(address.get().into()),
            Operand::Untyped { .. } => return Err(self.wrong("arithmetic", operand)),
            Operand::Place { type_id, address, bits } => (type_id, address, bits),
            Operand::Scattered(ref scattered) => return self.scattered_value(scattered, operand),
        };
        let types = self.types()?;
        let (_, kind) = types.resolve(type_id)?;
        if !matches!(&*kind, Type::Base(_) | Type::Enum(_) | Type::Pointer(_)) {
            return Err(self.wrong("arithmetic", operand));
        }
        let size = field.map_or(types.size_of(type_id)?, |field| bits::bytes_of(field) as u64);
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..size.min(16) as usize];
        self.target.memory().read(address, bytes)?;
        let endian = self.target.arch().endian();
        let (raw, width) = match field {
            Some(field) => (bits::extract(endian, bytes, field), field.bit_size),
            None => (endian.uint(bytes), size.saturating_mul(8)),
        };
        Ok(if types.is_signed(type_id)? { bits::sign_extend(raw, width) } else { raw as i128 })
    }

    fn scattered_value(&self, part: &Scattered, operand: &Operand) -> Result<i128, ExprError> {
        let types = self.types()?;
        let (_, kind) = types.resolve(part.type_id)?;
        if !matches!(&*kind, Type::Base(_) | Type::Enum(_) | Type::Pointer(_)) {
            return Err(self.wrong("arithmetic", operand));
        }
        let (raw, width) = part.uint(self.target)?;
        let signed = types.is_signed(part.type_id)?;
        Ok(if signed { bits::sign_extend(raw, width) } else { raw as i128 })
    }

    fn type_named(&self, name: &TypeName) -> Result<TypeId, ExprError> {
        let types = self.types()?;
        let mut id = types.find(&name.base)?;
        for _ in 0..name.pointers {
            id = types.pointer_to(id);
        }
        Ok(id)
    }

    fn types(&self) -> Result<&'t Types, ExprError> {
        Ok(self.target.types()?)
    }

    fn wrong(&self, operator: &str, operand: &Operand) -> ExprError {
        operand.refused(operator, self.target)
    }
}

fn place(type_id: Option<TypeId>, address: VirtAddr, size: u64) -> Operand {
    match type_id {
        Some(type_id) => Operand::Place { type_id, address, bits: None },
        None => Operand::Untyped { address, size },
    }
}

/// C leaves shifts by more than a number's width, or by less than nothing, undefined.
fn shift_count(count: i128) -> Result<u32, ExprError> {
    match u32::try_from(count) {
        Ok(count @ 0..=63) => Ok(count),
        _ => Err(ExprError::ShiftCount(count)),
    }
}

fn number(value: i128) -> Operand {
    Operand::Number { value, type_id: None }
}

fn fits(value: i128) -> bool {
    i64::try_from(value).is_ok() || u64::try_from(value).is_ok()
}
