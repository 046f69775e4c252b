//! Interfaces by their index (`sys/net/if.c`).
//!
//! Up to 13, each vnet has a table: V_ifindex_table points to the first entry, and V_if_index is
//! the highest index in use. Since 14, there is one table for all vnets, and both are statics. An
//! entry is a pointer to a struct ifnet, or a struct ifindex_entry that begins with one.

use crate::addr::VirtAddr;
use crate::fault::FaultKind;
use crate::target::ReadError;
use crate::types::TypeId;
use crate::value::Object;
use crate::value::freed;
use crate::value::model::ErrorKind;
use crate::views::call_out::CallOut;
use crate::vnet::Copies;
use crate::walk::Problem;

/// The table of interfaces by index.
#[derive(Debug, Clone, Copy)]
pub struct InterfaceIndex<'t> {
    first: Object<'t>,
    /// Bytes of an entry.
    stride: u64,
    /// struct ifnet.
    interface: TypeId,
    /// The highest index in use.
    last: u64,
    /// Whether all vnets share it.
    pub shared: bool,
}

/// What the table has at an index.
#[derive(Debug, Clone, Copy)]
pub enum Slot<'t> {
    /// No interface.
    Free,
    /// No interface yet: its creation has begun (IFNET_HOLD).
    Reserved,
    /// This one.
    Interface(Object<'t>),
}

const TABLE: &str = "ifindex_table";

/// The highest index that a kernel gives: if_index of an interface has 16 bits.
const HIGHEST: u64 = 0xffff;

impl<'t> InterfaceIndex<'t> {
    /// The table that the stack of `copies` uses; `None` if the kernel has no table of a known
    /// shape, or the stack has none yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(copies: &Copies<'t>) -> Result<Option<Self>, Problem> {
        let found = match copies.get(TABLE)? {
            Some(table) => Some((table, copies.get("if_index")?, false)),
            None => {
                let global = |name| Object::global(copies.target(), name).ok();
                global(TABLE).map(|table| (table, global("if_index"), true))
            }
        };
        let Some((table, Some(last), shared)) = found else { return Ok(None) };
        let unreadable = |why| Problem::unreadable(copies.name(TABLE), why);
        Self::read(table, last, shared).map_err(unreadable)
    }

    fn read(table: Object<'t>, last: Object<'t>, shared: bool) -> Result<Option<Self>, ReadError> {
        let target = table.target();
        let types = target.types()?;
        let entry = types.pointee(table.type_id)?;
        let interface = match types.member(entry, "ife_ifnet") {
            Ok(field) => types.pointee(field.type_id)?,
            Err(_) => types.pointee(entry)?,
        };
        let first = target.memory().pointer(table.address)?;
        if first.is_null() {
            return Ok(None);
        }
        let size = types.size_of(last.type_id)?.min(8) as usize;
        let last = target.memory().uint(last.address, size)?;
        let (first, stride) = (Object::new(target, entry, first), types.size_of(entry)?);
        Ok(Some(Self { first, stride, interface, last, shared }))
    }

    /// What the table has at `index`.
    ///
    /// # Errors
    /// The entry cannot be read.
    pub fn slot(&self, index: u64) -> Result<Slot<'t>, ReadError> {
        if index == 0 || index > self.last {
            return Ok(Slot::Free);
        }
        let target = self.first.target();
        let place = self.first.address.wrapping_add(index.wrapping_mul(self.stride));
        freed::check_word(target.memory(), place)?;
        let address = target.memory().pointer(place)?;
        let hold = VirtAddr::new(target.arch().wrap(u64::MAX));
        Ok(match address {
            address if address.is_null() => Slot::Free,
            address if address == hold => Slot::Reserved,
            address => Slot::Interface(Object::new(target, self.interface, address)),
        })
    }

    /// The entries that point at freed memory, or at none. An interface that a list leads to has
    /// call-outs of its own.
    ///
    /// # Errors
    /// An entry cannot be read, or there are too many.
    pub fn stale(&self, is_listed: impl Fn(VirtAddr) -> bool) -> Result<Vec<CallOut>, ReadError> {
        let mut found = Vec::new();
        for index in 1..=self.last.min(HIGHEST) {
            self.first.target().budget().work(1)?;
            let Slot::Interface(interface) = self.slot(index)? else { continue };
            let at = interface.address;
            let why = match interface.check_freed().and_then(|()| interface.probe()) {
                Err(fault) if fault.kind == FaultKind::Freed => "an interface that is freed",
                Err(fault) if ErrorKind::from(fault.kind).is_damage() => "no interface",
                _ => continue,
            };
            if !is_listed(at) {
                let why = format!("the table of indexes has {why} at index {index}");
                found.push(CallOut::new("stale-index", at, why));
            }
        }
        Ok(found)
    }

    /// The name of the interface with this index, if it can be read.
    #[must_use]
    pub fn name(&self, index: u64) -> Option<String> {
        match self.slot(index) {
            Ok(Slot::Interface(interface)) => interface.text("if_xname").ok(),
            _ => None,
        }
    }
}
