//! Which units mention given addresses, without reading the units.
//!
//! A variable's entry holds its address: in DWARF 2 to 4 as the operand of
//! DW_OP_addr in .debug_info, in DWARF 5 mostly as an entry of .debug_addr. All
//! addresses of a kernel share their upper bytes, so a plain byte search for
//! those finds the operands at memory speed. A match by accident costs only
//! one needless read of a unit.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::OnceLock;

use gimli::Reader;
use memchr::memmem::Finder;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::bytes::Endian;
use crate::types::dwarf::DwarfFile;
use crate::types::dwarf::sections::UnitSection;
use crate::types::dwarf::units::Unit;

/// A unit, and what is known of its relevant entries.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    pub unit: &'a Unit,
    /// No entry after this offset of the section is relevant.
    pub last: u64,
    /// The most relevant entries that there can be.
    pub count: usize,
}

/// The pieces in which a section is searched in parallel.
const PIECE: usize = 2 << 20;

/// Every address in an entry, and where it is. It is built in one pass over the
/// sections at the first question, so later questions cost nothing.
#[derive(Debug, Default)]
pub struct AddressIndex {
    /// Operands in .debug_info: the address, and the operation's offset. Sorted.
    operands: Vec<(u64, u64)>,
    /// Entries of .debug_addr: the address, and the base of its table. Sorted.
    indexed: Vec<(u64, u64)>,
    /// Which units use the table at a base: their places in the chain.
    users: OnceLock<FxHashMap<u64, Vec<usize>>>,
}

impl DwarfFile {
    /// The units with an entry whose address lies in the range, in order.
    pub fn units_about(&self, range: &Range<u64>) -> Vec<Hit<'_>> {
        let index = self.address_index();
        let mut places: Vec<u64> = within(&index.operands, range).collect();
        places.sort_unstable();
        let mut hits: Vec<Hit<'_>> = Vec::new();
        for last in places {
            match hits.last_mut() {
                Some(hit) if last < hit.unit.end => {
                    hit.last = last;
                    hit.count += 1;
                }
                _ => {
                    let unit = self.units.holding(UnitSection::Info, last);
                    hits.extend(unit.map(|unit| Hit { unit, last, count: 1 }));
                }
            }
        }
        hits.extend(self.units_by_address_table(index, range));
        // The address table does not say where in the unit it is used, so
        // of two hits on one unit the one that reaches further counts.
        hits.sort_by_key(|hit| (hit.unit.section, hit.unit.offset, Reverse(hit.last)));
        hits.dedup_by(|next, hit| {
            let same = (next.unit.section, next.unit.offset) == (hit.unit.section, hit.unit.offset);
            hit.count += if same { next.count } else { 0 };
            same
        });
        hits
    }

    fn units_by_address_table(&self, index: &AddressIndex, range: &Range<u64>) -> Vec<Hit<'_>> {
        let mut counts: FxHashMap<u64, usize> = FxHashMap::default();
        within(&index.indexed, range).for_each(|base| *counts.entry(base).or_default() += 1);
        if counts.is_empty() {
            return Vec::new();
        }
        let units = self.units.as_slice();
        let users = index.users.get_or_init(|| self.users_of_tables());
        let hits = counts.into_iter().flat_map(|(base, count)| {
            let users = users.get(&base).into_iter().flatten().map(|&at| &units[at]);
            users.map(move |unit| Hit { unit, last: unit.end, count })
        });
        hits.collect()
    }

    /// The units by the bases of their tables in .debug_addr, from their root entries.
    fn users_of_tables(&self) -> FxHashMap<u64, Vec<usize>> {
        let base = |unit: &Unit| {
            let root = (unit.encoding.version >= 5).then(|| unit.root(&self.sections).ok());
            root.flatten().map(|root| root.bases.addresses)
        };
        let bases: Vec<Option<u64>> = self.units.as_slice().par_iter().map(base).collect();
        let mut users: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
        for (at, base) in bases.into_iter().enumerate() {
            base.into_iter().for_each(|base| users.entry(base).or_default().push(at));
        }
        users
    }
}

impl AddressIndex {
    pub fn build(file: &DwarfFile) -> Self {
        let sorted = |mut found: Vec<(u64, u64)>| {
            found.sort_unstable();
            found
        };
        let (operands, indexed) = rayon::join(|| sorted(operands(file)), || sorted(indexed(file)));
        Self { operands, indexed, users: OnceLock::new() }
    }
}

/// The entries for the addresses in the range.
fn within(sorted: &[(u64, u64)], range: &Range<u64>) -> impl Iterator<Item = u64> {
    let start = sorted.partition_point(|(address, _)| *address < range.start);
    let inside = sorted[start..].iter().take_while(|(address, _)| *address < range.end);
    inside.map(|(_, place)| *place)
}

fn operands(file: &DwarfFile) -> Vec<(u64, u64)> {
    let size = file.arch.pointer_size() as usize;
    let search = OperandSearch::new(&file.image, size, file.arch.endian());
    let section = file.sections.units(UnitSection::Info);
    let starts: Vec<usize> = (0..section.len()).step_by(PIECE).collect();
    let pieces = starts.par_iter().map(|&start| {
        // A piece overlaps the next one by the length of an operation.
        let end = (start + PIECE + size).min(section.len());
        let found = search.places(&section[start..end]);
        found.map(|(address, at)| (address, (start + at) as u64)).collect::<Vec<_>>()
    });
    let mut found: Vec<(u64, u64)> = pieces.flatten_iter().collect();
    found.dedup();
    found
}

fn indexed(file: &DwarfFile) -> Vec<(u64, u64)> {
    let section = file.sections.addresses();
    let mut input = file.sections.slice(section);
    let mut found = Vec::new();
    while let Ok((length, _)) = input.read_initial_length() {
        let Ok(mut table) = input.split(length) else { break };
        let header = (table.read_u16(), table.read_u8(), table.read_u8());
        let (Ok(_version), Ok(size @ (4 | 8)), Ok(_segment)) = header else { continue };
        let base = (section.len() - input.len() - table.len()) as u64;
        while let Ok(address) = table.read_address(size) {
            // Most belong to functions.
            if file.image.contains(&address) && !file.text.contains(&address) {
                found.push((address, base));
            }
        }
    }
    found
}

/// A search for DW_OP_addr operands in a range.
struct OperandSearch {
    range: Range<u64>,
    size: usize,
    endian: Endian,
    finder: Finder<'static>,
    /// The distance from the opcode to the bytes of the search pattern.
    before: usize,
}

impl OperandSearch {
    fn new(range: &Range<u64>, size: usize, endian: Endian) -> Self {
        let bytes = |address: u64| match endian {
            Endian::Little => address.to_le_bytes()[..size].to_vec(),
            Endian::Big => address.to_be_bytes()[8 - size..].to_vec(),
        };
        let opcode = gimli::DW_OP_addr.0;
        let (first, last) = (bytes(range.start), bytes(range.end.wrapping_sub(1)));
        let (pattern, before) = match endian {
            Endian::Little => {
                let shared = (0..size).rev().take_while(|&at| first[at] == last[at]).count();
                (first[size - shared..].to_vec(), 1 + size - shared)
            }
            Endian::Big => {
                let shared = (0..size).take_while(|&at| first[at] == last[at]).count();
                ([&[opcode], &first[..shared]].concat(), 0)
            }
        };
        let (pattern, before) =
            if pattern.is_empty() { (vec![opcode], 0) } else { (pattern, before) };
        let finder = Finder::new(&pattern).into_owned();
        Self { range: range.clone(), size, endian, finder, before }
    }

    /// The addresses and offsets of the operations, in order.
    fn places<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (u64, usize)> + 'a {
        let found = self.finder.find_iter(bytes).filter_map(|at| at.checked_sub(self.before));
        found.filter_map(|at| Some((self.operand(bytes, at)?, at)))
    }

    fn operand(&self, bytes: &[u8], at: usize) -> Option<u64> {
        // The test that excludes most comes first: every function has its address here too.
        if *bytes.get(at)? != gimli::DW_OP_addr.0 {
            return None;
        }
        let operand = bytes.get(at + 1..at + 1 + self.size)?;
        let address = self.endian.uint(operand) as u64;
        self.range.contains(&address).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(range: Range<u64>, size: usize, endian: Endian, bytes: &[u8]) -> Vec<usize> {
        let search = OperandSearch::new(&range, size, endian);
        search.places(bytes).map(|(_, at)| at).collect()
    }

    #[test]
    fn operands_of_the_range_are_found_and_no_others() {
        let mut bytes = vec![9, 3];
        bytes.extend(0xffff_ffff_81c6_0000u64.to_le_bytes());
        bytes.extend([9, 3]);
        bytes.extend(0xffff_ffff_81d0_0000u64.to_le_bytes());
        bytes.extend([9, 4]);
        bytes.extend(0xffff_ffff_81c6_0000u64.to_le_bytes());
        let range = 0xffff_ffff_81c5_f000..0xffff_ffff_81cc_0000;
        assert_eq!(found(range, 8, Endian::Little, &bytes), [1]);
    }

    #[test]
    fn big_endian_and_short_addresses() {
        let bytes = [0, 3, 0x01, 0xc5, 0xf3, 0xa0, 3, 0x02, 0, 0, 0];
        assert_eq!(found(0x01c5_0000..0x01c6_0000, 4, Endian::Big, &bytes), [1]);
        let bytes = [3, 0xa0, 0xf3, 0xc5, 0x01];
        assert_eq!(found(0x01c5_0000..0x01c6_0000, 4, Endian::Little, &bytes), [0]);
    }

    #[test]
    fn a_range_without_common_bytes_is_searched_by_the_opcode() {
        let bytes = [3, 1, 0, 0, 0x80];
        assert_eq!(found(0x10..0xffff_ffff, 4, Endian::Little, &bytes), [0]);
        assert_eq!(found(0x10..0xffff_ffff, 4, Endian::Little, &bytes[..4]), [0usize; 0]);
    }
}
