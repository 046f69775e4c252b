//! The thread that wrote the dump.

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::session::Session;
use crate::views::crashed_thread::CrashedThread;
use crate::vnet::VnetRef;
use crate::vnet::list::JailRef;

/// The crashing thread; `None` means unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrashedInfo {
    /// Its number.
    pub tid: i64,
    /// Its name.
    pub name: Option<String>,
    /// The number of its process.
    pub pid: Option<i64>,
    /// The name of its process.
    pub command: Option<String>,
    /// The jail of its credential.
    pub jail: Option<CrashedJail>,
    /// The vnet it worked in; `None` outside the network stack.
    pub curvnet: Option<VnetRef>,
    /// Its jail's vnet.
    pub vnet: Option<VnetRef>,
    /// The whole in words.
    #[serde(skip)]
    pub title: String,
}

/// The jail of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrashedJail {
    /// Its number; 0 is the host.
    pub jid: i64,
    /// Its name.
    pub name: Box<str>,
}

impl CrashedInfo {
    pub(super) fn new(session: &Session, crashed: &CrashedThread) -> Self {
        let vnet = |at: Option<VirtAddr>| session.vnet(at?);
        let jail_vnet = vnet(crashed.jail_vnet);
        let known = session.known_vnets().ok().flatten();
        let fault = |curvnet| known.as_ref()?.fault(curvnet);
        let jail = crashed.prison.and_then(|prison| session.jails().ok()?.at(prison));
        let jail = jail.map(JailRef::from);
        let crashed_title = crashed.title(jail.as_ref());
        let title = match (crashed.curvnet, jail_vnet) {
            (None, Some(jail_vnet)) => {
                format!("{crashed_title}; its jail's vnet is {}", jail_vnet.title())
            }
            (Some(curvnet), _) => match fault(curvnet) {
                Some(fault) => format!("{crashed_title}; its curvnet {curvnet} {fault}"),
                None => crashed_title,
            },
            (None, None) => crashed_title,
        };
        let thread = crashed.thread.as_ref();
        Self {
            tid: crashed.tid,
            name: thread.and_then(|thread| thread.name.as_deref().map(str::to_owned)),
            pid: thread.and_then(|thread| thread.pid),
            command: thread.and_then(|thread| thread.command.as_deref().map(str::to_owned)),
            jail: jail.map(|jail| CrashedJail { jid: jail.jid, name: jail.name }),
            curvnet: vnet(crashed.curvnet).map(VnetRef::from),
            vnet: jail_vnet.map(VnetRef::from),
            title,
        }
    }
}
