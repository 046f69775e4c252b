//! One variable: its bytes on both sides, and then its members.

use crate::value::memory_block::MemoryBlock;
use crate::value::model::{Value, ValueError};
use crate::views::diff::comparison::Comparison;
use crate::views::diff::finding::{Finding, Findings, What, Which};
use crate::views::diff::fold::Folded;
use crate::views::diff::initial::Origin;
use crate::views::diff::walk::{Context, Pair, Place, Walk};
use crate::vnet::SetVariable;

impl Comparison<'_> {
    /// Everything about a variable, `old` and `new` on their sides, and where an initial value
    /// comes from.
    #[must_use]
    pub fn variable(&self, old: &SetVariable, new: &SetVariable) -> (Findings, Option<Origin>) {
        let found = self.old.with(old, |old_block, old_at| {
            let compared = self.new.with(new, |new_block, new_at| {
                self.blocks((old, old_block, old_at), (new, new_block, new_at))
            });
            compared.map_or_else(|why| unknown(Which::New, why), |(_, findings)| findings)
        });
        match found {
            Ok((origin, findings)) => (findings, origin),
            Err(why) => (unknown(Which::Old, why), None),
        }
    }

    fn blocks(
        &self,
        (old, old_block, old_at): (&SetVariable, &MemoryBlock, usize),
        (new, new_block, new_at): (&SetVariable, &MemoryBlock, usize),
    ) -> Findings {
        let bytes = |block: &'_ MemoryBlock, at: usize, size: u64| {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            at..at.saturating_add(size).min(block.len().max(at))
        };
        let one = old_block.get(bytes(old_block, old_at, old.size));
        let other = new_block.get(bytes(new_block, new_at, new.size));
        if let (true, Some(Ok(one)), Some(Ok(other))) = (self.same_types, &one, &other)
            && one == other
        {
            return Findings::default();
        }
        let freed = [
            (Which::Old, self.old.freed(old, old_block, old_at)),
            (Which::New, self.new.freed(new, new_block, new_at)),
        ];
        if let Some((side, why)) = freed.into_iter().find_map(|(side, why)| Some((side, why?))) {
            return unknown(side, why);
        }
        let (Some(old_type), Some(new_type)) = (old.type_id, new.type_id) else {
            return match (one, other) {
                (Some(Ok(one)), Some(Ok(other))) => untyped(one, other, new_block, new_at),
                (Some(Err(why)), _) => unknown(Which::Old, why.clone()),
                (_, Some(Err(why))) => unknown(Which::New, why.clone()),
                _ => Findings::default(),
            };
        };
        let place = |block, at, type_id| Place { block, at, type_id, bits: None };
        let old = place(old_block, old_at, old_type);
        Walk::new(self, new).whole(Pair { old, new: place(new_block, new_at, new_type) })
    }
}

impl Walk<'_, '_> {
    /// Everything about the variable.
    fn whole(mut self, pair: Pair<'_>) -> Findings {
        let mut list = Vec::new();
        let name = &*self.variable.name;
        let tell = !self.comparison.same_kernel;
        self.pair(pair, Context { name, within: None, anonymous: false, tell }, &mut list);
        list.iter_mut().for_each(Finding::finish);
        Findings { list, folded: self.folded }
    }
}

/// Nothing but that the whole variable is unknown.
fn unknown(side: Which, why: ValueError) -> Findings {
    let what = What::Unknown { side: Some(side), why };
    let finding = Finding { path: String::new(), type_name: "".into(), address: None, what };
    Findings { list: vec![finding], folded: Folded::default() }
}

/// The bytes that differ, of a variable whose type is not known.
fn untyped(one: &[u8], other: &[u8], block: &MemoryBlock, at: usize) -> Findings {
    let mut findings = Findings::default();
    let len = one.len().min(other.len());
    let differs = |place: &usize| one.get(*place) != other.get(*place);
    let mut next = 0;
    while let Some(start) = (next..len).find(differs) {
        let end = (start..len).find(|place| !differs(place)).unwrap_or(len);
        let bytes =
            |of: &[u8]| Value::Bytes(of.get(start..end).unwrap_or_default().to_vec().into());
        let path = match end - start {
            1 => format!("[{start}]"),
            _ => format!("[{start}..{}]", end - 1),
        };
        let address = Some(block.address.wrapping_add((at + start) as u64));
        let what = What::Differs { old: bytes(one), new: bytes(other), folded: None };
        findings.list.push(Finding { path, type_name: "".into(), address, what });
        next = end;
    }
    findings
}
