//! What was loaded into the kernel beside its own image, as far as addresses are
//! concerned: a name for every place, in the kernel or in a module.
//!
//! Which modules there are, [`crate::modules`] reads with a target that knows of none.
//! Both together make another target ([`Target::with_modules`]): neither changes, so a name
//! does not depend on what was asked before.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::Target;
use crate::addr::VirtAddr;
use crate::kernel::{Symbol, Symbols, VNET_PREFIX};
use crate::types::ModuleTypes;

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
    /// The same kernel and memory with what was loaded into it: the symbols of modules and
    /// the types of their variables.
    #[must_use]
    pub fn with_modules(&self, symbols: Vec<ModuleSymbols>, types: Option<ModuleTypes>) -> Self {
        let types = match (&self.types, types) {
            (Ok(kernel), Some(modules)) => Ok(Arc::new(kernel.with_modules(modules))),
            (types, _) => types.clone(),
        };
        Self { types, modules: symbols.into(), ..self.clone() }
    }

    /// The symbol of the kernel or a module whose bytes hold `address`, and the distance
    /// from its start.
    #[must_use]
    pub fn symbolize(&self, address: VirtAddr) -> Option<(Symbol<'_>, u64)> {
        let of_module = || self.module_at(address)?.symbols.by_address(address);
        self.kernel.symbolize(address).or_else(of_module)
    }

    /// The same as people read it. What lies in module space is named by the module and its
    /// variable, `if_gif.ko:gif_softc_list`: to the kernel all of that is one variable.
    #[must_use]
    pub fn label(&self, address: VirtAddr) -> Option<(Cow<'_, str>, u64)> {
        let holds =
            |module: &&ModuleSymbols| module.set.as_ref().is_some_and(|set| set.contains(&address));
        let of_set = self.modules.iter().find(holds).and_then(|module| {
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
    #[must_use]
    pub fn module_at(&self, address: VirtAddr) -> Option<&ModuleSymbols> {
        self.modules.iter().find(|module| module.memory.contains(&address))
    }
}
