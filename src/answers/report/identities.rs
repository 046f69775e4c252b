//! What in a dump tells whose machine it was.

use std::net::IpAddr;

use rustc_hash::FxHashSet;

use crate::answers::interfaces::Question as Interfaces;
use crate::answers::sockets::Question as Sockets;
use crate::answers::{self, Chosen, info::Info};
use crate::session::{Selector, Session};
use crate::views::sockets::Kind;

/// Names and addresses that tell whose machine it was, in an order that is the same for the same
/// dump. What cannot be read is not among them, because nothing shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identities {
    /// Names, each with what it is the name of.
    pub names: Vec<(Named, String)>,
    /// IP addresses of interfaces.
    pub addresses: Vec<IpAddr>,
    seen: FxHashSet<(Named, String)>,
}

/// What has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// A machine, or a jail by its host name.
    Host,
    /// A jail.
    Jail,
    /// The root of a jail, or a local socket.
    Path,
    /// A file on the machine that the dump is read on.
    File,
    /// What somebody wrote about an interface.
    Description,
}

impl Identities {
    /// These names and addresses, and no others.
    #[must_use]
    pub fn known(names: Vec<(Named, String)>, addresses: Vec<IpAddr>) -> Self {
        Self { names, addresses, seen: FxHashSet::default() }
    }

    pub(super) fn of(info: &Info, session: Option<&Session>) -> Self {
        let mut found = Self::default();
        found.add_files(info);
        if let Some(host) = &info.overview.host {
            found.add(Named::Host, host);
        }
        if let Some(session) = session {
            found.add_jails(session);
            found.add_interfaces(session);
            found.add_sockets(session);
        }
        found
    }

    fn add(&mut self, named: Named, name: &str) {
        let name = (named, name.to_owned());
        if !name.1.is_empty() && self.seen.insert(name.clone()) {
            self.names.push(name);
        }
    }

    fn add_files(&mut self, info: &Info) {
        let overview = &info.overview;
        let kernel = overview.kernel.as_ref();
        let files = [
            Some(&overview.core.path),
            kernel.map(|kernel| &kernel.path),
            kernel.and_then(|kernel| kernel.debug_file.as_ref()),
            overview.info_file.as_ref().map(|file| &file.path),
        ];
        files.into_iter().flatten().for_each(|file| self.add(Named::File, file));
    }

    /// Those on the list, and those that vnets know of.
    fn add_jails(&mut self, session: &Session) {
        let listed = answers::jails(session, &Selector::Default);
        for jail in listed.iter().flat_map(|all| &all.jails) {
            self.add(Named::Jail, &jail.name);
            for (named, text) in [(Named::Host, &jail.hostname), (Named::Path, &jail.path)] {
                text.iter().for_each(|text| self.add(named, text));
            }
        }
        let vnets = session.vnets().map(|vnets| &vnets.all[..]).unwrap_or_default();
        for jail in vnets.iter().flat_map(|vnet| vnet.jails.iter().flatten()) {
            self.add(Named::Jail, &jail.name);
        }
    }

    fn add_interfaces(&mut self, session: &Session) {
        let Ok(chosen) = Chosen::ask(session, &Selector::All) else { return };
        let Ok(all) = answers::interfaces(session, chosen, Interfaces::default()) else {
            return;
        };
        for (_, stack) in all.answers() {
            for entry in stack.interfaces.iter() {
                if let Ok(Some(description)) = &entry.interface.description {
                    self.add(Named::Description, description);
                }
                self.addresses.extend(entry.interface.addresses.iter().map(|found| found.ip.ip));
            }
        }
    }

    /// The paths of local sockets.
    fn add_sockets(&mut self, session: &Session) {
        let Ok(chosen) = Chosen::ask(session, &Selector::All) else { return };
        let Ok(all) = answers::sockets(session, chosen, Sockets::default()) else { return };
        for (_, stack) in all.answers() {
            let local = stack.sockets.iter().filter(|socket| socket.kind == Kind::Unix);
            for socket in local {
                socket.local.iter().flatten().for_each(|path| self.add(Named::Path, path));
            }
        }
    }
}
