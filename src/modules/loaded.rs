//! A module as the kernel's linker left it in memory: its class, its part of
//! module space, its symbol table.
//!
//! Both linker classes put `struct linker_file` in front of a struct of their
//! own, and both call that `struct elf_file` (`sys/kern/link_elf.c` and
//! `link_elf_obj.c`, 9.3 to main). They differ in what must be done to an address:
//!
//! - Object files (amd64): symbols have their final addresses, those of variables in a
//!   linker set lie in the set's arena. The entries `set_vnet` and `set_pcpu` of `progtab`
//!   say where.
//! - Shared objects (all others): symbols count from the module's start and are
//!   not translated. What lies in `vnet_start..vnet_stop`, half open, has its master
//!   at the same distance from `vnet_base`; a base of 0 means that there is none,
//!   whatever the bounds say, as in i386 modules that have four bytes of padding for a set.
//!   `pcpu_start`, `pcpu_stop` and `pcpu_base` are the same for DPCPU variables.

use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::fault::Fault;
use crate::kernel::{LinkerSet, Symbols, symbols};
use crate::modules::linker_file::LinkerFile;
use crate::modules::module::{Module, ModuleSet, Placed};
use crate::target::{ReadError, Target};
use crate::types::TypeId;
use crate::value::Object;
use crate::value::memory_block::MemoryBlock;

/// The largest symbol table with its names that is believed, in bytes: some megabytes are
/// usual.
const LARGEST_TABLES: u64 = 1 << 32;

/// The largest part of an arena that is believed: the whole of module space has 32 KB.
const LARGEST_SET: u64 = 1 << 20;

/// Sections of one module.
const MOST_SECTIONS: u64 = 4096;

const LONGEST_NAME: usize = 64;

/// Adds what a file's linker class knows of it.
pub fn describe(target: &Target, file: LinkerFile) -> Module {
    let at = file.at;
    let mut module = Module::new(file);
    if let Err(why) = fill(target, at, &mut module) {
        // Without debug information only names and addresses are known, which `info` says once.
        if target.types().is_ok() {
            module.problems.push(format!("its variables cannot be found: {why}").into());
        }
    }
    module
}

fn fill(target: &Target, at: VirtAddr, module: &mut Module) -> Result<(), ReadError> {
    let list_type = target.global("linker_files")?.type_id;
    let first = target.types()?.member(list_type, "tqh_first")?;
    let file = Object::new(target, target.types()?.pointee(first.type_id)?, at);
    let Some(class) = file.follow("ops")?.map(|ops| ops.follow("cls")).transpose()?.flatten()
    else {
        module.problems.push("it has no class".into());
        return Ok(());
    };
    let class_name = class.text("name")?;
    module.class = Some(class_name.as_str().into());
    if module.is_kernel {
        return Ok(());
    }
    let elf_file = Object::new(target, elf_file(target, &class, &class_name)?, at);
    if elf_file.has("progtab") {
        object_file(&elf_file, module)?;
    } else {
        shared_object(&elf_file, module)?;
    }
    read_symbols(&elf_file, module)
}

/// The `struct elf_file` of a linker class: that of the unit which defines the class. If no unit
/// is known, the members tell it from the other one: only object files have `progtab`.
fn elf_file(target: &Target, class: &Object<'_>, name: &str) -> Result<TypeId, ReadError> {
    const NAME: &str = "struct elf_file";
    if let Some(found) = target.type_beside(class.address, NAME) {
        return Ok(found);
    }
    let types = target.types()?;
    let is_object = name.ends_with("_obj");
    let definitions = types.definitions(NAME)?;
    let fits = |id: TypeId| types.has_member(id, "progtab") == is_object;
    let found = definitions.iter().map(|found| found.type_id).find(|id| fits(*id));
    Ok(found.map_or_else(|| types.find(NAME), Ok)?)
}

/// Where its sections were placed, from `progtab`.
fn object_file(elf_file: &Object<'_>, module: &mut Module) -> Result<(), ReadError> {
    let target = elf_file.target();
    let types = target.types()?;
    let Some(first) = elf_file.follow("progtab")? else { return Ok(()) };
    let size = types.size_of(first.type_id)?;
    let count = elf_file.uint("nprogtab")?;
    if count > MOST_SECTIONS {
        module.problems.push(format!("it has {count} sections, which is impossible").into());
    }
    let mut placed = Vec::new();
    for number in 0..count.min(MOST_SECTIONS) {
        let at = first.address.wrapping_add(number.wrapping_mul(size));
        let section = Object::new(target, first.type_id, at);
        match loaded_section(&section) {
            Ok((name, range)) => {
                if let Some(of) = LinkerSet::of_section(&name) {
                    add_set(module, of, range.clone(), None);
                }
                placed.push((name, range));
            }
            Err(why) => {
                module.problems.push(format!("its section {number} cannot be read: {why}").into());
                break;
            }
        }
    }
    module.placed = Placed::Sections(placed);
    Ok(())
}

fn loaded_section(section: &Object<'_>) -> Result<(Box<str>, Range<VirtAddr>), ReadError> {
    let (start, size) = (section.pointer("addr")?, section.uint("size")?);
    let name = section.pointer("name")?;
    // A section loaded by a boot loader may have no name.
    let name = match name.is_null() {
        true => Vec::new(),
        false => section.target().memory().c_string(name, LONGEST_NAME)?,
    };
    Ok((String::from_utf8_lossy(&name).into(), start..start.wrapping_add(size)))
}

/// The bounds of its sets, and where their master copies are.
fn shared_object(elf_file: &Object<'_>, module: &mut Module) -> Result<(), ReadError> {
    let arch = elf_file.target().arch();
    let load = elf_file.pointer("address")?.get();
    let in_file = |at: VirtAddr| arch.wrap(at.get().wrapping_sub(load));
    let mut sets = Vec::new();
    for of in LinkerSet::ALL {
        let Some((base, bounds)) = bounds_of_set(elf_file, of)? else { continue };
        let (start, stop) = (bounds.start, bounds.end);
        let Some(size) = stop.offset_from(start) else {
            let problem = format!("its {} ends at {stop}, before its start {start}", of.section());
            module.problems.push(problem.into());
            continue;
        };
        sets.push((of, in_file(start)..in_file(stop)));
        add_set(module, of, base..base.wrapping_add(size), Some(start));
    }
    module.placed = Placed::Whole { sets };
    Ok(())
}

/// Where a set's master copy is, and the set in the module's image; `None` if the module has no
/// variables in that set.
fn bounds_of_set(
    elf_file: &Object<'_>,
    of: LinkerSet,
) -> Result<Option<(VirtAddr, Range<VirtAddr>)>, ReadError> {
    let [base, start, stop] = match of {
        LinkerSet::Vnet => ["vnet_base", "vnet_start", "vnet_stop"],
        LinkerSet::Pcpu => ["pcpu_base", "pcpu_start", "pcpu_stop"],
    };
    // A kernel without VIMAGE keeps no bounds of that set.
    if !elf_file.has(base) {
        return Ok(None);
    }
    let base = elf_file.pointer(base)?;
    let bounds = elf_file.pointer(start)?..elf_file.pointer(stop)?;
    Ok((!base.is_null()).then_some((base, bounds)))
}

/// Adds the variables of a set, if they can lie there.
fn add_set(module: &mut Module, of: LinkerSet, range: Range<VirtAddr>, image: Option<VirtAddr>) {
    let (start, end) = (range.start, range.end);
    if end.offset_from(start).is_none_or(|size| size > LARGEST_SET) {
        let problem =
            format!("its {} lies from {start} to {end}, which is impossible", of.section());
        module.problems.push(problem.into());
        return;
    }
    // The first section of that name is the one that the kernel allocated space for.
    if start < end && module.set(of).is_none() {
        module.sets.push(ModuleSet { of, range, image, typed: Vec::new() });
    }
}

/// The symbol table that the kernel keeps for its debugger: static symbols as well,
/// except in a shared object that a boot loader brought.
fn read_symbols(elf_file: &Object<'_>, module: &mut Module) -> Result<(), ReadError> {
    let target = elf_file.target();
    let entry_size = symbols::entry_size(target.arch()) as u64;
    let table = (elf_file.pointer("ddbsymtab")?, elf_file.uint("ddbsymcnt")?);
    let strings = (elf_file.pointer("ddbstrtab")?, elf_file.uint("ddbstrcnt")?);
    let size = table.1.checked_mul(entry_size).and_then(|size| size.checked_add(strings.1));
    let Some(size) = size.filter(|size| *size <= LARGEST_TABLES) else {
        let problem = format!("its symbol table has {} entries, which is impossible", table.1);
        module.problems.push(problem.into());
        return Ok(());
    };
    target.budget().bytes(size)?;
    let mut read = |at: VirtAddr, len: u64, what: &str| {
        let block = MemoryBlock::read(target.memory(), at, len as usize);
        if let Some(fault) = block.first_fault() {
            module.problems.push(format!("its {what} cannot be read completely: {fault}").into());
        }
        block.into_bytes()
    };
    let table = read(table.0, table.1 * entry_size, "symbol table");
    let strings = read(strings.0, strings.1, "table of symbol names");
    let address = translation(elf_file, module)?;
    module.symbols = Arc::new(Symbols::from_tables(&table, strings, target.arch(), address));
    Ok(())
}

/// How a symbol's value becomes an address in memory.
fn translation(
    elf_file: &Object<'_>,
    module: &Module,
) -> Result<impl Fn(u64) -> u64 + use<>, Fault> {
    let arch = elf_file.target().arch();
    let load = match &module.placed {
        Placed::Sections(_) => None,
        _ => elf_file.pointer("address").ok().map(VirtAddr::get),
    };
    let placed = module.placed.clone();
    let masters: Vec<(LinkerSet, VirtAddr)> =
        module.sets.iter().map(|set| (set.of, set.range.start)).collect();
    Ok(move |value: u64| {
        let in_arena = placed.set_at(value).and_then(|(of, offset)| {
            let (_, master) = masters.iter().find(|(set, _)| *set == of)?;
            Some(master.wrapping_add(offset).get())
        });
        match (in_arena, load) {
            (Some(place), _) => arch.wrap(place),
            (None, Some(load)) => arch.wrap(value.wrapping_add(load)),
            (None, None) => value,
        }
    })
}
