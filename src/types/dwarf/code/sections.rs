//! The sections that only questions about code need, unpacked at the first of them.

use std::convert::Infallible;
use std::sync::OnceLock;

use gimli::SectionId;

use crate::kernel::{ElfFile, Kernel, SectionBytes};
use crate::types::TypeError;
use crate::types::dwarf::sections::{self, SectionAddress, Sections, Slice};

/// Where the sections come from, and what was read of them.
#[derive(Debug)]
pub struct CodeSections {
    debug: ElfFile,
    /// The file with the kernel's contents. A debug file has no bytes of .eh_frame.
    contents: Option<ElfFile>,
    /// Where the sections of an object file were loaded, by name.
    placed: Vec<(Box<str>, u64)>,
    loaded: OnceLock<Result<Loaded, TypeError>>,
}

/// The sections.
#[derive(Debug)]
pub struct Loaded {
    pub aranges: SectionBytes,
    pub line: SectionBytes,
    pub ranges: SectionBytes,
    pub range_lists: SectionBytes,
    pub locations: SectionBytes,
    pub location_lists: SectionBytes,
    pub debug_frame: SectionBytes,
    pub eh_frame: SectionBytes,
    /// The address of .eh_frame: its pointers are relative.
    pub eh_frame_at: u64,
}

impl CodeSections {
    /// Those of a kernel, whose debug file is `debug`.
    pub fn of_kernel(kernel: &Kernel, debug: &ElfFile) -> Self {
        let contents = kernel.contents().cloned();
        Self { debug: debug.clone(), contents, placed: Vec::new(), loaded: OnceLock::new() }
    }

    /// Those of a module.
    pub fn of_module(debug: &ElfFile, placed: SectionAddress<'_>) -> Self {
        let loaded = debug.sections().filter(|section| section.is_loaded());
        let placed =
            loaded.filter_map(|section| Some((section.name.into(), placed(section.name)?)));
        let placed = placed.collect();
        Self { debug: debug.clone(), contents: None, placed, loaded: OnceLock::new() }
    }

    /// The sections; `None` if one of them is damaged.
    pub(super) fn load(&self) -> Option<&Loaded> {
        self.loaded.get_or_init(|| self.read()).as_ref().ok()
    }

    fn read(&self) -> Result<Loaded, TypeError> {
        let placed = |name: &str| {
            let found = self.placed.iter().find(|(known, _)| &**known == name);
            found.map(|(_, address)| *address)
        };
        let section = |name| sections::load(&self.debug, name, &placed);
        let contents = self.contents.as_ref().unwrap_or(&self.debug);
        let eh_frame = contents.section(".eh_frame");
        Ok(Loaded {
            aranges: section(".debug_aranges")?,
            line: section(".debug_line")?,
            ranges: section(".debug_ranges")?,
            range_lists: section(".debug_rnglists")?,
            locations: section(".debug_loc")?,
            location_lists: section(".debug_loclists")?,
            debug_frame: section(".debug_frame")?,
            // Its relocations are of another kind than those of debug sections.
            eh_frame: match eh_frame {
                Some(_) if !contents.is_relocatable() => {
                    sections::load(contents, ".eh_frame", &placed)?
                }
                _ => SectionBytes::empty(),
            },
            eh_frame_at: eh_frame.map_or(0, |section| section.range().start.get()),
        })
    }
}

impl Loaded {
    /// These and the other sections of the file, in gimli's terms.
    pub fn with<'a>(&'a self, sections: &'a Sections) -> gimli::Dwarf<Slice<'a>> {
        let section = |id: SectionId| -> Result<Slice<'a>, Infallible> {
            let bytes: &'a [u8] = match id {
                SectionId::DebugInfo => &sections.info,
                SectionId::DebugTypes => &sections.types,
                SectionId::DebugAbbrev => &sections.abbrev,
                SectionId::DebugStr => &sections.strings,
                SectionId::DebugLineStr => &sections.line_strings,
                SectionId::DebugStrOffsets => &sections.string_offsets,
                SectionId::DebugAddr => &sections.addresses,
                SectionId::DebugAranges => &self.aranges,
                SectionId::DebugLine => &self.line,
                SectionId::DebugRanges => &self.ranges,
                SectionId::DebugRngLists => &self.range_lists,
                SectionId::DebugLoc => &self.locations,
                SectionId::DebugLocLists => &self.location_lists,
                _ => &[],
            };
            Ok(sections.slice(bytes))
        };
        match gimli::Dwarf::load(section) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }
}
