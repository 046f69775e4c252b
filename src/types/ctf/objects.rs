//! The variables: which symbol is of which type.
//!
//! The container has one type id for each data symbol, in the order of .symtab. So if there are
//! more or fewer of them than such symbols, nothing is known of any symbol.

use std::ops::Range;
use std::sync::Arc;

use crate::addr::VirtAddr;
use crate::kernel::{ElfFile, KernelError, Symbol, SymbolKind, Symbols};
use crate::types::TypeError;
use crate::types::ctf::CtfFile;
use crate::types::dwarf::SectionAddress;
use crate::types::model::Variable;

/// The types of the symbols of one file.
#[derive(Debug)]
pub struct Objects {
    /// A type for each symbol, by its place among all; 0 for one without.
    types: Vec<u32>,
    /// The types of symbols from this place on are not believed.
    doubtful: usize,
}

/// The address of a symbol in a section that is not loaded.
const NOWHERE: u64 = u64::MAX;

impl CtfFile {
    /// The types of symbols, joined at the first call.
    ///
    /// # Errors
    /// There are not as many ids as symbols.
    pub fn objects(&self) -> Result<&Objects, &TypeError> {
        self.objects.get_or_init(|| self.join_symbols()).as_ref()
    }

    /// The variables with addresses in the range.
    pub fn variables_in(&self, range: &Range<u64>) -> Vec<Variable> {
        let Ok(objects) = self.objects() else { return Vec::new() };
        let inside = self.symbols.data().filter(|data| range.contains(&data.address.get()));
        inside
            .filter_map(|data| self.variable(objects, data.place, &self.symbols.get(data.place)?))
            .collect()
    }

    /// The variable with exactly this address.
    pub fn variable_at(&self, address: u64) -> Option<Variable> {
        let objects = self.objects().ok()?;
        let mut there = self.symbols.at(VirtAddr::new(address));
        there.find_map(|(place, symbol)| self.variable(objects, place, &symbol))
    }

    /// The number of the variable with this address among those with its name; `None` if no
    /// other has it.
    pub fn number_at(&self, address: u64) -> Option<Box<str>> {
        self.symbols.at(VirtAddr::new(address)).find_map(|(_, symbol)| self.number(&symbol))
    }

    fn variable(&self, objects: &Objects, place: usize, symbol: &Symbol<'_>) -> Option<Variable> {
        let type_id = *objects.types.get(place)?;
        if type_id == 0 || place >= objects.doubtful || !self.may_be_of(type_id, symbol.size) {
            return None;
        }
        Some(Variable {
            name: symbol.name.into(),
            type_id: self.id(type_id)?,
            address: symbol.address,
            file: self.number(symbol),
        })
    }

    /// `#` and the number of a variable among those with its name, in the order of addresses from
    /// 1; `None` if no other has it.
    fn number(&self, symbol: &Symbol<'_>) -> Option<Box<str>> {
        let is_data = |other: &Symbol<'_>| other.kind == SymbolKind::Object;
        let same = || self.symbols.named(symbol.name).filter(is_data);
        if !is_data(symbol) || same().nth(1).is_none() {
            return None;
        }
        let before = same().filter(|other| other.address < symbol.address).count();
        Some(format!("#{}", before + 1).into())
    }

    fn join_symbols(&self) -> Result<Objects, TypeError> {
        let (version, part) = (self.container.version, &self.container.objects);
        let (fields, width) = (self.container.fields(), version.id_size());
        let mut types = vec![0; self.symbols.len()];
        let mut symbols = 0;
        for data in self.symbols.data().filter(|_| self.has_symtab) {
            let id = version.word(fields, part.start + symbols * width);
            if let (Some(slot), Some(id)) = (types.get_mut(data.place), id) {
                *slot = id;
            }
            symbols += 1;
        }
        let ids = part.len() / width;
        if ids != symbols {
            return Err(TypeError::OtherSymbols { ids, symbols });
        }
        let doubtful = self.first_doubtful(&types).unwrap_or(usize::MAX);
        Ok(Objects { types, doubtful })
    }

    /// The place from which the types of a module's symbols may be those of others.
    ///
    /// In a module some symbols may have moved behind the others after the ids were
    /// written: those that EXPORT_SYMS leaves global (sys/conf/kmod.mk, 12.1 and 14.0). There the
    /// first size that contradicts its type makes all later symbols doubtful.
    fn first_doubtful(&self, types: &[u32]) -> Option<usize> {
        let may_be_moved = self.is_module && self.symbols.data().any(|data| data.global);
        let mut all = self.symbols.data().filter(|_| may_be_moved);
        all.find_map(|data| {
            let type_id = types.get(data.place).copied().filter(|id| *id != 0)?;
            (!self.may_be_of(type_id, data.size)).then_some(data.place)
        })
    }
}

/// The symbols of a module, at the addresses where `placed` says that its sections are. A shared
/// object has addresses of its own.
///
/// # Errors
/// The symbol table is damaged.
pub fn of_module(elf: &ElfFile, placed: SectionAddress<'_>) -> Result<Arc<Symbols>, KernelError> {
    if !elf.is_relocatable() {
        return Symbols::load(elf).map(Arc::new);
    }
    // None is left out, because the ids are in their order.
    let place = |name: &str, value| placed(name).map_or(NOWHERE, |start| start.wrapping_add(value));
    Symbols::of_module(elf, |section, value| Some(place(section.name, value))).map(Arc::new)
}
