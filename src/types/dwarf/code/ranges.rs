//! Which addresses an entry covers.

use gimli::{AttributeValue, DebuggingInformationEntry, Range, UnitRef, constants as dw};

use crate::types::dwarf::sections::Slice;

/// Calls `f` with each range of addresses of an entry, until it returns false. Gimli's own function adds a
/// length to an address unchecked, and a damaged file may have any length.
///
/// # Errors
/// A form or a list of ranges is damaged.
pub fn each_range<'t>(
    unit: UnitRef<'_, Slice<'t>>,
    entry: &DebuggingInformationEntry<Slice<'t>>,
    mut f: impl FnMut(Range) -> bool,
) -> gimli::Result<()> {
    let list = entry.attr_value(dw::DW_AT_ranges).map(|list| unit.attr_ranges(list)).transpose()?;
    if let Some(mut list) = list.flatten() {
        while let Some(range) = list.next()? {
            if !f(range) {
                break;
            }
        }
        return Ok(());
    }
    let address = |value: Option<AttributeValue<_>>| match value {
        Some(value) => unit.attr_address(value),
        None => Ok(None),
    };
    let begin = address(entry.attr_value(dw::DW_AT_low_pc))?;
    let end = match entry.attr_value(dw::DW_AT_high_pc) {
        Some(AttributeValue::Udata(len)) => begin.and_then(|begin| begin.checked_add(len)),
        value => address(value)?,
    };
    if let (Some(begin), Some(end)) = (begin, end) {
        f(Range { begin, end });
    }
    Ok(())
}
