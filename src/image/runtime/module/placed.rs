//! Where a module is in memory, and what was found in it.

use super::sets::PlacedSet;
use super::symbols::ModuleSymbol;
use crate::addr::VirtAddr;
use crate::image::runtime::SysinitKind;

/// Where a module is.
#[derive(Debug, Default)]
pub(super) struct Placed {
    pub(super) base: VirtAddr,
    pub(super) size: u64,
    /// Its parts of the kernel's linker sets.
    pub(super) sets: Vec<PlacedSet>,
    /// In the order in which the kernel searches them for names.
    pub(super) defined: Vec<ModuleSymbol>,
    /// The `struct vnet_sysinit`s from VNET_SYSINIT and VNET_SYSUNINIT.
    pub(super) sysinits: Vec<(SysinitKind, VirtAddr)>,
    /// The symbol table and its strings, as the kernel keeps them.
    pub(super) symbols: Vec<u8>,
    pub(super) strings: Vec<u8>,
    /// A symbol table that is a part of the module itself.
    pub(super) own_table: Option<Table>,
}

/// A symbol table in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) symbols: VirtAddr,
    pub(super) count: u64,
    pub(super) strings: VirtAddr,
    pub(super) strings_size: u64,
}

pub(super) const MALLOC_TYPE: &str = "linker";

/// The macros' names for the registrations of `ident`.
pub(super) fn sysinit_kind(symbol: &str) -> Option<SysinitKind> {
    match symbol {
        name if name.ends_with("_vnet_init") => Some(SysinitKind::Constructor),
        name if name.ends_with("_vnet_uninit") => Some(SysinitKind::Destructor),
        _ => None,
    }
}
