//! The tables of neighbours: V_lltables, a list with one for each interface and family
//! (`sys/net/if_llatbl.c`, 10 to main). Each is an array of lists, by a hash of the address.

use super::entry::{Common, Neighbor};
use super::state::NeighborFlags;
use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::views::call_out::CallOut;
use crate::views::family::Family;
use crate::views::interface_index::InterfaceIndex;
use crate::views::interface_pointer::{self, InterfaceRef};
use crate::views::wiring::Network;
use crate::vnet::Copies;
use crate::walk::{Problem, Problems, Trail, Walk, settle};

/// All tables of a stack.
#[derive(Debug, Default)]
pub struct Neighbors {
    /// In the order of the kernel's list.
    pub tables: Vec<NeighborTable>,
    /// What may hide tables or neighbours.
    pub problems: Problems,
}

/// The neighbours on one interface, of one family.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighborTable {
    /// Its struct lltable.
    pub address: VirtAddr,
    /// Its family.
    pub family: Family,
    /// The interface that the neighbours are reached by; `None` if it has none.
    pub interface: Option<InterfaceRef>,
    /// By the kernel's hash of their addresses.
    pub neighbors: Vec<Neighbor>,
    /// How many the kernel counts (llt_entries); `None` up to 12.
    pub entries: Option<u64>,
    /// What a sound kernel does not have.
    pub call_outs: Vec<CallOut>,
}

const TABLES: &str = "lltables";

/// What is in the lists of a table.
const ELEMENT: &str = "neighbour";

/// More lists than a kernel has (LLTBL_HASHTBL_DEFAULT_HSIZE is 32).
const MOST_LISTS: u64 = 1 << 16;

impl Neighbors {
    /// The neighbours of the stack of `copies`, of the wanted families.
    pub fn read<'t>(
        copies: &Copies<'t>,
        network: &Network<'t>,
        wanted: impl Fn(Family) -> bool,
    ) -> Self {
        let mut all = Self::default();
        let tables = tables(copies).take(&mut all.problems);
        // Without the table of indexes, zones have numbers instead of names.
        let index = InterfaceIndex::of(copies).ok().flatten();
        let zone = |zone: u32| index.as_ref()?.name(zone.into());
        let hz = copies.target().integer("hz").map_or(0, |hz| hz as i64);
        for table in tables {
            match family_of(&table) {
                Ok(Some(family)) if wanted(family) => {
                    let read = Reader { copies, network, table, family, hz, zone: &zone };
                    all.tables.push(read.table(&mut all.problems));
                }
                Ok(_) => {}
                Err(why) => {
                    let name = copies.name(TABLES);
                    let list = List { name: &name, element: "table" };
                    all.problems.add(list.element(table.address, why));
                }
            }
        }
        all
    }
}

fn family_of(table: &Object<'_>) -> Result<Option<Family>, ReadError> {
    Ok(Family::of(table.uint("llt_af")?))
}

/// The list of tables. Debug information may lack the type of its head.
fn tables<'t>(copies: &Copies<'t>) -> Walk<Object<'t>> {
    let name = copies.name(TABLES);
    let list = List { name: &name, element: "table" };
    match copies.get(TABLES) {
        Ok(Some(head)) if head.has("slh_first") => queue::walk(head, "llt_link", list),
        Ok(Some(head)) => untyped(copies, head.address, list),
        Ok(None) => Walk::failed(Problem::new(name, "the kernel has no such variable")),
        Err(why) => match copies.address(TABLES) {
            Ok(Some(head)) => untyped(copies, head, list),
            _ => Walk::failed(why),
        },
    }
}

/// The list whose first pointer is at `head`.
fn untyped<'t>(copies: &Copies<'t>, head: VirtAddr, list: List<'_>) -> Walk<Object<'t>> {
    let target = copies.target();
    let same = |one: &Object<'_>, other: &Object<'_>| one.address == other.address;
    let mut trail = Trail::new(target.budget());
    settle(target.memory().is_live(), &mut trail, same, |trail| {
        untyped_once(target, head, list, trail)
    })
}

fn untyped_once<'t>(
    target: &'t Target,
    head: VirtAddr,
    list: List<'_>,
    trail: &mut Trail<'_>,
) -> Walk<Object<'t>> {
    let mut found = Vec::new();
    let mut step = || -> Result<(), Problem> {
        let types = target.types().map_err(|why| list.unreadable(head, why.into()))?;
        let table = types.find("struct lltable");
        let table = table.map_err(|why| list.unreadable(head, why.into()))?;
        let first = target.memory().pointer(head);
        let mut next = first.map_err(|why| list.unreadable(head, why.into()))?;
        while !next.is_null() {
            trail.visit(next).map_err(|why| list.problem(next, why))?;
            let reached = Object::new(target, table, next);
            reached.check_freed().map_err(|why| list.unreadable(next, why.into()))?;
            let after = reached.pointer("llt_link.sle_next");
            let after = after.map_err(|why| list.unreadable(next, why))?;
            found.push(reached);
            next = after;
        }
        Ok(())
    };
    match step() {
        Ok(()) => Walk::whole(found),
        Err(problem) => Walk::new(found, problem.into()),
    }
}

/// What reading one table takes.
struct Reader<'r, 't> {
    copies: &'r Copies<'t>,
    network: &'r Network<'t>,
    table: Object<'t>,
    family: Family,
    /// Ticks per second.
    hz: i64,
    zone: &'r dyn Fn(u32) -> Option<String>,
}

impl<'t> Reader<'_, 't> {
    fn table(&self, problems: &mut Problems) -> NeighborTable {
        let mut found = NeighborTable {
            address: self.table.address,
            family: self.family,
            interface: None,
            neighbors: Vec::new(),
            entries: self.table.uint("llt_entries").ok(),
            call_outs: Vec::new(),
        };
        let interface = match self.table.follow_anywhere("llt_ifp") {
            Ok(interface) => interface,
            Err(why) => {
                let list = List { name: &"a table of neighbours", element: ELEMENT };
                problems.add(list.element(self.table.address, why));
                None
            }
        };
        if let Some(interface) = &interface {
            let vnet = self.copies.vnet();
            found.call_outs.extend(interface_pointer::check(
                self.network,
                interface,
                vnet,
                "table",
            ));
            found.interface = Some(InterfaceRef::of(interface));
        }
        let on = found.interface.as_ref().and_then(|interface| interface.name.as_deref().ok());
        let on = on.map_or_else(|| format!("the table at {}", self.table.address), str::to_owned);
        let name = format!("the {} neighbours on {on}", self.family);
        let entries = self.entries(List { name: &name, element: ELEMENT });
        let whole = entries.is_whole();
        let link_len = interface.filter(|interface| interface.check_freed().is_ok());
        let common = Common {
            family: self.family,
            table: self.table.address,
            link_len: link_len.and_then(|interface| interface.uint("if_addrlen").ok()),
            hz: self.hz,
            zone: self.zone,
        };
        for entry in entries.take(problems) {
            let neighbor = Neighbor::read(&entry, &common);
            // Children are on a list of their own; one here is shown as what it is.
            found.neighbors.push(neighbor);
        }
        let is_own = |neighbor: &&Neighbor| {
            neighbor.flags.as_ref().is_ok_and(|flags: &NeighborFlags| !flags.is_child())
        };
        let count = found.neighbors.iter().filter(is_own).count() as u64;
        if let Some(counted) = found.entries
            && whole
            && counted != count
        {
            let why = format!("the kernel counts {counted} neighbours, but the table has {count}");
            found.call_outs.push(CallOut::new("wrong-count", self.table.address, why));
        }
        found
    }

    /// The entries of all lists of the array.
    fn entries(&self, list: List<'_>) -> Walk<Object<'t>> {
        let (first, count) = match self.lists() {
            Ok(Some(lists)) => lists,
            // It has no array: nobody was ever entered.
            Ok(None) => return Walk::whole(Vec::new()),
            Err(why) => return Walk::failed(list.unreadable(self.table.address, why)),
        };
        let (mut found, mut problems) = (Vec::new(), Problems::default());
        if count > MOST_LISTS {
            let why = format!("its array has {count} lists, and {MOST_LISTS} are read");
            problems
                .add(Problem { at: Some(self.table.address), ..Problem::new(list.what(), why) });
        }
        let target = first.target();
        let stride = target.types().and_then(|types| types.size_of(first.type_id)).unwrap_or(0);
        let mut trail = Trail::new(target.budget());
        for number in 0..count.min(MOST_LISTS) {
            if let Err(why) = target.budget().work(1) {
                problems.add(list.problem(first.address, why.into()));
                break;
            }
            let at = first.address.wrapping_add(number.wrapping_mul(stride));
            let head = Object::new(target, first.type_id, at);
            let walk = queue::walk_on(head, "lle_next", list, &mut trail);
            found.extend(walk.take(&mut problems));
        }
        Walk::new(found, problems)
    }

    /// The first list of the array, and how many there are. Up to 10, the array is in the table.
    fn lists(&self) -> Result<Option<(Object<'t>, u64)>, ReadError> {
        let place = self.table.member("lle_head")?;
        let types = place.target().types()?;
        if let Some((element, count)) = types.elements(place.type_id)? {
            let first = Object::new(place.target(), element, place.address);
            return Ok(Some((first, count.unwrap_or(0))));
        }
        let first = self.table.follow("lle_head")?;
        first.map(|first| Ok((first, self.table.uint("llt_hsize")?))).transpose()
    }
}
