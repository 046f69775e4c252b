//! Whether two pointers lead to the same: to the same part of their own copies, to the same
//! symbol, or to things that are equal themselves.

use crate::addr::VirtAddr;
use crate::budget;
use crate::types::TypeId;
use crate::value::freed;
use crate::value::memory_block::MemoryBlock;
use crate::value::model::{ErrorKind, ValueError};
use crate::views::diff::comparison::Comparison;
use crate::views::diff::finding::{Finding, What, Which};
use crate::views::diff::fold::Kind;
use crate::views::diff::shape::{Form, Shape};
use crate::views::diff::sides::Side;
use crate::views::diff::walk::{Context, Pair, Place, Verdict, Walk, pointer};

/// Longer chains of pointers are not followed.
const LONGEST_CHAIN: usize = 16;

/// Larger things are not compared, in bytes.
const LARGEST: u64 = 1 << 16;

/// Of a string, at most so many bytes are compared.
const LONGEST_TEXT: usize = 4096;

impl Walk<'_, '_> {
    /// Both pointers, or the side whose cannot be read.
    pub(super) fn pointers(
        &self,
        pair: Pair<'_>,
        old_size: u64,
        new_size: u64,
    ) -> Result<(VirtAddr, VirtAddr), (Which, ValueError)> {
        let Comparison { old, new, .. } = self.comparison;
        let one = pointer(old, pair.old, old_size).map_err(|why| (Which::Old, why))?;
        let other = pointer(new, pair.new, new_size).map_err(|why| (Which::New, why))?;
        Ok((one, other))
    }

    pub(super) fn pointer(
        &mut self,
        pair: Pair<'_>,
        (old_size, old_to): (u64, TypeId),
        (new_size, new_to): (u64, TypeId),
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        let Comparison { old, new, all, .. } = self.comparison;
        let (one, other) = match self.pointers(pair, old_size, new_size) {
            Ok(both) => both,
            Err((which, why)) => return self.unknown(pair, Some(which), why, out),
        };
        let kind = match self.verdict((one, old_to), (other, new_to)) {
            Verdict::Same if one == other => return,
            Verdict::Same if !*all || self.proving => {
                if context.within.is_none() && !self.proving {
                    self.folded.add(Kind::Pointer);
                }
                return;
            }
            Verdict::Same => Some(Kind::Pointer),
            Verdict::Different => None,
            Verdict::Unknown(side, why) => return self.unknown(pair, side, why, out),
        };
        let read = |side: &Side<'_>, place: Place<'_>| {
            side.reader.read_in(place.type_id, place.block, place.at)
        };
        let (old, new) = (read(old, pair.old), read(new, pair.new));
        self.values(pair, old, new, context.within.or(kind), out);
    }

    fn verdict(
        &mut self,
        (one, old_to): (VirtAddr, TypeId),
        (other, new_to): (VirtAddr, TypeId),
    ) -> Verdict {
        let Comparison { old, new, same_types, same_kernel, .. } = self.comparison;
        if one.is_null() || other.is_null() {
            return if one == other { Verdict::Same } else { Verdict::Different };
        }
        if one == other && *same_kernel {
            return Verdict::Same;
        }
        if let Some((side, why)) = freed_pointer((old, one), (new, other)) {
            return Verdict::Unknown(Some(side), why);
        }
        let own = (old.own_master(one), new.own_master(other));
        if let (Some(one), Some(other)) = own {
            return self.masters(one, other);
        }
        if old.is_own_vnet(one) && new.is_own_vnet(other) {
            return Verdict::Same;
        }
        match (old.target.label(one), new.target.label(other)) {
            (Some(_), Some(_)) if *same_types => return Verdict::Different,
            (Some(name), Some(other_name)) => {
                let same = name == other_name || self.named(one, other) == Some(true);
                return if same { Verdict::Same } else { Verdict::Different };
            }
            _ => {}
        }
        if own.0.is_some() || own.1.is_some() {
            return Verdict::Different;
        }
        match self.things((one, old_to), (other, new_to)) {
            // A number that no build has memory at.
            Verdict::Unknown(..) if one == other => Verdict::Same,
            verdict => verdict,
        }
    }

    /// Whether two places in the sides' own copies, or in the masters, are the same.
    fn masters(&self, one: VirtAddr, other: VirtAddr) -> Verdict {
        // Even of one kernel, a module's variables may be in another place in each dump.
        let same = match self.comparison.same_types {
            true => one == other,
            false => self.named(one, other).unwrap_or(false),
        };
        if same { Verdict::Same } else { Verdict::Different }
    }

    /// Whether two masters are the same part of variables of the same name; `None` if one is in no
    /// variable.
    fn named(&self, one: VirtAddr, other: VirtAddr) -> Option<bool> {
        let part = |side: &Side<'_>, at| {
            let (variable, offset) = side.variable_at(at)?;
            let part = side.types?.part_at(variable.type_id?, offset).ok()?;
            Some((variable.name.clone(), variable.module.clone(), part.path, part.beyond))
        };
        let Comparison { old, new, .. } = self.comparison;
        Some(part(old, one)? == part(new, other)?)
    }

    /// Whether what they lead to is equal.
    fn things(
        &mut self,
        (one, old_to): (VirtAddr, TypeId),
        (other, new_to): (VirtAddr, TypeId),
    ) -> Verdict {
        let Comparison { old, new, .. } = self.comparison;
        if self.comparison.are_texts(old_to, new_to) {
            return texts((old, one), (new, other));
        }
        if self.is_same_part(one, other) {
            return Verdict::Same;
        }
        let (old_shape, new_shape) = self.comparison.shapes(old_to, new_to);
        let is_struct = |shape: &Shape| {
            matches!(shape.form, Form::Record(_) | Form::Whole)
                && (1..=LARGEST).contains(&shape.size)
        };
        let numbers = matches!(old_shape.form, Form::Whole) && !self.comparison.is_record(new_to);
        if !is_struct(&old_shape) || !is_struct(&new_shape) || numbers {
            // An initial value leads to what the kernel had when it was built.
            return if old.is_initial() { Verdict::Different } else { unknown_thing() };
        }
        if let Some(known) = self.seen.get(&(one, other)) {
            return known.clone();
        }
        if let Err(why) = budget::level("the chain of pointers", self.chain, LONGEST_CHAIN) {
            return Verdict::Unknown(None, why.into());
        }
        // While they are compared, what leads back to them is no difference.
        self.seen.insert((one, other), Verdict::Same);
        self.within.push((one, other, old_shape.size.min(new_shape.size)));
        let verdict = self.objects((one, old_to, old_shape.size), (other, new_to, new_shape.size));
        self.within.pop();
        self.seen.insert((one, other), verdict.clone());
        verdict
    }

    /// Whether both lead to the same part of two things that are being compared.
    fn is_same_part(&self, one: VirtAddr, other: VirtAddr) -> bool {
        self.within.iter().any(|(old, new, size)| {
            let at = one.offset_from(*old).filter(|at| at < size);
            at.is_some() && at == other.offset_from(*new)
        })
    }

    /// Whether the ends of two lists are the same: at the same part of their own copies, or both
    /// at a pointer that is NULL.
    pub(super) fn is_same_end(&self, one: VirtAddr, other: VirtAddr) -> bool {
        let Comparison { old, new, .. } = self.comparison;
        let is_end =
            |side: &Side<'_>, at| side.target.memory().pointer(at).is_ok_and(VirtAddr::is_null);
        match (old.own_master(one), new.own_master(other)) {
            (Some(one), Some(other)) => matches!(self.masters(one, other), Verdict::Same),
            (None, None) => one == other || is_end(old, one) && is_end(new, other),
            _ => false,
        }
    }

    /// The same for memory that is not freed and not larger than a page or two.
    fn objects(
        &mut self,
        (one, old_to, old_size): (VirtAddr, TypeId, u64),
        (other, new_to, new_size): (VirtAddr, TypeId, u64),
    ) -> Verdict {
        let Comparison { old, new, .. } = self.comparison;
        let sides = [(old, Which::Old, one, old_size), (new, Which::New, other, new_size)];
        for (side, which, at, size) in sides {
            if let Err(why) = freed::check(side.target.memory(), at, size) {
                return Verdict::Unknown(Some(which), why.into());
            }
        }
        let block =
            |side: &Side<'_>, at, size| MemoryBlock::read(side.target.memory(), at, size as usize);
        let (old, new) = (block(old, one, old_size), block(new, other, new_size));
        let place = |block, type_id| Place { block, at: 0, type_id, bits: None };
        self.prove(Pair { old: place(&old, old_to), new: place(&new, new_to) })
    }

    /// Compares without telling what differs.
    fn prove(&mut self, pair: Pair<'_>) -> Verdict {
        let outer = (std::mem::replace(&mut self.proving, true), std::mem::take(&mut self.differs));
        let mut found = Vec::new();
        self.chain += 1;
        self.pair(
            pair,
            Context { name: "", within: None, anonymous: false, tell: false },
            &mut found,
        );
        self.chain -= 1;
        let differs = self.differs;
        (self.proving, self.differs) = outer;
        match found.pop().map(|finding| finding.what) {
            _ if differs => Verdict::Different,
            Some(What::Unknown { side, why }) => Verdict::Unknown(side, why),
            _ => Verdict::Same,
        }
    }
}

fn texts((old, one): (&Side<'_>, VirtAddr), (new, other): (&Side<'_>, VirtAddr)) -> Verdict {
    let text = |side: &Side<'_>, at| side.target.memory().c_string(at, LONGEST_TEXT);
    match (text(old, one), text(new, other)) {
        (Ok(one), Ok(other)) if one == other => Verdict::Same,
        (Ok(_), Ok(_)) => Verdict::Different,
        (Err(why), _) => Verdict::Unknown(Some(Which::Old), why.into()),
        (_, Err(why)) => Verdict::Unknown(Some(Which::New), why.into()),
    }
}

/// The side whose pointer is the pattern of freed memory.
fn freed_pointer(
    old: (&Side<'_>, VirtAddr),
    new: (&Side<'_>, VirtAddr),
) -> Option<(Which, ValueError)> {
    let check = |(side, pointer): (&Side<'_>, VirtAddr)| {
        let size = side.target.arch().pointer_size() as usize;
        freed::is_word(pointer.get(), size).then(|| freed::word(pointer.get(), pointer))
    };
    let old = check(old).map(|why| (Which::Old, why));
    old.or_else(|| check(new).map(|why| (Which::New, why)))
}

fn unknown_thing() -> Verdict {
    let message = "it leads to something whose type or size is not known, which cannot be compared";
    Verdict::Unknown(
        None,
        ValueError { kind: ErrorKind::NoType, address: None, message: message.into() },
    )
}
