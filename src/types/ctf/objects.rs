//! The variables: which symbol is of which type.
//!
//! The container has one type id for each data symbol, in the order of .symtab. So if there are
//! more or fewer of them than such symbols, nothing is known of any symbol.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::kernel::{DataSymbols, ElfFile};
use crate::types::TypeError;
use crate::types::ctf::CtfFile;
use crate::types::model::Variable;
use crate::types::name_index::hash_bytes;

/// The variables of one file, in the order of their addresses.
#[derive(Debug)]
pub struct Objects {
    sorted: Vec<Object>,
    symbols: DataSymbols,
    /// The numbers of those whose name others have too, in the order of addresses from 1.
    numbers: FxHashMap<u32, u32>,
}

/// A variable.
#[derive(Debug, Clone, Copy)]
struct Object {
    address: u64,
    /// 0 if it is not known.
    type_id: u32,
    /// Its place among the symbols.
    symbol: u32,
}

/// What sort of file the symbols are of.
#[derive(Debug)]
pub enum Placement {
    /// A kernel. Its symbols have their link addresses.
    Kernel,
    /// A module. These are the addresses where the sections of an object file were loaded; none
    /// for a shared object, whose symbols have addresses of their own.
    Module(Vec<(Box<str>, u64)>),
}

impl CtfFile {
    /// The variables, joined to the symbols at the first call.
    ///
    /// # Errors
    /// There are not as many ids as symbols, or the symbol table is damaged.
    pub fn objects(&self) -> Result<&Objects, &TypeError> {
        self.objects.get_or_init(|| self.join_symbols()).as_ref()
    }

    /// The variables with addresses in the range.
    pub fn variables_in(&self, range: &Range<u64>) -> Vec<Variable> {
        let Ok(objects) = self.objects() else { return Vec::new() };
        let start = objects.sorted.partition_point(|object| object.address < range.start);
        let inside = (start..).zip(objects.sorted.get(start..).unwrap_or_default());
        let inside = inside.take_while(|(_, object)| object.address < range.end);
        inside.filter_map(|(at, object)| self.variable(objects, at, object)).collect()
    }

    /// The variable with exactly this address.
    pub fn variable_at(&self, address: u64) -> Option<Variable> {
        let objects = self.objects().ok()?;
        objects.at(address).find_map(|(at, object)| self.variable(objects, at, object))
    }

    /// The number of the variable with this address among those with its name; `None` if no
    /// other has it.
    pub fn number_at(&self, address: u64) -> Option<Box<str>> {
        let objects = self.objects().ok()?;
        objects.at(address).find_map(|(at, _)| objects.number(at))
    }

    fn variable(&self, objects: &Objects, at: usize, object: &Object) -> Option<Variable> {
        let type_id = Some(object.type_id).filter(|id| *id != 0)?;
        Some(Variable {
            name: std::str::from_utf8(objects.name(object)).ok()?.into(),
            type_id: self.id(type_id)?,
            address: VirtAddr::new(object.address),
            file: objects.number(at),
        })
    }

    fn join_symbols(&self) -> Result<Objects, TypeError> {
        let unreadable = |why: String| TypeError::Unreadable { why };
        let symbols = DataSymbols::of(&self.elf).map_err(|why| unreadable(why.to_string()))?;
        let word = self.container.version.id_size();
        let (ids, all) = (self.container.objects.len() / word, symbols.all());
        if ids != all.len() {
            return Err(TypeError::OtherSymbols { ids, symbols: all.len() });
        }
        let id_of = |number: usize| {
            let at = self.container.objects.start + number * word;
            self.container.version.word(self.container.fields(), at).unwrap_or(0)
        };
        let mut types: Vec<u32> = (0..ids).map(id_of).collect();
        self.drop_contradictions(&symbols, &mut types);
        let objects = all.iter().zip(types).zip(0..).filter_map(|((symbol, type_id), number)| {
            let address = match &self.placement {
                Placement::Module(placed) if self.elf.is_relocatable() => {
                    let section = symbols.section(symbol, &self.elf)?;
                    let (_, start) = placed.iter().find(|(name, _)| **name == *section)?;
                    start.wrapping_add(symbol.value)
                }
                _ => symbol.value,
            };
            Some(Object { address, type_id, symbol: number })
        });
        let mut sorted: Vec<Object> = objects.collect();
        sorted.sort_unstable_by_key(|object| (object.address, object.symbol));
        let numbers = number_names(&symbols, &sorted);
        Ok(Objects { sorted, symbols, numbers })
    }

    /// Forgets the types of symbols that are of another size. clang makes a static number with
    /// only two values a byte.
    ///
    /// In a module some symbols may have moved behind the others after the ids were
    /// written: those that EXPORT_SYMS leaves global (sys/conf/kmod.mk, 12.1 and 14.0). There the
    /// first contradiction makes all later symbols doubtful.
    fn drop_contradictions(&self, symbols: &DataSymbols, types: &mut [u32]) {
        let is_module = matches!(self.placement, Placement::Module(_));
        let may_be_moved = is_module && symbols.all().iter().any(|symbol| symbol.global);
        let mut doubtful = false;
        for (symbol, type_id) in symbols.all().iter().zip(types) {
            let wrong = *type_id != 0 && !self.may_be_of(*type_id, symbol.size);
            doubtful |= wrong && may_be_moved;
            if wrong || doubtful {
                *type_id = 0;
            }
        }
    }

    pub(super) fn placement_of(elf: &ElfFile, placed: &dyn Fn(&str) -> Option<u64>) -> Placement {
        let loaded = elf.sections().filter(|section| section.is_loaded());
        let placed =
            loaded.filter_map(|section| Some((section.name.into(), placed(section.name)?)));
        Placement::Module(placed.collect())
    }
}

impl Objects {
    fn at(&self, address: u64) -> impl Iterator<Item = (usize, &Object)> {
        let start = self.sorted.partition_point(|object| object.address < address);
        let same = (start..).zip(self.sorted.get(start..).unwrap_or_default());
        same.take_while(move |(_, object)| object.address == address)
    }

    fn name(&self, object: &Object) -> &[u8] {
        let symbol = self.symbols.all().get(object.symbol as usize);
        symbol.map_or(&[], |symbol| self.symbols.name(symbol))
    }

    fn number(&self, at: usize) -> Option<Box<str>> {
        let number = self.numbers.get(&u32::try_from(at).ok()?)?;
        Some(number.to_string().into())
    }
}

/// Numbers the variables of one name in the order of their addresses.
fn number_names(symbols: &DataSymbols, sorted: &[Object]) -> FxHashMap<u32, u32> {
    let name = |at: u32| {
        let object = sorted.get(at as usize);
        let symbol = object.and_then(|object| symbols.all().get(object.symbol as usize));
        symbol.map_or(&[][..], |symbol| symbols.name(symbol))
    };
    let mut by_name: Vec<(u64, u32)> =
        (0..sorted.len() as u32).map(|at| (hash_bytes(name(at)), at)).collect();
    by_name.sort_unstable();
    let mut numbers = FxHashMap::default();
    for same in by_name.chunk_by(|one, next| one.0 == next.0).filter(|same| same.len() > 1) {
        for (number, (_, at)) in (1..).zip(same) {
            numbers.insert(*at, number);
        }
    }
    numbers
}
