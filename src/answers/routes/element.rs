//! A route, and a routing table, as programs see them.

use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::answers::call_outs;
use crate::answers::{Cell, Element, Medium, Row};
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::call_out::CallOut;
use crate::views::family::Family;
use crate::views::interface_pointer::InterfaceRef;
use crate::views::routes::{self, RouteFlags};

/// A route. One with several next hops has an element for each.
#[derive(Debug, Clone, Serialize)]
pub struct Route {
    /// The FIB that it is in.
    pub fib: u64,
    /// Its family.
    pub family: Family,
    /// As netstat(1) writes it: `default`, `10.0.0.0/24`, `10.0.0.1`.
    #[serde(serialize_with = "or_error")]
    pub destination: Result<Box<str>, ValueError>,
    /// The network with its number of bits, for the default route too: `0.0.0.0/0`. `None` if its
    /// mask has holes, or it cannot be read.
    pub prefix: Option<Box<str>>,
    /// As netstat(1) writes it: `10.0.0.254`, `link#2`, a hardware address. `None` if it has none.
    #[serde(serialize_with = "or_error")]
    pub gateway: Result<Option<Box<str>>, ValueError>,
    /// The letters of netstat(1).
    #[serde(serialize_with = "letters")]
    pub flags: Result<RouteFlags, ValueError>,
    /// All flags as a number.
    pub flags_hex: Option<Box<str>>,
    /// The names of all flags.
    pub flag_names: Option<Vec<&'static str>>,
    /// The interface that packets leave by.
    #[serde(serialize_with = "or_error")]
    pub interface: Result<Option<Box<str>>, ValueError>,
    /// Its struct ifnet.
    pub interface_address: Option<VirtAddr>,
    /// The interface whose address is the packets' source, if that is another one and the kernel
    /// says so.
    pub source_interface: Option<Box<str>>,
    /// When it expires, in seconds of uptime; `None` is never.
    #[serde(serialize_with = "or_error")]
    pub expire: Result<Option<u64>, ValueError>,
    /// In how many seconds that is; negative if it has passed.
    pub expires_in: Option<i64>,
    /// The MTU.
    pub mtu: Option<u64>,
    /// Its weight among several next hops.
    pub weight: Option<u64>,
    /// How many hold the route, or its next hop where routes share them.
    pub references: Option<u64>,
    /// `None` up to 12.
    pub nexthop: Option<NextHop>,
    /// Its struct rtentry.
    pub address: VirtAddr,
    /// What a sound kernel does not have.
    pub problems: Vec<CallOut>,
}

/// A next hop (struct nhop_object).
#[derive(Debug, Clone, Serialize)]
pub struct NextHop {
    /// Its number.
    pub index: Option<u64>,
    /// Where it lies.
    pub address: VirtAddr,
    /// The group of next hops that it is in, if the route has several.
    pub group: Option<VirtAddr>,
}

/// The routing table of a FIB and family.
#[derive(Debug, Clone, Serialize)]
pub struct RoutingTable {
    /// The FIB.
    pub fib: u64,
    /// The family.
    pub family: Family,
    /// Its struct rib_head, or struct radix_node_head up to 10.
    pub address: VirtAddr,
    /// How many entries were found; `None` if the walk broke off.
    pub entries: Option<usize>,
    /// How many the kernel counts; `None` up to 12.
    pub counted: Option<u64>,
    /// What a sound kernel does not have.
    pub problems: Vec<CallOut>,
}

impl Route {
    /// The route in the table of `fib` and `family`, `uptime` seconds after the boot.
    pub(super) fn new(fib: u64, family: Family, route: routes::Route, uptime: Option<u64>) -> Self {
        let routes::Route { address, destination, flags, hop } = route;
        let prefix = destination.as_ref().ok().and_then(routes::Destination::prefix);
        let (interface, interface_address) = match hop.interface {
            Ok(Some(InterfaceRef { address, name })) => (name.map(Some), Some(address)),
            Ok(None) => (Ok(None), None),
            Err(why) => (Err(why), None),
        };
        let expire = hop.expire.map(|expire| Some(expire).filter(|expire| *expire != 0));
        let left = |expire: u64| {
            Some(expire as i64).zip(uptime).map(|(at, now)| at.saturating_sub(now as i64))
        };
        Self {
            fib,
            family,
            destination: destination.map(|destination| destination.text().into()),
            prefix: prefix.map(Box::from),
            gateway: hop.gateway,
            flags_hex: flags.as_ref().ok().map(|flags| format!("{:#x}", flags.0).into()),
            flag_names: flags.as_ref().ok().map(|flags| flags.names()),
            flags,
            interface,
            interface_address,
            source_interface: hop.source.and_then(|source| source.name.ok()),
            expires_in: expire.as_ref().ok().and_then(|expire| (*expire)?.into()).and_then(left),
            expire,
            mtu: hop.mtu,
            weight: hop.weight,
            references: hop.references,
            nexthop: hop.address.map(|address| NextHop {
                index: hop.index,
                address,
                group: hop.group,
            }),
            address,
            problems: hop.call_outs,
        }
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        self.destination.as_deref().unwrap_or("an unreadable route")
    }

    fn common_cells(&self) -> [Cell<'_>; 4] {
        // One reason is told once.
        let told = self.gateway.as_ref().err();
        let letters = match &self.flags {
            Err(why) if Some(why) == told => Cell::Nothing,
            flags => Cell::read(flags, |flags| flags.letters().into()),
        };
        let interface = match &self.interface {
            Err(why) if Some(why) == told => Cell::Nothing,
            interface => Cell::read(interface, |interface| interface.as_deref().into()),
        };
        [
            Cell::read(&self.destination, |destination| (&**destination).into()),
            Cell::read(&self.gateway, |gateway| gateway.as_deref().into()),
            letters,
            interface,
        ]
    }

    fn expire_cell(&self) -> Cell<'_> {
        match (&self.expire, self.expires_in) {
            (Err(why), _) if Some(why) == self.gateway.as_ref().err() => Cell::Nothing,
            (Err(why), _) => Cell::Error(why),
            (Ok(_), Some(left)) if left <= 0 => "expired".into(),
            (Ok(expire), None) => expire.map(|at| format!("at {at}")).into(),
            (Ok(_), Some(left)) => left.into(),
        }
    }

    /// The cells of the narrow table.
    pub(super) fn narrow(&self) -> Vec<Cell<'_>> {
        self.common_cells().into_iter().chain([self.expire_cell()]).collect()
    }

    /// The cells of the wide table.
    pub(super) fn wide(&self) -> Vec<Cell<'_>> {
        let numbers: [Cell<'_>; 5] = [
            self.nexthop.as_ref().and_then(|hop| hop.index).into(),
            self.mtu.into(),
            self.weight.into(),
            self.references.into(),
            self.expire_cell(),
        ];
        self.common_cells().into_iter().chain(numbers).chain([self.address.into()]).collect()
    }
}

/// For scripts: all columns.
impl Row for Route {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let start = [self.fib.into(), self.family.name().into()];
        let problems = call_outs::cell(&self.problems);
        vec![start.into_iter().chain(self.wide()).chain([problems]).collect()]
    }
}

impl Element for Route {
    const ARRAY: &'static str = "routes";

    fn unreadable(&self) -> usize {
        let errors = [
            self.destination.is_err(),
            self.gateway.is_err(),
            self.flags.is_err(),
            self.interface.is_err(),
            self.expire.is_err(),
        ];
        errors.into_iter().filter(|error| *error).count()
    }
}

fn letters<S: Serializer>(
    flags: &Result<RouteFlags, ValueError>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let letters = flags.as_ref().map(|flags| flags.letters()).map_err(Clone::clone);
    or_error(&letters, serializer)
}
