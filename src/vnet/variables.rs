//! The variables of a linker set. Each has several copies: a virtualized variable, with the symbol
//! `vnet_entry_NAME`, one in each vnet; a DPCPU variable, `pcpu_entry_NAME`, one on each CPU.
//!
//! Names, addresses and sizes come from the symbol table, types and files from
//! the units that define them. Static variables of several files may share a
//! name; they are kept apart by their file. Modules bring variables of their own,
//! whose masters lie in the arena of the set: they are kept apart by their module.

use globset::{Glob, GlobMatcher};
use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::kernel::{LinkerSet, RunningKernel, Symbol, SymbolKind};
use crate::modules::Modules;
use crate::target::Target;
use crate::types::{self, TypeId, Types};
use crate::value::Object;
use crate::vnet::{Vnet, VnetError};
use crate::walk::Problems;

/// A variable that every vnet, or every CPU, has its own copy of; in a kernel without VIMAGE,
/// a plain global.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetVariable {
    /// Without the prefix: `tcbinfo`.
    pub name: Box<str>,
    /// `vnet_entry_tcbinfo`, `pcpu_entry_nws`
    pub symbol: Box<str>,
    /// Where the set holds the initial value.
    pub master: VirtAddr,
    /// Bytes.
    pub size: u64,
    /// Its type; `None` without debug information.
    pub type_id: Option<TypeId>,
    /// The file that defines it: `kernel`, or a module's name.
    pub module: Box<str>,
    /// Below `sys/`: `netinet/tcp_input.c`.
    pub file: Option<Box<str>>,
}

/// The value of [`SetVariable::module`] for the kernel's own variables.
const KERNEL: &str = "kernel";

/// All variables of one linker set, of a kernel and its modules, sorted by name, then by file.
#[derive(Debug, Clone)]
pub struct Variables {
    set: LinkerSet,
    all: Vec<SetVariable>,
    /// Where in `all` those of a name begin.
    places: FxHashMap<Box<str>, usize>,
    /// Why variables of modules may be missing.
    problems: Problems,
}

impl Variables {
    /// Collects the variables of the set and those of modules; types are optional.
    ///
    /// # Errors
    /// The kernel has no such set.
    pub fn read(target: &Target, modules: &Modules, set: LinkerSet) -> Result<Self, VnetError> {
        let kernel = target.kernel();
        let range = kernel.linker_set(set).ok_or_else(|| VnetError::without(set, kernel))?;
        let types = target.types().ok();
        let mut all = join(set, kernel.set_symbols(set), target.variables_in(&range), types);
        for module in modules.modules() {
            let typed = module.set(set).map(|set| set.typed.clone()).unwrap_or_default();
            let own = join(set, module.set_symbols(set), typed, types);
            let module = &module.name;
            all.extend(own.into_iter().map(|it| SetVariable { module: module.clone(), ..it }));
        }
        all.sort_by(|a, b| a.order().cmp(&b.order()));
        let mut places = FxHashMap::default();
        for (place, variable) in all.iter().enumerate() {
            places.entry(variable.name.clone()).or_insert(place);
        }
        Ok(Self { set, all, places, problems: modules.problems_of_set(set) })
    }

    /// The linker set that they are in.
    #[must_use]
    pub fn set(&self) -> LinkerSet {
        self.set
    }

    /// Why variables of modules may be missing.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// All of them, sorted by name, then by file.
    #[must_use]
    pub fn all(&self) -> &[SetVariable] {
        &self.all
    }

    /// A vnet's copy of the variable of that name; `None` if there is
    /// no such variable, no type, or no copy.
    #[must_use]
    pub fn in_vnet<'t>(&self, target: &'t Target, vnet: &Vnet, name: &str) -> Option<Object<'t>> {
        let variable = self.one(name, None).ok()??;
        let address = vnet.copy_of(target, variable.master).ok()?;
        Some(Object::new(target, variable.type_id?, address))
    }

    /// The variable whose master copy contains this address. In the arena that is a
    /// module's, never the arena.
    #[must_use]
    pub fn holding(&self, address: VirtAddr) -> Option<&SetVariable> {
        let holds = |variable: &&SetVariable| {
            let offset = address.offset_from(variable.master);
            offset.is_some_and(|offset| offset < variable.size) && !variable.is_module_space()
        };
        self.all.iter().find(holds)
    }

    /// The variables that match a pattern: `ipstat`, `V_tcp*`, `ipv4_hashtbl@in_gif.c`,
    /// `*@if_gif.ko`.
    ///
    /// # Errors
    /// None matches, or it is not a valid pattern. The error lists similar names, or the files
    /// that have the name.
    pub fn matching(&self, pattern: &str) -> Result<Vec<&SetVariable>, VnetError> {
        let wanted = Pattern::new(pattern, self.set)?;
        let found: Vec<_> = self.all.iter().filter(|variable| wanted.matches(variable)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let elsewhere: Vec<&SetVariable> =
            self.all.iter().filter(|variable| wanted.names(&variable.name)).collect();
        let near = elsewhere.iter().filter(|variable| variable.qualifier().is_some());
        let mut near: Vec<String> = near
            .map(|variable| {
                let same = |other: &&&SetVariable| other.name == variable.name;
                let same: Vec<&SetVariable> = elsewhere.iter().filter(same).copied().collect();
                format!("{}@{}", variable.name, variable.told_by(&same))
            })
            .take(MOST_OFFERED + 1)
            .collect();
        if near.len() > MOST_OFFERED {
            // In a pattern for all variables of a file, only the file can be wrong.
            near.clear();
        } else if near.is_empty() {
            let mut names: Vec<String> = self.all.iter().map(|v| v.name.to_string()).collect();
            names.dedup();
            near = types::most_similar(names, |name| name, &wanted.name);
        }
        Err(VnetError::NoSuchVariable { set: self.set, name: pattern.to_owned(), near })
    }

    /// The one variable of that name, in that file or module if one is given;
    /// `None` if there is no such variable.
    ///
    /// # Errors
    /// Several files define it.
    pub fn one(&self, name: &str, file: Option<&str>) -> Result<Option<&SetVariable>, VnetError> {
        let Some(start) = self.places.get(name) else { return Ok(None) };
        let rest = self.all.get(*start..).unwrap_or_default();
        let same = rest.iter().take_while(|variable| *variable.name == *name);
        let found: Vec<_> = same.filter(|variable| in_file(variable, file)).collect();
        match found[..] {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => {
                let files = found.iter().map(|variable| variable.told_by(&found).to_owned());
                let files = files.collect();
                Err(VnetError::Ambiguous { name: name.to_owned(), files })
            }
        }
    }
}

impl SetVariable {
    /// Whether it is the arena of its set, which consists of the variables of modules.
    #[must_use]
    pub fn is_module_space(&self) -> bool {
        LinkerSet::ALL.iter().any(|set| *self.symbol == *set.arena())
    }

    /// What distinguishes it from others of its name: its module or, in the kernel, its file.
    #[must_use]
    pub fn qualifier(&self) -> Option<&str> {
        self.of_module().or(self.file.as_deref())
    }

    /// What distinguishes it from `others` of its name, itself among them. The kernel's own is told
    /// by `kernel` if it has no file, or the same as a module's.
    #[must_use]
    pub fn told_by(&self, others: &[&Self]) -> &str {
        let shares = |other: &&Self| other.of_module().is_some() && other.file == self.file;
        let file = self.file.as_deref().filter(|_| !others.iter().any(shares));
        self.of_module().or(file).unwrap_or(KERNEL)
    }

    /// By name, then by file. Without files, the kernel's own come first.
    pub(crate) fn order(&self) -> impl Ord {
        (&self.name, &self.file, self.of_module(), self.master)
    }

    /// The module that defines it; `None` if the kernel does.
    #[must_use]
    pub fn of_module(&self) -> Option<&str> {
        (*self.module != *KERNEL).then_some(&*self.module)
    }
}

/// The plain globals that match a pattern, in a kernel without VIMAGE, whose
/// network variables are plain globals. They are returned as variables without copies.
///
/// # Errors
/// No object symbol matches, or it is not a valid pattern.
pub fn plain_globals(target: &Target, pattern: &str) -> Result<Vec<SetVariable>, VnetError> {
    let wanted = Pattern::new(pattern, LinkerSet::Vnet)?;
    let kernel = target.kernel();
    let globals = kernel.symbols().filter(|symbol| symbol.kind == SymbolKind::Object);
    let named = globals.filter(|symbol| wanted.names(symbol.name));
    let mut found: Vec<SetVariable> = named.map(|symbol| plain(target, &symbol)).collect();
    found.retain(|variable| in_file(variable, wanted.file.as_deref()));
    found.sort_by(|a, b| a.order().cmp(&b.order()));
    if found.is_empty() {
        let near = names_like(kernel, &wanted.name);
        let (set, name) = (LinkerSet::Vnet, pattern.to_owned());
        return Err(VnetError::NoSuchVariable { set, name, near });
    }
    Ok(found)
}

fn plain(target: &Target, symbol: &Symbol<'_>) -> SetVariable {
    let typed = target.variable_at(symbol.address);
    SetVariable {
        name: symbol.name.into(),
        symbol: symbol.name.into(),
        master: symbol.address,
        size: symbol.size,
        type_id: typed.as_ref().map(|typed| typed.type_id),
        module: KERNEL.into(),
        file: typed.and_then(|typed| typed.file),
    }
}

/// Names of objects in the kernel that are similar to `name`.
#[must_use]
pub fn names_like(kernel: &RunningKernel, name: &str) -> Vec<String> {
    let objects = kernel.symbols().filter(|symbol| symbol.kind == SymbolKind::Object);
    let mut near: Vec<String> = objects.map(|symbol| symbol.name.to_owned()).collect();
    near.sort_unstable();
    near.dedup();
    types::most_similar(near, |known| known, name)
}

/// Symbols and entries of variables, the latter sorted by address and name, as one list of
/// variables of the kernel. A stripped kernel lacks the symbols of static variables, which its debug
/// information still has; a kernel without any has symbols alone.
fn join<'a>(
    set: LinkerSet,
    symbols: impl Iterator<Item = Symbol<'a>>,
    typed: Vec<types::Variable>,
    types: Option<&Types>,
) -> Vec<SetVariable> {
    let mut symbols: Vec<Symbol<'_>> = symbols.collect();
    symbols.sort_by_key(|symbol| (symbol.address, symbol.name));
    let mut all = Vec::with_capacity(symbols.len().max(typed.len()));
    let mut typed = typed.into_iter().peekable();
    let size_of = |id| types.and_then(|types| types.size_of(id).ok()).unwrap_or(0);
    for symbol in symbols {
        let place = (symbol.address, symbol.name);
        while let Some(entry) = typed.next_if(|entry| (entry.address, &*entry.name) < place) {
            let size = size_of(entry.type_id);
            all.push(variable(set, &entry.name.clone(), entry.address, size, Some(entry)));
        }
        let entry = typed.next_if(|entry| (entry.address, &*entry.name) == place);
        let size = match &entry {
            Some(entry) if symbol.size == 0 => size_of(entry.type_id),
            _ => symbol.size,
        };
        all.push(variable(set, symbol.name, symbol.address, size, entry));
    }
    for entry in typed {
        let size = size_of(entry.type_id);
        all.push(variable(set, &entry.name.clone(), entry.address, size, Some(entry)));
    }
    all
}

fn variable(
    set: LinkerSet,
    symbol: &str,
    master: VirtAddr,
    size: u64,
    entry: Option<types::Variable>,
) -> SetVariable {
    SetVariable {
        name: symbol.strip_prefix(set.prefix()).unwrap_or(symbol).into(),
        symbol: symbol.into(),
        master,
        size,
        type_id: entry.as_ref().map(|entry| entry.type_id),
        module: KERNEL.into(),
        file: entry.and_then(|entry| entry.file),
    }
}

const LONGEST_PATTERN: usize = 256;

/// Files that define the name, when it was asked for in another file.
const MOST_OFFERED: usize = 6;

/// A glob over names, and perhaps a file.
struct Pattern {
    name: String,
    glob: Option<GlobMatcher>,
    file: Option<String>,
}

impl Pattern {
    /// People copy `V_` from C, and the prefix of the symbols from
    /// nm; both are dropped.
    fn new(pattern: &str, set: LinkerSet) -> Result<Self, VnetError> {
        let (name, file) = match pattern.split_once('@') {
            Some((name, file)) => (name, Some(file.to_owned())),
            None => (pattern, None),
        };
        let in_c = if set == LinkerSet::Vnet { name.strip_prefix("V_") } else { None };
        let bare = in_c.or_else(|| name.strip_prefix(set.prefix()));
        let name = bare.unwrap_or(name).to_owned();
        let refused = |why| VnetError::BadPattern { pattern: pattern.to_owned(), why };
        if name.is_empty() {
            return Err(refused("it has no name in it".to_owned()));
        }
        let glob = compile_glob(&name, pattern)?;
        Ok(Self { name, glob, file })
    }

    fn matches(&self, variable: &SetVariable) -> bool {
        self.names(&variable.name) && in_file(variable, self.file.as_deref())
    }

    fn names(&self, name: &str) -> bool {
        *name == self.name || self.glob.as_ref().is_some_and(|glob| glob.is_match(name))
    }
}

/// The pattern `name`, which is all or part of what the user typed; `None` if it is
/// longer than any name, because it could only waste time.
///
/// # Errors
/// It is not a valid pattern.
pub(crate) fn compile_glob(name: &str, typed: &str) -> Result<Option<GlobMatcher>, VnetError> {
    let glob = (name.len() <= LONGEST_PATTERN).then(|| Glob::new(name)).transpose();
    let glob = glob.map_err(|why| VnetError::BadPattern {
        pattern: typed.to_owned(),
        why: mistake(why.kind()),
    })?;
    Ok(glob.map(|glob| glob.compile_matcher()))
}

fn mistake(kind: &globset::ErrorKind) -> String {
    match kind {
        globset::ErrorKind::UnclosedClass => "its [ is not closed".to_owned(),
        globset::ErrorKind::UnclosedAlternates => "its { is not closed".to_owned(),
        globset::ErrorKind::UnopenedAlternates => "its } closes nothing".to_owned(),
        other => other.to_string(),
    }
}

/// Whether the variable comes from this file or module, or from a file whose path ends
/// like this.
fn in_file(variable: &SetVariable, file: Option<&str>) -> bool {
    let Some(wanted) = file else { return true };
    if *variable.module == *wanted || variable.module.strip_suffix(".ko") == Some(wanted) {
        return true;
    }
    variable.file.as_deref().is_some_and(|path| types::is_end_of_path(path, wanted))
}
