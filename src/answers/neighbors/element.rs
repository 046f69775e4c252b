//! A neighbour, and a table of them, as programs see them.

use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::answers::call_outs;
use crate::answers::{Cell, Element, Medium, Row};
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::call_out::CallOut;
use crate::views::family::Family;
use crate::views::neighbors::{self, NeighborFlags, NeighborTable, State};

/// A neighbour.
#[derive(Debug, Clone, Serialize)]
pub struct Neighbor {
    /// Its family.
    pub family: Family,
    /// Its network address: `10.0.0.1`, `fe80::1%epair0b`.
    #[serde(serialize_with = "or_error")]
    pub address: Result<Box<str>, ValueError>,
    /// Its link-level address; `None` if it is not known yet.
    #[serde(serialize_with = "or_error")]
    pub link: Result<Option<Box<str>>, ValueError>,
    /// The interface that it is reached by.
    #[serde(serialize_with = "or_error")]
    pub interface: Result<Option<Box<str>>, ValueError>,
    /// Its struct ifnet.
    pub interface_address: Option<VirtAddr>,
    /// The names of its flags (la_flags).
    #[serde(serialize_with = "names")]
    pub flags: Result<NeighborFlags, ValueError>,
    /// What the kernel knows of it.
    #[serde(serialize_with = "state_name")]
    pub state: Result<State, ValueError>,
    /// Whether it says that it is a router.
    pub router: bool,
    /// When it expires, in seconds of uptime; `None` if it is permanent.
    #[serde(serialize_with = "or_error")]
    pub expire: Result<Option<i64>, ValueError>,
    /// In how many seconds that is; negative if it has passed.
    pub expires_in: Option<i64>,
    /// How often it was asked without an answer.
    pub asked: Option<u64>,
    /// How many packets wait for its link-level address.
    pub held: Option<u64>,
    /// Its struct llentry.
    pub entry: VirtAddr,
    /// What a sound kernel does not have.
    pub problems: Vec<CallOut>,
}

/// The neighbours on one interface, of one family.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// The family.
    pub family: Family,
    /// The interface.
    #[serde(serialize_with = "or_error")]
    pub interface: Result<Option<Box<str>>, ValueError>,
    /// Its struct lltable.
    pub address: VirtAddr,
    /// How many neighbours the kernel counts; `None` up to 12.
    pub counted: Option<u64>,
    /// What a sound kernel does not have.
    pub problems: Vec<CallOut>,
}

/// The table and its neighbours, `uptime` seconds after the boot.
pub(super) fn elements(found: NeighborTable, uptime: Option<u64>) -> (Table, Vec<Neighbor>) {
    let NeighborTable { address, family, interface, neighbors, entries, call_outs } = found;
    let interface_address = interface.as_ref().map(|interface| interface.address);
    let interface = interface.map(|interface| interface.name).transpose();
    let neighbors = neighbors.into_iter().map(|neighbor| {
        let neighbors::Neighbor { entry, address, link, flags, state, expire, router, .. } =
            neighbor;
        let at = expire.as_ref().ok().copied().flatten();
        let left = at.zip(uptime).map(|(at, now)| at.saturating_sub(now as i64));
        Neighbor {
            family,
            address,
            link,
            interface: interface.clone(),
            interface_address,
            flags,
            state,
            router,
            expire,
            expires_in: left,
            asked: neighbor.asked,
            held: neighbor.held,
            entry,
            problems: neighbor.call_outs,
        }
    });
    let neighbors = neighbors.collect();
    let table = Table { family, interface, address, counted: entries, problems: call_outs };
    (table, neighbors)
}

impl Neighbor {
    /// What people call it.
    pub fn title(&self) -> &str {
        self.address.as_deref().unwrap_or("an unreadable neighbour")
    }

    /// The cells of the table for people.
    pub(super) fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::read(&self.address, |address| (&**address).into()),
            Cell::read(&self.link, |link| link.as_deref().into()),
            Cell::read(&self.interface, |interface| interface.as_deref().into()),
            self.expire_cell(),
            Cell::read(&self.state, |state| state.name().into()),
            self.flags_cell(),
        ]
    }

    fn expire_cell(&self) -> Cell<'_> {
        match (&self.expire, self.expires_in) {
            (Err(why), _) => Cell::Error(why),
            (Ok(None), _) => Cell::Nothing,
            (Ok(_), Some(left)) if left <= 0 => "expired".into(),
            (Ok(Some(at)), None) => format!("at {at}").into(),
            (Ok(_), Some(left)) => left.into(),
        }
    }

    /// The flags that its state does not say.
    fn flags_cell(&self) -> Cell<'_> {
        let names = match &self.flags {
            Ok(flags) => flags.names(),
            Err(why) => return Cell::Error(why),
        };
        let told = |name: &&str| !matches!(*name, "valid" | "linked" | "static" | "deleted");
        let mut names: Vec<String> = names.into_iter().filter(told).map(str::to_owned).collect();
        if self.router {
            names.push("router".to_owned());
        }
        if let Some(held @ 1..) = self.held {
            names.push(format!("{held} held"));
        }
        if names.is_empty() { Cell::Nothing } else { names.join(",").into() }
    }
}

/// For scripts: all columns.
impl Row for Neighbor {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let end = [
            self.asked.into(),
            self.held.into(),
            self.entry.into(),
            call_outs::cell(&self.problems),
        ];
        vec![[self.family.name().into()].into_iter().chain(self.cells()).chain(end).collect()]
    }
}

impl Element for Neighbor {
    const ARRAY: &'static str = "neighbors";

    fn unreadable(&self) -> usize {
        let errors = [
            self.address.is_err(),
            self.link.is_err(),
            self.interface.is_err(),
            self.flags.is_err(),
            self.state.is_err(),
            self.expire.is_err(),
        ];
        errors.into_iter().filter(|error| *error).count()
    }
}

fn names<S: Serializer>(
    flags: &Result<NeighborFlags, ValueError>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    or_error(&flags.as_ref().map(|flags| flags.names()).map_err(Clone::clone), serializer)
}

fn state_name<S: Serializer>(
    state: &Result<State, ValueError>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    or_error(&state.as_ref().map(|state| state.name()).map_err(Clone::clone), serializer)
}
