//! What in a dump tells whose machine it was.

use std::net::IpAddr;

use rustc_hash::FxHashSet;

use crate::answers::interfaces::Question as Interfaces;
use crate::answers::sockets::Question as Sockets;
use crate::answers::{self, Chosen, info::Info};
use crate::session::{Selector, Session};
use crate::views::sockets::Kind;
use crate::walk::{Problem, Problems};

/// What is not known without a walk of them.
const JAILS: &str = "the names of jails and hosts";

/// Names and addresses that tell whose machine it was, in an order that is the same for the same
/// dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identities {
    /// Names, each with what it is the name of.
    pub names: Vec<(Named, String)>,
    /// IP addresses of interfaces.
    pub addresses: Vec<IpAddr>,
    /// The panic message, in which a person may have written any name.
    pub panic: Option<String>,
    /// Why the names may not be all; empty if they are. Then nothing that the kernel wrote as text
    /// can be freed of them.
    pub problems: Problems,
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
    /// The panic message, if it may hold names that are not known.
    Panic,
}

impl Identities {
    /// These names and addresses, and no others.
    #[must_use]
    pub fn known(names: Vec<(Named, String)>, addresses: Vec<IpAddr>) -> Self {
        Self { names, addresses, ..Self::default() }
    }

    /// `subject` is a session, or why there is none.
    pub(super) fn of(info: &Info, subject: Result<&Session, &str>) -> Self {
        let mut found = Self { panic: info.overview.panic.clone(), ..Self::default() };
        found.add_files(info);
        if let Some(host) = &info.overview.host {
            found.add(Named::Host, host);
        }
        match subject {
            Ok(session) => {
                found.add_jails(session);
                found.add_interfaces(session);
                found.add_sockets(session);
            }
            Err(why) => found.problems.add(Problem::new(JAILS, why)),
        }
        if info.overview.host.is_none() {
            found.problems.add(Problem::new("the host's name", "it cannot be read"));
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
        match session.all_jails() {
            Ok(all) => self.problems.extend(all.problems),
            Err(why) => self.problems.add(Problem::new(JAILS, why.to_string())),
        }
        for jail in listed.iter().flat_map(|all| &all.jails) {
            self.add(Named::Jail, &jail.name);
            for (named, text) in [(Named::Host, &jail.hostname), (Named::Path, &jail.path)] {
                match text {
                    Ok(text) => self.add(named, text),
                    Err(why) => {
                        let what = format!("what jail {} is called", jail.jid);
                        self.problems.add(Problem::new(what, why.message.clone()));
                    }
                }
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
        all.for_each(|_, stack| {
            stack.elements().for_each(|entry| {
                if let Ok(Some(description)) = &entry.interface.description {
                    self.add(Named::Description, description);
                }
                self.addresses.extend(entry.interface.addresses.iter().map(|found| found.ip.ip));
            });
        });
    }

    /// The paths of local sockets.
    fn add_sockets(&mut self, session: &Session) {
        let Ok(chosen) = Chosen::ask(session, &Selector::All) else { return };
        let Ok(all) = answers::sockets(session, chosen, Sockets::default()) else { return };
        all.for_each(|_, stack| {
            let local = stack.sockets.iter().filter(|socket| socket.kind == Kind::Unix);
            for socket in local {
                socket.local.iter().flatten().for_each(|path| self.add(Named::Path, path));
            }
        });
    }
}
