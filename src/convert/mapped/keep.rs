//! Ranges that are kept.

use std::ops::Range;

use super::super::ConvertError;
use crate::addr::PhysAddr;
use crate::target::Target;

/// Adds `range`, to the last one if it continues that.
pub(super) fn keep(
    kept: &mut Vec<Range<PhysAddr>>,
    range: Range<PhysAddr>,
    target: &Target,
) -> Result<(), ConvertError> {
    match kept.last_mut().filter(|last| last.end == range.start) {
        Some(last) => last.end = range.end,
        None => {
            // The range, and the gap before it.
            target.budget().bytes(2 * size_of::<Range<PhysAddr>>() as u64)?;
            kept.push(range);
        }
    }
    Ok(())
}
