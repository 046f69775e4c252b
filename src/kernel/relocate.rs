//! Relocations of debug sections: what a linker would have done to a module that
//! is still an object file (ET_REL), as amd64's are.
//!
//! References from one debug section to another count from that section's
//! start; those to code and data become addresses, by what the caller knows of
//! where the sections were loaded. What nobody knows stays 0.

use crate::arch::Arch;
use crate::bytes::Fields;
use crate::error::KernelError;
use crate::kernel::elf::{ElfFile, Section, SectionBytes};

/// Bytes of an Elf64_Rela and an Elf64_Sym.
const RELA: usize = 24;
const SYM: usize = 24;

/// `st_shndx` of a symbol whose value is no address.
const SHN_ABS: u16 = 0xfff1;
/// The first of the reserved section numbers.
const SHN_LORESERVE: u16 = 0xff00;

const R_X86_64_NONE: u32 = 0;
const R_X86_64_64: u32 = 1;
const R_X86_64_32: u32 = 10;
const R_X86_64_32S: u32 = 11;

/// The bytes of a section with its relocations applied; `placed` gives the
/// address of a section of code or data, by its name.
///
/// # Errors
/// A section lies outside of the file or does not unpack, or a relocation is of
/// a kind that debug sections do not have.
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

/// The symbols that relocations refer to by their number.
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

    /// The value of a symbol; `None` where it is defined elsewhere, or in a section
    /// of which nobody knows where it is.
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
