//! The indices of interfaces, and the table from an index to its interface.
//!
//! `sys/net/if.c`, ifindex_alloc and ifindex_free: the lowest free index, from 1. Each
//! stack has its own indices and table (V_if_index, V_ifindex_table). Since 14 there is one
//! of each for all stacks, and an interface keeps its index when it moves.

use super::{Runtime, Scope};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::types::model::Type;

/// The kernel's table starts with 8 entries and doubles; this one starts with enough for most machines.
const FIRST_ENTRIES: u64 = 64;
/// if_indexlim of a stack without interfaces.
const FIRST_LIMIT: u64 = 8;
/// `if_index` is a u_short, and stays below this in all releases.
const MOST_ENTRIES: u64 = 1 << 16;

/// A table of interfaces by number.
struct Table {
    /// The variable with the highest index in use.
    last: Object,
    first: VirtAddr,
    /// Bytes of an entry: a pointer, or a struct that begins with one.
    entry: u64,
    entries: u64,
    /// The pointer to the table.
    variable: Object,
    /// if_indexlim: how many entries the kernel thinks the table has room for.
    limit: Option<Object>,
    shared: bool,
}

/// Where a table has an interface.
pub(super) struct IndexPlace {
    at: VirtAddr,
    index: u64,
    /// The variable with the highest index in use.
    last: Object,
}

impl Table {
    fn at(&self, index: u64) -> VirtAddr {
        self.first.wrapping_add(index.wrapping_mul(self.entry))
    }
}

impl Runtime {
    /// Gives the interface the lowest free index of the stack.
    pub(super) fn ifindex_alloc(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        let Some(table) = self.ifindex_table(scope)? else { return Ok(()) };
        let kept = self.kernel.get(ifnet, "if_index")?;
        if table.shared && kept != 0 {
            return Ok(());
        }
        let last = self.kernel.load_uint(table.last)?.min(table.entries.saturating_sub(1));
        let index = self.first_free(&table, last)?;
        if index >= MOST_ENTRIES {
            let why = format!("one stack has at most {} interfaces", MOST_ENTRIES - 1);
            return Err(ImageError::Refused(why));
        }
        let table = self.if_grow(table, index)?;
        if index > last {
            self.kernel.store(table.last, index)?;
        }
        self.kernel.set(ifnet, "if_index", index)?;
        self.kernel.machine_mut().set_pointer(table.at(index), ifnet.address)
    }

    /// Frees the index, unless it is kept through a move.
    pub(super) fn ifindex_free(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        match self.ifindex_table(scope)? {
            Some(table) if !table.shared => self.clear_index(&table, ifnet),
            _ => Ok(()),
        }
    }

    /// What if_free does with an index that all stacks share.
    pub(super) fn ifindex_drop(&mut self, ifnet: Object, scope: Scope) -> Result<(), ImageError> {
        match self.ifindex_table(scope)? {
            Some(table) if table.shared => self.clear_index(&table, ifnet),
            _ => Ok(()),
        }
    }

    /// The index is free, but the interface keeps it: a bug.
    pub(super) fn forget_index(&mut self, ifnet: Object) -> Result<(), ImageError> {
        match self.index_place(ifnet)? {
            Some(place) => self.kernel.machine_mut().set_pointer(place.at, VirtAddr::new(0)),
            None => Ok(()),
        }
    }

    /// Where the table has the interface; `None` in a kernel without a table.
    pub(super) fn index_place(&mut self, ifnet: Object) -> Result<Option<IndexPlace>, ImageError> {
        let vnet = VirtAddr::new(self.kernel.get(ifnet, "if_vnet")?);
        let scope = if vnet.is_null() { Scope::Kernel } else { Scope::Vnet(super::Vnet(vnet)) };
        let index = self.kernel.get(ifnet, "if_index")?;
        let table = self.ifindex_table(scope)?;
        Ok(table.map(|table| IndexPlace { at: table.at(index), index, last: table.last }))
    }

    /// The table has the interface again, whatever became of it: a bug.
    pub(super) fn restore_index(
        &mut self,
        place: Option<IndexPlace>,
        ifnet: Object,
    ) -> Result<(), ImageError> {
        let Some(IndexPlace { at, index, last }) = place else { return Ok(()) };
        let highest = self.kernel.load_uint(last)?.max(index);
        self.kernel.store(last, highest)?;
        self.kernel.machine_mut().set_pointer(at, ifnet.address)
    }

    /// The highest index in use drops to the next one that is.
    fn clear_index(&mut self, table: &Table, ifnet: Object) -> Result<(), ImageError> {
        let index = self.kernel.get(ifnet, "if_index")?.min(table.entries.saturating_sub(1));
        self.kernel.machine_mut().set_pointer(table.at(index), VirtAddr::new(0))?;
        let mut last = self.kernel.load_uint(table.last)?.min(table.entries.saturating_sub(1));
        while last > 0 && self.kernel.machine().pointer(table.at(last))?.is_null() {
            last -= 1;
        }
        self.kernel.store(table.last, last)
    }

    /// The lowest free index, from 1 to one after `last`.
    fn first_free(&self, table: &Table, last: u64) -> Result<u64, ImageError> {
        let machine = self.kernel.machine();
        let (pointer, entry) = (machine.arch().pointer_size() as usize, table.entry as usize);
        let mut bytes = vec![0; (last + 1) as usize * entry];
        machine.read(table.first, &mut bytes)?;
        let is_free = |entry: &[u8]| entry.iter().take(pointer).all(|byte| *byte == 0);
        let free = bytes.chunks(entry.max(1)).skip(1).position(is_free);
        Ok(free.map_or(last, |free| free as u64) + 1)
    }

    /// if_grow: doubles the room until `index` fits.
    fn if_grow(&mut self, table: Table, index: u64) -> Result<Table, ImageError> {
        if let Some(variable) = table.limit {
            let mut limit = self.kernel.load_uint(variable)?.max(FIRST_LIMIT);
            while limit <= index {
                limit *= 2;
            }
            self.kernel.store(variable, limit)?;
        }
        if index < table.entries {
            return Ok(table);
        }
        let entries = table.entries * 2;
        let machine = self.kernel.machine_mut();
        let mut bytes = vec![0; (table.entries * table.entry) as usize];
        machine.read(table.first, &mut bytes)?;
        let first = machine.malloc("ifnet", entries * table.entry)?;
        machine.write(first, &bytes)?;
        machine.free(table.first)?;
        self.kernel.store(table.variable, first.get())?;
        Ok(Table { first, entries, ..table })
    }

    /// The stack's table, which is made now if it has none; `None` in a kernel without one.
    fn ifindex_table(&mut self, scope: Scope) -> Result<Option<Table>, ImageError> {
        let own = self.find(scope, "ifindex_table").ok();
        let shared = own.is_none() || scope == Scope::Kernel;
        let variable = match own {
            Some(table) => table,
            None => self.find(Scope::Kernel, "ifindex_table")?,
        };
        let beside = |name| match self.find(scope, name) {
            Ok(found) => Ok(found),
            Err(_) => self.find(Scope::Kernel, name),
        };
        let (last, limit) = (beside("if_index")?, beside("if_indexlim").ok());
        let (_, shape) = self.kernel.types().resolve(variable.type_id)?;
        let Type::Pointer(pointer) = &*shape else { return Ok(None) };
        let entry = self.kernel.types().size_of(pointer.target)?.max(1);
        let mut first = VirtAddr::new(self.kernel.load_uint(variable)?);
        if first.is_null() {
            let size = entry.saturating_mul(FIRST_ENTRIES);
            first = self.kernel.machine_mut().malloc("ifnet", size)?;
            self.kernel.store(variable, first.get())?;
        }
        let size = self.kernel.machine().allocated(first).ok_or(ImageError::BadFree(first))?;
        Ok(Some(Table { last, first, entry, entries: size / entry, variable, limit, shared }))
    }
}
