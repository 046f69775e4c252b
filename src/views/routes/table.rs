//! The routing tables of a stack, with their routes.

use super::destination::Destination;
use super::flags::RouteFlags;
use super::hop::{self, Hop};
use super::reader::Reader;
use super::tables::{Head, Heads};
use crate::addr::VirtAddr;
use crate::budget::Exhausted;
use crate::value::Object;
use crate::value::model::ValueError;
use crate::value::queue::List;
use crate::value::radix;
use crate::views::call_out::CallOut;
use crate::views::family::Family;
use crate::views::wiring::Network;
use crate::vnet::{Condition, Copies, Vnet};
use crate::walk::{Problem, Problems};

/// The routing tables of a stack.
#[derive(Debug, Default)]
pub struct Tables {
    /// How many FIBs the stack has; `None` if that is unknown.
    pub fibs: Option<u64>,
    /// By FIB, IPv4 first.
    pub tables: Vec<Table>,
    /// What may hide tables or routes.
    pub problems: Problems,
}

/// The routes of one FIB and family.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The number of its FIB.
    pub fib: u64,
    /// Its family.
    pub family: Family,
    /// Its head: a struct rib_head, or a struct radix_node_head up to 10.
    pub address: VirtAddr,
    /// In the order of the kernel's own walks, which netstat(1) has too.
    pub routes: Vec<Route>,
    /// How many entries the kernel counts (rnh_prefixes); `None` up to 12.
    pub prefixes: Option<u64>,
    /// Whether all entries were found.
    pub whole: bool,
    /// What a sound kernel does not have.
    pub call_outs: Vec<CallOut>,
}

/// A route. One with several next hops has as many of these, with one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its struct rtentry.
    pub address: VirtAddr,
    /// What it is to.
    pub destination: Result<Destination, ValueError>,
    /// Its flags, with those of the next hop.
    pub flags: Result<RouteFlags, ValueError>,
    /// Where it leads.
    pub hop: Hop,
}

/// What a route takes in memory, here and in an answer, with its texts.
const SIZE: u64 = 2 * size_of::<Route>() as u64;

impl Tables {
    /// The tables of the stack of `copies` that are wanted.
    pub fn read<'t>(
        copies: &Copies<'t>,
        network: &Network<'t>,
        wanted: impl Fn(u64, Family) -> bool,
    ) -> Self {
        let Heads { fibs, heads, problems } = Heads::of(copies);
        let mut all = Self { fibs, tables: Vec::new(), problems };
        if let Some(vnet) = copies.vnet().filter(|vnet| is_dying(vnet)) {
            let why = "it is being destroyed, and they may be freed";
            all.problems.add(Problem::new(format!("the routes of {}", vnet.title()), why));
        }
        let reader = match Reader::new(copies, network) {
            Ok(reader) => reader,
            Err(why) => {
                all.problems.add(Problem::unreadable(copies.name("rt_tables"), why));
                return all;
            }
        };
        for head in heads.iter().filter(|head| wanted(head.fib, head.family)) {
            all.tables.push(Table::read(&reader, head, &mut all.problems));
        }
        all
    }
}

/// Its routing tables are freed before its memory is.
fn is_dying(vnet: &Vnet) -> bool {
    matches!(vnet.condition, Some(Condition::BeingDestroyed | Condition::Freed))
}

impl Table {
    fn read<'t>(reader: &Reader<'t, '_>, head: &Head<'t>, problems: &mut Problems) -> Self {
        let &Head { fib, family, head } = head;
        let owner = reader.vnet().map(|vnet| format!(" of {}", vnet.title())).unwrap_or_default();
        let name = format!("the {family} routes of FIB {fib}{owner}");
        let list = List { name: &name, element: "route" };
        let mut table = Self {
            fib,
            family,
            address: head.address,
            routes: Vec::new(),
            prefixes: None,
            whole: false,
            call_outs: Vec::new(),
        };
        if let Err(fault) = head.check_freed() {
            problems.add(list.unreadable(head.address, fault.into()));
            return table;
        }
        let leaves = radix::leaves(head, list);
        table.whole = leaves.is_whole();
        let leaves = leaves.take(problems);
        for leaf in &leaves {
            if let Err(why) = table.add(reader, leaf, problems) {
                problems.add(list.problem(leaf.address, why.into()));
                break;
            }
        }
        table.check(reader, &head, leaves.len() as u64);
        table
    }

    /// Adds the route of a leaf, as often as it has next hops.
    fn add<'t>(
        &mut self,
        reader: &Reader<'t, '_>,
        leaf: &Object<'t>,
        problems: &mut Problems,
    ) -> Result<(), Exhausted> {
        let destination = Destination::read(leaf, self.family, |zone| reader.interface_name(zone));
        let route = reader.route(leaf);
        // Since 13 the route's own flags are few; its next hop has the rest.
        let own = match route.has("rte_flags") {
            true => route.uint("rte_flags").map_err(ValueError::from),
            false => Ok(0),
        };
        for hop in hop::hops_of(reader, &route, problems) {
            reader.target().budget().bytes(SIZE)?;
            let flags = own.clone().and_then(|own| Ok(RouteFlags(own | hop.flags.clone()?)));
            let destination = destination.clone();
            self.routes.push(Route { address: route.address, destination, flags, hop });
        }
        Ok(())
    }

    /// What the head says of the table.
    fn check(&mut self, reader: &Reader<'_, '_>, head: &Object<'_>, leaves: u64) {
        let mut call_out = |what, why: String| {
            self.call_outs.push(CallOut::new(what, head.address, why));
        };
        let number = |member: &str| head.has(member).then(|| head.uint(member).ok()).flatten();
        if let Some(family) = number("rib_family")
            && family != u64::from(self.family.number())
        {
            call_out("wrong-family", format!("the head of the table says family {family}"));
        }
        if let Some(fib) = number("rib_fibnum")
            && fib != self.fib
        {
            call_out("wrong-fib", format!("the head of the table says FIB {fib}"));
        }
        if let (Ok(vnet), Some(own)) = (head.pointer("rib_vnet"), reader.vnet())
            && vnet != own.address
        {
            call_out("foreign-table", format!("the table belongs to the vnet at {vnet}"));
        }
        let prefixes = number("rnh_prefixes");
        if let Some(counted) = prefixes
            && self.whole
            && counted != leaves
        {
            let why = format!("the kernel counts {counted} routes, but the table has {leaves}");
            call_out("wrong-count", why);
        }
        self.prefixes = prefixes;
    }
}
