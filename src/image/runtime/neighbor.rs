//! Neighbours: the link-level addresses on each interface.
//!
//! `sys/net/if_llatbl.c`: V_lltables has a `struct lltable` for each interface and family, with an
//! array of lists of `struct llentry` by a hash of the address (`sys/netinet/in.c`,
//! `sys/netinet6/in6.c`). A table is made with its first neighbour.

use std::net::IpAddr;

use super::{Queue, Runtime, Scope};
use crate::addr::VirtAddr;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::ipv6_zone;
use crate::image::object::Object;

/// A neighbour to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborOptions {
    /// The stack.
    pub scope: Scope,
    /// The name of the interface.
    pub interface: String,
    /// Its network address.
    pub address: IpAddr,
    /// Its link-level address; `None` if that is not known yet.
    pub link: Option<[u8; 6]>,
    /// The number in ln_state.
    pub state: i64,
    /// LLE_ flags beside those for being valid and linked.
    pub flags: u64,
    /// la_expire, in seconds of uptime.
    pub expire: i64,
    /// Packets that wait.
    pub held: u64,
    /// How often it was asked.
    pub asked: u64,
    /// It is a router.
    pub router: bool,
    /// It hangs under the neighbour with its address, and serves another family's packets.
    pub child: bool,
}

/// A way to break a table of neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighborFault {
    /// Its interface is freed, and nothing else learns of it.
    FreeInterface,
    /// The table counts one more.
    Count,
    /// An entry is freed but stays on its list.
    FreeEntry,
    /// An entry says that it is in another table.
    BackPointer,
}

/// All tables and entries that were made.
#[derive(Debug, Default)]
pub(super) struct Neighbors {
    tables: Vec<(Scope, VirtAddr, u64, Object)>,
    entries: Vec<(VirtAddr, IpAddr, Object)>,
}

const AF_INET: u64 = 2;
const AF_INET6: u64 = 28;
/// LLTBL_HASHTBL_DEFAULT_HSIZE
const LISTS: u64 = 32;
/// LLE_STATIC, LLE_IFADDR
const OWN: u64 = 0x6;
const VALID: u64 = 0x8;
const LINKED: u64 = 0x40;
const CHILD: u64 = 0x80;

impl Runtime {
    /// lltable_link_entry of a new entry.
    ///
    /// # Errors
    /// The stack has no such interface.
    pub fn add_neighbor(&mut self, options: &NeighborOptions) -> Result<Object, ImageError> {
        let interface = self.interface_of(options.scope, &options.interface)?;
        let table = self.lltable(options.scope, interface, family(options.address))?;
        let entry = self.new_entry(table, interface, options)?;
        if options.child {
            let found = |entry: &&(VirtAddr, IpAddr, Object)| {
                (entry.0, entry.1) == (table.address, options.address)
            };
            let parent = self.neighbors.entries.iter().find(found).map(|(.., entry)| *entry);
            let why = || ImageError::Refused("there is no such neighbour to be a child of".into());
            return self.add_child(parent.ok_or_else(why)?, entry).map(|()| entry);
        }
        let zone = self.kernel.get(interface, "if_index")? as u16;
        let list = self.list_of(table, options.address, zone)?;
        let queue = Queue::of(&self.kernel, list.type_id, entry.type_id, "lle_next")?;
        queue.insert_head(self.kernel.machine_mut(), list.address, entry.address)?;
        self.kernel.set_pointer(entry, "lle_head", list.address)?;
        if self.kernel.has(table, "llt_entries") {
            let count = self.kernel.get(table, "llt_entries")?;
            self.kernel.set(table, "llt_entries", count + 1)?;
        }
        self.neighbors.entries.push((table.address, options.address, entry));
        Ok(entry)
    }

    /// What the addresses of an interface put into its tables: themselves.
    ///
    /// # Errors
    /// As [`Runtime::add_neighbor`].
    pub fn add_own_neighbors(
        &mut self,
        scope: Scope,
        name: &str,
        link: [u8; 6],
    ) -> Result<(), ImageError> {
        let interface = self.interface_of(scope, name)?;
        for (address, _) in self.interface_addresses(interface)? {
            self.add_neighbor(&NeighborOptions {
                scope,
                interface: name.to_owned(),
                address,
                link: Some(link),
                state: i64::from(address.is_ipv6()),
                flags: OWN,
                // What 12.1 leaves there; it means nothing.
                expire: 2,
                held: 0,
                asked: 0,
                router: false,
                child: false,
            })?;
        }
        Ok(())
    }

    /// Breaks the table that has a neighbour, or its entry.
    ///
    /// # Errors
    /// There is no such neighbour, or this kernel has nothing to break there.
    pub fn break_neighbor(
        &mut self,
        scope: Scope,
        name: &str,
        address: IpAddr,
        fault: NeighborFault,
    ) -> Result<(), ImageError> {
        let interface = self.interface_of(scope, name)?;
        let table = self.lltable(scope, interface, family(address))?;
        let is_it =
            |entry: &&(VirtAddr, IpAddr, Object)| (entry.0, entry.1) == (table.address, address);
        let entry = self.neighbors.entries.iter().find(is_it).map(|(.., entry)| *entry);
        let why = || ImageError::Refused("there is no such neighbour".into());
        let entry = entry.ok_or_else(why)?;
        match fault {
            NeighborFault::FreeInterface => self.forget_interface(interface),
            NeighborFault::Count => {
                let count = self.kernel.get(table, "llt_entries")?;
                self.kernel.set(table, "llt_entries", count + 1)
            }
            NeighborFault::FreeEntry => self.kernel.machine_mut().free(entry.address),
            NeighborFault::BackPointer => {
                self.kernel.set_pointer(entry, "lle_tbl", interface.address)
            }
        }
    }

    /// The table of an interface and family; lltable_allocate_htbl and lltable_link if it has none.
    fn lltable(
        &mut self,
        scope: Scope,
        interface: Object,
        family: u64,
    ) -> Result<Object, ImageError> {
        let is_it = |table: &&(Scope, VirtAddr, u64, Object)| {
            (table.0, table.1, table.2) == (scope, interface.address, family)
        };
        if let Some((.., table)) = self.neighbors.tables.iter().find(is_it) {
            return Ok(*table);
        }
        let table = self.kernel.malloc("lltable", "struct lltable")?;
        self.kernel.set(table, "llt_af", family)?;
        self.kernel.set_pointer(table, "llt_ifp", interface.address)?;
        self.kernel.set_if_any(table, "llt_hsize", LISTS)?;
        let lists = self.kernel.member(table, "lle_head")?;
        if self.kernel.elements(lists)?.is_none() {
            let list = self.kernel.types().find("struct llentries")?;
            let size = self.kernel.types().size_of(list)? * LISTS;
            let first = self.kernel.machine_mut().malloc("lltable", size)?;
            self.kernel.store(lists, first.get())?;
        }
        let head = self.find(scope, "lltables")?;
        let queue = Queue::of(&self.kernel, head.type_id, table.type_id, "llt_link")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, table.address)?;
        self.neighbors.tables.push((scope, interface.address, family, table));
        Ok(table)
    }

    /// The list that the hash of an address chooses (LLATBL_HASH of its last four bytes).
    fn list_of(&self, table: Object, address: IpAddr, zone: u16) -> Result<Object, ImageError> {
        let octets = in_kernel(address, zone);
        let mut last = [0; 4];
        let from = octets.len().saturating_sub(4);
        last.iter_mut().zip(octets.iter().skip(from)).for_each(|(to, octet)| *to = *octet);
        let key = u64::from(u32::from_le_bytes(last));
        let hash = (0..3).fold(key, |folded, _| (folded >> 8) ^ key) & (LISTS - 1);
        let lists = self.kernel.member(table, "lle_head")?;
        if self.kernel.elements(lists)?.is_some() {
            return self.kernel.step(lists, &Step::Index(hash));
        }
        let first = VirtAddr::new(self.kernel.load_uint(lists)?);
        let list = self.kernel.types().find("struct llentries")?;
        let size = self.kernel.types().size_of(list)?;
        Ok(Object::new(first.wrapping_add(hash * size), list))
    }

    fn new_entry(
        &mut self,
        table: Object,
        interface: Object,
        options: &NeighborOptions,
    ) -> Result<Object, ImageError> {
        let type_id = self.kernel.types().find("struct llentry")?;
        let size = self.kernel.types().size_of(type_id)?;
        // Up to 10, a socket address follows.
        let behind = if self.kernel.types().has_member(type_id, "r_l3addr") { 0 } else { 28 };
        let at = self.kernel.machine_mut().malloc("lltable", size + behind)?;
        let entry = Object::new(at, type_id);
        let zone = self.kernel.get(interface, "if_index")? as u16;
        self.set_address(entry, size, options.address, zone)?;
        let mut flags = options.flags;
        if !options.child {
            flags |= LINKED;
        }
        if let Some(link) = options.link {
            flags |= VALID;
            self.set_link(entry, &link, options.address)?;
        }
        let child = if options.child { CHILD } else { 0 };
        self.kernel.set(entry, "la_flags", flags | child)?;
        self.kernel.set_pointer(entry, "lle_tbl", table.address)?;
        self.kernel.set(entry, "la_expire", options.expire.cast_unsigned())?;
        self.kernel.set(entry, "ln_state", options.state.cast_unsigned())?;
        self.kernel.set(entry, "ln_router", u64::from(options.router))?;
        self.kernel.set(entry, "la_asked", options.asked)?;
        self.kernel.set(entry, "la_numheld", options.held)?;
        self.kernel.set(entry, "lle_refcnt", 1)?;
        Ok(entry)
    }

    fn set_address(
        &mut self,
        entry: Object,
        size: u64,
        address: IpAddr,
        zone: u16,
    ) -> Result<(), ImageError> {
        let octets = in_kernel(address, zone);
        if self.kernel.has(entry, "r_l3addr") {
            let place = self.kernel.member(entry, "r_l3addr")?.address;
            self.kernel.set_if_any(entry, "r_family", family(address))?;
            return self.kernel.machine_mut().write(place, &octets);
        }
        let mut bytes = match address {
            IpAddr::V4(_) => vec![16, AF_INET as u8, 0, 0],
            IpAddr::V6(_) => vec![28, AF_INET6 as u8, 0, 0, 0, 0, 0, 0],
        };
        let len = bytes.first().copied().map_or(0, usize::from);
        bytes.extend(octets);
        bytes.resize(len, 0);
        self.kernel.machine_mut().write(entry.address.wrapping_add(size), &bytes)
    }

    /// The header of an Ethernet frame, ready to be put in front of a packet; up to 10, the
    /// link-level address alone.
    fn set_link(
        &mut self,
        entry: Object,
        link: &[u8; 6],
        address: IpAddr,
    ) -> Result<(), ImageError> {
        const OWN_LINK: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
        if !self.kernel.has(entry, "r_linkdata") {
            let place = self.kernel.member(entry, "ll_addr")?.address;
            return self.kernel.machine_mut().write(place, link);
        }
        let kind: [u8; 2] = if address.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
        let header: Vec<u8> = link.iter().chain(&OWN_LINK).chain(&kind).copied().collect();
        let place = self.kernel.member(entry, "r_linkdata")?.address;
        self.kernel.machine_mut().write(place, &header)?;
        self.kernel.set(entry, "r_hdrlen", header.len() as u64)?;
        self.kernel.set_pointer(entry, "ll_addr", place)
    }

    fn add_child(&mut self, parent: Object, child: Object) -> Result<(), ImageError> {
        let head = self.kernel.member(parent, "lle_children")?;
        let queue = Queue::of(&self.kernel, head.type_id, child.type_id, "lle_child_next")?;
        queue.insert_head(self.kernel.machine_mut(), head.address, child.address)?;
        self.kernel.set_pointer(child, "lle_parent", parent.address)
    }
}

fn family(address: IpAddr) -> u64 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

/// The bytes of an address; the zone of a link-local one is in it.
fn in_kernel(address: IpAddr, zone: u16) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) if ipv6_zone::is_link_local(address) => {
            ipv6_zone::with_zone(address, zone).to_vec()
        }
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
