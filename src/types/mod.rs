//! From DWARF or CTF to C types.
//!
//! What: the types and variables of a kernel, from its debug information (`dwarf/`) or, where
//! there is none, from what every kernel has in itself (`ctf/`). Both give one model, and
//! nothing outside of this folder knows which it was.
//!
//! How: everything is read on demand. [`Types::variables_linked_in`] finds the variables of a range
//! without reading those of the rest of the kernel. A type is parsed at first use
//! and remembered by its position in the file. Only a question for a name that
//! nothing else finds builds an index of all names ([`Types::find`]).
//!
//! Modules have files of their own. Their types and the kernel's together make
//! one value ([`Types::with_modules`]), so one kind of id and one set of questions serve all.
//!
//! What it refuses to do: it never reads a dump, and never guesses. A type
//! that is declared but never defined stays incomplete. Damage is an error
//! that names the section and the offset.

mod bits;
mod c_name;
mod ctf;
pub mod declaration;
mod definitions;
mod dwarf;
mod error;
mod format;
mod ids;
mod known;
mod layout;
pub mod model;
mod modules;
mod name_index;
mod part_at;
mod serialize;
mod source;
mod source_path;
mod spelling;
mod statics;
mod suggestions;
mod writable;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::arch::Arch;
use crate::budget::{Allowance, Budget};
use crate::bytes::Endian;
use crate::kernel::Kernel;

pub use definitions::Definition;
pub use dwarf::{SectionAddress, code};
pub use error::{NameKind, TypeError, WantedKind};
pub use format::{Format, Origin};
pub use layout::Field;
pub use model::{Type, TypeId, Variable};
pub use modules::ModuleTypes;
pub use part_at::PartAt;
pub use source_path::is_end_of_path;
pub use statics::{Kept, Piece, Static};
pub use suggestions::most_similar;

use ctf::CtfFile;
use dwarf::DwarfFile;
use ids::{FileNumber, foreign};
use known::Known;
use name_index::NameIndex;
use source::Source;

/// The types and variables of a kernel, and of the modules loaded into it.
#[derive(Debug)]
pub struct Types {
    arch: Arch,
    /// Which file this is.
    file: FileNumber,
    source: Source,
    /// Parsed types by their position.
    read: RwLock<FxHashMap<TypeId, Arc<Type>>>,
    /// The members that were asked for.
    fields: Known<layout::KnownField>,
    /// The sizes of types that were asked for.
    sizes: Known<(TypeId, u64)>,
    /// What pointers lead to; `None` for a type that is none.
    targets: Known<(TypeId, Option<TypeId>)>,
    /// The errors for those of them that a type has not.
    missing: Mutex<FxHashMap<TypeId, FxHashMap<Box<str>, TypeError>>>,
    synthetic: Arc<Mutex<Synthetic>>,
    /// Definitions of types that are only declared elsewhere.
    completed: Mutex<FxHashMap<TypeId, TypeId>>,
    names: Arc<OnceLock<NameIndex>>,
    /// The types of modules, in the order of their numbers.
    modules: Vec<Arc<Types>>,
    budget: Arc<Budget>,
}

/// Types that no entry of the file describes: a pointer to a variable's type, or
/// the array type of a cast.
#[derive(Debug, Default)]
struct Synthetic {
    types: Vec<Arc<Type>>,
    pointers: FxHashMap<TypeId, TypeId>,
    arrays: FxHashMap<(TypeId, Vec<Option<u64>>), TypeId>,
    functions: FxHashMap<TypeId, TypeId>,
}

impl Types {
    /// Finds the types of `kernel`: its debug information or, without any, its CTF.
    ///
    /// # Errors
    /// The kernel has neither, or a section is damaged.
    pub fn load(kernel: &Kernel) -> Result<Self, TypeError> {
        Self::load_from(kernel, None)
    }

    /// The same, in the wanted format if there is one.
    ///
    /// # Errors
    /// The kernel has no types in it, or a section is damaged.
    pub fn load_from(kernel: &Kernel, wanted: Option<Format>) -> Result<Self, TypeError> {
        let wishes = Format::ALL.into_iter().filter(|format| format.is_wanted(wanted));
        let mut found = wishes.filter_map(|format| Some((format, format.file_of(kernel)?)));
        let (elf, source) = match found.next() {
            Some((Format::Dwarf, elf)) => {
                (elf, Source::Dwarf(DwarfFile::of_kernel(kernel, elf)?.into()))
            }
            Some((Format::Ctf, elf)) => (elf, Source::Ctf(CtfFile::of_kernel(kernel, elf)?.into())),
            None if wanted == Some(Format::Ctf) => return Err(TypeError::NoCtf),
            None => return Err(TypeError::NoDebugInfo),
        };
        let budget = Arc::new(Budget::new(Allowance::for_files(elf.source().len())));
        Ok(Self::new(kernel.arch(), FileNumber::default(), source, budget))
    }

    fn new(arch: Arch, file: FileNumber, source: Source, budget: Arc<Budget>) -> Self {
        Self {
            arch,
            file,
            source,
            read: RwLock::default(),
            synthetic: Arc::default(),
            completed: Mutex::default(),
            fields: Known::default(),
            sizes: Known::default(),
            targets: Known::default(),
            missing: Mutex::default(),
            names: Arc::default(),
            modules: Vec::new(),
            budget,
        }
    }

    /// The architecture that the kernel was built for.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// The budget of every walk over these types.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
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
        let Some(file) = id.file() else { return Ok(Arc::new(Type::Void)) };
        if file != self.file {
            return self.module(file).ok_or_else(foreign)?.get(id);
        }
        let known = self.read.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let loaded = Arc::new(self.read_type(id)?);
        self.read.write().unwrap_or_else(PoisonError::into_inner).insert(id, loaded.clone());
        Ok(loaded)
    }

    /// Whether an id means the same type in both.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.source.is_same_as(&other.source)
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
        let key = (element, counts.to_vec());
        if let Some(&id) = synthetic.arrays.get(&key) {
            return id;
        }
        let id = synthetic.push(Type::Array(model::Array { element, counts: counts.to_vec() }));
        synthetic.arrays.insert(key, id);
        id
    }

    /// The type of functions that return `returns`, with parameters that nobody declared.
    pub fn function_returning(&self, returns: TypeId) -> TypeId {
        let mut synthetic = self.synthetic.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&id) = synthetic.functions.get(&returns) {
            return id;
        }
        let function =
            model::Function { returns, parameters: Vec::new(), variadic: false, prototyped: false };
        let id = synthetic.push(Type::Function(function));
        synthetic.functions.insert(returns, id);
        id
    }

    fn endian(&self) -> Endian {
        self.arch.endian()
    }
}

impl Synthetic {
    fn push(&mut self, new: Type) -> TypeId {
        self.types.push(Arc::new(new));
        TypeId::synthetic(self.types.len() - 1)
    }
}
