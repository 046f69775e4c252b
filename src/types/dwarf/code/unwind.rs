//! Call frame information: how a caller's registers follow from those of the function that
//! it called. From .debug_frame and .eh_frame.

use gimli::{
    BaseAddresses, CieOrFde, DebugFrame, EhFrame, Register, RegisterRule, UnwindContext,
    UnwindOffset, UnwindSection,
};

use crate::types::dwarf::code::{Code, sections::Loaded};
use crate::types::dwarf::sections::Slice;

/// What holds at one address of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnwindRules {
    /// The canonical frame address: the caller's stack pointer at the call.
    pub cfa: Cfa,
    /// The number of the register that has the return address in the caller.
    pub return_address: u16,
    /// Where the caller's registers are, by their numbers in DWARF.
    pub registers: Vec<(u16, Rule)>,
}

/// How the canonical frame address is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cfa {
    /// A register, by its number in DWARF.
    pub register: u16,
    /// What is added to it.
    pub offset: i64,
}

/// Where a register of the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Unknown.
    Lost,
    /// Where it is.
    Same,
    /// In memory, at this distance from the canonical frame address.
    Saved(i64),
    /// The canonical frame address and this.
    Sum(i64),
    /// In this register.
    In(u16),
}

/// The functions of one section, sorted by their addresses.
pub(super) struct FrameIndex<'t> {
    section: Section<'t>,
    bases: BaseAddresses,
    sorted: Vec<(u64, u64, usize)>,
}

enum Section<'t> {
    Debug(DebugFrame<Slice<'t>>),
    Eh(EhFrame<Slice<'t>>),
}

impl<'t> Code<'t> {
    /// The rules at an address of code; `None` if no call frame information covers it, or if
    /// its form is not one that compilers write.
    pub fn unwind(&self, address: u64) -> Option<UnwindRules> {
        let indexes = self.frames.get_or_init(|| self.index());
        indexes.iter().find_map(|index| index.rules(address))
    }

    fn index(&self) -> Vec<FrameIndex<'t>> {
        let Some(sections) = self.reader.file.code.load() else { return Vec::new() };
        let sections: &'t Loaded = sections;
        let size = self.reader.types.arch().pointer_size() as u8;
        let endian = self.reader.file.sections.endian;
        let mut debug = DebugFrame::new(&sections.debug_frame, endian);
        debug.set_address_size(size);
        let mut eh = EhFrame::new(&sections.eh_frame, endian);
        eh.set_address_size(size);
        let bases = BaseAddresses::default().set_eh_frame(sections.eh_frame_at);
        let both = [Section::Debug(debug), Section::Eh(eh)];
        let all = both.into_iter().map(|section| {
            let sorted = match &section {
                Section::Debug(frames) => self.sorted(frames, &bases),
                Section::Eh(frames) => self.sorted(frames, &bases),
            };
            FrameIndex { section, bases: bases.clone(), sorted }
        });
        all.collect()
    }

    fn sorted<S: UnwindSection<Slice<'t>>>(
        &self,
        section: &S,
        bases: &BaseAddresses,
    ) -> Vec<(u64, u64, usize)> {
        let mut found = Vec::new();
        let mut entries = section.entries(bases);
        // What was read before damage is kept.
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let Ok(fde) = partial.parse(|section, bases, at| section.cie_from_offset(bases, at))
            else {
                continue;
            };
            if self.reader.types.budget().work(1).is_err() {
                break;
            }
            let end = fde.initial_address().wrapping_add(fde.len());
            if fde.initial_address() < end {
                found.push((fde.initial_address(), end, fde.offset()));
            }
        }
        found.sort_unstable();
        found
    }
}

impl FrameIndex<'_> {
    fn rules(&self, address: u64) -> Option<UnwindRules> {
        let after = self.sorted.partition_point(|(start, ..)| *start <= address);
        let (_, end, offset) = *self.sorted.get(after.checked_sub(1)?)?;
        if address >= end {
            return None;
        }
        match &self.section {
            Section::Debug(section) => rules(section, &self.bases, address, offset.into()),
            Section::Eh(section) => rules(section, &self.bases, address, offset.into()),
        }
    }
}

fn rules<'t, S: UnwindSection<Slice<'t>>>(
    section: &S,
    bases: &BaseAddresses,
    address: u64,
    offset: S::Offset,
) -> Option<UnwindRules>
where
    S::Offset: UnwindOffset<usize>,
{
    let cie = |section: &S, bases: &BaseAddresses, at| section.cie_from_offset(bases, at);
    let fde = section.fde_from_offset(bases, offset, cie).ok()?;
    let mut context = UnwindContext::new();
    let row = fde.unwind_info_for_address(section, bases, &mut context, address).ok()?;
    let gimli::CfaRule::RegisterAndOffset { register: Register(register), offset } = *row.cfa()
    else {
        return None;
    };
    let registers = row.registers().map(|(Register(number), rule)| {
        let rule = match rule {
            RegisterRule::SameValue => Rule::Same,
            RegisterRule::Offset(offset) => Rule::Saved(*offset),
            RegisterRule::ValOffset(offset) => Rule::Sum(*offset),
            RegisterRule::Register(Register(other)) => Rule::In(*other),
            _ => Rule::Lost,
        };
        (*number, rule)
    });
    Some(UnwindRules {
        cfa: Cfa { register, offset },
        return_address: fde.cie().return_address_register().0,
        registers: registers.collect(),
    })
}
