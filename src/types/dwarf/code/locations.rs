//! Where a variable is kept at an address of code: evaluates its DW_AT_location with the
//! registers there.

use gimli::{AttributeValue, EvaluationResult, Expression, Location, Register};

use crate::addr::VirtAddr;
use crate::types::dwarf::code::{Code, Scope, ScopedVariable};
use crate::types::dwarf::sections::Slice;

/// What is known of the registers at an address of code, and of memory.
pub trait Registers {
    /// A register, by its number in DWARF.
    fn register(&self, number: u16) -> Option<u64>;
    /// The canonical frame address.
    fn cfa(&self) -> Option<u64>;
    /// An integer of that many bytes in memory.
    fn memory(&self, address: VirtAddr, size: u64) -> Option<u64>;
    /// The distance from link addresses to those in memory.
    fn slide(&self) -> u64;
}

/// Where a variable is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// In memory.
    At(VirtAddr),
    /// In a register that is known, or the value follows from others.
    Value(u64),
    /// In bytes that the debug information has.
    Bytes(Box<[u8]>),
}

/// The most operations in one location.
const MOST_OPERATIONS: u32 = 1000;

impl<'t> Code<'t> {
    /// Whether the debug information says that `variable` is somewhere at `address`.
    pub fn is_located(&self, variable: &ScopedVariable<'t>, address: u64) -> bool {
        let located = || {
            let value = variable.location?;
            if variable.is_constant {
                return Some(());
            }
            let unit = self.unit(variable.unit)?;
            let expression = self.expression(&unit, value, address)?;
            (!expression.0.slice().is_empty()).then_some(())
        };
        located().is_some()
    }

    /// Where `variable` of `scope` is kept at `address`. `None` if it is nowhere, or if what
    /// leads to it is not known: its value is then not available.
    pub fn held(
        &self,
        scope: &Scope<'t>,
        variable: &ScopedVariable<'t>,
        address: u64,
        registers: &dyn Registers,
    ) -> Option<Held> {
        let value = variable.location?;
        if variable.is_constant {
            return match value {
                AttributeValue::Block(bytes) => Some(Held::Bytes(bytes.slice().into())),
                AttributeValue::Sdata(value) => Some(Held::Value(value as u64)),
                value => value.udata_value().map(Held::Value),
            };
        }
        let unit = self.unit(variable.unit)?;
        let place = Place { code: self, unit: &unit, address, registers };
        let expression = self.expression(&unit, value, address)?;
        place.evaluate(expression, scope.frame_base, 0)
    }

    /// The expression that holds at an address, out of a list if there is one.
    fn expression(
        &self,
        unit: &gimli::Unit<Slice<'t>>,
        value: AttributeValue<Slice<'t>>,
        address: u64,
    ) -> Option<Expression<Slice<'t>>> {
        match value {
            AttributeValue::Exprloc(expression) => return Some(expression),
            AttributeValue::Block(bytes) => return Some(Expression(bytes)),
            _ => {}
        }
        let mut list = self.dwarf.attr_locations(unit, value).ok()??;
        while let Some(entry) = list.next().ok()? {
            if entry.range.begin <= address && address < entry.range.end {
                return Some(entry.data);
            }
            self.reader.types.budget().work(1).ok()?;
        }
        None
    }
}

struct Place<'a, 't> {
    code: &'a Code<'t>,
    unit: &'a gimli::Unit<Slice<'t>>,
    address: u64,
    registers: &'a dyn Registers,
}

impl<'t> Place<'_, 't> {
    fn evaluate(
        &self,
        expression: Expression<Slice<'t>>,
        base: Option<AttributeValue<Slice<'t>>>,
        depth: usize,
    ) -> Option<Held> {
        let slide = self.registers.slide();
        let mut evaluation = expression.evaluation(self.unit.encoding());
        evaluation.set_max_iterations(MOST_OPERATIONS);
        let mut state = evaluation.evaluate().ok()?;
        loop {
            state = match state {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register, base_type } if base_type.0 == 0 => {
                    let value = self.registers.register(register.0)?;
                    evaluation.resume_with_register(gimli::Value::Generic(value))
                }
                EvaluationResult::RequiresFrameBase => {
                    // A frame's base does not depend on another.
                    let base = base.filter(|_| depth == 0)?;
                    let expression = self.code.expression(self.unit, base, self.address)?;
                    let at = match self.evaluate(expression, None, depth + 1)? {
                        Held::At(at) => at.get(),
                        Held::Value(at) => at,
                        Held::Bytes(_) => return None,
                    };
                    evaluation.resume_with_frame_base(at)
                }
                EvaluationResult::RequiresCallFrameCfa => {
                    evaluation.resume_with_call_frame_cfa(self.registers.cfa()?)
                }
                EvaluationResult::RequiresMemory { address, size, base_type, .. }
                    if base_type.0 == 0 =>
                {
                    let at = VirtAddr::new(address);
                    let word = self.registers.memory(at, size.into())?;
                    evaluation.resume_with_memory(gimli::Value::Generic(word))
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address.wrapping_add(slide))
                }
                EvaluationResult::RequiresIndexedAddress { index, .. } => {
                    let address = self.code.dwarf.address(self.unit, index).ok()?;
                    evaluation.resume_with_indexed_address(address.wrapping_add(slide))
                }
                // Values at the function's entry, types, and other machines' needs.
                _ => return None,
            }
            .ok()?;
        }
        let pieces = evaluation.result();
        let [piece] = &pieces[..] else { return None };
        if piece.size_in_bits.is_some() {
            return None;
        }
        match piece.location {
            Location::Address { address } => Some(Held::At(VirtAddr::new(address))),
            Location::Register { register: Register(number) } => {
                self.registers.register(number).map(Held::Value)
            }
            Location::Value { value } => value.to_u64(u64::MAX).ok().map(Held::Value),
            Location::Bytes { value } => Some(Held::Bytes(value.slice().into())),
            _ => None,
        }
    }
}
