//! What holds a jail that has been removed, and which vnet is being created or destroyed for it.

use crate::session::Session;
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

/// The unlisted vnet that a jail which is not alive has, or that is made for it.
pub(super) fn vnet_in_work<'s>(session: &'s Session, jail: &jails::Jail) -> Option<&'s Vnet> {
    if jail.life == Life::Alive {
        return None;
    }
    let mut unlisted = session.vnets().ok()?.all.iter().filter(|vnet| !vnet.is_listed());
    unlisted.find(|vnet| match jail.vnet {
        Some(own) => vnet.address == own,
        None => vnet.jails.iter().flatten().any(|known| known.jid == jail.jid),
    })
}
