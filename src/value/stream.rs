//! Values that are serialised while they are read, and never held.
//!
//! The listing of a thousand vnets has gigabytes of JSON. To build the tree of each value and to take
//! it apart again would cost more than all else, so here a block of memory is taken apart by
//! the plan of its type, as [`Decoder`] does, and every part goes to the serializer at once. What
//! comes out is what [`ValueReader::read`] gives, serialised.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::budget;
use crate::types::model::TypeId;
use crate::value::decode::{DEEPEST, Decoder};
use crate::value::freed;
use crate::value::memory_block::MemoryBlock;
use crate::value::model::{Value, ValueError};
use crate::value::number::Number;
use crate::value::parts::{Depth, Parts};
use crate::value::plan::{ArrayPlan, MemberKind, Part, Place, Plan, RecordPlan, Shape};
use crate::value::read::{MAX_SIZE, ValueReader};
use crate::value::serialize::omitted;

impl ValueReader<'_> {
    /// Serialises the value of type `id` at `address`.
    ///
    /// # Errors
    /// Those of the serializer. What cannot be read is an error in its place.
    pub fn serialize<S: Serializer>(
        &self,
        id: TypeId,
        address: VirtAddr,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Ok(types) = self.target.types() else {
            return self.read(id, address).serialize(serializer);
        };
        let plan = self.plans.of(types, id);
        let size = match plan.size {
            Ok(size) if size <= MAX_SIZE && is_large(&plan) => size as usize,
            _ => return self.read(id, address).serialize(serializer),
        };
        if let Err(freed) = freed::check_value(self.target.memory(), address, size as u64) {
            return ValueError::from(freed).serialize(serializer);
        }
        let parts = match Parts::of(self.target.budget(), size) {
            Ok(parts) => parts,
            Err(why) => return ValueError::from(why).serialize(serializer),
        };
        let block = MemoryBlock::read(self.target.memory(), address, size);
        let decoder = Decoder::new(self, types, &block, parts);
        Unread { decoder: &decoder, plan: &plan, offset: 0, depth: Depth::default() }
            .serialize(serializer)
    }
}

/// Has a value of this plan parts? All others are small.
fn is_large(plan: &Plan) -> bool {
    matches!(plan.shape, Shape::Record(_) | Shape::Array(_))
}

/// A part of a block that has not been taken apart yet.
struct Unread<'a, 'd, 't> {
    decoder: &'a Decoder<'d, 't>,
    plan: &'a Plan,
    offset: usize,
    depth: Depth,
}

impl Serialize for Unread<'_, '_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { decoder, plan, offset, depth } = *self;
        match &plan.shape {
            Shape::Number(number) => match decoder.bytes(offset, number.size() as u64) {
                Ok(bytes) => number.serialize_at(bytes, decoder.address(offset), serializer),
                Err(error) => error.serialize(serializer),
            },
            // Only functions are shown with their symbols.
            Shape::Pointer(pointer) if !pointer.to_function => {
                decoder.serialize_address(plan, offset, serializer)
            }
            Shape::Record(_) | Shape::Array(_) if decoder.missing(plan, offset).is_some() => {
                decoder.missing(plan, offset).serialize(serializer)
            }
            Shape::Record(record) => decoder.serialize_record(record, offset, depth, serializer),
            Shape::Array(array) => {
                Dimension { decoder, array, counts: &array.counts, offset, depth }
                    .serialize(serializer)
            }
            _ => decoder.value(plan, offset, depth).serialize(serializer),
        }
    }
}

impl<'d, 't> Decoder<'d, 't> {
    fn serialize_record<S: Serializer>(
        &self,
        record: &RecordPlan,
        offset: usize,
        depth: Depth,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if let Err(why) = self.enter(offset, depth) {
            return why.serialize(serializer);
        }
        let mut members = Members {
            map: serializer.serialize_map(None)?,
            names: record.names.names.iter(),
            count: 0,
            left_out: None,
        };
        self.serialize_members(record, offset, depth.of_record(), &mut members)?;
        members.map.end()
    }

    /// What a pointer to data holds.
    fn serialize_address<S: Serializer>(
        &self,
        plan: &Plan,
        offset: usize,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let bytes = match self.bytes(offset, *plan.size.as_ref().unwrap_or(&0)) {
            Ok(bytes) => bytes,
            Err(error) => return error.serialize(serializer),
        };
        match freed::number(self.endian, bytes, self.address(offset)) {
            Some(why) => why.serialize(serializer),
            None => {
                let raw = self.endian.uint(bytes.get(..16).unwrap_or(bytes));
                VirtAddr::new(raw as u64).serialize(serializer)
            }
        }
    }

    /// The members of a record; those of anonymous ones stand among them. Where no parts are left,
    /// the reason stands in the place of the rest.
    fn serialize_members<M: SerializeMap>(
        &self,
        record: &RecordPlan,
        offset: usize,
        depth: Depth,
        out: &mut Members<'_, M>,
    ) -> Result<(), M::Error> {
        let start = out.count;
        for member in &record.members {
            if let Err(why) = self.parts.spend() {
                return out.leave_out(start, why.into());
            }
            let at = offset.saturating_add(member.offset);
            match (&member.place, &member.kind) {
                (Place::Named, MemberKind::Value(Part::Known(plan))) => {
                    out.next(&Unread { decoder: self, plan, offset: at, depth })?;
                }
                (Place::Named, MemberKind::Value(part)) => out.next(&self.part(part, at, depth))?,
                (Place::Named, MemberKind::Bits(field, found, _)) => {
                    out.next(&self.bit_field(found, at, *field, None))?;
                }
                (Place::Among(count), MemberKind::Value(Part::Known(plan))) => {
                    let behind = out.names.len().saturating_sub(*count);
                    self.serialize_anonymous(plan, at, depth, start, out)?;
                    out.skip_names_to(behind);
                }
                (_, MemberKind::Value(part)) => match self.part(part, at, depth) {
                    Value::Record(anonymous) => {
                        let mut members = anonymous.members();
                        members.try_for_each(|(name, value)| out.entry(name, value))?;
                    }
                    Value::Error(why) => out.leave_out(start, *why)?,
                    _ => {}
                },
                // Padding has neither a name nor a meaning.
                (_, MemberKind::Bits(..)) => {}
            }
        }
        Ok(())
    }

    fn serialize_anonymous<M: SerializeMap>(
        &self,
        plan: &Plan,
        offset: usize,
        depth: Depth,
        start: usize,
        out: &mut Members<'_, M>,
    ) -> Result<(), M::Error> {
        let closed = match self.missing(plan, offset) {
            Some(fault) => Err(fault.clone()),
            None => self.enter(offset, depth),
        };
        match (closed, &plan.shape) {
            (Err(why), _) => out.leave_out(start, why),
            (Ok(()), Shape::Record(record)) => {
                self.serialize_members(record, offset, depth.of_record(), out)
            }
            (Ok(()), _) => Ok(()),
        }
    }
}

/// The members of a record on their way to the serializer.
struct Members<'n, M> {
    map: M,
    /// The names of the members that are still to come.
    names: std::slice::Iter<'n, std::sync::Arc<str>>,
    /// How many have gone.
    count: usize,
    /// The last reason for which some were left out, and its place among them.
    left_out: Option<(usize, ValueError)>,
}

impl<M: SerializeMap> Members<'_, M> {
    /// Sends the member with the next name.
    fn next(&mut self, value: &impl Serialize) -> Result<(), M::Error> {
        let name = self.names.next().map_or("", |name| &**name);
        self.entry(name, value)
    }

    fn entry(&mut self, name: &str, value: &impl Serialize) -> Result<(), M::Error> {
        self.count += 1;
        self.map.serialize_entry(name, value)
    }

    /// The names of members that were left out do not come.
    fn skip_names_to(&mut self, left: usize) {
        while self.names.len() > left {
            self.names.next();
        }
    }

    /// Sends the reason in the place of members that have no names to stand for them, once among
    /// those from `start` on.
    fn leave_out(&mut self, start: usize, why: ValueError) -> Result<(), M::Error> {
        let last = self.left_out.as_ref();
        if last.is_some_and(|(at, last)| *at >= start && at + 1 == self.count && *last == why) {
            return Ok(());
        }
        self.entry("...", &why)?;
        self.left_out = Some((self.count - 1, why));
        Ok(())
    }
}

/// One dimension of an array, and within it the others.
struct Dimension<'a, 'd, 't> {
    decoder: &'a Decoder<'d, 't>,
    array: &'a ArrayPlan,
    counts: &'a [u64],
    offset: usize,
    depth: Depth,
}

impl Serialize for Dimension<'_, '_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { decoder, array, counts, offset, depth } = *self;
        let Some((&count, inner)) = counts.split_first() else {
            return match &array.element {
                Part::Known(plan) => Unread { decoder, plan, offset, depth }.serialize(serializer),
                later => decoder.part(later, offset, depth).serialize(serializer),
            };
        };
        if let Err(why) = budget::level("the value", depth.levels, DEEPEST) {
            return ValueError::from(why).serialize(serializer);
        }
        let shown = decoder.shown(count);
        if inner.is_empty() {
            if let Some(text) = array.characters.then(|| decoder.text(count, offset)).flatten() {
                return text.serialize(serializer);
            }
            if let Some((number, bytes)) = decoder.whole_numbers(array, shown, offset) {
                let seq = serializer.serialize_seq(None)?;
                return self.numbers(number, bytes, count - shown, seq);
            }
        }
        let mut seq = serializer.serialize_seq(None)?;
        let stride = inner.iter().fold(array.size, |size, count| size.saturating_mul(*count));
        for index in 0..shown {
            if let Err(why) = decoder.parts.spend() {
                seq.serialize_element(&ValueError::from(why))?;
                break;
            }
            let distance = usize::try_from(index.saturating_mul(stride)).unwrap_or(usize::MAX);
            let offset = offset.saturating_add(distance);
            let depth = depth.of_array();
            seq.serialize_element(&Self { decoder, array, counts: inner, offset, depth })?;
        }
        finish(seq, count - shown)
    }
}

impl Dimension<'_, '_, '_> {
    /// Numbers in a row, all of which can be read.
    fn numbers<Q: SerializeSeq>(
        &self,
        number: Number,
        bytes: &[u8],
        omitted: u64,
        mut seq: Q,
    ) -> Result<Q::Ok, Q::Error> {
        let mut at = self.decoder.address(self.offset);
        for bytes in bytes.chunks_exact(number.size()) {
            seq.serialize_element(&Element { number, bytes, at })?;
            at = at.wrapping_add(bytes.len() as u64);
        }
        finish(seq, omitted)
    }
}

/// A number in a row of them.
struct Element<'a> {
    number: Number,
    bytes: &'a [u8],
    at: VirtAddr,
}

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.number.serialize_at(self.bytes, self.at, serializer)
    }
}

/// Elements that a limit left out are an error behind the others, never silence.
fn finish<Q: SerializeSeq>(mut seq: Q, left_out: u64) -> Result<Q::Ok, Q::Error> {
    if left_out > 0 {
        seq.serialize_element(&omitted(left_out))?;
    }
    seq.end()
}
