//! The modules that were loaded into the kernel, as the kernel's own linker
//! knows them (`sys/kern/kern_linker.c`, `link_elf.c`, `link_elf_obj.c`).
//!
//! What: for every file of the list `linker_files` its name, place and class, the
//! part of module space that its virtualized variables have, and its symbols,
//! static ones included: all from the dump alone.
//!
//! How: a linker file is the start of a larger `struct elf_file`, of which a
//! kernel has two that share that name. The class of the file (`ops->cls`) is a
//! variable of the unit that defines the right one, and so leads to it. Types
//! come from the module's debug file ([`debug`]), if somebody finds it.
//!
//! What it refuses to do: it walks nothing where only the kernel itself is
//! loaded, and believes no count or size of a table without a limit.

mod build;
pub mod debug;
mod linker_file;
mod loaded;

use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::kernel::{Symbol, Symbols};
use crate::target::{ModuleSymbols, Target};
use crate::types::Variable;
use crate::walk::Problems;

use linker_file::LinkerFile;

/// A file that is part of the running kernel: the kernel itself, or a module.
#[derive(Debug)]
pub struct Module {
    /// `struct linker_file`
    pub linker_file: VirtAddr,
    /// As kldstat(8) numbers them; `None` without debug information.
    pub id: Option<i64>,
    /// `if_gif.ko`
    pub name: Box<str>,
    /// Where it was loaded from.
    pub path: Box<str>,
    pub address: VirtAddr,
    /// Bytes; `None` without debug information.
    pub size: Option<u64>,
    /// How many modules and users hold it.
    pub refs: Option<i64>,
    /// `elf64_obj` for object files, `elf64` or `elf32` for shared objects.
    pub class: Option<Box<str>>,
    /// Is this the kernel's own entry?
    pub is_kernel: bool,
    /// Where in module space its virtualized variables lie.
    pub set: Option<Range<VirtAddr>>,
    /// Its symbols, at the addresses that they have in memory; those of virtualized
    /// variables, in module space.
    pub symbols: Arc<Symbols>,
    /// What loads addresses in its debug file have to be turned into those.
    placed: Placed,
    /// The variables of its set as its debug file describes them.
    pub typed: Vec<Variable>,
    /// The file that the types come from.
    pub types_from: Option<Box<str>>,
    /// Where the sections of that file were loaded, by name.
    pub sections: Vec<(Box<str>, VirtAddr)>,
    /// Files that lie where its own should and are not it: which and why, a sentence each.
    /// Empty where its own was found.
    pub refused: Vec<String>,
    /// Which files were looked at for its types, and why they were not taken.
    pub log: Vec<String>,
    /// What is wrong with it, a sentence each.
    pub problems: Vec<Box<str>>,
}

/// How addresses in a module's file become those in memory.
#[derive(Debug, Clone, Default)]
enum Placed {
    #[default]
    Unknown,
    /// An object file: every section has its own place, by name.
    Sections(Vec<(Box<str>, Range<VirtAddr>)>),
    /// A shared object: the set lies here in the file's own addresses.
    Whole { set: Range<u64> },
}

/// All files that make up the running kernel, in the order in which they were loaded.
#[derive(Debug, Default)]
pub struct Modules {
    pub files: Vec<Module>,
    /// What keeps others from being known.
    pub problems: Problems,
}

impl Modules {
    /// Reads the list. A kernel without `linker_files` has no modules.
    pub fn read(target: &Target) -> Self {
        let list = linker_file::walk(target);
        let files = list.files.into_iter().map(|file| loaded::describe(target, file));
        Self { files: files.collect(), problems: list.problems }
    }

    /// Is anything but the kernel itself loaded? Costs no more than four reads.
    pub fn any(target: &Target) -> bool {
        linker_file::more_than_the_kernel(target)
    }

    /// The modules: what there is beside the kernel itself.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.files.iter().filter(|file| !file.is_kernel)
    }

    /// The symbols of the modules, for a target to know.
    pub fn symbols(&self) -> Vec<ModuleSymbols> {
        let sized = self.modules().filter_map(|module| {
            let memory = module.address..module.address.checked_add(module.size?)?;
            let (symbols, set) = (Arc::clone(&module.symbols), module.set.clone());
            Some(ModuleSymbols { name: module.name.clone(), memory, set, symbols })
        });
        sized.collect()
    }
}

impl Module {
    /// The symbols of its virtualized variables.
    pub fn vnet_symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols.vnet(self.set.clone().unwrap_or_default())
    }

    /// The address in module space of what a shared object's file has at `linked`, in its
    /// `set`.
    fn in_set(&self, linked: u64, set: &Range<u64>) -> Option<VirtAddr> {
        Some(self.set.as_ref()?.start.wrapping_add(linked.checked_sub(set.start)?))
    }

    /// Why the types of its variables are not known, as sentences: none where they are, or
    /// where it has no variables.
    pub fn without_types(&self) -> Vec<String> {
        let name = &self.name;
        match (&self.set, &self.types_from, &self.refused[..]) {
            (None, ..) | (_, Some(_), _) => Vec::new(),
            (Some(_), None, []) => vec![format!(
                "no file tells the types of {name}'s variables: they are shown as bytes"
            )],
            (Some(_), None, refused) => {
                let shown = refused.iter();
                shown.map(|why| format!("{why}; {name}'s variables are shown as bytes")).collect()
            }
        }
    }

    /// Bytes of its set.
    pub fn set_size(&self) -> u64 {
        self.set.as_ref().and_then(|set| set.end.offset_from(set.start)).unwrap_or(0)
    }

    fn new(file: LinkerFile) -> Self {
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
            set: None,
            symbols: Arc::new(Symbols::none()),
            placed: Placed::Unknown,
            typed: Vec::new(),
            types_from: None,
            sections: Vec::new(),
            refused: Vec::new(),
            log: Vec::new(),
            problems: file.problems,
        }
    }
}
