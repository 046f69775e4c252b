//! `modules`: the files that make up the running kernel.

use serde::Serialize;

use super::variables::why_untyped;
use super::{Cell, Column, Element, List, Medium, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::kernel::LinkerSet;
use crate::modules::Module;
use crate::session::Session;

/// The kernel itself, or a module.
#[derive(Debug, Clone, Serialize)]
pub struct LoadedFile {
    /// The number that kldstat(8) shows; `None` without debug information.
    pub id: Option<i64>,
    /// `if_gif.ko`
    pub name: Box<str>,
    /// Where it was loaded from.
    pub path: Box<str>,
    /// Where its image was loaded.
    pub address: VirtAddr,
    /// Bytes.
    pub size: Option<u64>,
    /// The number of modules and users that hold it.
    pub refs: Option<i64>,
    /// The class of the kernel's linker that loaded it: `elf64`, `elf64_obj`.
    pub class: Option<Box<str>>,
    /// Where its virtualized variables lie, if it has any.
    pub set_vnet: Option<ModuleSet>,
    /// Where the masters of its DPCPU variables lie, if it has any.
    pub set_pcpu: Option<ModuleSet>,
    /// The number of its virtualized variables.
    pub variables: usize,
    /// The file that has their types.
    pub types_from: Option<Box<str>>,
    /// Files found where its own should be, but of another build, and why.
    pub refused: Vec<String>,
    /// What is wrong with it, a sentence each.
    pub problems: Vec<Box<str>>,
}

/// A linker set of variables.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ModuleSet {
    /// The first byte of the set, in module space for a module.
    pub address: VirtAddr,
    /// Bytes.
    pub size: u64,
}

/// The files of the kernel's linker, in its order.
///
/// # Errors
/// The kernel is not the dump's.
pub fn modules(session: &Session) -> Result<List<'static, LoadedFile>, Error> {
    let modules = session.modules()?;
    let files: Vec<LoadedFile> = modules.files.iter().map(LoadedFile::from).collect();
    // The column TYPES shows that a module has no file at all.
    let untyped = why_untyped(session, |module| !module.refused.is_empty())?;
    let damage = files.iter().flat_map(|file| {
        file.problems.iter().map(|why| Remark::Warning(format!("{}: {why}", file.name)))
    });
    let remarks = damage.chain(untyped).collect();
    // Even the kernel itself has an entry, from early in its start on.
    let list = List::new(columns(), files).or_nothing(|| "the list of modules is empty".into());
    Ok(List { remarks, ..list }.with_problems(modules.problems.clone()))
}

fn columns() -> Vec<Column> {
    vec![
        Column::right("ID"),
        Column::left("NAME"),
        Column::left("ADDRESS"),
        Column::right("SIZE"),
        Column::right("REFS"),
        Column::left("CLASS"),
        Column::left("MODSPACE"),
        Column::right("BYTES"),
        Column::right("VARIABLES"),
        Column::left("TYPES"),
        Column::left("PATH"),
    ]
}

impl From<&Module> for LoadedFile {
    fn from(module: &Module) -> Self {
        let set = module.set(LinkerSet::Vnet);
        let place = |set| {
            let set = module.set(set)?;
            Some(ModuleSet { address: set.range.start, size: set.size() })
        };
        Self {
            id: module.id,
            name: module.name.clone(),
            path: module.path.clone(),
            address: module.address,
            size: module.size,
            refs: module.refs,
            class: module.class.clone(),
            set_vnet: place(LinkerSet::Vnet),
            set_pcpu: place(LinkerSet::Pcpu),
            variables: set
                .map_or(0, |set| module.set_symbols(LinkerSet::Vnet).count().max(set.typed.len())),
            types_from: module.types_from.clone(),
            refused: module.refused.clone(),
            problems: module.problems.clone(),
        }
    }
}

impl Element for LoadedFile {
    const ARRAY: &'static str = "modules";

    fn unreadable(&self) -> usize {
        self.problems.len()
    }
}

impl Row for LoadedFile {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let set = self.set_vnet;
        let typed = if self.types_from.is_some() { "yes" } else { "no" };
        vec![vec![
            self.id.into(),
            (&*self.name).into(),
            self.address.into(),
            self.size.into(),
            self.refs.into(),
            self.class.as_deref().into(),
            set.map(|set| set.address).into(),
            set.map(|set| set.size).into(),
            set.map(|_| self.variables).into(),
            set.or(self.set_pcpu).map(|_| typed).into(),
            (&*self.path).into(),
        ]]
    }
}
