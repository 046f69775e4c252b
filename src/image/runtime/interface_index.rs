//! The numbers of interfaces, and the table that leads from a number to its interface.
//!
//! `sys/net/if.c`, ifindex_alloc and ifindex_free: the lowest number that is free, from 1. Each
//! stack has numbers and a table of its own (V_if_index, V_ifindex_table); since 14 there is one
//! of both for all, and an interface keeps its number when it moves.

use super::{Runtime, Scope};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::types::model::Type;

/// The table starts with 8 entries and doubles; here it is allocated large enough.
const ENTRIES: u64 = 64;

/// A table of interfaces by number.
struct Table {
    /// The variable with the highest number in use.
    last: Object,
    first: VirtAddr,
    /// Bytes of an entry: a pointer, or a struct that begins with one.
    entry: u64,
    shared: bool,
}

impl Table {
    fn at(&self, index: u64) -> VirtAddr {
        self.first.wrapping_add(index.wrapping_mul(self.entry))
    }
}

impl Runtime {
    /// Gives the interface the lowest free number of the stack.
    pub(super) fn ifindex_alloc(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        let Some(table) = self.ifindex_table(scope)? else { return Ok(()) };
        let kept = self.kernel.get(ifnet, "if_index")?;
        if table.shared && kept != 0 {
            return Ok(());
        }
        let last = self.kernel.load_uint(table.last)?.min(ENTRIES);
        let mut index = 1;
        while index <= last && !self.kernel.machine().pointer(table.at(index))?.is_null() {
            index += 1;
        }
        if index >= ENTRIES {
            return Err(ImageError::Refused(format!("more than {} interfaces", ENTRIES - 1)));
        }
        if index > last {
            self.kernel.store(table.last, index)?;
        }
        self.kernel.set(ifnet, "if_index", index)?;
        self.kernel.machine_mut().set_pointer(table.at(index), ifnet.address)
    }

    /// Gives the number back, unless it is kept through a move.
    pub(super) fn ifindex_free(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        match self.ifindex_table(scope)? {
            Some(table) if !table.shared => self.clear_index(&table, ifnet),
            _ => Ok(()),
        }
    }

    /// What if_free does to a number that is one for all stacks.
    pub(super) fn ifindex_drop(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        match self.ifindex_table(scope)? {
            Some(table) if table.shared => self.clear_index(&table, ifnet),
            _ => Ok(()),
        }
    }

    /// The highest number in use goes down to the next one that is.
    fn clear_index(&mut self, table: &Table, ifnet: Object) -> Result<(), ImageError> {
        let index = self.kernel.get(ifnet, "if_index")?.min(ENTRIES - 1);
        self.kernel.machine_mut().set_pointer(table.at(index), VirtAddr::new(0))?;
        let mut last = self.kernel.load_uint(table.last)?.min(ENTRIES - 1);
        while last > 0 && self.kernel.machine().pointer(table.at(last))?.is_null() {
            last -= 1;
        }
        self.kernel.store(table.last, last)
    }

    /// The stack's table, made now if it has none yet; `None` in a kernel that has none.
    fn ifindex_table(&mut self, scope: Scope) -> Result<Option<Table>, ImageError> {
        let own = self.find(scope, "ifindex_table").ok();
        let shared = own.is_none() || scope == Scope::Kernel;
        let variable = match own {
            Some(table) => table,
            None => self.find(Scope::Kernel, "ifindex_table")?,
        };
        let last = match self.find(scope, "if_index") {
            Ok(last) => last,
            Err(_) => self.find(Scope::Kernel, "if_index")?,
        };
        let (_, shape) = self.kernel.types().resolve(variable.type_id)?;
        let Type::Pointer(pointer) = &*shape else { return Ok(None) };
        let entry = self.kernel.types().size_of(pointer.target)?;
        let mut first = VirtAddr::new(self.kernel.load_uint(variable)?);
        if first.is_null() {
            let size = entry.saturating_mul(ENTRIES);
            first = self.kernel.machine_mut().malloc("ifnet", size)?;
            self.kernel.store(variable, first.get())?;
        }
        Ok(Some(Table { last, first, entry, shared }))
    }
}
