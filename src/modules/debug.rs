//! Types of modules' variables, from the modules' debug files or their own.
//!
//! The caller says which files to try ([`crate::source::locate::modules`]).
//! A file is taken only if it is the one that was loaded, or its debug file (`build.rs`): the
//! types of another build are worse than none.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::kernel::{ElfFile, LinkerSet, debug_file};
use crate::memory::KernelMemory;
use crate::modules::build;
use crate::modules::module::{Module, ModuleSet, Placed};
use crate::source::Source;
use crate::target::code::PlacedTypes;
use crate::target::kernel_match::{Evidence, Finding};
use crate::target::{KernelMatch, Target};
use crate::types::{Format, ModuleTypes, TypeError, Types, Variable};

const LOG: &str = "vnetkvm::modules";

/// Looks for the types of a module's variables in `candidates`, in their order,
/// and adds them to the kernel's. CTF is taken where none of them has debug information, or
/// if it is `wanted`. Each file tried is logged, with the target `vnetkvm::modules`.
pub fn find_types(
    module: &mut Module,
    types: &mut ModuleTypes,
    memory: &KernelMemory,
    candidates: &[PathBuf],
    wanted: Option<Format>,
) {
    let files: Vec<_> = candidates.iter().map(|path| (path, open(path))).collect();
    let opened: Vec<&ElfFile> = files.iter().filter_map(|(_, elf)| elf.as_ref().ok()).collect();
    let mut with_ctf = None;
    for (path, elf) in &files {
        let taken = match elf {
            Ok(elf) => belongs(module, types, memory, elf, &opened).and_then(|()| {
                let format = Format::of(elf, wanted).ok_or(Refusal::Untyped)?;
                if format == Format::Ctf && wanted.is_none() {
                    with_ctf = with_ctf.or(Some((*path, elf)));
                    return Err(Refusal::Untyped);
                }
                take(module, types, (path, elf), format)
            }),
            Err(why) => Err(Refusal::Foreign(format!("cannot be used: {why}"))),
        };
        note(module, path, &taken);
        if module.types_from.is_some() {
            return;
        }
    }
    if let Some((path, elf)) = with_ctf {
        let taken = take(module, types, (path, elf), Format::Ctf);
        note(module, path, &taken);
    }
    if candidates.is_empty() {
        log::info!(target: LOG, "{}: neither it nor its debug file was found", module.name);
    }
}

/// Logs what came of a file, and remembers why it was refused.
fn note(module: &mut Module, path: &Path, taken: &Result<Format, Refusal>) {
    let path = path.display();
    let verdict = match taken {
        Ok(Format::Dwarf) => "belongs to it".to_owned(),
        Ok(Format::Ctf) => "belongs to it, and its CTF is used".to_owned(),
        Err(Refusal::Untyped) => "has no debug information".to_owned(),
        Err(Refusal::Foreign(why)) => why.clone(),
    };
    log::info!(target: LOG, "{}: {path} {verdict}", module.name);
    match taken {
        Ok(_) => module.refused.clear(),
        Err(Refusal::Foreign(why)) => module.refused.push(format!("{path} {why}")),
        Err(Refusal::Untyped) => {}
    }
}

/// Looks for the debug information about a module's code in `candidates`. `alone` is the kernel
/// without its modules.
pub fn find_code(module: &Module, alone: &Target, candidates: &[PathBuf]) -> Option<PlacedTypes> {
    let opened: Vec<ElfFile> = candidates.iter().filter_map(|path| open(path).ok()).collect();
    let all: Vec<&ElfFile> = opened.iter().collect();
    let is_its_own = |elf: &&&ElfFile| {
        let found = module_match(module, alone.memory(), elf, &all);
        matches!(found, Some(KernelMatch::Same(_))) && elf.has_debug_info()
    };
    let elf = all.iter().find(is_its_own)?;
    let (placed, slide) = match &module.placed {
        Placed::Sections(sections) if elf.is_relocatable() => (&sections[..], 0),
        Placed::Whole { .. } if !elf.is_relocatable() => (&[][..], module.address.get()),
        _ => return None,
    };
    let placed = |name: &str| {
        let found = placed.iter().find(|(known, _)| &**known == name);
        found.map(|(_, range)| range.start.get())
    };
    let types = Types::of_module(elf, &placed, Arc::clone(alone.budget())).ok()?;
    log::info!(target: LOG, "{}: {} has its code", module.name, elf.source().path().display());
    Some(PlacedTypes { types: Arc::new(types), slide })
}

/// The initial values of a module's virtualized variables, as its file has them.
#[derive(Debug, Clone)]
pub struct FileSet {
    /// The whole set.
    pub bytes: Vec<u8>,
    /// The bytes that the kernel's linker fills in, which the file cannot have.
    pub relocated: Vec<Range<usize>>,
}

/// Looks for the initial values of a module's set in `candidates`.
pub fn initial_set(
    module: &Module,
    memory: &KernelMemory,
    candidates: &[PathBuf],
) -> Option<FileSet> {
    let opened: Vec<ElfFile> = candidates.iter().filter_map(|path| open(path).ok()).collect();
    let all: Vec<&ElfFile> = opened.iter().collect();
    let is_its_own = |elf: &ElfFile| {
        matches!(module_match(module, memory, elf, &all), Some(KernelMatch::Same(_)))
    };
    opened.iter().filter(|elf| is_its_own(elf)).find_map(|elf| {
        let section =
            elf.section(LinkerSet::Vnet.section()).filter(|section| section.has_bytes())?;
        let bytes = elf.raw_bytes(section)?;
        let whole = Some(bytes.len() as u64) == module.set(LinkerSet::Vnet).map(ModuleSet::size);
        whole.then(|| FileSet { bytes: bytes.to_vec(), relocated: elf.relocated_places(section) })
    })
}

/// Why a file does not provide the types.
enum Refusal {
    Untyped,
    /// It is not the module's, or it cannot be read.
    Foreign(String),
}

fn open(path: &Path) -> Result<ElfFile, String> {
    let source = Source::open(path).map_err(|why| why.to_string())?;
    ElfFile::parse_module(source).map_err(|why| why.to_string())
}

/// Whether a file is the module's or its debug file.
fn belongs(
    module: &Module,
    types: &ModuleTypes,
    memory: &KernelMemory,
    elf: &ElfFile,
    others: &[&ElfFile],
) -> Result<(), Refusal> {
    if elf.arch() != types.arch() {
        let (is, wanted) = (elf.arch().name(), types.arch().name());
        return Err(Refusal::Foreign(format!("is for {is}, not for {wanted}")));
    }
    let foreign = |why| Refusal::Foreign(format!("is of another build of {}: {why}", module.name));
    match module_match(module, memory, elf, others) {
        Some(KernelMatch::Same(_)) => Ok(()),
        Some(KernelMatch::Different(why) | KernelMatch::Unknown(why)) => Err(foreign(why)),
        None => {
            let why =
                format!("may be of another build of {}: the dump holds none of it", module.name);
            Err(Refusal::Foreign(why))
        }
    }
}

fn take(
    module: &mut Module,
    types: &mut ModuleTypes,
    (path, elf): (&Path, &ElfFile),
    format: Format,
) -> Result<Format, Refusal> {
    let unreadable = |why: TypeError| Refusal::Foreign(format!("cannot be used: {why}"));
    let typed = typed(module, types, elf, format).map_err(unreadable)?;
    module.sets.iter_mut().zip(typed).for_each(|(set, typed)| set.typed = typed);
    module.types_from = Some(path.display().to_string().into());
    module.sections = build::places(module, elf);
    Ok(format)
}

/// Whether `elf` is the module's file. A debug file has no code of its own; then the module's
/// own file, which is among `others`, decides.
fn module_match(
    module: &Module,
    memory: &KernelMemory,
    elf: &ElfFile,
    others: &[&ElfFile],
) -> Option<KernelMatch> {
    let mut said = build::evidence(module, memory, elf);
    let whole = others.iter().filter(|other| elf.is_debug_only() && !other.is_debug_only());
    for other in whole {
        let of_other = build::evidence(module, memory, other);
        match debug_file::difference(other, elf) {
            None => said.extend(of_other),
            Some(why) if matches!(KernelMatch::of(&of_other), Some(KernelMatch::Same(_))) => {
                let path = other.source().path().display();
                said.push(Evidence::new(Finding::Different, format!("unlike {path} it {why}")));
            }
            Some(_) => {}
        }
    }
    KernelMatch::of(&said)
}

/// The variables of each of its sets, at their places in the arenas.
fn typed(
    module: &Module,
    types: &mut ModuleTypes,
    elf: &ElfFile,
    format: Format,
) -> Result<Vec<Vec<Variable>>, TypeError> {
    match &module.placed {
        Placed::Sections(sections) if elf.is_relocatable() => {
            let placed = |name: &str| {
                let found = sections.iter().find(|(known, _)| &**known == name);
                found.map(|(_, range)| range.start.get())
            };
            let ranges = module.sets.iter().map(|set| set.range.start.get()..set.range.end.get());
            let own = types.add(elf, format, hull(ranges), &placed)?;
            Ok(module.sets.iter().map(|set| own.variables_linked_in(&set.range)).collect())
        }
        Placed::Whole { sets } if !elf.is_relocatable() => {
            let own =
                types.add(elf, format, hull(sets.iter().map(|(_, set)| set.clone())), &|_| None)?;
            Ok(module.sets.iter().map(|set| moved(set, sets, &own)).collect())
        }
        _ => Err(TypeError::Unreadable { why: "it is a module of the other linker class".into() }),
    }
}

/// The variables of one set of a shared object, from where its file has them to the arena.
fn moved(set: &ModuleSet, in_file: &[(LinkerSet, Range<u64>)], types: &Types) -> Vec<Variable> {
    let Some((_, linked)) = in_file.iter().find(|(of, _)| *of == set.of) else {
        return Vec::new();
    };
    let range = VirtAddr::new(linked.start)..VirtAddr::new(linked.end);
    let variables = types.variables_linked_in(&range).into_iter().map(|variable| {
        let offset = variable.address.get().wrapping_sub(linked.start);
        Variable { address: set.range.start.wrapping_add(offset), ..variable }
    });
    variables.collect()
}

/// The smallest range that holds all of these.
fn hull(ranges: impl Iterator<Item = Range<u64>> + Clone) -> Range<u64> {
    let start = ranges.clone().map(|range| range.start).min();
    start.unwrap_or(0)..ranges.map(|range| range.end).max().unwrap_or(0)
}
