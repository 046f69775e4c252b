//! The symbols of loaded modules: what other modules link to, and the names of functions.
//!
//! linker_file_lookup_symbol (`sys/kern/kern_linker.c`) asks every file for a name. A file answers
//! with the first symbol that it defines, including local ones: link_elf_obj.c searches the whole
//! table,
//! link_elf.c first the dynamic symbols and then the whole table, unless the boot loader left that
//! out. Most modules have only local symbols, because `sys/conf/kmod.mk` makes them so.

use crate::addr::VirtAddr;
use crate::image::runtime::Runtime;

/// A symbol that a module defines.
#[derive(Debug)]
pub(super) struct ModuleSymbol {
    pub name: String,
    /// Where it is when the kernel runs.
    pub at: VirtAddr,
    pub size: u64,
}

/// A symbol of the kernel or of a module.
#[derive(Debug, Clone, Copy)]
pub(in crate::image::runtime) struct FoundSymbol<'a> {
    pub name: &'a str,
    pub size: u64,
    /// The distance of the address from its start, in bytes.
    pub offset: u64,
}

impl Runtime {
    /// Where the symbol `name` is: the kernel's, or that of the module that was loaded first.
    pub(in crate::image::runtime) fn lookup_symbol(&self, name: &str) -> Option<VirtAddr> {
        let in_module = || self.module_symbols().find(|symbol| symbol.name == name);
        self.kernel.address_of(name).or_else(|| in_module().map(|symbol| symbol.at))
    }

    /// The symbol whose bytes hold the address `at`.
    pub(in crate::image::runtime) fn symbol_at(&self, at: VirtAddr) -> Option<FoundSymbol<'_>> {
        let of_kernel = self.kernel.symbol_at(at).map(|(symbol, offset)| FoundSymbol {
            name: symbol.name,
            size: symbol.size,
            offset,
        });
        of_kernel.or_else(|| {
            self.module_symbols().find_map(|symbol| {
                let offset = at.offset_from(symbol.at).filter(|offset| *offset < symbol.size)?;
                Some(FoundSymbol { name: &symbol.name, size: symbol.size, offset })
            })
        })
    }

    fn module_symbols(&self) -> impl Iterator<Item = &ModuleSymbol> {
        let modules = self.linker.iter().flat_map(|linker| &linker.modules);
        modules.flat_map(|module| &module.placed.defined)
    }
}
