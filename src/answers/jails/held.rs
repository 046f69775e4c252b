//! What holds a jail that has been removed, and which vnet is being created or destroyed for it.

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::views::jails::{self, Holders, Life, ProcessRef};
use crate::vnet::Vnet;
use crate::vnet::list::JailRef;

impl Holders {
    /// In words: `2 processes: 812 (nginx), 813 (php, zombie)`.
    #[must_use]
    pub fn parts(&self) -> Vec<String> {
        let plural = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            _ => format!("{count} {many}"),
        };
        let listed = |what: String, all: Vec<String>| format!("{what}: {}", all.join(", "));
        let mut parts = Vec::new();
        if !self.processes.is_empty() {
            let what = plural(self.processes.len(), "process", "processes");
            parts.push(listed(what, self.processes.iter().map(title).collect()));
        }
        if !self.sockets.is_empty() {
            let what = plural(self.sockets.len(), "socket", "sockets");
            let all = self.sockets.iter().filter_map(|it| Some(it.socket.or(it.pcb)?.to_string()));
            parts.push(listed(what, all.collect()));
        }
        if !self.children.is_empty() {
            let what = plural(self.children.len(), "child jail", "child jails");
            let title = |jail: &JailRef| {
                let state = jail.state.map_or(String::new(), |state| format!(", {state}"));
                format!("{} ({}{state})", jail.jid, jail.name)
            };
            parts.push(listed(what, self.children.iter().map(title).collect()));
        }
        if self.processes.is_empty() && self.sockets.is_empty() && self.credentials > 0 {
            parts.push(plural(self.credentials, "credential", "credentials") + " of threads");
        }
        match self.others {
            Some(0) => {}
            Some(1) => parts.push("1 reference by something else".to_owned()),
            Some(others) => parts.push(format!("{others} references by something else")),
            None => parts.push("perhaps something else".to_owned()),
        }
        parts
    }
}

fn title(process: &ProcessRef) -> String {
    let pid = process.pid.map_or("?".to_owned(), |pid| pid.to_string());
    let command = process.command.as_deref().unwrap_or("?");
    let zombie = if process.zombie { ", zombie" } else { "" };
    format!("{pid} ({command}{zombie})")
}

/// The unlisted vnets, which are being created or destroyed for jails.
pub(super) struct VnetsInWork<'s> {
    by_address: FxHashMap<VirtAddr, &'s Vnet>,
    /// By the number of a jail that lives in it.
    by_jail: FxHashMap<i64, &'s Vnet>,
}

impl<'s> VnetsInWork<'s> {
    pub(super) fn of(vnets: &'s [Vnet]) -> Self {
        let mut all = Self { by_address: FxHashMap::default(), by_jail: FxHashMap::default() };
        for vnet in vnets.iter().filter(|vnet| !vnet.is_listed()) {
            all.by_address.insert(vnet.address, vnet);
            for jail in vnet.jails.iter().flatten() {
                all.by_jail.entry(jail.jid).or_insert(vnet);
            }
        }
        all
    }

    /// The one that a jail which is not alive has, or that is made for it.
    pub(super) fn with(&self, jail: &jails::Jail) -> Option<&'s Vnet> {
        let found = match (jail.life, jail.vnet) {
            (Life::Alive, _) => None,
            (_, Some(own)) => self.by_address.get(&own),
            (_, None) => self.by_jail.get(&jail.jid),
        };
        found.copied()
    }
}
