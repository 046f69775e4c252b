//! Types of modules' variables, from the debug files of the modules.
//!
//! Which files may be it, the caller says ([`crate::source::locate::modules`]).
//! One is taken if it has the symbols that the dump has of the module, at the
//! same distances: a module of another build is worse than none.

use std::path::{Path, PathBuf};

use crate::addr::VirtAddr;
use crate::error::TypeError;
use crate::kernel::{ElfFile, Symbols};
use crate::modules::{Module, Placed};
use crate::source::Source;
use crate::types::{Types, Variable};

/// Looks for the types of a module's variables in `candidates`, in their order,
/// and adds them to the kernel's. What was looked at is told by its log.
pub fn find_types(module: &mut Module, types: &Types, candidates: &[PathBuf]) {
    for path in candidates {
        let verdict = match take(module, types, path) {
            Ok(()) => "belongs to it".to_owned(),
            Err(why) => why,
        };
        module.log.push(format!("{}: {} {verdict}", module.name, path.display()));
        if module.types_from.is_some() {
            return;
        }
    }
    if candidates.is_empty() {
        module.log.push(format!("{}: neither it nor its debug file was found", module.name));
    }
}

fn take(module: &mut Module, types: &Types, path: &Path) -> Result<(), String> {
    let source = Source::open(path).map_err(|why| why.to_string())?;
    let elf = ElfFile::parse_module(source).map_err(|why| why.to_string())?;
    if elf.arch() != types.arch() {
        return Err(format!("is for {}", elf.arch().name()));
    }
    if !elf.has_debug_info() {
        return Err("has no debug information".into());
    }
    if !has_the_same_symbols(module, &elf) {
        return Err("comes from another build".into());
    }
    module.typed = typed(module, types, &elf).map_err(|why| why.to_string())?;
    module.types_from = Some(path.display().to_string().into());
    Ok(())
}

/// Are the virtualized variables that the dump knows in the file as well, at the
/// same distance from the start of the set?
fn has_the_same_symbols(module: &Module, elf: &ElfFile) -> bool {
    let (Ok(symbols), Some(set)) = (Symbols::load(elf), &module.set) else { return false };
    let start = match &module.placed {
        Placed::Whole { set } => set.start,
        _ => 0,
    };
    // A boot loader brings no static symbols; in the file they may lie anywhere else.
    module.vnet_symbols().all(|known| {
        let offset = known.address.offset_from(set.start);
        let mut named = symbols.named(known.name);
        named.any(|symbol| symbol.address.get().checked_sub(start) == offset)
    })
}

/// The variables of the set, at their places in module space.
fn typed(module: &Module, types: &Types, elf: &ElfFile) -> Result<Vec<Variable>, TypeError> {
    let Some(set) = module.set.clone() else { return Ok(Vec::new()) };
    match &module.placed {
        Placed::Sections(sections) if elf.is_relocatable() => {
            let placed = |name: &str| {
                let found = sections.iter().find(|(known, _)| &**known == name);
                found.map(|(_, at)| at.get())
            };
            let own = types.add_module(elf, set.start.get()..set.end.get(), &placed)?;
            Ok(own.variables_in(&set))
        }
        Placed::Whole { set: in_file } if !elf.is_relocatable() => {
            let own = types.add_module(elf, in_file.clone(), &|_| None)?;
            let range = VirtAddr::new(in_file.start)..VirtAddr::new(in_file.end);
            let moved = own.variables_in(&range).into_iter().map(|variable| {
                let offset = variable.address.get().wrapping_sub(in_file.start);
                Variable { address: set.start.wrapping_add(offset), ..variable }
            });
            Ok(moved.collect())
        }
        _ => Err(TypeError::Unreadable { why: "it is a module of the other class".into() }),
    }
}
