//! Arrays, element by element, and characters as text.

use crate::value::model::Value;
use crate::views::diff::comparison::Comparison;
use crate::views::diff::finding::Finding;
use crate::views::diff::ranges::Ranges;
use crate::views::diff::shape::Elements;
use crate::views::diff::sides::Side;
use crate::views::diff::walk::{Context, Pair, Place, Walk};

impl Walk<'_, '_> {
    /// One dimension of an array, and within it the others.
    pub(super) fn dimension(
        &mut self,
        pair: Pair<'_>,
        (old, old_counts): (&Elements, &[u64]),
        (new, new_counts): (&Elements, &[u64]),
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        let (Some((&old_count, old_inner)), Some((&new_count, new_inner))) =
            (old_counts.split_first(), new_counts.split_first())
        else {
            if old_counts.is_empty() && new_counts.is_empty() {
                let part = Pair {
                    old: Place { type_id: old.element, ..pair.old },
                    new: Place { type_id: new.element, ..pair.new },
                };
                self.pair(part, Context { anonymous: false, ..context }, out);
            }
            return;
        };
        let text = old.characters && new.characters && old_inner.is_empty() && new_inner.is_empty();
        if text && self.text(pair, old_count, new_count, context, out) {
            return;
        }
        let stride = |size: u64, inner: &[u64]| {
            inner.iter().fold(size, |size, count| size.saturating_mul(*count))
        };
        let (old_stride, new_stride) = (stride(old.size, old_inner), stride(new.size, new_inner));
        let mut ranges = Ranges::default();
        for index in 0..old_count.min(new_count) {
            let at = |place: Place<'_>, stride: u64| {
                let distance = usize::try_from(index.saturating_mul(stride)).unwrap_or(usize::MAX);
                place.at.saturating_add(distance)
            };
            let (old_at, new_at) = (at(pair.old, old_stride), at(pair.new, new_stride));
            if let Err(why) = self.share.work(1) {
                self.unknown(pair, None, why.into(), out);
                break;
            }
            if old_at > pair.old.block.len() || new_at > pair.new.block.len() {
                break;
            }
            let part = Pair {
                old: Place { at: old_at, ..pair.old },
                new: Place { at: new_at, ..pair.new },
            };
            let mut found = Vec::new();
            self.level += 1;
            // All elements are of the type of the first.
            let inner = Context { tell: context.tell && index == 0, ..context };
            self.dimension(part, (old, old_inner), (new, new_inner), inner, &mut found);
            self.level -= 1;
            if self.differs {
                break;
            }
            ranges.add(index, found);
        }
        out.append(&mut ranges.finish());
    }

    /// Characters that are text on either side; false if they are not.
    fn text(
        &mut self,
        pair: Pair<'_>,
        old_count: u64,
        new_count: u64,
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) -> bool {
        let Comparison { old, new, .. } = self.comparison;
        let text = |side: &Side<'_>, place: Place<'_>, count| {
            side.reader.text_in(place.block, place.at, count)
        };
        let (one, other) = (text(old, pair.old, old_count), text(new, pair.new, new_count));
        if one.is_none() && other.is_none() {
            return false;
        }
        let or_bytes =
            |text: Option<Value>, place: Place<'_>, count| match (text, place.bytes(count)) {
                (Some(text), _) => text,
                (None, Some(Ok(bytes))) => Value::Bytes(bytes.to_vec().into()),
                (None, Some(Err(why))) => why.clone().into(),
                (None, None) => Value::Bytes(Vec::new().into()),
            };
        let (one, other) =
            (or_bytes(one, pair.old, old_count), or_bytes(other, pair.new, new_count));
        if one != other {
            self.values(pair, one, other, context.within, out);
        }
        true
    }
}
