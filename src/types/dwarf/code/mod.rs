//! From an address of code to its source, its variables and its caller.
//!
//! What: the functions and inlined functions at an address with their lines
//! (`source.rs`, by the addr2line crate), the variables that are in scope there and where
//! they are kept (`scopes.rs`, `locations.rs`), and how the caller's registers follow
//! from the registers there (`unwind.rs`).
//!
//! How: nothing of this is read before the first question. The sections are kept, what is
//! made of them belongs to one [`Code`]. All addresses are link addresses.
//!
//! What it refuses to do: it does not ask addr2line about a unit before a walk of its own
//! has found that unit's nesting and its ranges bearable.

mod locations;
mod ranges;
mod scopes;
mod sections;
mod source;
mod units;
mod unwind;

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use gimli::DebugInfoOffset;
use rustc_hash::FxHashMap;

use crate::types::Types;
use crate::types::dwarf::Reader;
use crate::types::dwarf::sections::Slice;

pub use locations::{Held, Registers};
pub use scopes::{Scope, ScopedVariable};
pub use sections::CodeSections;
pub use source::SourceFrame;
pub use unwind::{Cfa, Rule, UnwindRules};

use units::UnitRanges;
use unwind::FrameIndex;

/// Answers questions about addresses of code in one file.
pub struct Code<'t> {
    reader: Reader<'t>,
    dwarf: gimli::Dwarf<Slice<'t>>,
    units: OnceCell<UnitRanges>,
    context: OnceCell<Option<addr2line::Context<Slice<'t>>>>,
    frames: OnceCell<Vec<FrameIndex<'t>>>,
    /// Units by the offsets of their headers.
    read: RefCell<FxHashMap<u64, Option<Rc<gimli::Unit<Slice<'t>>>>>>,
    /// What is in scope, by addresses: threads have many in common.
    scopes: RefCell<FxHashMap<u64, Option<Rc<[Scope<'t>]>>>>,
}

impl<'t> Reader<'t> {
    /// What can be asked about code. `None` if its sections cannot be unpacked.
    pub fn code(self) -> Option<Code<'t>> {
        let sections = self.file.code.load()?;
        Some(Code {
            reader: self,
            dwarf: sections.with(&self.file.sections),
            units: OnceCell::new(),
            context: OnceCell::new(),
            frames: OnceCell::new(),
            read: RefCell::default(),
            scopes: RefCell::default(),
        })
    }
}

impl std::fmt::Debug for Code<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").finish_non_exhaustive()
    }
}

impl<'t> Code<'t> {
    /// The types that ids in scopes belong to.
    pub fn types(&self) -> &'t Types {
        self.reader.types
    }

    fn context(&self) -> Option<&addr2line::Context<Slice<'t>>> {
        let make = || {
            let dwarf = self.reader.file.code.load()?.with(&self.reader.file.sections);
            addr2line::Context::from_dwarf(dwarf).ok()
        };
        self.context.get_or_init(make).as_ref()
    }

    /// The unit whose header is at an offset.
    fn unit(&self, at: u64) -> Option<Rc<gimli::Unit<Slice<'t>>>> {
        let read = || {
            let header = self.dwarf.unit_header(DebugInfoOffset(at as usize)).ok()?;
            self.dwarf.unit(header).ok().map(Rc::new)
        };
        self.read.borrow_mut().entry(at).or_insert_with(read).clone()
    }

    fn units(&self) -> &UnitRanges {
        self.units.get_or_init(|| UnitRanges::of(self.reader, &self.dwarf))
    }
}
