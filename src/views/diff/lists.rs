//! Heads of lists: their end says nothing more than their beginning.

use crate::addr::VirtAddr;
use crate::types::Field;
use crate::views::diff::comparison::Comparison;
use crate::views::diff::finding::{Finding, Which};
use crate::views::diff::fold::Kind;
use crate::views::diff::shape::Members;
use crate::views::diff::sides::Side;
use crate::views::diff::walk::{Context, Pair, Place, Walk, pointer};

impl Walk<'_, '_> {
    /// The head of a list: its end says nothing more than its beginning.
    pub(super) fn head(
        &mut self,
        pair: Pair<'_>,
        ((old_first, old_last), old): (&(Field, Option<Field>), &Members),
        ((new_first, new_last), new): (&(Field, Option<Field>), &Members),
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        let first = Pair { old: pair.old.part(*old_first), new: pair.new.part(*new_first) };
        let Comparison { old: one, new: other, all, .. } = self.comparison;
        let size = |side: &Side<'_>| side.target.arch().pointer_size();
        let firsts = (pointer(one, first.old, size(one)), pointer(other, first.new, size(other)));
        let empty = matches!(firsts, (Ok(one), Ok(other)) if one.is_null() && other.is_null());
        if empty && *all && !self.proving {
            let inner = Context { within: context.within.or(Some(Kind::List)), ..context };
            for member in new.all.iter().enumerate() {
                self.member(pair, (old, new), member, inner, out);
            }
            return;
        }
        if empty {
            let counts = context.within.is_none() && !self.proving;
            if counts && self.tails_differ(pair, *old_last, *new_last) {
                self.folded.add(Kind::List);
            }
            return;
        }
        let name = new.all.first().and_then(|member| member.name.as_deref()).unwrap_or_default();
        let (start, folded) = (out.len(), self.folded);
        self.step(first, name, context, out);
        if out.len() == start
            && self.folded == folded
            && let (Some(one), Some(other)) = (old_last, new_last)
        {
            let last = Pair { old: pair.old.part(*one), new: pair.new.part(*other) };
            let ends = (self.end(Which::Old, last.old), self.end(Which::New, last.new));
            if !matches!(ends, (Some(one), Some(other)) if self.is_same_end(one, other)) {
                self.step(last, &name.replace("_first", "_last"), context, out);
            }
        }
    }

    /// The pointer to the end of a list.
    fn end(&self, side: Which, place: Place<'_>) -> Option<VirtAddr> {
        let side = match side {
            Which::Old => self.comparison.old,
            Which::New => self.comparison.new,
        };
        pointer(side, place, side.target.arch().pointer_size()).ok()
    }

    /// Whether the heads of empty lists differ where they say that they end.
    fn tails_differ(&self, pair: Pair<'_>, old: Option<Field>, new: Option<Field>) -> bool {
        let read = |side, place: Place<'_>, last: Option<Field>| self.end(side, place.part(last?));
        read(Which::Old, pair.old, old) != read(Which::New, pair.new, new)
    }
}
