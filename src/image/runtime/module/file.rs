//! A module's file, and its debug file if it is beside it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use goblin::elf::{Elf, header, section_header, sym};

use super::sets::{PlacedSet, SetKind, of_kind};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::kernel::ElfFile;
use crate::source::Source;
use crate::types::{Format, Variable};

/// A module that can be loaded.
#[derive(Debug, Clone)]
pub struct ModuleFile {
    name: String,
    pub(super) source: Source,
    debug: Option<Arc<Source>>,
    /// Does a boot loader load it? Then it has no symbols that only a debugger needs.
    pub preloaded: bool,
}

impl ModuleFile {
    /// Opens the module at `path`, and `PATH.debug` if that exists.
    ///
    /// # Errors
    /// It cannot be read, or is not a module.
    pub fn from_path(path: &Path) -> Result<Self, ImageError> {
        let source = Source::open(path)?;
        let mut debug = path.as_os_str().to_owned();
        debug.push(".debug");
        let debug = Source::open(PathBuf::from(debug)).ok().map(Arc::new);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = Self { name, source, debug, preloaded: false };
        file.elf()?;
        Ok(file)
    }

    /// Its name in the kernel: `if_gif.ko`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its files, by name.
    pub(in crate::image) fn parts(&self) -> impl Iterator<Item = (String, &Source)> {
        let debug = self.debug.as_deref().map(|source| (format!("{}.debug", self.name), source));
        [(self.name.clone(), &self.source)].into_iter().chain(debug)
    }

    /// Is it an object file (`link_elf_obj.c`) rather than a shared object (`link_elf.c`)?
    pub(super) fn is_object(&self) -> bool {
        self.elf().is_ok_and(|elf| elf.header.e_type == header::ET_REL)
    }

    pub(super) fn elf(&self) -> Result<Elf<'_>, ImageError> {
        let wrong = |why: String| ImageError::Module { name: self.name.clone(), why };
        let elf = Elf::parse(self.source.bytes()).map_err(|why| wrong(why.to_string()))?;
        match elf.header.e_type {
            header::ET_REL | header::ET_DYN => Ok(elf),
            _ => Err(wrong("it is neither an object file nor a shared object".into())),
        }
    }

    /// The bytes of a part of the file.
    pub(super) fn bytes(&self, offset: u64, size: u64) -> Result<&[u8], ImageError> {
        let range = usize::try_from(offset).ok().zip(usize::try_from(size).ok());
        let bytes = range.and_then(|(at, len)| self.source.bytes().get(at..)?.get(..len));
        let why = || "a section lies outside of the file".to_owned();
        bytes.ok_or_else(|| ImageError::Module { name: self.name.clone(), why: why() })
    }

    /// The contents of the section of that name, if it has one.
    pub(super) fn section(&self, elf: &Elf<'_>, name: &str) -> Result<Option<&[u8]>, ImageError> {
        let named = |header: &&section_header::SectionHeader| {
            elf.shdr_strtab.get_at(header.sh_name) == Some(name)
        };
        let found = elf.section_headers.iter().find(named);
        found.map(|header| self.bytes(header.sh_offset, header.sh_size)).transpose()
    }

    /// Checks that it is for this kernel's architecture.
    pub(super) fn check(&self, kernel: &LoadedKernel) -> Result<(), ImageError> {
        let arch = kernel.machine().arch();
        let elf = self.elf()?;
        let same = elf.header.e_machine == arch.elf_machine()
            && elf.is_64 == (arch.pointer_size() == 8)
            && elf.little_endian == (arch.endian() == crate::bytes::Endian::Little);
        let why = || format!("it is not for {}", arch.name());
        let name = || self.name.clone();
        same.then_some(()).ok_or_else(|| ImageError::Module { name: name(), why: why() })
    }

    /// The names that it expects others to define, and whether each is optional (weak).
    pub(super) fn undefined(&self) -> Result<BTreeMap<String, bool>, ImageError> {
        let elf = self.elf()?;
        let (symbols, strings) = match self.is_object() {
            true => (&elf.syms, &elf.strtab),
            false => (&elf.dynsyms, &elf.dynstrtab),
        };
        let undefined = symbols.iter().filter(|symbol| symbol.st_shndx == 0);
        let names = undefined.filter_map(|symbol| {
            let is_weak = symbol.st_bind() == sym::STB_WEAK;
            Some((strings.get_at(symbol.st_name)?, is_weak))
        });
        // The linker defines the bounds of linker sets.
        let wanted = names.filter(|(name, _)| {
            !name.is_empty() && !name.starts_with("__start_") && !name.starts_with("__stop_")
        });
        Ok(wanted.map(|(name, is_weak)| (name.to_owned(), is_weak)).collect())
    }

    /// The variables of its linker sets in its debug file, at their places in the kernel's sets.
    pub(super) fn variables(
        &self,
        kernel: &mut LoadedKernel,
        sets: &[PlacedSet],
    ) -> Result<Vec<Variable>, ImageError> {
        if sets.is_empty() {
            return Ok(Vec::new());
        }
        let source = self.debug.as_deref().unwrap_or(&self.source);
        let elf = ElfFile::parse_module(source.clone())?;
        if Format::of(&elf, None).is_none() {
            return Ok(Vec::new());
        }
        let is_object = self.is_object();
        let linked = |set: &PlacedSet| {
            let start = match is_object {
                // Its set is at the address that it is given.
                true => set.at.get(),
                false => elf.section(set.kind.section()).map_or(0, |s| s.range().start.get()),
            };
            VirtAddr::new(start)..VirtAddr::new(start.wrapping_add(set.size))
        };
        let ranges: Vec<Range<VirtAddr>> = sets.iter().map(linked).collect();
        let first = ranges.iter().map(|range| range.start.get()).min().unwrap_or(0);
        let last = ranges.iter().map(|range| range.end.get()).max().unwrap_or(0);
        let placed = |name: &str| {
            let kind = SetKind::of_section(name)?;
            of_kind(sets, kind).map(|set| set.at.get())
        };
        let types = kernel.add_types(&elf, first..last, &placed)?;
        let moved = sets.iter().zip(&ranges).flat_map(|(set, range)| {
            types.variables_linked_in(range).into_iter().map(|variable| {
                let offset = variable.address.get().wrapping_sub(range.start.get());
                Variable { address: set.at.wrapping_add(offset), ..variable }
            })
        });
        Ok(moved.collect())
    }
}
