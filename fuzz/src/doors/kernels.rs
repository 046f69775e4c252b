//! Kernel files, their types, and the files of modules.

use std::sync::{Arc, LazyLock};

use vnetkvm::addr::VirtAddr;
use vnetkvm::budget::{Allowance, Budget};
use vnetkvm::kernel::{CTF_SECTION, ElfFile, Kernel, LinkerSet, RunningKernel, relocate};
use vnetkvm::source::Source;
use vnetkvm::types::code::Registers;
use vnetkvm::types::model::Type;
use vnetkvm::types::{Format, ModuleTypes, TypeError, TypeId, Types};

use super::dumps::KERNEL;
use super::elf::{self, DATA, Section};

/// An ELF kernel: its sections, segments and symbols, and the types that it has.
pub fn kernel_elf(bytes: &[u8]) {
    let Ok(kernel) = Kernel::open(Source::from_vec("kernel", bytes.to_vec()), None) else { return };
    let _ = (kernel.version(), kernel.build_id_in_memory().is_some(), kernel.set_vnet());
    let _ = (kernel.main().debug_link(), kernel.segments().take(100).count());
    for set in LinkerSet::ALL {
        let _ = (kernel.linker_set(set), kernel.set_symbols(set).take(100).count());
    }
    for section in kernel.main().sections().take(100) {
        let _ = kernel.main().section_bytes(section).map(|bytes| bytes.len());
    }
    let running = RunningKernel::new(kernel, 0xc000_0000_0040_0000);
    for symbol in running.symbols().take(100) {
        let bytes = running.initial_bytes(symbol.address, 16);
        assert!(bytes.is_none_or(|bytes| bytes.len() == 16));
        let _ = running.symbolize(symbol.address);
    }
    types_of(running.linked());
}

/// Debug sections, each with a byte that says which and two for its length, in a kernel.
pub fn dwarf(input: &[u8]) {
    const NAMES: [&str; 16] = [
        ".debug_info",
        ".debug_abbrev",
        ".debug_str",
        ".debug_line",
        ".debug_line_str",
        ".debug_str_offsets",
        ".debug_addr",
        ".debug_rnglists",
        ".debug_loclists",
        ".debug_ranges",
        ".debug_loc",
        ".debug_frame",
        ".eh_frame",
        ".debug_aranges",
        ".debug_types",
        ".debug_names",
    ];
    let (mut sections, mut rest) = (Vec::<Section<'_>>::new(), input);
    while let [which, low, high, after @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (bytes, after) = after.split_at(len);
        let name = NAMES[usize::from(*which) % NAMES.len()];
        if !sections.iter().any(|section| section.0 == name) {
            sections.push((name, 1, bytes));
        }
        rest = after;
    }
    open(&elf::kernel(&["x", "y", "vnet_entry_z"], &sections));
}

/// The contents of a CTF section, in a kernel whose variables it tells the types of.
pub fn ctf(input: &[u8]) {
    open(&elf::kernel(&["x", "y", "z", "vnet_entry_w"], &[(CTF_SECTION, 1, input)]));
}

fn open(bytes: &[u8]) {
    match Kernel::open(Source::from_vec("kernel", bytes.to_vec()), None) {
        Ok(kernel) => types_of(&kernel),
        Err(why) => drop(why.to_string()),
    }
}

fn types_of(kernel: &Kernel) {
    for format in [Format::Dwarf, Format::Ctf] {
        match Types::load_from(kernel, Some(format)) {
            Ok(types) => {
                types.budget().renew(Allowance { work: 2 << 20, bytes: 64 << 20 });
                ask(&types, kernel);
            }
            Err(why) => drop(why.to_string()),
        }
    }
}

/// Every question about types.
fn ask(types: &Types, kernel: &Kernel) {
    for symbol in kernel.symbols().iter().take(100) {
        if let Some(variable) = types.variable_linked_at(symbol.address) {
            look_at(types, variable.type_id, 6);
        }
    }
    if let Some(set) = kernel.set_vnet() {
        let variables = types.variables_linked_in(&set);
        variables.iter().for_each(|variable| look_at(types, variable.type_id, 4));
    }
    for name in types.all_names().iter().take(100) {
        let _ = types.definitions(name).map(|all| all.len());
        let _ = types.find(name).map(|id| look_at(types, id, 4));
    }
    for name in ["x", "y", "vnet_head", "f"] {
        let _ = (types.has_variable(name), types.enumerator(name));
        for found in types.statics(name) {
            let read = |address: VirtAddr, _| Ok::<_, TypeError>(address.get() ^ 1);
            let _ = types.pieces(&found, 0x20_0000, &read).map(|pieces| pieces.len());
        }
    }
    let structs = types.structs_where(|_| true);
    structs.iter().take(100).for_each(|id| look_at(types, *id, 4));
    if let Some(code) = types.code() {
        for address in (DATA..).step_by(16).take(16).chain([0, 0x1000, u64::MAX]) {
            let _ = (code.source(address).len(), code.unwind(address));
            let scopes = code.scopes(address);
            for scope in scopes.iter().flat_map(|scopes| scopes.iter()) {
                let variables = scope.variables.iter().take(16);
                let _ = variables
                    .map(|variable| code.held(scope, variable, address, &Numbers))
                    .filter(Option::is_some)
                    .count();
            }
        }
    }
}

/// Registers and memory that are all known, and hold numbers of no use.
struct Numbers;

impl Registers for Numbers {
    fn register(&self, number: u16) -> Option<u64> {
        Some(u64::from(number) << 60)
    }

    fn cfa(&self) -> Option<u64> {
        Some(DATA + 64)
    }

    fn memory(&self, address: VirtAddr, size: u64) -> Option<u64> {
        Some(address.get() ^ size)
    }

    fn slide(&self) -> u64 {
        0x20_0000
    }
}

fn look_at(types: &Types, id: TypeId, depth: usize) {
    let _ = (types.size_of(id), types.name(id), types.member(id, "x").is_ok());
    let _ = (types.declaration(id).is_ok(), types.declare(id, "x"), types.part_at(id, 3).is_ok());
    let _ = (types.can_be_written(id), types.is_signed(id), types.member_names(id).is_ok());
    let Some(depth) = depth.checked_sub(1) else { return };
    let Ok((_, found)) = types.resolve(id) else { return };
    match &*found {
        Type::Record(record) => {
            record.members.iter().take(8).for_each(|m| look_at(types, m.type_id, depth));
        }
        Type::Pointer(pointer) => look_at(types, pointer.target, depth.min(2)),
        Type::Array(array) => look_at(types, array.element, depth),
        Type::Function(function) => look_at(types, function.returns, depth),
        _ => {}
    }
}

/// The file of a module, relocatable or not, beside a kernel.
pub fn module(bytes: &[u8]) {
    let source = Source::from_vec("module.ko", bytes.to_vec());
    let Ok(elf) = ElfFile::parse_module(source) else { return };
    let placed = |name: &str| (!name.len().is_multiple_of(4)).then_some(0xffff_ffff_8120_0000);
    for section in elf.sections().take(100) {
        let _ = relocate::relocated(&elf, section, &placed).map(|bytes| bytes.len());
        let _ = elf.relocated_places(section).len();
    }
    let _ = (elf.build_id().is_some(), elf.debug_link(), elf.segments().take(100).count());
    let budget = Arc::new(Budget::new(Allowance { work: 2 << 20, bytes: 64 << 20 }));
    if let Ok(types) = Types::of_module(&elf, &placed, budget) {
        types.all_names().iter().take(100).for_each(|name| {
            let _ = types.find(name).map(|id| look_at(&types, id, 4));
        });
    }
    TYPES.budget().renew(Allowance { work: 2 << 20, bytes: 64 << 20 });
    for format in [Format::Dwarf, Format::Ctf] {
        let mut modules = ModuleTypes::of(&TYPES);
        match modules.add(&elf, format, 0..u64::MAX, &placed) {
            Ok(own) => {
                ask(&own, &KERNEL);
                ask(&TYPES.with_modules(modules), &KERNEL);
            }
            Err(why) => drop(why.to_string()),
        }
    }
}

static TYPES: LazyLock<Types> =
    LazyLock::new(|| Types::load(&KERNEL).expect("the demonstration's kernel has types"));
