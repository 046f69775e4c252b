//! A walk through both sides of a variable: where it is, and what it has found.

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::budget::Share;
use crate::types::model::BitField;
use crate::types::{Field, TypeId};
use crate::value::memory_block::MemoryBlock;
use crate::value::model::{Value, ValueError};
use crate::views::diff::changes::Declared;
use crate::views::diff::comparison::Comparison;
use crate::views::diff::finding::{Change, Finding, What, Which};
use crate::views::diff::fold::{Folded, Kind};
use crate::views::diff::shape::Shape;
use crate::views::diff::sides::Side;
use crate::vnet::SetVariable;

/// A typed place on one side.
#[derive(Debug, Clone, Copy)]
pub struct Place<'b> {
    pub block: &'b MemoryBlock,
    /// Bytes from the start of the block.
    pub at: usize,
    pub type_id: TypeId,
    pub bits: Option<BitField>,
}

/// The same thing on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'b> {
    pub old: Place<'b>,
    pub new: Place<'b>,
}

/// What a part is called, and what it is part of.
#[derive(Debug, Clone, Copy)]
pub struct Context<'n> {
    /// The innermost member's name, or the variable's.
    pub name: &'n str,
    /// The kind of something that it is in.
    pub within: Option<Kind>,
    /// It is an anonymous struct or union, whose members belong to what it is in.
    pub anonymous: bool,
    /// What the two kernels declare differently is told.
    pub tell: bool,
}

/// A walk through one variable.
pub struct Walk<'c, 'a> {
    pub(super) comparison: &'c Comparison<'a>,
    pub(super) variable: &'c SetVariable,
    pub(super) share: Share<'c>,
    /// The parts that it is inside of, pointers included.
    pub(super) level: usize,
    /// It only has to find out whether something differs.
    pub(super) proving: bool,
    /// Proving is over: something differs.
    pub(super) differs: bool,
    /// How many pointers it has followed to where it is.
    pub(super) chain: usize,
    /// Places that pointers led to, on both sides, and what is known of each pair.
    pub(super) seen: FxHashMap<(VirtAddr, VirtAddr), Verdict>,
    /// The things that are being compared, behind pointers: where they start, and their size.
    pub(super) within: Vec<(VirtAddr, VirtAddr, u64)>,
    pub(super) folded: Folded,
}

/// What is known about two pointers.
#[derive(Debug, Clone)]
pub enum Verdict {
    Same,
    Different,
    Unknown(Option<Which>, ValueError),
}

/// The most parts of one variable, and of what it points at, that are compared.
const MOST_PARTS: u64 = 1 << 22;

impl<'b> Place<'b> {
    /// A part of it.
    pub fn part(self, field: Field) -> Self {
        let offset = usize::try_from(field.offset).unwrap_or(usize::MAX);
        let at = self.at.saturating_add(offset);
        Self { at, type_id: field.type_id, bits: field.bits, ..self }
    }

    /// The bytes, so many; `None` if they are outside of the block.
    pub fn bytes(self, size: u64) -> Option<Result<&'b [u8], &'b ValueError>> {
        let end = self.at.checked_add(usize::try_from(size).ok()?)?;
        self.block.get(self.at..end)
    }

    pub fn address(self) -> VirtAddr {
        self.block.address.wrapping_add(self.at as u64)
    }

    /// Why none of it can be read.
    pub fn missing(self, size: u64) -> Option<&'b ValueError> {
        let end = self.at.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
        self.block.missing(&(self.at..end))
    }
}

impl<'c, 'a> Walk<'c, 'a> {
    pub fn new(comparison: &'c Comparison<'a>, variable: &'c SetVariable) -> Self {
        Self {
            comparison,
            variable,
            share: comparison.new.target.budget().share("what differs in a variable", MOST_PARTS),
            level: 0,
            proving: false,
            differs: false,
            chain: 0,
            seen: FxHashMap::default(),
            within: Vec::new(),
            folded: Folded::default(),
        }
    }

    /// Adds a difference, or that one of the values is unknown.
    pub(super) fn values(
        &mut self,
        pair: Pair<'_>,
        old: Value,
        new: Value,
        folded: Option<Kind>,
        out: &mut Vec<Finding>,
    ) {
        match (old, new) {
            (Value::Error(why), _) => self.unknown(pair, Some(Which::Old), *why, out),
            (_, Value::Error(why)) => self.unknown(pair, Some(Which::New), *why, out),
            (old, new) => self.push(pair, What::Differs { old, new, folded }, out),
        }
    }

    pub(super) fn unknown(
        &mut self,
        pair: Pair<'_>,
        side: Option<Which>,
        why: ValueError,
        out: &mut Vec<Finding>,
    ) {
        self.push(pair, What::Unknown { side, why }, out);
    }

    pub(super) fn push(&mut self, pair: Pair<'_>, what: What, out: &mut Vec<Finding>) {
        if self.proving {
            self.differs |= matches!(what, What::Differs { folded: None, .. });
            if matches!(what, What::Unknown { .. }) && out.is_empty() {
                let address = Some(pair.new.address());
                out.push(Finding { path: String::new(), type_name: "".into(), address, what });
            }
            return;
        }
        let budget = self.comparison.new.target.budget();
        if budget.bytes(size_of::<Finding>() as u64).is_err() {
            return;
        }
        let types = self.comparison.new.types;
        let type_name = types.map(|types| types.name(pair.new.type_id)).unwrap_or_default();
        out.push(Finding {
            path: String::new(),
            type_name: type_name.into(),
            address: Some(pair.new.address()),
            what,
        });
    }

    /// Leaves out what differs from `start` on, unless everything was asked for.
    pub(super) fn fold(&mut self, kind: Kind, start: usize, out: &mut Vec<Finding>) {
        if self.comparison.all || self.proving {
            return;
        }
        let before = out.len();
        let mut number = 0;
        out.retain(|finding| {
            number += 1;
            number <= start || !finding.is_difference()
        });
        if out.len() < before {
            self.folded.add(kind);
        }
    }

    /// Says how the sides declare it differently.
    pub(super) fn tell_changes(
        &mut self,
        pair: Pair<'_>,
        old: &Shape,
        new: &Shape,
        out: &mut Vec<Finding>,
    ) {
        let (old, new) = ((pair.old.type_id, old), (pair.new.type_id, new));
        for Declared { step, type_name, change } in self.comparison.changes(old, new) {
            let only_old = matches!(change, Change::OnlyOld);
            let told = out.len();
            self.push(pair, What::Changed(change), out);
            for finding in &mut out[told..] {
                finding.path = step.clone();
                finding.type_name = type_name.as_str().into();
                finding.address = finding.address.filter(|_| !only_old && step.is_empty());
            }
        }
    }
}

/// The value of a place.
pub fn value(side: &Side<'_>, place: Place<'_>) -> Value {
    match place.bits {
        Some(field) => side.reader.read_bit_field_in(place.type_id, place.block, place.at, field),
        None => side.reader.read_in(place.type_id, place.block, place.at),
    }
}

/// The pointer in a place.
pub fn pointer(side: &Side<'_>, place: Place<'_>, size: u64) -> Result<VirtAddr, ValueError> {
    match place.bytes(size) {
        Some(Ok(bytes)) => Ok(VirtAddr::new(side.target.arch().endian().uint(bytes) as u64)),
        Some(Err(why)) => Err(why.clone()),
        None => match value(side, place) {
            Value::Error(why) => Err(*why),
            _ => Ok(VirtAddr::default()),
        },
    }
}
