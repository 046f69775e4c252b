//! What a handler that does more than copy would have answered.
//!
//! What: most handlers of virtualized sysctls check what is written and otherwise copy
//! the variable that `oid_arg1` points at. Where debug information calls that a number
//! or a char array, the handler's answer is what is there. It is not if arg1
//! points at a pointer, a zone or a whole struct; and handlers of the kernel's own
//! oids mostly compute: of them only those of [`SYSCTL_HANDLERS`] are answered for.

use super::{Kind, Oid, Sysctl, SysctlReader};
use crate::addr::VirtAddr;
use crate::constants::{HandlerAnswer, SYSCTL_HANDLERS};
use crate::types::model::{Array, Encoding, Member, RecordKind, Type};
use crate::types::{TypeId, Types};
use crate::value::Object;
use crate::value::bits::sign_extend;
use crate::value::model::{ErrorKind, Value, ValueError};
use crate::views::jails::Jails;
use crate::vnet::Stack;
use crate::vnet::variables::plain_globals;

/// Bits of an sbintime_t below the second.
const SBINTIME_FRACTION: u32 = 32;

impl Oid {
    /// What its handler is known to answer.
    fn answer(&self) -> Option<HandlerAnswer> {
        let name = self.handler.as_ref()?.name.as_deref()?;
        let known = SYSCTL_HANDLERS.iter().find(|(handler, _)| *handler == name);
        known.map(|(_, answer)| *answer)
    }

    /// Whether its handler's answer depends on the jail of the caller.
    pub(super) fn is_of_jail(&self) -> bool {
        use HandlerAnswer::{PrisonNumber, PrisonText, PrisonTextAtArgument};
        matches!(
            self.answer(),
            Some(PrisonNumber { .. } | PrisonText { .. } | PrisonTextAtArgument)
        )
    }
}

impl SysctlReader<'_> {
    /// What the handler of `oid` would have answered, if that is known.
    pub(super) fn handler_answer(&self, stack: Stack<'_>, oid: &Oid) -> Option<Sysctl> {
        let (address, value) = match oid.answer() {
            Some(answer) => {
                self.by_rule(answer, stack, oid).transpose()?.unwrap_or_else(unreadable)
            }
            None => self.variable(stack, oid)?,
        };
        Some(Sysctl { address, value: Some(value), behind_handler: true })
    }

    /// The answer of a handler whose rule is known; `None` if the oid does not fit the rule.
    fn by_rule(
        &self,
        answer: HandlerAnswer,
        stack: Stack<'_>,
        oid: &Oid,
    ) -> Result<Option<(Option<VirtAddr>, Value)>, ValueError> {
        let here = || self.place(stack, oid).ok().flatten();
        let memory = self.target.memory();
        Ok(match answer {
            HandlerAnswer::MillisecondsOfTicks => match (here(), self.target.integer("hz")?) {
                (Some(at), hz @ 1..) => {
                    let ticks = i128::from(memory.u32(at)?.cast_signed());
                    let value = self.number((ticks * 1000 / i128::from(hz)) as u128, 4, oid.kind);
                    Some((Some(at), value))
                }
                _ => None,
            },
            HandlerAnswer::OfSbintime { per_second } => match here() {
                Some(at) => {
                    let time = i128::from(memory.u64(at)?.cast_signed());
                    let value = (time * i128::from(per_second)) >> SBINTIME_FRACTION;
                    Some((Some(at), self.number(value as u128, 8, oid.kind)))
                }
                None => None,
            },
            HandlerAnswer::BytesOfPages { variable } => {
                let bytes = self.target.integer(variable)?.wrapping_mul(memory.page_size());
                let size = self.target.arch().pointer_size();
                Some((None, self.number(bytes.into(), size, oid.kind)))
            }
            HandlerAnswer::NameBehind { variable, member } => {
                self.name_behind(stack, variable, member)?
            }
            HandlerAnswer::PrisonTextAtArgument => {
                let prison = self.prison(stack)?;
                let size = self.target.types()?.size_of(prison.type_id)?;
                match oid.arg1.get() {
                    offset if offset != 0 && offset < size => {
                        let at = prison.address.wrapping_add(offset);
                        Some((Some(at), self.text(at, oid.arg2)?))
                    }
                    _ => None,
                }
            }
            HandlerAnswer::PrisonText { member } => {
                let prison = self.prison(stack)?;
                let at = prison.member(member)?.address;
                Some((Some(at), Value::Text(prison.text(member)?.into())))
            }
            HandlerAnswer::PrisonNumber { member } => {
                let prison = self.prison(stack)?;
                let (at, number) = (prison.member(member)?.address, prison.int(member)?);
                let size = self.size_of(oid.kind).unwrap_or(8) as u64;
                Some((Some(at), self.number(i128::from(number) as u128, size, oid.kind)))
            }
        })
    }

    /// The text `member` of the struct that a virtualized pointer leads to; empty if it is NULL.
    fn name_behind(
        &self,
        stack: Stack<'_>,
        variable: &str,
        member: &str,
    ) -> Result<Option<(Option<VirtAddr>, Value)>, ValueError> {
        let copy = match (self.variables, stack) {
            (Some(variables), Stack::Vnet(vnet)) => variables.in_vnet(self.target, vnet, variable),
            _ => plain_globals(self.target, variable).ok().and_then(|found| {
                let found = found.into_iter().next()?;
                Some(Object::new(self.target, found.type_id?, found.master))
            }),
        };
        let Some(copy) = copy else { return Ok(None) };
        let pointee = self.target.types()?.pointee(copy.type_id)?;
        let at = self.target.memory().pointer(copy.address)?;
        let text = match at.is_null() {
            true => String::new(),
            false => Object::new(self.target, pointee, at).text(member)?,
        };
        Ok(Some((Some(copy.address), Value::Text(text.into()))))
    }

    /// The prison of a process that asks from within this vnet: the vnet's owner.
    fn prison(&self, stack: Stack<'_>) -> Result<Object<'_>, ValueError> {
        let host = Object::global(self.target, "prison0")?;
        let Some(vnet) = stack.vnet().filter(|vnet| !vnet.default) else { return Ok(host) };
        let jails = self.jails.get_or_init(|| Jails::read(self.target));
        let jails = jails.as_ref().map_err(|why| ValueError::from(why.clone()))?;
        let owner = jails.owner(vnet.address);
        let prison = owner.map(|owner| Object::new(self.target, host.type_id, owner.address));
        prison.ok_or_else(|| ValueError {
            kind: ErrorKind::Unallocated,
            address: Some(vnet.address),
            message: "no jail is known to have this vnet".into(),
        })
    }

    /// The number or text that arg1 of an oid of the network stack is the address of.
    fn variable(&self, stack: Stack<'_>, oid: &Oid) -> Option<(Option<VirtAddr>, Value)> {
        if !oid.of_network || oid.arg1.is_null() {
            return None;
        }
        let types = self.target.types().ok()?;
        let (whole, offset) = self.typed(oid.arg1)?;
        let (type_id, plain) = plain_at(types, whole, offset)?;
        let at = match self.place(stack, oid) {
            Ok(at) => at?,
            Err(why) => return Some(unreadable(why)),
        };
        let value = match (plain, oid.kind) {
            (Plain::Number, Kind::Number { .. }) => self.widened(types, type_id, at, oid.kind),
            (Plain::Text { size }, Kind::String) => self.text(at, size),
            _ => return None,
        };
        Some((Some(at), value.unwrap_or_else(Value::from)))
    }

    /// The type of the variable that holds this address of a master, and the distance from its
    /// start.
    fn typed(&self, address: VirtAddr) -> Option<(TypeId, u64)> {
        let Some(variables) = self.variables else {
            let found = self.target.variable_at(address)?;
            return Some((found.type_id, 0));
        };
        let variable = variables.holding(address)?;
        Some((variable.type_id?, address.offset_from(variable.master)?))
    }

    /// A number of the variable's type in the form of the oid's.
    fn widened(
        &self,
        types: &Types,
        type_id: TypeId,
        at: VirtAddr,
        kind: Kind,
    ) -> Result<Value, ValueError> {
        let size = types.size_of(type_id)?.min(8);
        let raw = self.target.arch().endian().uint(&self.bytes(at, size as usize)?);
        let own = match types.is_signed(type_id)? {
            true => sign_extend(raw, size * 8) as u128,
            false => raw,
        };
        Ok(self.number(own, self.size_of(kind).map_or(size, |size| size as u64), kind))
    }
}

fn unreadable(why: ValueError) -> (Option<VirtAddr>, Value) {
    (None, why.into())
}

/// What a handler certainly copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plain {
    Number,
    Text { size: i64 },
}

/// The deepest nesting of structs; real ones are far shallower.
const MAX_DEPTH: usize = 32;

/// The part `offset` bytes into a type. The address of a struct does not stand for its
/// first member: the handler takes the whole struct.
fn plain_at(types: &Types, mut id: TypeId, mut offset: u64) -> Option<(TypeId, Plain)> {
    for _ in 0..MAX_DEPTH {
        let (resolved, found) = types.resolve(id).ok()?;
        let record = match &*found {
            Type::Base(base) if offset == 0 => {
                let number = !matches!(base.encoding, Encoding::Float | Encoding::Other);
                return number.then_some((resolved, Plain::Number));
            }
            Type::Enum(_) if offset == 0 => return Some((resolved, Plain::Number)),
            Type::Array(array) if offset == 0 => {
                let size = i64::try_from(types.size_of(resolved).ok()?).ok()?;
                return is_text(types, array).then_some((resolved, Plain::Text { size }));
            }
            Type::Record(record) if offset != 0 && record.kind != RecordKind::Union => record,
            _ => return None,
        };
        let holds = |member: &&Member| {
            let size = types.size_of(member.type_id).unwrap_or(0);
            member.bits.is_none()
                && (member.offset..member.offset.saturating_add(size)).contains(&offset)
        };
        let member = record.members.iter().find(holds)?;
        (id, offset) = (member.type_id, offset - member.offset);
    }
    None
}

fn is_text(types: &Types, array: &Array) -> bool {
    let element = types.strip(array.element).map(|(_, found)| found);
    let chars = |found: &Type| {
        let Type::Base(base) = found else { return false };
        matches!(base.encoding, Encoding::SignedChar | Encoding::UnsignedChar)
    };
    array.counts.len() == 1 && element.is_ok_and(|found| chars(&found))
}
