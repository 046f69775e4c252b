//! What holds a jail that has been removed, and how far its vnet has come.

use serde::Serialize;

use crate::session::Session;
use crate::threads::ThreadName;
use crate::views::construction::{Construction, Phase};
use crate::views::jails::{self, Holders, Life, ProcessRef};
use crate::vnet::list::JailRef;
use crate::vnet::{Sysinits, Vnet};
use crate::walk::Problems;

/// How far the creation or destruction of a jail's vnet has come.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// `building`, `tearing-down`, or `between` if it may be either.
    pub phase: &'static str,
    /// The subsystem that it has reached, by the kernel's name.
    pub subsystem: Option<Box<str>>,
    /// The thread that does it.
    pub thread: Option<ThreadName>,
    /// The constructor or destructor that the thread is certainly in.
    pub function: Option<String>,
    /// How that is known.
    pub evidence: Box<str>,
}

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

impl Progress {
    /// That of a jail whose vnet is on no list; `None` for others.
    pub(super) fn of(
        session: &Session,
        jail: &jails::Jail,
        problems: &mut Problems,
    ) -> Option<Self> {
        let vnet = vnet_in_work(session, jail)?;
        let target = session.target();
        let sysinits = Sysinits::read(target, &session.unloaded()).ok()?;
        let construction = Construction::of(target, &sysinits, vnet);
        problems.extend(construction.problems.clone());
        let moving =
            matches!(construction.phase, Phase::Building | Phase::TearingDown | Phase::Between);
        let function = construction.function.and_then(|running| {
            let sysinit = sysinits.iter().find(|sysinit| sysinit.address == running)?;
            Some(sysinit.function.as_ref().ok()?.target_name())
        });
        moving.then(|| Self {
            phase: construction.phase.name(),
            subsystem: vnet.state.as_ref().and_then(|state| state.name.clone()),
            thread: construction.thread,
            function,
            evidence: construction.evidence,
        })
    }

    /// In words: `its vnet is being torn down by thread 100007 (kernel), in vnet_if_return`.
    pub fn title(&self) -> String {
        let phase = match self.phase {
            "building" => "being built",
            "tearing-down" => "being torn down",
            _ => "being built or torn down",
        };
        let by = self.thread.as_ref().map_or(String::new(), |thread| format!(" by {thread}"));
        let at = match (&self.function, &self.subsystem) {
            (Some(function), _) => format!(", in {function}"),
            (None, Some(subsystem)) => format!(", at {subsystem}"),
            (None, None) => String::new(),
        };
        format!("its vnet is {phase}{by}{at}")
    }
}

/// The unlisted vnet that a jail which is not alive has, or that is made for it.
fn vnet_in_work<'s>(session: &'s Session, jail: &jails::Jail) -> Option<&'s Vnet> {
    if jail.life == Life::Alive {
        return None;
    }
    let mut unlisted = session.vnets().ok()?.all.iter().filter(|vnet| !vnet.is_listed());
    unlisted.find(|vnet| match jail.vnet {
        Some(own) => vnet.address == own,
        None => vnet.jails.iter().flatten().any(|known| known.jid == jail.jid),
    })
}
