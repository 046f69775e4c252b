//! Modules that are object files: every section gets a place of its own.
//!
//! `sys/kern/link_elf_obj.c`, link_elf_load_file, 12.1. The symbol table that the kernel keeps has
//! the final addresses; those of virtualized and of DPCPU variables are in the kernel's sets. A
//! symbol keeps the number of its section. The bounds of linker sets, which nobody defines, get
//! the place of the set in `progtab`.

use std::collections::BTreeMap;

use goblin::elf::reloc::{R_X86_64_32, R_X86_64_32S, R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32};
use goblin::elf::section_header::{SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS};
use goblin::elf::sym::STT_OBJECT;
use goblin::elf::{Elf, Reloc, SectionHeader};

use super::file::ModuleFile;
use super::placed::{MALLOC_TYPE, Placed, sysinit_kind};
use super::sets::{PlacedSet, SetKind, of_kind};
use super::symbols::ModuleSymbol;
use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::image::runtime::Runtime;

/// Modules are a few hundred kilobytes.
const LARGEST: u64 = 16 << 20;

/// A section in memory.
struct Section<'a> {
    /// In the file.
    number: usize,
    name: &'a str,
    at: VirtAddr,
    bytes: Vec<u8>,
}

impl Runtime {
    /// Puts an object file into memory and relocates it.
    pub(super) fn load_object(
        &mut self,
        file: &ModuleFile,
        imports: &BTreeMap<String, VirtAddr>,
        sets: &[PlacedSet],
    ) -> Result<Placed, ImageError> {
        let elf = file.elf()?;
        if self.kernel.machine().arch() != Arch::Amd64 {
            let why = "its kernel loads no object files".to_owned();
            return Err(ImageError::Module { name: file.name().to_owned(), why });
        }
        let mut size = 0;
        let mut sections = Vec::new();
        for (number, header) in loaded(&elf) {
            let name = elf.shdr_strtab.get_at(header.sh_name).unwrap_or_default();
            if header.sh_size > LARGEST || size > LARGEST {
                let why = "it is too large".to_owned();
                return Err(ImageError::Module { name: file.name().to_owned(), why });
            }
            let bytes = match header.sh_type {
                SHT_NOBITS => vec![0; header.sh_size as usize],
                _ => file.bytes(header.sh_offset, header.sh_size)?.to_vec(),
            };
            // Its offset, for now.
            let at = match SetKind::of_section(name) {
                Some(_) => 0,
                None => {
                    let at = u64::next_multiple_of(size, header.sh_addralign.max(1));
                    size = at + header.sh_size;
                    at
                }
            };
            sections.push(Section { number, name, at: VirtAddr::new(at), bytes });
        }
        let mut placed = Placed { sets: sets.to_vec(), ..Placed::default() };
        let machine = self.kernel.machine_mut();
        placed.size = size.max(1).next_multiple_of(machine.page_size());
        placed.base = machine.malloc_module(MALLOC_TYPE, placed.size)?;
        for section in &mut sections {
            section.at = match set_of_section(sets, section.name) {
                Some(set) => set.at,
                None => placed.base.wrapping_add(section.at.get()),
            };
        }
        relocate(file, &elf, &mut sections, sets, imports)?;
        for section in &sections {
            self.kernel.machine_mut().write(section.at, &section.bytes)?;
        }
        keep_symbols(file, &elf, &sections, &mut placed)?;
        Ok(placed)
    }
}

/// The linker sets that it has, with their sizes in bytes.
pub(super) fn set_sizes(file: &ModuleFile) -> Result<Vec<(SetKind, u64)>, ImageError> {
    let elf = file.elf()?;
    let sections: Vec<_> = loaded(&elf).collect();
    let named = |kind: SetKind| {
        let of_kind = |(_, header): &&(usize, &SectionHeader)| {
            elf.shdr_strtab.get_at(header.sh_name) == Some(kind.section())
        };
        sections.iter().find(of_kind).map(|(_, header)| (kind, header.sh_size))
    };
    Ok(SetKind::ALL.into_iter().filter_map(named).collect())
}

fn set_of_section<'a>(sets: &'a [PlacedSet], name: &str) -> Option<&'a PlacedSet> {
    of_kind(sets, SetKind::of_section(name)?)
}

/// Fills in `progtab`: each section's name and place.
pub(super) fn set_sections(
    kernel: &mut LoadedKernel,
    elf_file: Object,
    file: &ModuleFile,
    placed: &Placed,
    blocks: &mut Vec<VirtAddr>,
) -> Result<(), ImageError> {
    let elf = file.elf()?;
    let member = kernel.member(elf_file, "progtab")?;
    let entry = kernel.types().pointee(member.type_id)?;
    let entry_size = kernel.types().size_of(entry)?;
    let count = loaded(&elf).count() as u64;
    let table =
        kernel.machine_mut().malloc(MALLOC_TYPE, entry_size.saturating_mul(count.max(1)))?;
    let names = section_names(file, &elf)?;
    let names_at = kernel.machine_mut().malloc(MALLOC_TYPE, names.len() as u64)?;
    kernel.machine_mut().write(names_at, names)?;
    blocks.extend([table, names_at]);
    let mut offset = 0;
    for (place, (number, header)) in loaded(&elf).enumerate() {
        let name = elf.shdr_strtab.get_at(header.sh_name).unwrap_or_default();
        let at = match set_of_section(&placed.sets, name) {
            Some(set) => set.at,
            None => {
                let at = u64::next_multiple_of(offset, header.sh_addralign.max(1));
                offset = at + header.sh_size;
                placed.base.wrapping_add(at)
            }
        };
        let entry = Object::new(table.wrapping_add(entry_size * place as u64), entry);
        kernel.set_pointer(entry, "addr", at)?;
        kernel.set(entry, "size", header.sh_size)?;
        kernel.set(entry, "sec", number as u64)?;
        kernel.set_pointer(entry, "name", names_at.wrapping_add(header.sh_name as u64))?;
        kernel.set_if_any(entry, "origaddr", at.get())?;
    }
    kernel.set_pointer(elf_file, "progtab", table)?;
    kernel.set(elf_file, "nprogtab", count)?;
    kernel.set_pointer(elf_file, "shstrtab", names_at)?;
    kernel.set(elf_file, "shstrcnt", names.len() as u64)
}

/// The sections that occupy memory, with their numbers.
fn loaded<'a>(elf: &'a Elf<'_>) -> impl Iterator<Item = (usize, &'a SectionHeader)> {
    elf.section_headers.iter().enumerate().filter(|(_, header)| {
        matches!(header.sh_type, SHT_PROGBITS | SHT_NOBITS)
            && header.sh_flags & u64::from(SHF_ALLOC) != 0
            && header.sh_size > 0
    })
}

fn section_names<'a>(file: &'a ModuleFile, elf: &Elf<'_>) -> Result<&'a [u8], ImageError> {
    let header = elf.section_headers.get(usize::from(elf.header.e_shstrndx));
    header.map_or(Ok(&[][..]), |header| file.bytes(header.sh_offset, header.sh_size))
}

/// Applies the relocations of all sections that are loaded.
fn relocate(
    file: &ModuleFile,
    elf: &Elf<'_>,
    sections: &mut [Section<'_>],
    sets: &[PlacedSet],
    imports: &BTreeMap<String, VirtAddr>,
) -> Result<(), ImageError> {
    let failed = |why: String| ImageError::Module { name: file.name().to_owned(), why };
    let places: BTreeMap<usize, (VirtAddr, usize)> =
        sections.iter().map(|s| (s.number, (s.at, s.bytes.len()))).collect();
    for (header, relocations) in &elf.shdr_relocs {
        let target = elf.section_headers.get(*header).map(|header| header.sh_info as usize);
        let Some(section) = sections.iter_mut().find(|s| Some(s.number) == target) else {
            continue;
        };
        for relocation in relocations.iter() {
            let value = symbol_value(elf, relocation.r_sym, &places, sets, imports);
            let value = value.ok_or_else(|| failed("a relocation names no symbol".into()))?;
            apply(section, &relocation, value).map_err(failed)?;
        }
    }
    Ok(())
}

fn apply(section: &mut Section<'_>, relocation: &Reloc, symbol: u64) -> Result<(), String> {
    let at = section.at.wrapping_add(relocation.r_offset);
    let value = symbol.wrapping_add(relocation.r_addend.unwrap_or(0) as u64);
    let relative = value.wrapping_sub(at.get());
    let (value, size, fits) = match relocation.r_type {
        R_X86_64_64 => (value, 8, true),
        R_X86_64_32 => (value, 4, u32::try_from(value).is_ok()),
        R_X86_64_32S => (value, 4, i32::try_from(value as i64).is_ok()),
        R_X86_64_PC32 | R_X86_64_PLT32 => (relative, 4, i32::try_from(relative as i64).is_ok()),
        other => return Err(format!("relocations of type {other} are unknown")),
    };
    if !fits {
        return Err(format!("{value:#x} does not fit into the relocation at {at}"));
    }
    let place = usize::try_from(relocation.r_offset).ok();
    let place = place.and_then(|at| section.bytes.get_mut(at..)?.get_mut(..size));
    let place = place.ok_or("a relocation lies outside of its section")?;
    place.copy_from_slice(&value.to_le_bytes()[..size]);
    Ok(())
}

fn symbol_value(
    elf: &Elf<'_>,
    number: usize,
    places: &BTreeMap<usize, (VirtAddr, usize)>,
    sets: &[PlacedSet],
    imports: &BTreeMap<String, VirtAddr>,
) -> Option<u64> {
    let symbol = elf.syms.get(number)?;
    if symbol.st_shndx != 0 {
        let (at, _) = places.get(&symbol.st_shndx)?;
        return Some(at.get().wrapping_add(symbol.st_value));
    }
    let name = elf.strtab.get_at(symbol.st_name)?;
    let bound = bound(name, sets).map(|(_, at)| at);
    bound.or_else(|| imports.get(name).copied()).map(VirtAddr::get)
}

/// The set that `name` is a bound of, and the address of that.
fn bound(name: &str, sets: &[PlacedSet]) -> Option<(SetKind, VirtAddr)> {
    sets.iter().find_map(|set| {
        let [start, stop] = set.kind.bounds();
        let ends = [(start, set.at), (stop, set.at.wrapping_add(set.size))];
        ends.into_iter().find(|(end, _)| *end == name).map(|(_, at)| (set.kind, at))
    })
}

/// The symbol table as the kernel keeps it, and the symbols that other modules may use.
fn keep_symbols(
    file: &ModuleFile,
    elf: &Elf<'_>,
    sections: &[Section<'_>],
    placed: &mut Placed,
) -> Result<(), ImageError> {
    /// The size of an Elf64_Sym in bytes, and the offsets of section and value.
    const SYM: usize = 24;
    const SECTION: usize = 6;
    const VALUE: usize = 8;
    let (Some(symbols), Some(strings)) =
        (file.section(elf, ".symtab")?, file.section(elf, ".strtab")?)
    else {
        return Ok(());
    };
    placed.symbols = symbols.to_vec();
    placed.strings = strings.to_vec();
    for (number, symbol) in elf.syms.iter().enumerate() {
        let Some(entry) = placed.symbols.get_mut(number * SYM..(number + 1) * SYM) else { break };
        let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
        let place = sections.iter().position(|section| section.number == symbol.st_shndx);
        let (section, value) = match (symbol.st_shndx, place, bound(name, &placed.sets)) {
            (0, _, Some((kind, at))) => {
                let set = sections.iter().position(|section| section.name == kind.section());
                (set.unwrap_or(0), at.get())
            }
            (number, Some(place), _) => {
                let at = sections[place].at.wrapping_add(symbol.st_value);
                let kind = sysinit_kind(name).filter(|_| symbol.st_type() == STT_OBJECT);
                placed.sysinits.extend(kind.map(|kind| (kind, at)));
                if !name.is_empty() {
                    let (name, size) = (name.to_owned(), symbol.st_size);
                    placed.defined.push(ModuleSymbol { name, at, size });
                }
                (number, at.get())
            }
            _ => continue,
        };
        entry[SECTION..VALUE].copy_from_slice(&(section as u16).to_le_bytes());
        entry[VALUE..VALUE + 8].copy_from_slice(&value.to_le_bytes());
    }
    Ok(())
}
