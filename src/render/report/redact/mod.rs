//! Takes out of a text what tells whose machine it was.
//!
//! What: host names, jail names, IP and link-level addresses, ports, paths and descriptions become
//! placeholders such as `<ip4-3>`. The same thing has the same placeholder everywhere in a report,
//! and in every report of the same dump. Addresses of kernel memory stay.
//!
//! How: [`Identities`] has the names; addresses are what the standard library can parse as one.
//! A name counts where it stands as a word of its own.
//!
//! What it refuses to do: it does not know names that nothing in the dump declares to be one,
//! nor numbers that are an address only to those who know. So structs, arrays and texts are left
//! out of values. If the names cannot all be read, what the kernel wrote as text is left out too: the
//! panic message and the message buffer.

mod addresses;
mod names;
mod places;

use std::cell::RefCell;

use crate::answers::report::{Built, Identities, Named};
use crate::answers::topology::Topology;
use crate::value::model::Value;
use crate::views::call_out::CallOut;

use names::Names;
use places::Placeholders;

/// A filter for all text of a report.
#[derive(Debug)]
pub(super) struct Redactor {
    names: Names,
    placeholders: RefCell<Placeholders>,
    /// Why names may be missing from those that are known.
    doubt: Option<String>,
}

impl Redactor {
    pub fn new(identities: &Identities) -> Self {
        let mut placeholders = Placeholders::default();
        let doubt = identities.problems.none().err().map(|problem| problem.to_string());
        let mut names = identities.names.clone();
        if let (Some(_), Some(panic)) = (&doubt, &identities.panic) {
            names.push((Named::Panic, panic.clone()));
        }
        let names = Names::new(&names, &mut placeholders);
        identities.addresses.iter().for_each(|address| {
            placeholders.ip(*address);
        });
        Self { names, placeholders: RefCell::new(placeholders), doubt }
    }

    /// Why text that the kernel wrote cannot be freed of names: some may not be known.
    pub fn doubt(&self) -> Option<&str> {
        self.doubt.as_deref()
    }

    /// The text without what tells whose machine it was.
    pub fn text(&self, text: &str) -> String {
        let mut placeholders = self.placeholders.borrow_mut();
        let mut out = String::with_capacity(text.len());
        for piece in addresses::split(text) {
            match piece {
                addresses::Piece::Text(text) => {
                    self.names.replace(text, &mut placeholders, &mut out)
                }
                addresses::Piece::Ip(address) => out.push_str(&placeholders.ip(address)),
                addresses::Piece::Link(address) => out.push_str(&placeholders.link(address)),
                addresses::Piece::Port(port) => out.push_str(&placeholders.port(port)),
            }
        }
        out
    }

    /// Whether a value may be shown: a number or a pointer, which has no parts and no text.
    pub fn shows(value: &Value) -> bool {
        match value {
            Value::Record(_) | Value::Array(_) | Value::Bytes(_) => false,
            Value::Text(_) | Value::Told(_) => false,
            Value::Pointer(pointer) => pointer.text().is_none(),
            _ => true,
        }
    }

    /// The wiring with other names.
    pub fn topology(&self, topology: &Topology) -> Topology {
        let mut topology = topology.clone();
        for node in &mut topology.nodes {
            node.name = self.text(&node.name);
            node.addresses.iter_mut().for_each(|address| *address = self.text(address));
            node.notes.iter_mut().for_each(|note| *note = self.text(note));
            self.call_outs(&mut node.problems);
        }
        topology.edges.iter_mut().for_each(|edge| self.call_outs(&mut edge.problems));
        topology
    }

    /// Vnets with other names.
    pub fn built(&self, vnets: &[Built]) -> Vec<Built> {
        let title = |vnet: &Built| Built { title: self.text(&vnet.title), ..vnet.clone() };
        vnets.iter().map(title).collect()
    }

    fn call_outs(&self, call_outs: &mut [CallOut]) {
        call_outs.iter_mut().for_each(|call_out| call_out.why = self.text(&call_out.why).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let name = |named, text: &str| (named, text.to_owned());
        Redactor::new(&Identities::known(
            vec![
                name(Named::File, "/home/me/vmcore.3"),
                name(Named::Host, "gw.example.org"),
                name(Named::Jail, "0"),
                name(Named::Jail, "web01"),
                name(Named::Host, "web01.example.org"),
                name(Named::Path, "/jails/web01"),
                name(Named::Jail, "web01.php"),
                name(Named::Path, "/"),
                name(Named::Description, "to the customer"),
            ],
            vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()],
        ))
    }

    #[test]
    fn names_and_addresses_have_placeholders() {
        let redactor = redactor();
        for (text, expected) in [
            ("vnet 1 (0xfffff80003a51800): web01", "vnet 1 (0xfffff80003a51800): <jail-1>"),
            ("web01,web01.php web012 0", "<jail-1>,<jail-2> web012 0"),
            ("gw and gw.example.org", "<host-1> and <host-1>"),
            ("GW.Example.ORG, WEB01", "<host-1>, <host-2>"),
            ("web01.example.org", "<host-2>"),
            ("db.example.org, example.org", "<host-3>, <domain-1>"),
            ("/jails/web01/etc and /jails/web01", "<path-1>/etc and <path-1>"),
            ("/home/me/vmcore.3", "vmcore.3"),
            ("/root/secret/x.ko /", "<directory>/x.ko /"),
            ("/boot/kernel/kernel net/vnet.c:301", "/boot/kernel/kernel net/vnet.c:301"),
            ("em0 to the customer", "em0 <description-1>"),
            ("10.0.0.1/24 10.0.0.7", "<ip4-1>/24 <ip4-2>"),
            ("10.0.0.1:80 *:22 [fd00::1]:80", "<ip4-1>:<port-1> *:<port-2> [<ip6-1>]:<port-1>"),
            ("10.0.0.7.22 from 10.0.0.1 port 80.", "<ip4-2>.<port-2> from <ip4-1> port <port-1>."),
            ("sshd[640]:3 [::1]:22", "sshd[640]:3 [::1]:<port-2>"),
            ("fe80::1%epair0b/64", "<ip6-2>%epair0b/64"),
            ("[fe80::1%em0]:123", "[<ip6-2>%em0]:<port-3>"),
            (
                "127.0.0.1:22 0.0.0.0 ::1 :: 255.255.255.0",
                "127.0.0.1:<port-2> 0.0.0.0 ::1 :: 255.255.255.0",
            ),
            ("02:00:5e:10:00:0b at", "<mac-1> at"),
            ("12:30:45 12.1-RELEASE 0x10.0..0x20", "12:30:45 12.1-RELEASE 0x10.0..0x20"),
            (
                "root@builder.freebsd.org:/usr/obj/usr/src/sys/GENERIC ip_gif_ttl@if_gif.ko",
                "<user>@<host-4>:<directory>/GENERIC ip_gif_ttl@if_gif.ko",
            ),
        ] {
            assert_eq!(redactor.text(text), expected);
        }
    }

    #[test]
    fn the_same_dump_gives_the_same_placeholders() {
        let texts = ["192.0.2.9 then 10.0.0.1", "a.example.org"];
        let all = |redactor: Redactor| texts.map(|text| redactor.text(text));
        assert_eq!(all(redactor()), all(redactor()));
    }
}
