//! Functions and variables of the kernel and its modules, by address.

use std::cell::{Cell, OnceCell, RefCell};

use rustc_hash::FxHashMap;

use super::intervals::{Interval, Intervals};
use super::model::{Meaning, PartPath, SourceLine, SymbolPart};
use super::parts::path_at;
use crate::addr::VirtAddr;
use crate::kernel::{Symbol, SymbolKind};
use crate::target::Target;
use crate::target::code::RunningCode;
use crate::types::{TypeId, Types, Variable};

/// Names places in images.
#[derive(Debug)]
pub struct SymbolNames<'t> {
    target: &'t Target,
    code: RunningCode<'t>,
    /// The variables that were looked up one by one.
    known: RefCell<FxHashMap<VirtAddr, Option<Typed>>>,
    looked_up: Cell<usize>,
    /// All of the kernel's, sorted by address. They are read if many are asked for.
    all: OnceCell<Vec<Variable>>,
    /// The kernel's image, with places in `sections`.
    image: Intervals<usize>,
    /// The names of its sections and segments, and where they begin.
    sections: Vec<(Option<Box<str>>, VirtAddr)>,
}

/// The debug information about a variable.
#[derive(Debug, Clone)]
struct Typed {
    type_id: TypeId,
    file: Option<Box<str>>,
}

/// To look up one variable takes one unit; to read all takes all units that have some.
const FEW: usize = 16;

/// The kernel's own name among those of modules.
const KERNEL: &str = "kernel";

impl<'t> SymbolNames<'t> {
    pub fn new(target: &'t Target) -> Self {
        let (mut image, mut sections) = (Vec::new(), Vec::new());
        let mut add = |name: Option<&str>, start, size, rank| {
            image.push(Interval { start, size, rank, what: sections.len() });
            sections.push((name.map(Box::from), start));
        };
        for (name, range) in target.kernel().sections() {
            add(Some(name), range.start, range.end.offset_from(range.start).unwrap_or(0), 0);
        }
        for segment in target.kernel().segments() {
            add(None, segment.virt, segment.mem_size, 1);
        }
        Self {
            image: Intervals::new(image),
            sections,
            target,
            code: target.code(),
            known: RefCell::default(),
            looked_up: Cell::new(0),
            all: OnceCell::new(),
        }
    }

    /// What can be asked about code.
    pub fn code(&self) -> &RunningCode<'t> {
        &self.code
    }

    /// Whether an address is in the kernel's image or in a module.
    pub fn holds(&self, address: VirtAddr) -> bool {
        self.image.at(address).is_some() || self.target.module_at(address).is_some()
    }

    /// What is at an address of the kernel's image or a module; `None` if it is in neither.
    pub fn at(&self, address: VirtAddr) -> Option<Meaning> {
        let module = self.target.module_at(address);
        let holder: Box<str> = match module {
            Some(module) => module.name.clone(),
            None => KERNEL.into(),
        };
        if let Some((symbol, offset)) = self.symbol(address) {
            return Some(Meaning::Symbol(self.part(symbol, offset, holder, address)));
        }
        if let Some(module) = module {
            let offset = address.offset_from(module.memory.start).unwrap_or(0);
            return Some(Meaning::Image { module: holder, offset, section: None });
        }
        let (section, start) = self.sections.get(self.image.at(address)?)?;
        let offset = address.offset_from(*start).unwrap_or(0);
        Some(Meaning::Image { module: holder, offset, section: section.clone() })
    }

    /// A variable or function with a symbol, and the part of it at `offset`.
    pub fn variable(&self, symbol: Symbol<'_>, offset: u64) -> PartPath {
        let (types, typed) = self.typed(symbol.address).unzip();
        path_at(types, typed.map(|typed| typed.type_id), offset)
    }

    /// The symbol that holds an address. Labels in assembly code have no size.
    fn symbol(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        self.target.symbolize(address).or_else(|| {
            let text = self.target.kernel().section_range(".text")?;
            let label = self.target.kernel().label(address).filter(|_| text.contains(&address))?;
            Some((label, address.offset_from(label.address)?))
        })
    }

    fn part(
        &self,
        symbol: Symbol<'_>,
        offset: u64,
        module: Box<str>,
        address: VirtAddr,
    ) -> SymbolPart {
        let name = symbol.name.into();
        if symbol.kind != SymbolKind::Object {
            // A return address may be behind the last instruction of its function; then its line is
            // that of the call.
            let before = self.line(VirtAddr::new(address.get().wrapping_sub(1)));
            let at = self.line(address).or_else(|| before.clone());
            let call = before.filter(|before| offset > 0 && at.as_ref() != Some(before));
            let function = symbol.kind == SymbolKind::Function || at.is_some();
            let part = PartPath { path: "".into(), beyond: offset };
            let (file, line) = at.map(|at| (at.file, at.line)).unzip();
            return SymbolPart { symbol: name, module, function, offset, part, file, line, call };
        }
        let file = self.typed(symbol.address).and_then(|(_, typed)| typed.file);
        let part = self.variable(symbol, offset);
        SymbolPart {
            symbol: name,
            module,
            function: false,
            offset,
            part,
            file,
            line: None,
            call: None,
        }
    }

    /// The line of code at an address.
    fn line(&self, address: VirtAddr) -> Option<SourceLine> {
        let at = self.code.at(address)?;
        let mut frames = at.code.source(at.linked).into_iter();
        frames.find_map(|frame| Some(SourceLine { file: frame.file?, line: frame.line? }))
    }

    /// The type of the variable that begins at an address, and the types it belongs to.
    fn typed(&self, address: VirtAddr) -> Option<(&'t Types, Typed)> {
        if self.target.module_at(address).is_some() {
            let at = self.code.at(address)?;
            let types = at.code.types();
            let found = || types.variable_linked_at(VirtAddr::new(at.linked)).map(Typed::from);
            return Some((types, self.remembered(address, found)?));
        }
        let types = self.target.types().ok()?;
        let found = || {
            self.looked_up.set(self.looked_up.get() + 1);
            if self.looked_up.get() <= FEW {
                return self.target.variable_at(address).map(Typed::from);
            }
            let all = self.all.get_or_init(|| self.target.variables_in(&self.extent()));
            let place = all.partition_point(|variable| variable.address < address);
            let found = all.get(place).filter(|variable| variable.address == address);
            found.cloned().map(Typed::from)
        };
        Some((types, self.remembered(address, found)?))
    }

    fn remembered(&self, address: VirtAddr, find: impl FnOnce() -> Option<Typed>) -> Option<Typed> {
        if let Some(known) = self.known.borrow().get(&address) {
            return known.clone();
        }
        let found = find();
        self.known.borrow_mut().insert(address, found.clone());
        found
    }

    /// All addresses of the kernel's image.
    fn extent(&self) -> std::ops::Range<VirtAddr> {
        let segments = || self.target.kernel().segments();
        let start = segments().map(|segment| segment.virt).min().unwrap_or_default();
        let end = segments().filter_map(|segment| segment.virt.checked_add(segment.mem_size));
        start..end.max().unwrap_or(start)
    }
}

impl From<Variable> for Typed {
    fn from(variable: Variable) -> Self {
        Self { type_id: variable.type_id, file: variable.file }
    }
}
