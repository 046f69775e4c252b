//! Interfaces as rows of a table.

use super::entry::{Entry, OtherEnd};
use crate::answers::{Cell, Column, Medium, Row, call_outs};
use crate::value::model::ValueError;
use crate::views::interfaces::{Field, flag_names};
use crate::views::wiring::{Other, Ties, Tunnel};

/// The columns of a table for people, which fit 100 characters, or of one for scripts, with all
/// that is known.
pub(super) fn columns(medium: Medium) -> Vec<Column> {
    let mut columns = vec![
        Column::left("NAME"),
        Column::right("INDEX"),
        Column::left("FLAGS"),
        Column::right("MTU"),
        Column::right("IPACKETS"),
        Column::right("OPACKETS"),
        Column::left("HOME"),
        Column::left("ADDRESSES"),
        Column::left("TIES"),
    ];
    if medium != Medium::People {
        columns.extend([
            Column::left("FLAG NAMES"),
            Column::left("ETHER"),
            Column::left("LINK"),
            Column::right("IERRORS"),
            Column::right("IQDROPS"),
            Column::right("OERRORS"),
            Column::right("OQDROPS"),
            Column::right("IBYTES"),
            Column::right("OBYTES"),
            Column::left("GROUPS"),
            Column::left("DESCRIPTION"),
            Column::left("ADDRESS"),
            Column::left("PROBLEMS"),
        ]);
    }
    columns
}

impl Row for Entry {
    /// People get a row for each of several IP addresses.
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        if medium == Medium::People {
            if self.is_freed() {
                return vec![self.freed_row()];
            }
            let mut addresses = self.addresses.iter().map(|found| Cell::from(&*found.text));
            let first = addresses.next().unwrap_or(Cell::Nothing);
            let mut rows = vec![self.row(first)];
            rows.extend(addresses.map(|address| {
                let mut row = vec![Cell::text(""); self::columns(medium).len()];
                if let Some(cell) = row.iter_mut().rev().nth(1) {
                    *cell = address;
                }
                row
            }));
            return rows;
        }
        let addresses: Vec<&str> = self.addresses.iter().map(|found| &*found.text).collect();
        let mut row = self.row(texts(&addresses, ","));
        row.extend(self.details());
        vec![row]
    }
}

impl Entry {
    fn row<'a>(&'a self, addresses: Cell<'a>) -> Vec<Cell<'a>> {
        let it = &self.interface;
        vec![
            Cell::read(&it.name, |name| (&**name).into()),
            Cell::read(&it.index, |index| (*index).into()),
            Cell::read(&it.flags, |flags| format!("{flags:#x}").into()),
            Cell::read(&it.mtu, |mtu| (*mtu).into()),
            self.count("ipackets"),
            self.count("opackets"),
            Cell::read(&self.home, |home| home.map(|home| home.to_string()).into()),
            addresses,
            texts(&self.ties_in_words(), ", "),
        ]
    }

    /// Nothing is known of it but its place.
    fn freed_row(&self) -> Vec<Cell<'_>> {
        let mut row = vec![Cell::Nothing; self::columns(Medium::People).len()];
        if let [name, .., ties] = &mut *row {
            *name = self.interface.address.into();
            *ties = "freed memory".into();
        }
        row
    }

    fn details(&self) -> Vec<Cell<'_>> {
        let it = &self.interface;
        let names = it.flags.as_ref().map(|flags| flag_names(*flags)).unwrap_or_default();
        let groups: Vec<&str> = it
            .groups
            .as_ref()
            .map_or_else(|_| Vec::new(), |all| all.iter().map(|it| &**it).collect());
        vec![
            texts(&names, ","),
            it.hardware.as_deref().into(),
            it.link().into(),
            self.count("ierrors"),
            self.count("iqdrops"),
            self.count("oerrors"),
            self.count("oqdrops"),
            self.count("ibytes"),
            self.count("obytes"),
            texts(&groups, ","),
            Cell::read(&it.description, |text| text.as_deref().into()),
            it.address.into(),
            call_outs::cell(&self.call_outs),
        ]
    }

    fn count(&self, name: &str) -> Cell<'_> {
        match self.interface.traffic.get(name) {
            Some(Ok(count)) => (*count).into(),
            // The driver's function would have to be asked.
            Some(Err(_)) if self.interface.traffic.counted_by.is_some() => "?".into(),
            Some(Err(why)) => Cell::Error(why),
            None => Cell::Nothing,
        }
    }

    /// What no edge of a graph shows: the addresses of a tunnel, the owner of a tun, what is unknown.
    pub(in crate::answers) fn notes(&self) -> Vec<String> {
        let is_note = |words: &String| {
            ["tunnel ", "opened by ", "carp "].iter().any(|start| words.starts_with(start))
                || words.contains("unknown: ")
        };
        self.ties_in_words().into_iter().filter(is_note).collect()
    }

    /// What it is tied to, a phrase each: `peer epair0b (vnet 1)`, `vlan 4 on em0`.
    pub(in crate::answers) fn ties_in_words(&self) -> Vec<String> {
        let Ties { peer, members, spans, bridge, vlan, ports, lagg, tunnel, owner, carp, .. } =
            &self.ties;
        let mut words = Vec::new();
        let mut add = |what: &str, text: String| words.push(format!("{what} {text}"));
        if let Some(peer) = peer {
            add("peer", told(peer, |it| it.as_ref().map_or("gone".into(), |it| self.end(it))));
        }
        let list = |others: &Vec<Other>| match others.as_slice() {
            [] => "none".to_owned(),
            others => others.iter().map(|it| self.end(it)).collect::<Vec<_>>().join(" "),
        };
        for (what, others) in [("members", members), ("spans", spans), ("ports", ports)] {
            others.iter().for_each(|others| add(what, told(others, list)));
        }
        for (what, other) in [("in", bridge), ("port of", lagg)] {
            other.iter().for_each(|other| add(what, told(other, |it| self.end(it))));
        }
        if let Some(vlan) = vlan {
            let text = told(vlan, |vlan| match vlan {
                Some(vlan) => format!("{} on {}", vlan.tag, self.end(&vlan.parent)),
                None => "not configured".to_owned(),
            });
            add("vlan", text);
        }
        if let Some(tunnel) = tunnel {
            add(
                "tunnel",
                told(tunnel, |it| it.as_ref().map_or("not configured".into(), tunnel_text)),
            );
        }
        if let Some(owner) = owner {
            let text =
                |pid: &Option<i64>| pid.map_or("nobody".to_owned(), |pid| format!("pid {pid}"));
            add("opened by", told(owner, text));
        }
        for host in carp.iter().filter_map(|hosts| hosts.as_ref().ok()).flatten() {
            add("carp", format!("{} vhid {}", host.state.unwrap_or("?"), host.vhid));
        }
        words
    }

    /// Its name, and its vnet if that is another.
    fn end(&self, other: &Other) -> String {
        let OtherEnd { name, address, vnet, listed, .. } = self.other(other);
        let name = name.map_or_else(|| address.to_string(), String::from);
        if listed == Some(false) {
            return format!("{name} (gone)");
        }
        let own = self.vnet.as_ref().ok().copied().flatten();
        match vnet {
            Some(vnet) if Some(vnet) != own => format!("{name} (vnet {vnet})"),
            _ => name,
        }
    }
}

/// What was read, or `unknown: no types of if_bridge.ko`.
fn told<T>(read: &Field<T>, text: impl FnOnce(&T) -> String) -> String {
    match read {
        Ok(read) => text(read),
        Err(ValueError { message, .. }) => format!("unknown: {message}"),
    }
}

fn tunnel_text(tunnel: &Tunnel) -> String {
    let end = |ip: Option<std::net::IpAddr>| ip.map_or("any".to_owned(), |ip| ip.to_string());
    let ends = format!("{} --> {}", end(tunnel.source), end(tunnel.destination));
    tunnel.vni.map_or(ends.clone(), |vni| format!("{ends} vni {vni}"))
}

fn texts<'a, T: AsRef<str>>(texts: &[T], between: &str) -> Cell<'a> {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    if texts.is_empty() { Cell::Nothing } else { Cell::text(texts.join(between)) }
}
