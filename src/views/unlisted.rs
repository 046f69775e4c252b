//! Vnets that are not on the list, through whatever still points at them: jails,
//! processes and threads, interfaces, sockets.
//!
//! Each pointer that leads to no known vnet is looked at; what it leads to need
//! not be a vnet any more, and then that is what is said.

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::Object;
use crate::views::jails::Jails;
use crate::views::{interfaces, sockets, threads};
use crate::vnet::{Variables, Vnet};

/// Vnets that something points at, and what is wrong with other pointers.
#[derive(Debug, Clone, Default)]
pub struct Unlisted {
    /// In the order in which they were found.
    pub vnets: Vec<Vnet>,
    pub problems: Vec<Box<str>>,
}

/// Of the many sockets of one vnet, the first few tell enough.
const MAX_WITNESSES: usize = 8;

impl Unlisted {
    /// Follows what `jails`, all threads, and the interfaces and sockets of the vnets
    /// in `listed`, and of those that are found, say of their vnets.
    pub fn find(
        target: &Target,
        listed: &[Vnet],
        jails: Option<&Jails>,
        variables: Option<&Variables>,
    ) -> Self {
        let mut search =
            Search { target, listed, found: Self::default(), seen: FxHashMap::default() };
        for jail in jails.into_iter().flat_map(|jails| &jails.jails) {
            let who = || format!("pr_vnet of jail {} ({})", jail.jid, jail.name);
            search.follow(jail.vnet, who);
        }
        for found in threads::vnets_of_all(target) {
            search.follow(found.vnet, || found.who.into());
        }
        for socket in sockets::unix(target) {
            search.follow_member(&socket, "so_vnet", || {
                format!("so_vnet of socket {}", socket.address)
            });
        }
        let known: Vec<&Vnet> = listed.iter().filter(|vnet| vnet.problems.is_empty()).collect();
        known.into_iter().for_each(|vnet| search.objects_of(vnet, variables));
        // What was found has interfaces and sockets too, which may lead further.
        let mut next = 0;
        while let Some(vnet) = search.found.vnets.get(next).cloned() {
            next += 1;
            search.objects_of(&vnet, variables);
        }
        search.found
    }
}

struct Search<'a> {
    target: &'a Target,
    listed: &'a [Vnet],
    found: Unlisted,
    /// Addresses that were looked at, and which of the found vnets lies there.
    seen: FxHashMap<VirtAddr, Option<usize>>,
}

impl Search<'_> {
    fn objects_of(&mut self, vnet: &Vnet, variables: Option<&Variables>) {
        let Some(variables) = variables else { return };
        for interface in interfaces::of(self.target, vnet, variables) {
            let name = interface.text("if_xname").unwrap_or_else(|_| interface.address.to_string());
            for member in ["if_vnet", "if_home_vnet"] {
                self.follow_member(&interface, member, || format!("{member} of {name}"));
            }
        }
        for socket in sockets::of(self.target, vnet, variables) {
            let who = || format!("so_vnet of socket {}", socket.address);
            self.follow_member(&socket, "so_vnet", who);
        }
    }

    fn follow_member(&mut self, object: &Object<'_>, member: &str, who: impl FnOnce() -> String) {
        self.follow(object.pointer(member).ok().and_then(VirtAddr::non_null), who);
    }

    /// Nearly all that is followed leads to a vnet on the list, and needs no words.
    fn follow(&mut self, vnet: Option<VirtAddr>, who: impl FnOnce() -> String) {
        let Some(address) = vnet else { return };
        if self.listed.iter().any(|known| known.address == address) {
            return;
        }
        let who = who();
        let place = match self.seen.get(&address) {
            Some(place) => *place,
            None => {
                let place = self.look(address, &who);
                self.seen.insert(address, place);
                place
            }
        };
        if let Some(vnet) = place.and_then(|at| self.found.vnets.get_mut(at))
            && vnet.found_by.len() < MAX_WITNESSES
        {
            vnet.found_by.push(who.into());
        }
    }

    fn look(&mut self, address: VirtAddr, who: &str) -> Option<usize> {
        match Vnet::unlisted(self.target, address) {
            Some(vnet) => self.found.vnets.push(vnet),
            None => {
                let problem = format!("{who} leads to {address}, which is no vnet");
                self.found.problems.push(problem.into());
                return None;
            }
        }
        Some(self.found.vnets.len() - 1)
    }
}
