//! Relocations of debug sections: the linker's work for a module that
//! is still an object file (ET_REL), as on amd64.
//!
//! References between debug sections become offsets from the start of the target
//! section. References to code and data become addresses, if the caller knows
//! where the sections were loaded; otherwise they stay 0.

use std::ops::Range;

use goblin::elf::section_header::{SHT_REL, SHT_RELA};

use crate::arch::Arch;
use crate::bytes::Fields;
use crate::kernel::KernelError;
use crate::kernel::elf::{ElfFile, Section, SectionBytes};

/// Bytes of an Elf64_Rela and an Elf64_Sym.
const RELA: usize = 24;
const SYM: usize = 24;

/// `st_shndx` of a symbol whose value is not an address.
const SHN_ABS: u16 = 0xfff1;
/// The first of the reserved section numbers.
const SHN_LORESERVE: u16 = 0xff00;

const R_X86_64_NONE: u32 = 0;
const R_X86_64_64: u32 = 1;
const R_X86_64_PC32: u32 = 2;
const R_X86_64_PLT32: u32 = 4;
const R_X86_64_32: u32 = 10;
const R_X86_64_32S: u32 = 11;

/// The bytes of a section with its relocations applied. `placed` returns the load
/// address of a code or data section by its name; `None` if it is not known.
///
/// # Errors
/// A section lies outside the file or cannot be unpacked, or a relocation has
/// a type that debug sections do not use.
pub fn relocated(
    elf: &ElfFile,
    section: Section<'_>,
    placed: &dyn Fn(&str) -> Option<u64>,
) -> Result<SectionBytes, KernelError> {
    let plain = elf.section_bytes(section)?;
    let Some(relocations) = elf.relocations_of(section) else { return Ok(plain) };
    if elf.arch() != Arch::Amd64 {
        let why = format!("those of {} are not known", elf.arch().name());
        return Err(damaged(why));
    }
    let (entries, symbols) = (elf.section_bytes(relocations)?, Symbols::of(elf, relocations)?);
    let mut bytes = plain.to_vec();
    for entry in entries.chunks_exact(RELA) {
        let fields = Fields::new(entry, elf.arch().endian());
        let (Some(at), Some(info), Some(addend)) = (fields.u64(0), fields.u64(8), fields.u64(16))
        else {
            continue;
        };
        let size = match info as u32 {
            R_X86_64_NONE => continue,
            R_X86_64_64 => 8,
            R_X86_64_32 | R_X86_64_32S => 4,
            other => return Err(damaged(format!("type {other} in {} is unknown", section.name))),
        };
        let Some(value) = symbols.value((info >> 32) as usize, placed) else { continue };
        let value = value.wrapping_add(addend).to_le_bytes();
        let place = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at..)?.get_mut(..size));
        let place =
            place.ok_or_else(|| damaged(format!("{at:#x} is outside of {}", section.name)))?;
        place.copy_from_slice(&value[..size]);
    }
    Ok(SectionBytes::Unpacked(bytes.into()))
}

impl ElfFile {
    /// The byte ranges of a module's section that loading changes, as ascending offsets. It may
    /// list too many, never too few.
    pub fn relocated_places(&self, section: Section<'_>) -> Vec<Range<usize>> {
        let (linked, whole) = (section.range().start.get(), usize::try_from(section.size()));
        let whole = 0..whole.unwrap_or(usize::MAX);
        let is_64 = self.arch().pointer_size() == 8;
        let mut places = Vec::new();
        for table in self.relocations_in(section) {
            let Some(bytes) = self.raw_bytes(table) else { continue };
            let size = entry_size(is_64, table.header().sh_type == SHT_RELA);
            for entry in bytes.chunks_exact(size) {
                let fields = Fields::new(entry, self.arch().endian());
                let at = if is_64 { fields.u64(0) } else { fields.u32(0).map(u64::from) };
                // An object file counts from the section's start, whose address is 0.
                let at = at.and_then(|at| usize::try_from(at.checked_sub(linked)?).ok());
                let narrow = self.is_relocatable() && !self.is_wide(fields);
                let width = if is_64 && !narrow { 8 } else { 4 };
                places.extend(
                    at.filter(|at| whole.contains(at)).map(|at| at..at.saturating_add(width)),
                );
            }
        }
        places.sort_unstable_by_key(|place| place.start);
        places
    }

    /// The relocation tables that may apply to a section.
    fn relocations_in<'a>(&'a self, section: Section<'a>) -> Vec<Section<'a>> {
        if self.is_relocatable() {
            return self.relocations_of(section).into_iter().collect();
        }
        let tables = self.sections().filter(|table| {
            matches!(table.header().sh_type, SHT_REL | SHT_RELA) && table.is_loaded()
        });
        tables.collect()
    }

    /// Does this relocation of an object file fill a whole pointer?
    fn is_wide(&self, entry: Fields<'_>) -> bool {
        const NARROW: [u32; 4] = [R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_32, R_X86_64_32S];
        let kind = entry.u64(8).map(|info| info as u32);
        self.arch() != Arch::Amd64 || kind.is_none_or(|kind| !NARROW.contains(&kind))
    }
}

fn entry_size(is_64: bool, with_addend: bool) -> usize {
    match (is_64, with_addend) {
        (true, true) => RELA,
        (true, false) => 16,
        (false, true) => 12,
        (false, false) => 8,
    }
}

/// The symbols that relocations refer to by number.
struct Symbols<'a> {
    elf: &'a ElfFile,
    bytes: SectionBytes,
}

impl<'a> Symbols<'a> {
    fn of(elf: &'a ElfFile, relocations: Section<'_>) -> Result<Self, KernelError> {
        let table = elf.section_at(relocations.header().sh_link as usize);
        let table = table.ok_or_else(|| damaged("they name no symbol table"))?;
        Ok(Self { elf, bytes: elf.section_bytes(table)? })
    }

    /// The value of a symbol; `None` if it is defined elsewhere, or in a section
    /// whose address is not known.
    fn value(&self, number: usize, placed: &dyn Fn(&str) -> Option<u64>) -> Option<u64> {
        let at = number.checked_mul(SYM)?;
        let fields = Fields::new(self.bytes.get(at..)?, self.elf.arch().endian());
        let (section, value) = (fields.u16(6)?, fields.u64(8)?);
        match section {
            0 => None,
            SHN_ABS => Some(value),
            SHN_LORESERVE.. => None,
            number => {
                let section = self.elf.section_at(number.into())?;
                let start = if section.is_loaded() { placed(section.name)? } else { 0 };
                Some(start.wrapping_add(value))
            }
        }
    }
}

fn damaged(why: impl ToString) -> KernelError {
    KernelError::Damaged { part: "relocations", why: why.to_string() }
}
