//! Joins the two branches: a kernel's file and a dump's memory.
//!
//! [`Target::open`] finds out how kernel addresses are translated (by the
//! minidump's own map, or by the page tables that the kernel's symbols lead to)
//! and whether the kernel is the one that wrote the dump. Nothing above this
//! layer needs to know either again.

mod error;
pub mod kernel_match;
mod page_tables;
mod roots;
mod running;
mod statics;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::budget::Budget;
use crate::dump::Core;
use crate::kernel::{Kernel, Symbol, Symbols, VNET_PREFIX};
use crate::memory::KernelMemory;
use crate::types::{TypeError, Types, Variable};

use kernel_match::kernel_match;
use running::Running;

pub use crate::dump::Processor;
pub use error::{ReadError, TargetError};
pub use kernel_match::KernelMatch;
pub use page_tables::raw_core;

/// A kernel, its types, and its memory as a dump holds it.
#[derive(Debug)]
pub struct Target {
    kernel: Kernel,
    memory: KernelMemory,
    types: Result<Types, TypeError>,
    kernel_match: KernelMatch,
    budget: Arc<Budget>,
    /// Symbols of the modules, once somebody has read them.
    modules: OnceLock<Vec<ModuleSymbols>>,
}

/// What a module has in memory beside the kernel's image, and its symbols.
#[derive(Debug)]
pub struct ModuleSymbols {
    /// `if_gif.ko`
    pub name: Box<str>,
    pub memory: Range<VirtAddr>,
    /// Where in module space its virtualized variables lie.
    pub set: Option<Range<VirtAddr>>,
    pub symbols: Arc<Symbols>,
}

impl Target {
    /// Joins a kernel with a dump.
    ///
    /// `types` may be the error that kept them from being loaded: names,
    /// addresses and bytes are there without them.
    ///
    /// # Errors
    /// They are of different machines, or the kernel's page tables cannot be
    /// found in a dump that has none of its own. A kernel of the right machine
    /// that merely differs is no error here: see [`Target::kernel_match`].
    pub fn open(
        kernel: Kernel,
        core: impl Into<Arc<Core>>,
        types: Result<Types, TypeError>,
    ) -> Result<Self, TargetError> {
        Self::open_at(kernel, core, types, None)
    }

    /// The same for a kernel that was loaded at the physical address `kernel_phys`,
    /// where the first byte of its first segment lies; `None` finds it out.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn open_at(
        mut kernel: Kernel,
        core: impl Into<Arc<Core>>,
        mut types: Result<Types, TypeError>,
        kernel_phys: Option<PhysAddr>,
    ) -> Result<Self, TargetError> {
        let memory = memory(&mut kernel, core.into(), kernel_phys)?;
        if let Ok(types) = &mut types {
            types.set_slide(kernel.slide());
        }
        let kernel_match = kernel_match(&kernel, &memory);
        let budget = types.as_ref().map(|types| Arc::clone(types.budget())).unwrap_or_default();
        Ok(Self { kernel, memory, types, kernel_match, budget, modules: OnceLock::new() })
    }

    /// Whether `kernel` wrote the dump, without joining them; its addresses are then
    /// those that it had there ([`Kernel::slide`]).
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn kernel_match_of(
        kernel: &mut Kernel,
        core: &Arc<Core>,
        kernel_phys: Option<PhysAddr>,
    ) -> Result<KernelMatch, TargetError> {
        let memory = memory(kernel, Arc::clone(core), kernel_phys)?;
        Ok(kernel_match(kernel, &memory))
    }

    pub fn arch(&self) -> Arch {
        self.kernel.arch()
    }

    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    pub fn memory(&self) -> &KernelMemory {
        &self.memory
    }

    /// The kernel's types.
    ///
    /// # Errors
    /// Why there are none.
    pub fn types(&self) -> Result<&Types, TypeError> {
        self.types.as_ref().map_err(Clone::clone)
    }

    /// What each processor was doing when the image was taken, in their order; empty where
    /// only the kernel itself could tell.
    pub fn processors(&self) -> &[Processor] {
        &self.memory.core().clues.processors
    }

    /// What every walk over this target's memory and types spends from.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub fn kernel_match(&self) -> &KernelMatch {
        &self.kernel_match
    }

    /// Makes the symbols of modules known, the first time.
    pub fn set_modules(&self, modules: Vec<ModuleSymbols>) {
        // Whoever comes second has read the same memory.
        let _ = self.modules.set(modules);
    }

    /// The symbol of the kernel or a module whose bytes hold `address`, and the distance
    /// from its start.
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        let of_module = || self.module_at(address)?.symbols.by_address(address);
        self.kernel.symbolize(address).or_else(of_module)
    }

    /// The same as people read it. What lies in module space is named by the module and its
    /// variable, `if_gif.ko:gif_softc_list`: to the kernel all of that is one variable.
    pub fn label(&self, address: VirtAddr) -> Option<(Cow<'_, str>, u64)> {
        let holds =
            |module: &&ModuleSymbols| module.set.as_ref().is_some_and(|set| set.contains(&address));
        let module = self.modules.get().and_then(|modules| modules.iter().find(holds));
        let of_set = module.and_then(|module| {
            let (symbol, offset) = module.symbols.by_address(address)?;
            let variable = symbol.name.strip_prefix(VNET_PREFIX)?;
            Some((format!("{}:{variable}", module.name).into(), offset))
        });
        of_set.or_else(|| {
            let (symbol, offset) = self.symbolize(address)?;
            Some((symbol.name.into(), offset))
        })
    }

    /// The module whose memory holds `address`.
    pub fn module_at(&self, address: VirtAddr) -> Option<&ModuleSymbols> {
        self.modules.get()?.iter().find(|module| module.memory.contains(&address))
    }

    /// The address of a symbol, or of a static variable that has none of its name.
    ///
    /// # Errors
    /// The kernel has no such symbol or variable.
    pub fn address_of(&self, name: &str) -> Result<VirtAddr, ReadError> {
        let symbol = self.kernel.symbol(name).map(|symbol| symbol.address);
        let found = symbol.or_else(|| Some(self.whole_static(name)?.address));
        found.ok_or_else(|| ReadError::NoSymbol { name: name.to_owned() })
    }

    /// A global variable by name: its address from the symbols, its type from
    /// the unit that defines it. Where no symbol has the name, because the compiler gave it
    /// another one, both from the debug information.
    ///
    /// # Errors
    /// There is no such variable, or no debug information about it.
    pub fn global(&self, name: &str) -> Result<Variable, ReadError> {
        let symbol = self.kernel.symbol(name);
        let found = match symbol {
            Some(symbol) => self.types()?.variable_at(symbol.address),
            None => self.whole_static(name),
        };
        if symbol.is_none() && found.is_none() {
            return Err(ReadError::NoSymbol { name: name.to_owned() });
        }
        found.ok_or_else(|| {
            TypeError::NotFound { what: "variable", name: name.to_owned(), near: Vec::new() }.into()
        })
    }

    /// An integer variable of the kernel, by the size of its symbol.
    ///
    /// # Errors
    /// There is no such symbol, or its memory cannot be read.
    pub fn integer(&self, name: &str) -> Result<u64, ReadError> {
        let symbol = self.kernel.symbol(name);
        let symbol = symbol.ok_or_else(|| ReadError::NoSymbol { name: name.to_owned() })?;
        let size = if matches!(symbol.size, 1 | 2 | 8) { symbol.size } else { 4 };
        Ok(self.memory.uint(symbol.address, size as usize)?)
    }
}

/// The memory of `kernel`, which is told where it runs.
fn memory(
    kernel: &mut Kernel,
    core: Arc<Core>,
    kernel_phys: Option<PhysAddr>,
) -> Result<KernelMemory, TargetError> {
    if kernel.arch() != core.arch {
        let (kernel, core) = (kernel.arch().name(), core.arch.name());
        return Err(TargetError::OtherArch { kernel, core });
    }
    let cut_off = core.facts.pages_cut_off;
    kernel.set_slide(0);
    let running = Running::find(kernel, &core, kernel_phys).map_err(|why| match why {
        TargetError::NoPageTables { .. } if cut_off > 0 => TargetError::CutOff { pages: cut_off },
        other => other,
    })?;
    kernel.set_slide(running.slide);
    Ok(KernelMemory::from_core(core, running.translation).with_page_size(running.page_size))
}
