//! Modules that are shared objects: loaded in one piece, as they were linked.
//!
//! `sys/kern/link_elf.c`, 12.1. The bounds of a set are those of its raw image in the module.
//! The copy in the kernel's own set is made from that, and every address within the bounds is
//! translated when it is used (elf_relocaddr). The symbol table stays as in the file.

use std::collections::BTreeMap;
use std::ops::Range;

use goblin::elf::program_header::PT_LOAD;
use goblin::elf::section_header::SHN_LORESERVE;
use goblin::elf::sym::{STT_OBJECT, Sym, Symtab};
use goblin::elf::{Elf, Reloc};
use goblin::strtab::Strtab;

use super::file::ModuleFile;
use super::placed::{MALLOC_TYPE, Placed, Table, sysinit_kind};
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

/// What ends every set on i386 (`LS_PADDING`, `sys/kern/link_elf.c`, 12.1 and later).
const PADDING: [u8; 4] = [0x90; 4];

impl Runtime {
    /// Puts a shared object into memory and relocates it.
    pub(super) fn load_shared(
        &mut self,
        file: &ModuleFile,
        imports: &BTreeMap<String, VirtAddr>,
        sets: &[PlacedSet],
    ) -> Result<Placed, ImageError> {
        let elf = file.elf()?;
        let mut image = image(file, &elf)?;
        let mut placed = Placed { sets: sets.to_vec(), ..Placed::default() };
        let machine = self.kernel.machine_mut();
        placed.size = (image.len() as u64).next_multiple_of(machine.page_size());
        placed.base = machine.malloc_module(MALLOC_TYPE, placed.size)?;
        let moved: Vec<Moved> = SetKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let set = of_kind(sets, kind)?;
                Some(Moved { from: set_symbols(&elf, kind)?, to: set.at })
            })
            .collect();
        let relocate =
            Relocate { elf: &elf, arch: machine.arch(), moved: &moved, placed: &placed, imports };
        relocate.all(&mut image).map_err(|why| failed(file, &why))?;
        let machine = self.kernel.machine_mut();
        machine.write(placed.base, &image)?;
        for set in &moved {
            let from = set.from.start as usize..set.from.end as usize;
            machine.write(set.to, image.get(from).unwrap_or_default())?;
        }
        placed.defined = defined(file, &elf, &moved, &placed);
        let objects = elf.syms.iter().filter(|symbol| symbol.st_type() == STT_OBJECT);
        let sysinits = objects.filter_map(|symbol| {
            let kind = sysinit_kind(elf.strtab.get_at(symbol.st_name)?)?;
            Some((kind, placed.base.wrapping_add(symbol.st_value)))
        });
        placed.sysinits = sysinits.collect();
        keep_symbols(file, &elf, &mut placed)?;
        Ok(placed)
    }
}

/// The linker sets that it has, with their sizes in bytes. On i386 one may contain only the
/// padding that ends every set; then it has none.
pub(super) fn set_sizes(file: &ModuleFile, arch: Arch) -> Result<Vec<(SetKind, u64)>, ImageError> {
    let elf = file.elf()?;
    let image = image(file, &elf)?;
    let of_kind = |kind| {
        let set = set_symbols(&elf, kind).filter(|set| set.start < set.end)?;
        let bytes = image.get(set.start as usize..set.end as usize)?;
        let is_padding = arch == Arch::I386 && bytes == PADDING;
        (!is_padding).then_some((kind, set.end - set.start))
    };
    Ok(SetKind::ALL.into_iter().filter_map(of_kind).collect())
}

/// The bytes of its segments, from the address 0 on.
fn image(file: &ModuleFile, elf: &Elf<'_>) -> Result<Vec<u8>, ImageError> {
    let loads = || elf.program_headers.iter().filter(|header| header.p_type == PT_LOAD);
    let end = loads().map(|header| header.p_vaddr.saturating_add(header.p_memsz)).max();
    let end = end.filter(|end| (1..=LARGEST).contains(end));
    let end = end.ok_or_else(|| failed(file, "its segments have no sensible size"))?;
    let mut image = vec![0; end as usize];
    for header in loads() {
        let bytes = file.bytes(header.p_offset, header.p_filesz)?;
        let place = image.get_mut(header.p_vaddr as usize..);
        let place = place.and_then(|place| place.get_mut(..bytes.len()));
        let place = place.ok_or_else(|| failed(file, "a segment is larger in the file"))?;
        place.copy_from_slice(bytes);
    }
    Ok(image)
}

/// Records where its sets are: in the module and in the kernel's.
pub(super) fn set_bounds(
    kernel: &mut LoadedKernel,
    elf_file: Object,
    file: &ModuleFile,
    placed: &Placed,
) -> Result<(), ImageError> {
    let elf = file.elf()?;
    for kind in SetKind::ALL {
        let Some(set) = set_symbols(&elf, kind) else { continue };
        let [start, stop, base] = kind.members();
        let at = |value: u64| placed.base.wrapping_add(value);
        kernel.set_pointer(elf_file, start, at(set.start))?;
        kernel.set_pointer(elf_file, stop, at(set.end))?;
        let to = of_kind(&placed.sets, kind).map_or(VirtAddr::new(0), |set| set.at);
        kernel.set_pointer(elf_file, base, to)?;
    }
    Ok(())
}

fn set_symbols(elf: &Elf<'_>, kind: SetKind) -> Option<Range<u64>> {
    let find = |wanted| {
        let mut symbols = elf.dynsyms.iter().filter(|symbol| symbol.st_shndx != 0);
        let found = symbols.find(|symbol| elf.dynstrtab.get_at(symbol.st_name) == Some(wanted));
        found.map(|symbol| symbol.st_value)
    };
    let [start, stop] = kind.bounds();
    Some(find(start)?..find(stop)?)
}

/// A set in the module's own image, and its place in the kernel's set.
struct Moved {
    from: Range<u64>,
    to: VirtAddr,
}

/// The running address of an address in the file: elf_relocaddr.
fn translated(value: u64, moved: &[Moved], placed: &Placed) -> u64 {
    match moved.iter().find(|set| set.from.contains(&value)) {
        Some(set) => set.to.get().wrapping_add(value - set.from.start),
        None => placed.base.get().wrapping_add(value),
    }
}

/// Dynamic symbols come before those that the kernel keeps for the debugger.
fn defined(
    file: &ModuleFile,
    elf: &Elf<'_>,
    moved: &[Moved],
    placed: &Placed,
) -> Vec<ModuleSymbol> {
    let of = |symbols: &Symtab<'_>, strings: &Strtab<'_>| -> Vec<ModuleSymbol> {
        let in_sections = |symbol: &Sym| (1..SHN_LORESERVE as usize).contains(&symbol.st_shndx);
        let symbols = symbols.iter().filter(in_sections);
        let named = symbols.filter_map(|symbol| {
            let name = strings.get_at(symbol.st_name).filter(|name| !name.is_empty())?.to_owned();
            let at = VirtAddr::new(translated(symbol.st_value, moved, placed));
            Some(ModuleSymbol { name, at, size: symbol.st_size })
        });
        named.collect()
    };
    let mut defined = of(&elf.dynsyms, &elf.dynstrtab);
    if !file.preloaded {
        defined.extend(of(&elf.syms, &elf.strtab));
    }
    defined
}

/// Everything that a relocation needs.
struct Relocate<'a> {
    elf: &'a Elf<'a>,
    arch: Arch,
    moved: &'a [Moved],
    placed: &'a Placed,
    imports: &'a BTreeMap<String, VirtAddr>,
}

/// What a relocation of a shared object does.
enum Kind {
    /// The load address is added.
    Relative,
    /// The address of a symbol.
    Symbol,
    /// The distance to a symbol.
    Distance,
}

impl Relocate<'_> {
    fn all(&self, image: &mut [u8]) -> Result<(), String> {
        let tables = [&self.elf.dynrelas, &self.elf.dynrels, &self.elf.pltrelocs];
        for relocation in tables.into_iter().flat_map(|table| table.iter()) {
            self.one(&relocation, image)?;
        }
        Ok(())
    }

    fn one(&self, relocation: &Reloc, image: &mut [u8]) -> Result<(), String> {
        let unknown = || format!("relocations of type {} are unknown", relocation.r_type);
        let kind = kind(self.arch, relocation.r_type).ok_or_else(unknown)?;
        let size = match kind {
            Kind::Distance => 4,
            _ => self.arch.pointer_size() as usize,
        };
        let place = usize::try_from(relocation.r_offset).ok();
        let place = place.and_then(|at| image.get_mut(at..)?.get_mut(..size));
        let place = place.ok_or("a relocation lies outside of its segments")?;
        let endian = self.arch.endian();
        let addend = match relocation.r_addend {
            Some(addend) => addend as u64,
            None => endian.uint(place) as u64,
        };
        let value = match kind {
            Kind::Relative => translated(addend, self.moved, self.placed),
            Kind::Symbol => self.symbol(relocation.r_sym)?.wrapping_add(addend),
            Kind::Distance => {
                let at = self.placed.base.get().wrapping_add(relocation.r_offset);
                self.symbol(relocation.r_sym)?.wrapping_add(addend).wrapping_sub(at)
            }
        };
        place.copy_from_slice(&crate::writing::entry_bytes(value, size as u64, endian));
        Ok(())
    }

    fn symbol(&self, number: usize) -> Result<u64, String> {
        let symbol = self.elf.dynsyms.get(number).ok_or("a relocation names no symbol")?;
        if symbol.st_shndx != 0 {
            return Ok(translated(symbol.st_value, self.moved, self.placed));
        }
        let name = self.elf.dynstrtab.get_at(symbol.st_name).unwrap_or_default();
        let found = self.imports.get(name).copied();
        found.map(VirtAddr::get).ok_or_else(|| format!("symbol {name} undefined"))
    }
}

/// What the relocation types of each architecture mean (`sys/*/*/elf_machdep.c`).
fn kind(arch: Arch, number: u32) -> Option<Kind> {
    use goblin::elf::reloc::*;
    Some(match (arch, number) {
        (Arch::Arm64, R_AARCH64_RELATIVE)
        | (Arch::I386, R_386_RELATIVE)
        | (Arch::Riscv64, R_RISCV_RELATIVE)
        | (Arch::Arm, R_ARM_RELATIVE)
        | (Arch::Powerpc64 | Arch::Powerpc64le, R_PPC64_RELATIVE) => Kind::Relative,
        (Arch::I386, R_386_PC32) => Kind::Distance,
        (Arch::Arm64, R_AARCH64_ABS64 | R_AARCH64_GLOB_DAT | R_AARCH64_JUMP_SLOT)
        | (Arch::I386, R_386_32 | R_386_GLOB_DAT | R_386_JMP_SLOT)
        | (Arch::Riscv64, R_RISCV_64 | R_RISCV_JUMP_SLOT)
        | (Arch::Arm, R_ARM_ABS32 | R_ARM_GLOB_DAT | R_ARM_JUMP_SLOT)
        | (Arch::Powerpc64 | Arch::Powerpc64le, R_PPC64_ADDR64 | R_PPC64_JMP_SLOT) => Kind::Symbol,
        _ => return None,
    })
}

/// The symbols of .symtab as they are. For a module that a boot loader loaded, only those
/// in its image.
fn keep_symbols(file: &ModuleFile, elf: &Elf<'_>, placed: &mut Placed) -> Result<(), ImageError> {
    let table = |name: &str| {
        let named = |header: &&goblin::elf::SectionHeader| {
            elf.shdr_strtab.get_at(header.sh_name) == Some(name)
        };
        elf.section_headers.iter().find(named)
    };
    let own = table(".dynsym").zip(table(".dynstr")).filter(|_| file.preloaded);
    if let Some((symbols, strings)) = own {
        placed.own_table = Some(Table {
            symbols: placed.base.wrapping_add(symbols.sh_addr),
            count: symbols.sh_size / symbols.sh_entsize.max(1),
            strings: placed.base.wrapping_add(strings.sh_addr),
            strings_size: strings.sh_size,
        });
        return Ok(());
    }
    let bytes = |name| file.section(elf, name).map(|bytes| bytes.unwrap_or_default().to_vec());
    placed.symbols = bytes(".symtab")?;
    placed.strings = bytes(".strtab")?;
    Ok(())
}

fn failed(file: &ModuleFile, why: &str) -> ImageError {
    ImageError::Module { name: file.name().to_owned(), why: why.into() }
}
