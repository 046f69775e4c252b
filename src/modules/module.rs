//! One module: what the kernel's linker and its own file say of it.

use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::kernel::{LinkerSet, Symbol, Symbols};
use crate::modules::linker_file::LinkerFile;
use crate::types::Variable;

/// A file that is part of the running kernel: the kernel itself, or a module.
#[derive(Debug)]
pub struct Module {
    /// `struct linker_file`
    pub linker_file: VirtAddr,
    /// The number that kldstat(8) shows; `None` without debug information.
    pub id: Option<i64>,
    /// `if_gif.ko`
    pub name: Box<str>,
    /// Where it was loaded from.
    pub path: Box<str>,
    /// Where the kernel's linker loaded it.
    pub address: VirtAddr,
    /// Bytes; `None` without debug information.
    pub size: Option<u64>,
    /// The number of modules and users that hold it.
    pub refs: Option<i64>,
    /// `elf64_obj` for object files, `elf64` or `elf32` for shared objects.
    pub class: Option<Box<str>>,
    /// Whether this is the kernel's own entry.
    pub is_kernel: bool,
    /// Its variables that have several copies: one element for each linker set that it has some
    /// in.
    pub sets: Vec<ModuleSet>,
    /// Its symbols, at the addresses that they have in memory; those of variables in linker
    /// sets, in the arenas of these.
    pub symbols: Arc<Symbols>,
    /// How addresses in its debug file become addresses in memory.
    pub(super) placed: Placed,
    /// The file that the types come from.
    pub types_from: Option<Box<str>>,
    /// Where the sections of that file were loaded, by name.
    pub sections: Vec<(Box<str>, VirtAddr)>,
    /// Files found where its own should be, but of another build: which and why, a sentence each.
    /// Empty if its own was found.
    pub refused: Vec<String>,
    /// What is wrong with it, a sentence each.
    pub problems: Vec<Box<str>>,
}

/// How addresses in a module's file become those in memory.
#[derive(Debug, Clone, Default)]
pub(super) enum Placed {
    #[default]
    Unknown,
    /// An object file: every section has its own place, by name.
    Sections(Vec<(Box<str>, Range<VirtAddr>)>),
    /// A shared object: its sets lie here in the file's own addresses.
    Whole { sets: Vec<(LinkerSet, Range<u64>)> },
}

/// The variables of a module that are in one linker set.
#[derive(Debug, Clone)]
pub struct ModuleSet {
    /// Which linker set.
    pub of: LinkerSet,
    /// Where in the arena of that set they lie.
    pub range: Range<VirtAddr>,
    /// Where a shared object's own image has their initial values, in memory.
    pub image: Option<VirtAddr>,
    /// The variables as the module's debug file describes them.
    pub typed: Vec<Variable>,
}

impl ModuleSet {
    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.range.end.offset_from(self.range.start).unwrap_or(0)
    }
}

impl Placed {
    /// The set of a shared object that holds `linked`, an address of its file, and the offset in
    /// it.
    pub(super) fn set_at(&self, linked: u64) -> Option<(LinkerSet, u64)> {
        let Self::Whole { sets } = self else { return None };
        let (of, range) = sets.iter().find(|(_, range)| range.contains(&linked))?;
        Some((*of, linked - range.start))
    }
}

impl Module {
    /// Its variables in a linker set; `None` if it has none there, or if that is unknown.
    #[must_use]
    pub fn set(&self, of: LinkerSet) -> Option<&ModuleSet> {
        self.sets.iter().find(|set| set.of == of)
    }

    /// The symbols of its variables in a linker set.
    pub fn set_symbols(&self, of: LinkerSet) -> impl Iterator<Item = Symbol<'_>> {
        let range = self.set(of).map(|set| set.range.clone());
        self.symbols.in_set(of, range.unwrap_or_default())
    }

    /// The address of what a shared object's file has at `linked`: in the arena of a set, or in
    /// its image. `None` if the set has no place in the arena.
    pub(super) fn in_memory(&self, linked: u64) -> Option<VirtAddr> {
        match self.placed.set_at(linked) {
            Some((of, offset)) => Some(self.set(of)?.range.start.wrapping_add(offset)),
            None => Some(self.address.wrapping_add(linked)),
        }
    }

    /// Why the types of its variables are unknown, a sentence each. Empty if they are known, or
    /// if it has no variables.
    pub fn without_types(&self) -> Vec<String> {
        let name = &self.name;
        match (&self.sets[..], &self.types_from, &self.refused[..]) {
            ([], ..) | (_, Some(_), _) => Vec::new(),
            (_, None, []) => vec![format!(
                "no file has the types of {name}'s variables: they are shown as bytes"
            )],
            (_, None, refused) => {
                let shown = refused.iter();
                shown.map(|why| format!("{why}; {name}'s variables are shown as bytes")).collect()
            }
        }
    }

    pub(super) fn new(file: LinkerFile) -> Self {
        Self {
            linker_file: file.at,
            id: file.id,
            name: file.name,
            path: file.path,
            address: file.address,
            size: file.size,
            refs: file.refs,
            class: None,
            is_kernel: file.is_kernel,
            sets: Vec::new(),
            symbols: Arc::new(Symbols::none()),
            placed: Placed::Unknown,
            types_from: None,
            sections: Vec::new(),
            refused: Vec::new(),
            problems: file.problems,
        }
    }
}
