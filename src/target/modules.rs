//! The addresses of what was loaded beside the kernel's own image: a name for every place,
//! in the kernel or in a module.
//!
//! [`crate::modules`] reads the list of modules with a target that has none.
//! Both together make another target ([`Target::with_modules`]). Neither changes, so a name
//! does not depend on earlier questions.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::Target;
use crate::addr::VirtAddr;
use crate::kernel::{LinkerSet, Symbol, Symbols};
use crate::target::code::ModuleCode;
use crate::types::ModuleTypes;

/// The memory and the symbols of a module.
#[derive(Debug)]
pub struct ModuleSymbols {
    /// Its file name: `if_gif.ko`.
    pub name: Box<str>,
    /// The addresses that it occupies.
    pub memory: Range<VirtAddr>,
    /// Where its variables in linker sets are, in the arenas of these.
    pub sets: Vec<(LinkerSet, Range<VirtAddr>)>,
    /// Its symbols, at their addresses in memory.
    pub symbols: Arc<Symbols>,
    /// What is known of its code; `None` if nobody can find its file.
    pub code: Option<ModuleCode>,
}

impl Target {
    /// The same kernel and memory with its modules: their symbols and
    /// the types of their variables.
    #[must_use]
    pub fn with_modules(&self, symbols: Vec<ModuleSymbols>, types: Option<ModuleTypes>) -> Self {
        let types = match (&self.types, types) {
            (Ok(kernel), Some(modules)) => Ok(Arc::new(kernel.with_modules(modules))),
            (types, _) => types.clone(),
        };
        Self { types, modules: symbols.into(), ..self.clone() }
    }

    /// The symbol of the kernel or a module whose bytes contain `address`, and the offset
    /// from its start.
    #[must_use]
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        let of_module = || self.module_at(address)?.symbols.by_address(address);
        self.kernel.symbolize(address).or_else(of_module)
    }

    /// The same as a text. An address in the arena of a linker set is named by the module and its
    /// variable, `if_gif.ko:gif_softc_list`. To the kernel, all of the arena is one variable.
    #[must_use]
    pub fn label(&self, address: VirtAddr) -> Option<(Cow<'_, str>, u64)> {
        let of_set = self.modules.iter().find_map(|module| {
            let (set, _) = module.sets.iter().find(|(_, range)| range.contains(&address))?;
            let (symbol, offset) = module.symbols.by_address(address)?;
            let variable = symbol.name.strip_prefix(set.prefix())?;
            Some((format!("{}:{variable}", module.name).into(), offset))
        });
        of_set.or_else(|| {
            let (symbol, offset) = self.symbolize(address)?;
            Some((symbol.name.into(), offset))
        })
    }

    /// The module whose memory contains `address`.
    #[must_use]
    pub fn module_at(&self, address: VirtAddr) -> Option<&ModuleSymbols> {
        self.modules.get(self.module_number(address)?)
    }

    /// Its number, from 0.
    pub(super) fn module_number(&self, address: VirtAddr) -> Option<usize> {
        self.modules.iter().position(|module| module.memory.contains(&address))
    }
}
