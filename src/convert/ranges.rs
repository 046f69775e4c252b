//! Ranges of physical memory.

use std::ops::Range;

use crate::addr::PhysAddr;
use crate::budget::{Budget, Exhausted};

/// Adds `range`, to the last one if it continues that.
///
/// # Errors
/// The budget has no memory for another range.
pub(super) fn add(
    ranges: &mut Vec<Range<PhysAddr>>,
    range: Range<PhysAddr>,
    budget: &Budget,
) -> Result<(), Exhausted> {
    match ranges.last_mut().filter(|last| last.end == range.start) {
        Some(last) => last.end = range.end,
        None => {
            // The range, and the gap before it.
            budget.bytes(2 * size_of::<Range<PhysAddr>>() as u64)?;
            ranges.push(range);
        }
    }
    Ok(())
}

/// All of `ranges`, ascending, each byte once.
pub(super) fn joined(mut ranges: Vec<Range<PhysAddr>>) -> Vec<Range<PhysAddr>> {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    ranges
}
