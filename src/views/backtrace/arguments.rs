//! The values of parameters, where the debug information locates them in registers or
//! stack slots that are known. Others are left out: nothing is guessed.

use crate::addr::VirtAddr;
use crate::target::code::CodeAt;
use crate::threads::stack::Frame;
use crate::types::code::{Held, Registers, Scope, ScopedVariable};
use crate::types::model::{Base, Encoding, Enumerator, Type};
use crate::types::{TypeId, Types};
use crate::value::model::{EnumValue, PointerValue, Value};
use crate::views::backtrace::Tracer;
use crate::views::backtrace::model::Argument;

/// A place in the code with the registers there.
pub(super) struct Place<'a, 't> {
    pub tracer: &'a Tracer<'t>,
    pub at: CodeAt<'a, 't>,
    pub frame: &'a Frame,
}

/// What a frame has of the vnet that was current before.
pub(super) enum SavedVnet {
    /// It has none.
    None,
    /// It is this one.
    Known(VirtAddr),
    /// It has one, but not in a place that is known.
    Unknown,
}

impl Registers for Place<'_, '_> {
    fn register(&self, number: u16) -> Option<u64> {
        self.frame.registers.numbered(self.tracer.target.arch(), number)
    }

    fn cfa(&self) -> Option<u64> {
        self.frame.cfa.map(VirtAddr::get)
    }

    fn memory(&self, address: VirtAddr, size: u64) -> Option<u64> {
        self.tracer.word_at(address, size)
    }

    fn slide(&self) -> u64 {
        self.at.slide
    }
}

impl<'t> Place<'_, 't> {
    /// The parameters of a function whose values are known, in the order of the source.
    pub fn arguments(&self, scope: &Scope<'t>) -> Vec<Argument> {
        let parameters = scope.variables.iter().filter(|variable| variable.is_parameter);
        let known = parameters.filter_map(|parameter| {
            let held = self.held(scope, parameter)?;
            let value = self.value(parameter.type_id, held)?;
            Some(Argument { name: parameter.name.clone(), value })
        });
        known.collect()
    }

    /// The vnet that `CURVNET_SET` saved in a function (`sys/net/vnet.h`). Where the
    /// variable is in scope but has no place, curvnet is not set there.
    pub fn saved_vnet(&self, scope: &Scope<'t>) -> SavedVnet {
        let Some(saved) = scope.variables.iter().rev().find(|it| &*it.name == "saved_vnet") else {
            return SavedVnet::None;
        };
        if !self.at.code.is_located(saved, self.at.linked) {
            return SavedVnet::None;
        }
        let size = self.tracer.target.arch().pointer_size();
        let value = match self.held(scope, saved) {
            Some(Held::Value(value)) => Some(value),
            Some(Held::At(at)) => self.memory(at, size),
            Some(Held::Bytes(_)) | None => None,
        };
        value.map_or(SavedVnet::Unknown, |value| SavedVnet::Known(VirtAddr::new(value)))
    }

    fn held(&self, scope: &Scope<'t>, variable: &ScopedVariable<'t>) -> Option<Held> {
        self.at.code.held(scope, variable, self.at.linked, self)
    }

    /// A value of a type; `None` if it is too large for a register, or cannot be read.
    fn value(&self, type_id: TypeId, held: Held) -> Option<Value> {
        let types = self.at.code.types();
        let (_, stripped) = types.strip(type_id).ok()?;
        let size = types.size_of(type_id).ok()?;
        if let (Held::At(at), Type::Record(_)) = (&held, &*stripped) {
            // Ids of a module's own types are not those of the kernel.
            let is_kernel = self.tracer.target.types().is_ok_and(|own| own.is_same_as(types));
            return is_kernel.then(|| self.tracer.reader.read(type_id, *at));
        }
        let word = match held {
            Held::Value(value) => value,
            Held::At(at) => self.tracer.word_at(at, size)?,
            Held::Bytes(bytes) if bytes.len() <= 8 => {
                self.tracer.target.arch().endian().uint(&bytes) as u64
            }
            Held::Bytes(_) => return None,
        };
        match &*stripped {
            Type::Pointer(_) => Some(self.tracer.pointer(VirtAddr::new(word), types, type_id)),
            Type::Base(base) => number(base, word),
            Type::Enum(enumeration) => {
                let number = narrowed(word, enumeration.size);
                let is_it = |it: &&Enumerator| it.value == i128::from(number);
                let name = enumeration.enumerators.iter().find(is_it).map(|it| it.name.clone());
                let value = EnumValue { name, value: number.into() };
                Some(Value::Enum(Box::new(value)))
            }
            _ => None,
        }
    }
}

impl Tracer<'_> {
    /// An integer in memory.
    pub(super) fn word_at(&self, address: VirtAddr, size: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        let used = bytes.get_mut(..usize::try_from(size).ok()?)?;
        self.target.memory().read(address, used).ok()?;
        Some(self.target.arch().endian().uint(used) as u64)
    }

    /// A pointer with what it points to, as far as that has a name or is text.
    fn pointer(&self, address: VirtAddr, types: &Types, type_id: TypeId) -> Value {
        let own = self.target.types().ok().filter(|own| own.is_same_as(types));
        match own.and_then(|types| types.pointee(type_id).ok()) {
            Some(pointee) => self.reader.pointer(address, pointee),
            None => Value::Pointer(PointerValue::new(address, false)),
        }
    }
}

/// The lower bytes of a register.
fn narrowed(value: u64, size: u64) -> u64 {
    match size {
        0..8 => value & 1_u64.checked_shl(8 * size as u32).unwrap_or(0).wrapping_sub(1),
        _ => value,
    }
}

fn number(base: &Base, word: u64) -> Option<Value> {
    if base.size == 0 || base.size > 8 {
        return None;
    }
    let narrow = narrowed(word, base.size);
    let unused = 64_u32.saturating_sub(8 * base.size as u32);
    let signed = i128::from((narrow << unused) as i64 >> unused);
    Some(match base.encoding {
        Encoding::Signed => Value::Int(signed),
        Encoding::SignedChar => Value::Char(signed),
        Encoding::UnsignedChar => Value::Char(narrow.into()),
        Encoding::Bool => Value::Bool(narrow != 0),
        Encoding::Unsigned => Value::Int(narrow.into()),
        _ => return None,
    })
}
