//! `jails`: the tree of jails, and what holds those that have been removed.

mod held;
mod order;
mod rows;

use serde::Serialize;

use self::held::VnetsInWork;
use super::{Progress, Remark, progress};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::{Choice, Selector, Session};
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::call_out::CallOut;
use crate::views::jails::{self, Holders, Life, Permissions, Record};
use crate::vnet::{VnetRef, VnetRefs, WantedThread};
use crate::walk::Problems;

/// The jails, each parent before its children.
#[derive(Debug)]
pub struct AllJails {
    /// Those that were chosen.
    pub jails: Vec<Jail>,
    problems: Problems,
    remarks: Vec<Remark>,
}

/// A jail.
#[derive(Debug, Clone, Serialize)]
pub struct Jail {
    /// Its number; 0 is the host.
    pub jid: i64,
    /// The full name, with those of its parents.
    pub name: Box<str>,
    /// The address of its struct prison.
    pub address: VirtAddr,
    /// The number of its parent; `None` for the host, or if the parent is unknown.
    pub parent: Option<i64>,
    /// The vnet that it lives in; `None` while its own is being made, and without VIMAGE.
    pub vnet: Option<VnetRef>,
    /// Whether that is its own.
    pub own_vnet: bool,
    /// `alive`, `starting`, `dying` or `being-removed`.
    pub state: &'static str,
    /// The root directory.
    #[serde(serialize_with = "or_error")]
    pub path: Result<Box<str>, ValueError>,
    /// The host name.
    #[serde(serialize_with = "or_error")]
    pub hostname: Result<Box<str>, ValueError>,
    /// Whether the host name is its own, not its parent's.
    #[serde(serialize_with = "or_error")]
    pub own_hostname: Result<bool, ValueError>,
    /// Names of the bits of `pr_flags`.
    #[serde(serialize_with = "or_error")]
    pub flags: Result<Vec<Box<str>>, ValueError>,
    /// What it may do: names of the bits of `pr_allow`.
    #[serde(serialize_with = "or_error")]
    pub allow: Result<Vec<Box<str>>, ValueError>,
    /// How many things hold it.
    #[serde(serialize_with = "or_error")]
    pub references: Result<i64, ValueError>,
    /// How many of them keep it alive.
    #[serde(serialize_with = "or_error")]
    pub user_references: Result<i64, ValueError>,
    /// The number of processes in it; `None` if the lists of processes cannot be read.
    pub processes: Option<usize>,
    /// What keeps a jail that has been removed; `None` for others.
    pub held_by: Option<Holders>,
    /// How far the creation or destruction of its vnet has come; `None` if that is done.
    pub progress: Option<Progress>,
    /// What is wrong with it.
    pub problems: Vec<CallOut>,
    /// How many jails it is inside of.
    #[serde(skip)]
    pub depth: usize,
    #[serde(skip)]
    life: Life,
}

/// The chosen jails; all of them by default.
///
/// # Errors
/// The kernel is not the dump's or has no debug information, or there is no such jail.
pub fn jails(session: &Session, which: &Selector) -> Result<AllJails, Error> {
    let target = session.matching_target()?;
    let choice = session.choice(which)?;
    let all = session.all_jails()?;
    let mut problems = all.problems.clone();
    // What hides jails hides them; what hides vnets only leaves them without numbers.
    let vnets = session.vnets().ok();
    if let Some(vnets) = vnets {
        problems.extend(vnets.problems.clone());
    }
    let known = session.known_vnets().ok().flatten();
    let call_outs = jails::check(target, &all, known.as_ref(), &mut problems);
    let refs = vnets.map(|vnets| VnetRefs::of(&vnets.all)).unwrap_or_default();
    let mut unknown = Problems::default();
    let holders = session.holders(&all, &mut unknown)?;
    let counted = unknown.is_empty();
    problems.extend(unknown);
    let permissions = Permissions::read(target);
    let chosen = Chosen::new(session, &choice)?;
    let reader = progress::Reader::new(session);
    let in_work = VnetsInWork::of(vnets.map(|vnets| &vnets.all[..]).unwrap_or_default());
    let mut found = Vec::new();
    for (jail, depth) in order::by_tree(&all) {
        if !chosen.has(jail) {
            continue;
        }
        let Record { path, hostname, own_hostname, flags, allow, references, user_references } =
            Record::read(target, jail, &permissions)?;
        let held = holders.get(&jail.address);
        let parent = jail.parent.and_then(|parent| all.at(parent));
        found.push(Jail {
            jid: jail.jid,
            name: jail.name.clone(),
            address: jail.address,
            parent: parent.map(|parent| parent.jid),
            vnet: jail.vnet.map(|vnet| refs.at(vnet)),
            own_vnet: jail.own_vnet && session.kernel().set_vnet().is_some(),
            state: jail.life.name(),
            path,
            hostname,
            own_hostname,
            flags,
            allow,
            references,
            user_references,
            processes: held.map(|held| held.processes.len()).filter(|_| counted),
            held_by: held.filter(|_| jail.life.is_ending()).cloned(),
            progress: in_work.with(jail).and_then(|vnet| reader.of(vnet, &mut problems)),
            problems: call_outs.get(&jail.address).cloned().unwrap_or_default(),
            depth: if matches!(choice, Choice::All) { depth } else { 0 },
            life: jail.life,
        });
    }
    Ok(AllJails { jails: found, problems, remarks: Vec::new() })
}

/// Which jails are shown.
enum Chosen {
    All,
    Vnet(VirtAddr),
    Prison(Option<VirtAddr>),
}

impl Chosen {
    fn new(session: &Session, choice: &Choice) -> Result<Self, Error> {
        Ok(match choice {
            Choice::All => Self::All,
            Choice::Vnet(vnet) => Self::Vnet(*vnet),
            Choice::Jail(prison) => Self::Prison(Some(*prison)),
            Choice::Pid(pid) => Self::Prison(session.prison_of(WantedThread::Process(*pid))?),
            Choice::Tid(tid) => Self::Prison(session.prison_of(WantedThread::Thread(*tid))?),
        })
    }

    fn has(&self, jail: &jails::Jail) -> bool {
        match self {
            Self::All => true,
            Self::Vnet(vnet) => jail.vnet == Some(*vnet),
            Self::Prison(prison) => *prison == Some(jail.address),
        }
    }
}
