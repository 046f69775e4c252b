//! The rules that a kernel's file already has for its entry points, and which are wrong.
//!
//! Some assembly functions have rules of the assembler's (`.cfi_startproc` in `ENTRY`,
//! `sys/arm64/include/asm.h`, since 13): as if nothing had been pushed. A debugger that finds them
//! does not look for others.

use std::ops::Range;

use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, DwEhPe, EhFrame, EndianSlice, FrameDescriptionEntry,
    RunTimeEndian, UnwindSection,
};

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::budget::Budget;
use crate::threads::stack::trap_rules::EntryCode;

type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// Takes the code of `entries`, which are in the order of addresses, out of a `.debug_frame`.
pub fn uncover_debug(frames: &mut [u8], arch: Arch, entries: &[EntryCode], budget: &Budget) {
    let changes = {
        let mut section = DebugFrame::new(frames, arch.endian().into());
        section.set_address_size(arch.pointer_size() as u8);
        changes(&section, &BaseAddresses::default(), entries, budget)
    };
    apply(frames, arch, changes);
}

/// Takes it out of an `.eh_frame`, which is at the link address `at`.
pub fn uncover_eh(
    frames: &mut [u8],
    at: VirtAddr,
    arch: Arch,
    entries: &[EntryCode],
    budget: &Budget,
) {
    let changes = {
        let mut section = EhFrame::new(frames, arch.endian().into());
        section.set_address_size(arch.pointer_size() as u8);
        changes(&section, &BaseAddresses::default().set_eh_frame(at.get()), entries, budget)
    };
    apply(frames, arch, changes);
}

/// The length of the code that an entry is about: where it is in the section, and its new value.
type Change = (Range<usize>, u64);

fn changes<'a, S: UnwindSection<Slice<'a>>>(
    section: &S,
    bases: &BaseAddresses,
    points: &[EntryCode],
    budget: &Budget,
) -> Vec<Change> {
    let mut all = Vec::new();
    let mut entries = section.entries(bases);
    // A debugger reads nothing behind damage, either.
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let fde = partial.parse(|section, bases, at| section.cie_from_offset(bases, at));
        let Ok(fde) = fde else { continue };
        // Entries may name the same long one.
        if budget.work(1 + fde.cie().entry_len() as u64 / 64).is_err() {
            break;
        }
        let Some(len) = uncovered(&fde, points) else { continue };
        // What .debug_frame has before the addresses is as long as in .eh_frame.
        all.extend(length_field(&fde).map(|field| (field, len)));
    }
    all
}

/// How long the code of an entry is before the first entry point in it; `None` if it has none.
fn uncovered(fde: &FrameDescriptionEntry<Slice<'_>>, points: &[EntryCode]) -> Option<u64> {
    let (start, len) = (fde.initial_address(), fde.len());
    let before =
        points.partition_point(|point| point.start.get().saturating_add(point.len.into()) <= start);
    let first = points.get(before)?.start.get();
    (first < start.saturating_add(len)).then(|| first.saturating_sub(start))
}

/// Where an entry has the length of its code: behind its own length, its CIE, and the address.
fn length_field(fde: &FrameDescriptionEntry<Slice<'_>>) -> Option<Range<usize>> {
    // Entries of the 64-bit format begin with an escape; nobody writes them.
    let encoding = fde.cie().encoding();
    let (length, cie) = match encoding.format {
        gimli::Format::Dwarf32 => (4, 4),
        gimli::Format::Dwarf64 => return None,
    };
    let form = fde.cie().fde_address_encoding().unwrap_or(gimli::DW_EH_PE_absptr);
    let size = match DwEhPe(form.0 & 0xf) {
        gimli::DW_EH_PE_absptr => encoding.address_size.into(),
        gimli::DW_EH_PE_udata2 | gimli::DW_EH_PE_sdata2 => 2,
        gimli::DW_EH_PE_udata4 | gimli::DW_EH_PE_sdata4 => 4,
        gimli::DW_EH_PE_udata8 | gimli::DW_EH_PE_sdata8 => 8,
        _ => return None,
    };
    let at = fde.offset().checked_add(length + cie + size)?;
    Some(at..at.checked_add(size)?)
}

fn apply(frames: &mut [u8], arch: Arch, changes: Vec<Change>) {
    for (field, len) in changes {
        let bytes = arch.endian().bytes(len, field.len() as u64);
        if let Some(field) = frames.get_mut(field) {
            field.copy_from_slice(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Allowance;
    use gimli::write::{
        Address, CommonInformationEntry, EndianVec, FrameDescriptionEntry, FrameTable,
    };
    use gimli::{Encoding, Format, Register};

    /// Where the code of each entry is.
    fn covered<'a>(section: impl UnwindSection<Slice<'a>>) -> Vec<(u64, u64)> {
        let bases = BaseAddresses::default().set_eh_frame(0x9000);
        let mut entries = section.entries(&bases);
        let mut all = Vec::new();
        while let Some(entry) = entries.next().unwrap() {
            if let CieOrFde::Fde(partial) = entry {
                let fde = partial.parse(|s, bases, at| s.cie_from_offset(bases, at)).unwrap();
                all.push((fde.initial_address(), fde.len()));
            }
        }
        all
    }

    fn table(encoding: DwEhPe) -> FrameTable {
        let word = Encoding { format: Format::Dwarf32, version: 1, address_size: 8 };
        let mut table = FrameTable::default();
        let mut cie = CommonInformationEntry::new(word, 1, -8, Register(16));
        cie.fde_address_encoding = encoding;
        let cie = table.add_cie(cie);
        for (start, len) in [(0x1000, 0x100), (0x1100, 0x20), (0x1120, 0x40), (0x1160, 0x20)] {
            table.add_fde(cie, FrameDescriptionEntry::new(Address::Constant(start), len));
        }
        table
    }

    const EXPECTED: [(u64, u64); 4] =
        [(0x1000, 0x100), (0x1100, 0), (0x1120, 0x10), (0x1160, 0x20)];

    #[test]
    fn entries_end_where_an_entry_point_begins() {
        let budget = Budget::new(Allowance::for_files(1 << 20));
        let points = [
            EntryCode::at(VirtAddr::new(0x1100), 0x20),
            EntryCode::at(VirtAddr::new(0x1130), 0x30),
        ];
        let mut section = gimli::write::DebugFrame::from(EndianVec::new(RunTimeEndian::Little));
        table(gimli::DW_EH_PE_absptr).write_debug_frame(&mut section).unwrap();
        let mut bytes = section.take();
        uncover_debug(&mut bytes, Arch::Amd64, &points, &budget);
        assert_eq!(covered(DebugFrame::new(&bytes, RunTimeEndian::Little)), EXPECTED);
        let mut section = gimli::write::EhFrame::from(EndianVec::new(RunTimeEndian::Little));
        table(gimli::DW_EH_PE_sdata4).write_eh_frame(&mut section).unwrap();
        let mut bytes = section.take();
        uncover_eh(&mut bytes, VirtAddr::new(0x9000), Arch::Amd64, &points, &budget);
        assert_eq!(covered(EhFrame::new(&bytes, RunTimeEndian::Little)), EXPECTED);
    }
}
