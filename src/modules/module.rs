//! One module: what the kernel's linker and its own file say of it.

use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::kernel::{Symbol, Symbols};
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
    /// Where in module space its virtualized variables lie.
    pub set: Option<Range<VirtAddr>>,
    /// Where a shared object's own image has the initial values of its set, in memory.
    pub image: Option<VirtAddr>,
    /// Its symbols, at the addresses that they have in memory; those of virtualized
    /// variables, in module space.
    pub symbols: Arc<Symbols>,
    /// How addresses in its debug file become addresses in memory.
    pub(super) placed: Placed,
    /// The variables of its set as its debug file describes them.
    pub typed: Vec<Variable>,
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
    /// A shared object: the set lies here in the file's own addresses.
    Whole { set: Range<u64> },
}

impl Module {
    /// The symbols of its virtualized variables.
    pub fn vnet_symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.symbols.vnet(self.set.clone().unwrap_or_default())
    }

    /// The address in module space of the variable that a shared object's file has at `linked`, an
    /// address in its `set`.
    pub(super) fn in_set(&self, linked: u64, set: &Range<u64>) -> Option<VirtAddr> {
        Some(self.set.as_ref()?.start.wrapping_add(linked.checked_sub(set.start)?))
    }

    /// Why the types of its variables are unknown, a sentence each. Empty if they are known, or
    /// if it has no variables.
    pub fn without_types(&self) -> Vec<String> {
        let name = &self.name;
        match (&self.set, &self.types_from, &self.refused[..]) {
            (None, ..) | (_, Some(_), _) => Vec::new(),
            (Some(_), None, []) => vec![format!(
                "no file has the types of {name}'s variables: they are shown as bytes"
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
            set: None,
            image: None,
            symbols: Arc::new(Symbols::none()),
            placed: Placed::Unknown,
            typed: Vec::new(),
            types_from: None,
            sections: Vec::new(),
            refused: Vec::new(),
            problems: file.problems,
        }
    }
}
