//! The value of an oid: what its handler would copy out.
//!
//! Only common handlers are known: those of `sys/kern/kern_sysctl.c` and
//! `sys/kern/subr_counter.c` (9.3 to main), and the one that SYSCTL_VNET_PCPUSTAT makes
//! for the counters NAME, `NAME_sysctl` (`sys/net/vnet.h`).

use std::cell::OnceCell;

use super::{Kind, Oid, Sysctl};
use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::value::bits::sign_extend;
use crate::value::model::{ArrayValue, BytesValue, ErrorKind, RecordValue, Value, ValueError};
use crate::value::{Counters, ValueReader};
use crate::views::counters::{CounterVariable, MemberSum, Teardown};
use crate::views::jails::Jails;
use crate::vnet::unloaded::Unloaded;
use crate::vnet::variables::plain_globals;
use crate::vnet::{SetVariable, Stack, Variables};

/// Reads the values of oids.
#[derive(Debug)]
pub struct SysctlReader<'t> {
    pub(super) target: &'t Target,
    counters: &'t Counters,
    values: ValueReader<'t>,
    /// `None` in a kernel without VIMAGE.
    pub(super) variables: Option<&'t Variables>,
    unloaded: Unloaded,
    /// The jails, read when the first oid needs them.
    pub(super) jails: OnceCell<Result<Jails, ReadError>>,
}

/// The longest string that is read, in bytes.
const MAX_TEXT: i64 = 1 << 16;

/// The most bytes, or counters, that an oid copies out.
const MAX_BYTES: i64 = 1 << 20;
const MAX_COUNTERS: i64 = 1 << 16;

/// What a handler copies out.
enum Copies {
    /// A number of this many bytes at arg1, or arg2 itself if arg1 is null.
    Number(u64),
    /// The string at arg1.
    Text,
    /// arg2 bytes at arg1.
    Bytes,
    /// The sum of the counter that arg1 points at.
    Counter,
    /// The sums of arg2 counters.
    Counters,
    /// The sums of a statistics array, as its struct.
    Statistics(Box<CounterVariable>),
    /// Unknown.
    Anything,
}

impl<'t> SysctlReader<'t> {
    /// A reader for one target; `variables` is `None` in a kernel without VIMAGE.
    #[must_use]
    pub fn new(
        target: &'t Target,
        counters: &'t Counters,
        values: ValueReader<'t>,
        variables: Option<&'t Variables>,
        unloaded: Unloaded,
    ) -> Self {
        Self { target, counters, values, variables, unloaded, jails: OnceCell::new() }
    }

    /// The value of an oid in a network stack. No stack need be chosen if the
    /// oid [is the same](Oid::differs) in all.
    pub fn read(&self, stack: Stack<'_>, oid: &Oid) -> Sysctl {
        if let Some(gone) = self.gone(oid) {
            return Sysctl::copied(None, Some(gone.into()));
        }
        let copies = self.copies(oid);
        let value = match &copies {
            Copies::Anything => {
                let unknown = || Sysctl::copied(self.place(stack, oid).ok().flatten(), None);
                return self.handler_answer(stack, oid).unwrap_or_else(unknown);
            }
            Copies::Statistics(variable) => {
                let sums = variable.read(self.target, self.counters, stack);
                let value = Some(statistics(variable, &sums.members));
                return Sysctl::copied(sums.address, value);
            }
            Copies::Number(size) if oid.arg1.is_null() => {
                let number = self.number(oid.arg2 as u64 as u128, *size, oid.kind);
                return Sysctl::copied(None, Some(number));
            }
            _ => self.place(stack, oid),
        };
        match value {
            Err(error) => Sysctl::copied(None, Some(error.into())),
            Ok(None) => Sysctl::copied(None, None),
            Ok(Some(at)) => {
                let value = self.at(stack, oid, &copies, at).unwrap_or_else(Value::from);
                Sysctl::copied(Some(at), Some(value))
            }
        }
    }

    /// Why this oid is a remnant of an unloaded module; `None` if it is not.
    fn gone(&self, oid: &Oid) -> Option<ValueError> {
        let handler = oid.handler.as_ref();
        let function = handler.and_then(|handler| self.unloaded.function(handler.address).err());
        function.or_else(|| self.unloaded.argument(oid.arg1).err())
    }

    fn copies(&self, oid: &Oid) -> Copies {
        let Some(handler) = oid.handler.as_ref().and_then(|handler| handler.name.as_deref()) else {
            return Copies::Anything;
        };
        match handler.strip_prefix("vnet_").unwrap_or(handler) {
            "sysctl_handle_int" | "sysctl_handle_uint" | "sysctl_handle_32" => Copies::Number(4),
            "sysctl_handle_long" => Copies::Number(self.target.arch().pointer_size()),
            "sysctl_handle_8" | "sysctl_handle_bool" => Copies::Number(1),
            "sysctl_handle_16" => Copies::Number(2),
            "sysctl_handle_64" | "sysctl_handle_quad" => Copies::Number(8),
            "sysctl_handle_string" => Copies::Text,
            "sysctl_handle_opaque" => Copies::Bytes,
            "sysctl_handle_counter_u64" => Copies::Counter,
            "sysctl_handle_counter_u64_array" => Copies::Counters,
            _ => self
                .statistics_of(oid, handler)
                .map_or(Copies::Anything, |found| Copies::Statistics(Box::new(found))),
        }
    }

    /// The array whose sums `NAME_sysctl` copies out.
    fn statistics_of(&self, oid: &Oid, handler: &str) -> Option<CounterVariable> {
        let name = handler.strip_suffix("_sysctl").filter(|_| oid.kind == Kind::Opaque)?;
        let variable: SetVariable = match self.variables {
            Some(variables) => variables.one(name, None).ok()??.clone(),
            None => plain_globals(self.target, name).ok()?.into_iter().next()?,
        };
        let found = CounterVariable::of(self.target, &variable, None).ok()??;
        (found.places.len() > 1).then_some(found)
    }

    /// Where arg1 points in this network stack; `None` if it is NULL.
    pub(super) fn place(
        &self,
        stack: Stack<'_>,
        oid: &Oid,
    ) -> Result<Option<VirtAddr>, ValueError> {
        if oid.arg1.is_null() {
            return Ok(None);
        }
        if !oid.per_vnet || matches!(stack, Stack::Only) {
            return Ok(Some(oid.arg1));
        }
        let error = |kind, message: String| ValueError {
            kind,
            address: Some(oid.arg1),
            message: message.into(),
        };
        let set = self.target.kernel().set_vnet();
        if !set.is_some_and(|set| set.contains(&oid.arg1)) {
            let message = format!("{} is not in the set, so no vnet has a copy of it", oid.arg1);
            return Err(error(ErrorKind::BadAddress, message));
        }
        let copy = stack.copy_of(self.target, oid.arg1);
        copy.map(Some).map_err(|why| error(ErrorKind::Stale, why.to_string()))
    }

    fn at(
        &self,
        stack: Stack<'_>,
        oid: &Oid,
        copies: &Copies,
        at: VirtAddr,
    ) -> Result<Value, ValueError> {
        match copies {
            Copies::Number(size) => Ok(self.numbers(&self.bytes(at, *size as usize)?, oid.kind)),
            Copies::Text => self.text(at, if oid.arg2 > 0 { oid.arg2 } else { MAX_TEXT }),
            Copies::Bytes => self.opaque(oid, at),
            Copies::Counter => {
                let sums = self.sums(stack, oid, at, 1)?;
                Ok(sums.into_iter().next().unwrap_or(Value::Bytes(BytesValue::default())))
            }
            Copies::Counters => {
                let count = capped(oid, MAX_COUNTERS)?;
                self.sums(stack, oid, at, count).map(numbers_or_reason)
            }
            Copies::Statistics(_) | Copies::Anything => Ok(Value::Bytes(BytesValue::default())),
        }
    }

    pub(super) fn text(&self, at: VirtAddr, max: i64) -> Result<Value, ValueError> {
        let bytes = self.target.memory().c_string(at, max.clamp(0, MAX_TEXT) as usize)?;
        Ok(Value::Text(String::from_utf8_lossy(&bytes).into()))
    }

    /// Decodes bytes as the oid describes them: numbers, a string, the struct of its format.
    fn opaque(&self, oid: &Oid, at: VirtAddr) -> Result<Value, ValueError> {
        let len = capped(oid, MAX_BYTES)?;
        match oid.kind {
            Kind::Number { .. } => Ok(self.numbers(&self.bytes(at, len)?, oid.kind)),
            Kind::String => self.text(at, oid.arg2),
            _ => Ok(match self.struct_of(oid) {
                Some(type_id) => self.values.read(type_id, at),
                None => Value::Bytes(self.bytes(at, len)?.into()),
            }),
        }
    }

    /// The struct that a format such as `S,timeval` names, if it has the right size.
    fn struct_of(&self, oid: &Oid) -> Option<crate::types::TypeId> {
        let name = oid.format.strip_prefix("S,")?;
        let types = self.target.types().ok()?;
        let name = name.strip_prefix("struct ").unwrap_or(name);
        let found = types.struct_named(name.trim())?;
        (types.size_of(found).ok()? == u64::try_from(oid.arg2).ok()?).then_some(found)
    }

    fn sums(
        &self,
        stack: Stack<'_>,
        oid: &Oid,
        at: VirtAddr,
        count: usize,
    ) -> Result<Vec<Value>, ValueError> {
        let teardown = stack.vnet().filter(|_| oid.per_vnet);
        let teardown = teardown.and_then(|vnet| Teardown::of(self.target, vnet));
        let freed = teardown.and_then(|past| past.why(self.target, None));
        let size = self.target.arch().pointer_size();
        let sum = |index: usize| {
            let place = at.wrapping_add(index as u64 * size);
            sum(&MemberSum::read(self.target, self.counters, place, freed.as_deref()))
        };
        Ok((0..count).map(sum).collect())
    }

    /// Bytes as numbers of the oid's type: one, or an array.
    fn numbers(&self, bytes: &[u8], kind: Kind) -> Value {
        let number = |bytes: &[u8]| {
            let raw = self.target.arch().endian().uint(bytes);
            self.number(raw, bytes.len() as u64, kind)
        };
        match self.size_of(kind).unwrap_or(bytes.len()) {
            size if bytes.len() <= size => number(bytes),
            size => Value::Array(array(bytes.chunks_exact(size.max(1)).map(number).collect())),
        }
    }

    /// The low `size` bytes of `raw`.
    pub(super) fn number(&self, raw: u128, size: u64, kind: Kind) -> Value {
        let width = size.min(8) * 8;
        let value = sign_extend(raw, width);
        match kind {
            Kind::Number { signed: false, .. } => Value::Int(value & ((1 << width) - 1)),
            _ => Value::Int(value),
        }
    }

    /// Bytes of a number of that kind.
    pub(super) fn size_of(&self, kind: Kind) -> Option<usize> {
        match kind {
            Kind::Number { size, .. } => {
                Some(size.unwrap_or(self.target.arch().pointer_size()) as usize)
            }
            _ => None,
        }
    }

    pub(super) fn bytes(&self, at: VirtAddr, len: usize) -> Result<Vec<u8>, ValueError> {
        let mut bytes = vec![0; len];
        self.target.memory().read(at, &mut bytes)?;
        Ok(bytes)
    }
}

/// arg2 as a number of things.
fn capped(oid: &Oid, max: i64) -> Result<usize, ValueError> {
    match oid.arg2 {
        count if (0..=max).contains(&count) => Ok(count as usize),
        count => Err(ValueError {
            kind: ErrorKind::TooLarge,
            address: Some(oid.address),
            message: format!("{count} is more than any sysctl has").into(),
        }),
    }
}

/// Sums under the names of their struct, elements of an array in one.
fn statistics(variable: &CounterVariable, sums: &[MemberSum]) -> Value {
    let values: Vec<Value> = sums.iter().map(sum).collect();
    if let Some(why) = common_error(&values) {
        return why;
    }
    let mut members: Vec<(&str, Sums)> = Vec::new();
    for (place, value) in variable.places.iter().zip(values) {
        let indexed = place.name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
        match (indexed, members.last_mut()) {
            (Some((name, _)), Some((last, Sums::Several(values)))) if *last == name => {
                values.push(value);
            }
            (Some((name, _)), _) => members.push((name, Sums::Several(vec![value]))),
            (None, _) => members.push((&place.name, Sums::One(value))),
        }
    }
    let mut members: Vec<(&str, Value)> =
        members.into_iter().map(|(name, sums)| (name, sums.value())).collect();
    match &mut members[..] {
        // Without a struct there is only the array.
        [("", value)] => value.clone(),
        _ => Value::Record(RecordValue::new(members)),
    }
}

/// The values under one name.
enum Sums {
    One(Value),
    Several(Vec<Value>),
}

impl Sums {
    fn value(self) -> Value {
        match self {
            Self::One(value) => value,
            Self::Several(values) => Value::Array(array(values)),
        }
    }
}

/// Several values; if all are missing for the same reason, that reason once.
fn numbers_or_reason(values: Vec<Value>) -> Value {
    common_error(&values).unwrap_or_else(|| Value::Array(array(values)))
}

fn common_error(values: &[Value]) -> Option<Value> {
    let (first, rest) = values.split_first()?;
    let same = matches!(first, Value::Error(_)) && rest.iter().all(|other| other == first);
    same.then(|| first.clone())
}

fn sum(member: &MemberSum) -> Value {
    match &member.value {
        Ok(sum) => Value::Int((*sum).into()),
        Err(error) => error.clone().into(),
    }
}

fn array(elements: Vec<Value>) -> ArrayValue {
    ArrayValue { elements: elements.into(), omitted: 0 }
}
