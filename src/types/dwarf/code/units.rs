//! Which unit an address of code belongs to.

use rayon::prelude::*;

use gimli::DebugInfoOffset;

use super::ranges::each_range;
use crate::types::dwarf::Reader;
use crate::types::dwarf::sections::{Slice, UnitSection};

/// The ranges of all units, by their starts.
#[derive(Debug)]
pub struct UnitRanges {
    sorted: Vec<Range>,
}

/// One range, and the offset of the unit's header.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: u64,
    end: u64,
    unit: u64,
}

/// The most ranges of one unit: a thousand functions in sections of their own.
const MOST_RANGES: usize = 1 << 16;

impl UnitRanges {
    pub fn of(reader: Reader<'_>, dwarf: &gimli::Dwarf<Slice<'_>>) -> Self {
        let units = reader.file.units.as_slice().par_iter();
        let own = units.filter(|unit| unit.section == UnitSection::Info);
        let found = own.flat_map_iter(|unit| ranges_of(reader, dwarf, unit.offset));
        let mut sorted: Vec<Range> = found.collect();
        sorted.sort_unstable_by_key(|range| range.start);
        Self { sorted }
    }

    /// The offset of the header of the unit with that address.
    pub fn find(&self, address: u64) -> Option<u64> {
        // Ranges do not overlap, except in damaged files.
        const NEAR: usize = 16;
        let after = self.sorted.partition_point(|range| range.start <= address);
        let before = self.sorted.get(..after)?.iter().rev().take(NEAR);
        before.into_iter().find(|range| address < range.end).map(|range| range.unit)
    }
}

fn ranges_of(reader: Reader<'_>, dwarf: &gimli::Dwarf<Slice<'_>>, offset: u64) -> Vec<Range> {
    let mut found = Vec::new();
    let mut read = || -> gimli::Result<()> {
        let header = dwarf.unit_header(DebugInfoOffset(offset as usize))?;
        let unit = dwarf.unit(header)?;
        let mut entries = unit.entries();
        entries.next_dfs()?;
        let root = entries.current().ok_or(gimli::Error::MissingUnitDie)?;
        each_range(unit.unit_ref(dwarf), root, |range| {
            if found.len() == MOST_RANGES || reader.types.budget().work(1).is_err() {
                return false;
            }
            if range.begin < range.end {
                found.push(Range { start: range.begin, end: range.end, unit: offset });
            }
            true
        })
    };
    // What was read before damage is kept.
    let _ = read();
    found
}
