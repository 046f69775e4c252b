//! The reader of DWARF, versions 2 to 5, from clang and gcc, in one file or in type units.
//!
//! How: everything is read on demand. The chain of unit headers is walked once (`units.rs`).
//! The few units that define given variables are found by searching the sections for the
//! addresses themselves (`addresses.rs`), and only those are read (`variables.rs`). Only a question
//! for a name that nothing else finds reads all units (`names.rs`).

mod addresses;
pub mod code;
mod load;
mod location;
mod names;
mod place;
mod sections;
mod statics;
mod units;
mod variables;

use std::ops::Range;
use std::sync::OnceLock;

use crate::arch::Arch;
use crate::kernel::{ElfFile, Kernel};
use crate::types::ids::FileNumber;
use crate::types::model::{Type, TypeId};
use crate::types::{TypeError, Types};

pub use sections::SectionAddress;

use addresses::AddressIndex;
use code::CodeSections;
use load::Loader;
use place::Place;
use sections::{Sections, UnitSection};
use statics::StaticIndex;
use units::Units;

/// The DWARF of one file.
#[derive(Debug)]
pub struct DwarfFile {
    arch: Arch,
    /// Which file this is.
    number: FileNumber,
    /// The link addresses of the image. No variable lies outside.
    image: Range<u64>,
    /// The link addresses of its code. No variable lies inside.
    text: Range<u64>,
    sections: Sections,
    units: Units,
    statics: StaticIndex,
    addresses: OnceLock<AddressIndex>,
    /// Further sections, for questions about code.
    code: CodeSections,
}

/// Reads types of one file. Reading one may need others, which [`Types`] remember.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub types: &'a Types,
    pub file: &'a DwarfFile,
}

impl DwarfFile {
    /// The DWARF of a kernel, which is in `elf`. Only the unit headers are read.
    ///
    /// # Errors
    /// The file has none, or a section does not unpack.
    pub fn of_kernel(kernel: &Kernel, elf: &ElfFile) -> Result<Self, TypeError> {
        let sections = Sections::load(elf, &|_| None)?;
        let code = CodeSections::of_kernel(kernel, elf);
        let of_kernel =
            Self::new(kernel.arch(), FileNumber::default(), image(kernel), sections, code);
        Ok(Self { text: text(kernel), ..of_kernel })
    }

    /// That of a module. `image` is the range of addresses of the relevant variables.
    ///
    /// # Errors
    /// The module has none, a section does not unpack, or it has relocations of an unknown type.
    pub fn of_module(
        elf: &ElfFile,
        number: FileNumber,
        image: Range<u64>,
        placed: SectionAddress<'_>,
    ) -> Result<Self, TypeError> {
        let sections = Sections::load(elf, placed)?;
        let code = CodeSections::of_module(elf, placed);
        Ok(Self::new(elf.arch(), number, image, sections, code))
    }

    fn new(
        arch: Arch,
        number: FileNumber,
        image: Range<u64>,
        sections: Sections,
        code: CodeSections,
    ) -> Self {
        let units = Units::read(&sections);
        Self {
            arch,
            number,
            image,
            text: 0..0,
            sections,
            units,
            statics: StaticIndex::default(),
            addresses: OnceLock::new(),
            code,
        }
    }

    /// The index of addresses, built at the first call.
    pub fn address_index(&self) -> &AddressIndex {
        self.addresses.get_or_init(|| AddressIndex::build(self))
    }

    /// The damage that ended the chain of units early, if any.
    pub fn damage(&self) -> Option<&TypeError> {
        self.units.damage.as_ref()
    }

    /// The number of compilation and type units.
    pub fn unit_count(&self) -> usize {
        self.units.as_slice().len()
    }

    /// A position in this file.
    fn place(&self, section: UnitSection, offset: u64) -> Place {
        Place { file: self.number, section, offset }
    }
}

impl Reader<'_> {
    /// The type with that id.
    ///
    /// # Errors
    /// Its entry is not a type, or is damaged.
    pub fn read(self, id: TypeId) -> Result<Type, TypeError> {
        let Some(place) = Place::of(id) else { return Ok(Type::Void) };
        Loader::at(self, place)?.type_at(place.offset)
    }
}

fn image(kernel: &Kernel) -> Range<u64> {
    let segments = || kernel.contents().unwrap_or(kernel.main()).segments();
    let start = segments().map(|segment| segment.virt.get()).min();
    let end = segments().filter_map(|s| s.virt.get().checked_add(s.mem_size)).max();
    start.unwrap_or(0)..end.unwrap_or(u64::MAX)
}

fn text(kernel: &Kernel) -> Range<u64> {
    let text = kernel.main().section(".text").map(|section| section.range());
    text.map_or(0..0, |range| range.start.get()..range.end.get())
}
