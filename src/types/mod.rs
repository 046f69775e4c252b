//! From DWARF to C types.
//!
//! What: the types and variables of a kernel, from its debug information,
//! versions 2 to 5, from clang and gcc, in one file or in type units.
//!
//! How: everything is read on demand. The chain of unit headers is
//! walked once. [`Types::variables_linked_in`] finds the few units that define
//! virtualized variables by searching the sections for the addresses
//! themselves, and reads only those. A type is parsed at first use
//! and remembered by its position in the file. Only a question for a name that
//! nothing else finds reads all units ([`Types::find`]).
//!
//! Modules have debug files of their own. Their types and the kernel's together make
//! one value ([`Types::with_modules`]), so one kind of id and one set of questions serve all.
//!
//! What it refuses to do: it never reads a dump, and never guesses. A type
//! that is declared but never defined stays incomplete. Damage is an error
//! that names the section and the offset.

mod bits;
mod c_name;
pub mod code;
pub mod declaration;
mod definitions;
mod dwarf;
mod error;
mod index;
mod layout;
mod load;
mod location;
pub mod model;
mod modules;
mod name_index;
mod part_at;
mod place;
mod serialize;
mod source_path;
mod spelling;
mod statics;
mod suggestions;
mod units;
mod variables;
mod writable;

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::arch::Arch;
use crate::budget::{Allowance, Budget};
use crate::bytes::Endian;
use crate::kernel::Kernel;

pub use definitions::Definition;
pub use dwarf::SectionAddress;
pub use error::{NameKind, TypeError, WantedKind};
pub use layout::Field;
pub use location::{Kept, Piece};
pub use model::{Type, TypeId, Variable};
pub use modules::ModuleTypes;
pub use part_at::PartAt;
pub use source_path::is_end_of_path;
pub use statics::Static;
pub use suggestions::most_similar;

use code::CodeSections;
use dwarf::{Dwarf, UnitSection};
use index::AddressIndex;
use load::Loader;
use name_index::NameIndex;
use place::{FileNumber, Place};
use statics::StaticIndex;
use units::Units;

/// The types and variables of a kernel, and of the modules loaded into it.
#[derive(Debug)]
pub struct Types {
    arch: Arch,
    /// Which debug file this is.
    file: FileNumber,
    /// The link addresses of the kernel's image. No variable lies outside.
    image: Range<u64>,
    /// The link addresses of its code. No variable lies inside.
    text: Range<u64>,
    dwarf: Arc<Dwarf>,
    units: Arc<Units>,
    /// Parsed types by their position.
    read: RwLock<FxHashMap<TypeId, Arc<Type>>>,
    synthetic: Arc<Mutex<Synthetic>>,
    /// Definitions of types that other units only declare.
    completed: Mutex<FxHashMap<TypeId, TypeId>>,
    names: Arc<OnceLock<NameIndex>>,
    statics: Arc<StaticIndex>,
    addresses: Arc<OnceLock<AddressIndex>>,
    /// The types of modules, in the order of their numbers.
    modules: Vec<Arc<Types>>,
    /// Further sections, for questions about code.
    code: Arc<CodeSections>,
    budget: Arc<Budget>,
}

/// Types that no entry of the file describes: a pointer to a variable's type, or
/// the array type of a cast.
#[derive(Debug, Default)]
struct Synthetic {
    types: Vec<Arc<Type>>,
    pointers: FxHashMap<TypeId, TypeId>,
}

impl Types {
    /// Finds the debug information of `kernel` and reads its unit headers.
    ///
    /// The kernel has none, or a section cannot be unpacked.
    /// The kernel has none, or a section does not unpack.
    pub fn load(kernel: &Kernel) -> Result<Self, TypeError> {
        let elf = kernel.debug_file().ok_or(TypeError::NoDebugInfo)?;
        let dwarf = Dwarf::load(elf, &|_| None)?;
        let own = FileNumber::default();
        let budget = Arc::new(Budget::new(Allowance::for_files(elf.source().len())));
        let code_sections = CodeSections::of_kernel(kernel, elf);
        let types = Self::new(kernel.arch(), own, image(kernel), dwarf, code_sections, budget);
        Ok(Self { text: text(kernel), ..types })
    }

    fn new(
        arch: Arch,
        file: FileNumber,
        image: Range<u64>,
        dwarf: Dwarf,
        code: CodeSections,
        budget: Arc<Budget>,
    ) -> Self {
        let units = Units::read(&dwarf);
        Self {
            arch,
            file,
            image,
            text: 0..0,
            code: Arc::new(code),
            dwarf: Arc::new(dwarf),
            units: Arc::new(units),
            read: RwLock::default(),
            synthetic: Arc::default(),
            completed: Mutex::default(),
            names: Arc::default(),
            statics: Arc::default(),
            addresses: Arc::default(),
            modules: Vec::new(),
            budget,
        }
    }

    /// The architecture that the kernel was built for.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Builds the index of addresses now. Otherwise the first question for a
    /// variable waits for it.
    pub fn prepare(&self) {
        self.addresses.get_or_init(|| AddressIndex::build(self));
    }

    /// The budget of every walk over these types.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// The damage that ended the chain of units early, if any.
    pub fn damage(&self) -> Option<&TypeError> {
        self.units.damage.as_ref()
    }

    /// The number of compilation and type units in the kernel's debug file.
    pub fn unit_count(&self) -> usize {
        self.units.as_slice().len()
    }

    /// The type with that id. Typedefs and qualified types are returned as such.
    ///
    /// # Errors
    /// Its entry is damaged.
    pub fn get(&self, id: TypeId) -> Result<Arc<Type>, TypeError> {
        if let Some(index) = id.synthetic_index() {
            let synthetic = self.synthetic.lock().unwrap_or_else(PoisonError::into_inner);
            let synthetic = synthetic.types.get(index).cloned();
            return synthetic.ok_or_else(foreign);
        }
        let Some(place) = Place::of(id) else { return Ok(Arc::new(Type::Void)) };
        if place.file != self.file {
            return self.module(place.file).ok_or_else(foreign)?.get(id);
        }
        let known = self.read.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let loaded = Arc::new(Loader::at(self, place)?.type_at(place.offset)?);
        self.read.write().unwrap_or_else(PoisonError::into_inner).insert(id, loaded.clone());
        Ok(loaded)
    }

    /// Whether an id means the same type in both.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dwarf, &other.dwarf)
    }

    /// The type "pointer to `target`".
    pub fn pointer_to(&self, target: TypeId) -> TypeId {
        let size = self.arch.pointer_size();
        let mut synthetic = self.synthetic.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = synthetic.pointers.get(&target) {
            return id;
        }
        let id = synthetic.push(Type::Pointer(model::Pointer { target, size }));
        synthetic.pointers.insert(target, id);
        id
    }

    /// The array type with these dimensions, such as the rest of a multidimensional array
    /// after one index.
    pub fn rows_of(&self, element: TypeId, counts: &[Option<u64>]) -> TypeId {
        let mut synthetic = self.synthetic.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = model::Array { element, counts: counts.to_vec() };
        synthetic.push(Type::Array(rows))
    }

    fn endian(&self) -> Endian {
        self.arch.endian()
    }

    /// A position in this file.
    fn place(&self, section: UnitSection, offset: u64) -> Place {
        Place { file: self.file, section, offset }
    }
}

fn foreign() -> TypeError {
    TypeError::Unreadable { why: "a type id of another kernel".into() }
}

impl Synthetic {
    fn push(&mut self, new: Type) -> TypeId {
        self.types.push(Arc::new(new));
        TypeId::synthetic(self.types.len() - 1)
    }
}

fn image(kernel: &Kernel) -> Range<u64> {
    let segments = || kernel.contents().unwrap_or(kernel.main()).segments();
    let start = segments().map(|segment| segment.virt.get()).min();
    let end = segments().filter_map(|s| s.virt.get().checked_add(s.mem_size)).max();
    start.unwrap_or(0)..end.unwrap_or(u64::MAX)
}

fn text(kernel: &Kernel) -> Range<u64> {
    let text = kernel.main().section(".text").map(|section| section.range());
    text.map_or(0..0, |range| range.start.get()..range.end.get())
}
