//! Jails: prison0, the list `allprison`, and the children of each
//! (`sys/kern/kern_jail.c`, 9.3 to main).
//!
//! The list has all jails, and so does the tree of children: jails that
//! a broken list no longer leads to are found in the tree.

mod flags;
mod holders;
mod record;
mod search;
mod tree;

use rustc_hash::FxHashMap;

use crate::addr::VirtAddr;
use crate::constants::PR_VNET;
use crate::target::{ReadError, Target};
use crate::value::Object;
use crate::value::queue::{self, List};
use crate::vnet::list::JailRef;
use crate::walk::{Problem, Problems, Trail};

pub use flags::Permissions;
pub use holders::{Holders, ProcessRef, SocketRef};
pub use record::Record;
pub use search::{PrisonShape, search_prisons};
pub use tree::check;

/// A jail as the dump has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jail {
    /// The address of its struct prison.
    pub address: VirtAddr,
    /// The jail's number; 0 for prison0.
    pub jid: i64,
    /// The full name, with those of its parents: `web01.cache`; `0` for prison0.
    pub name: Box<str>,
    /// The address of the parent's struct prison; `None` for prison0.
    pub parent: Option<VirtAddr>,
    /// The address of the vnet that it lives in; `None` while its vnet is being built.
    pub vnet: Option<VirtAddr>,
    /// Whether it has a vnet of its own rather than its parent's.
    pub own_vnet: bool,
    /// How far its creation or removal has come.
    pub life: Life,
}

/// Where in its life a jail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Running.
    Alive,
    /// Being created: no process can be in it yet.
    Starting,
    /// Removed, but held by what is left in it.
    Dying,
    /// Off the list of jails: its memory is about to be freed.
    BeingRemoved,
}

/// All jails, prison0 first, and why others may be missing.
#[derive(Debug, Clone, Default)]
pub struct Jails {
    /// Those that could be read.
    all: Vec<Jail>,
    /// Their places, by the address of the prison.
    places: FxHashMap<VirtAddr, usize>,
    /// The same by its number.
    numbers: FxHashMap<i64, usize>,
    /// The places of those with a vnet of their own, by its address.
    owners: FxHashMap<VirtAddr, usize>,
    /// What keeps further jails from being known.
    pub problems: Problems,
}

const ALLPRISON: List<'_> = List { name: &"allprison", element: "prison" };

impl Jails {
    /// Reads prison0, walks `allprison`, and then walks the tree of children if the list is
    /// incomplete.
    ///
    /// # Errors
    /// The kernel has no such symbols, or no debug information.
    pub fn read(target: &Target) -> Result<Self, ReadError> {
        let host = Object::global(target, "prison0")?;
        let head = Object::global(target, "allprison")?;
        let mut jails = Self::default();
        if !queue::is_made(&head) {
            jails.problems.add(Problem::new(ALLPRISON.what(), queue::NOT_MADE));
        }
        let mut trail = Trail::new(target.budget());
        let read = |prison: &Object<'_>, _: &mut Trail<'_>| Jail::read(prison, false);
        let walk = queue::walk_with(head, "pr_list", ALLPRISON, &mut trail, read);
        jails.add(&host, Jail::read(&host, true));
        let whole = walk.is_whole() && jails.problems.is_empty();
        // Some releases have prison0 on the list, others do not.
        for (prison, jail) in walk.take(&mut jails.problems) {
            if prison.address != host.address {
                jails.add(&prison, jail);
            }
        }
        if !whole {
            jails.add_children(host);
        }
        Ok(jails)
    }

    /// Those that could be read, prison0 first.
    #[must_use]
    pub fn all(&self) -> &[Jail] {
        &self.all
    }

    /// Adds a jail. Of several at one address, or with one number or vnet, the first is found by it.
    pub fn push(&mut self, jail: Jail) {
        let place = self.all.len();
        self.places.entry(jail.address).or_insert(place);
        self.numbers.entry(jail.jid).or_insert(place);
        if let Some(vnet) = jail.vnet.filter(|_| jail.own_vnet) {
            self.owners.entry(vnet).or_insert(place);
        }
        self.all.push(jail);
    }

    /// The jail of that number or name; of several with one name, the one that is alive.
    ///
    /// # Errors
    /// No known jail is, but there may be others; why.
    pub fn find(&self, wanted: &str) -> Result<Option<&Jail>, Problem> {
        let jid: Option<i64> = wanted.parse().ok();
        let by_jid = jid.and_then(|jid| self.numbered(jid));
        match by_jid.or_else(|| self.named(wanted).min_by_key(|jail| jail.life.rank())) {
            Some(jail) => Ok(Some(jail)),
            None => self.problems.none().map(|()| None),
        }
    }

    /// The jail of that number.
    #[must_use]
    pub fn numbered(&self, jid: i64) -> Option<&Jail> {
        self.all.get(*self.numbers.get(&jid)?)
    }

    /// All jails of that name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &Jail> {
        self.all.iter().filter(move |jail| *jail.name == *name)
    }

    /// The jail whose struct prison lies at `address`.
    #[must_use]
    pub fn at(&self, address: VirtAddr) -> Option<&Jail> {
        self.all.get(*self.places.get(&address)?)
    }

    /// The jail that the vnet at `vnet` was made for.
    #[must_use]
    pub fn owner(&self, vnet: VirtAddr) -> Option<&Jail> {
        self.all.get(*self.owners.get(&vnet)?)
    }

    /// The number of jails, including prison0.
    ///
    /// # Errors
    /// Why others may be missing.
    pub fn count(&self) -> Result<usize, Problem> {
        self.problems.none().map(|()| self.all.len())
    }

    /// Adds a jail that something other than the list leads to, unless it is known.
    pub fn add_unlisted(&mut self, prison: &Object<'_>) {
        if self.at(prison.address).is_none()
            && let Ok(jail) = Jail::read(prison, false)
        {
            self.push(Jail { life: Life::BeingRemoved, ..jail });
        }
    }

    /// The same by the address of its struct prison. A broken list does not tell which jails are
    /// not on it, so nothing is added then.
    pub fn add_unlisted_at(&mut self, target: &Target, prison: VirtAddr) {
        if let Ok(host) = target.global("prison0")
            && self.problems.is_empty()
        {
            self.add_unlisted(&Object::new(target, host.type_id, prison));
        }
    }

    /// Adds jails of the tree of children that are not known yet.
    fn add_children(&mut self, host: Object<'_>) {
        let mut trail = Trail::new(host.target().budget());
        let mut next = vec![host];
        while let Some(prison) = next.pop() {
            if trail.visit(prison.address).is_err() {
                continue;
            }
            let Ok(head) = prison.member("pr_children") else { continue };
            let name = format!("the children of the prison at {}", prison.address);
            let children = List { name: &name, element: "prison" };
            let mut problems = Problems::default();
            let found = queue::walk(head, "pr_sibling", children).take(&mut problems);
            self.add_news(&problems);
            for child in found {
                if self.at(child.address).is_none() {
                    self.add(&child, Jail::read(&child, false));
                }
                next.push(child);
            }
        }
    }

    /// Adds problems of other places than the list's own, because what breaks the
    /// list usually breaks the tree as well.
    fn add_news(&mut self, problems: &Problems) {
        let known: Vec<_> = self.problems.iter().map(|problem| problem.at).collect();
        let news = problems.iter().filter(|problem| !known.contains(&problem.at));
        news.for_each(|problem| self.problems.add(problem.clone()));
    }

    fn add(&mut self, prison: &Object<'_>, jail: Result<Jail, ReadError>) {
        match jail {
            Ok(jail) => self.push(jail),
            Err(why) => self.problems.add(ALLPRISON.element(prison.address, why)),
        }
    }
}

impl Jail {
    fn read(prison: &Object<'_>, host: bool) -> Result<Self, ReadError> {
        let pointer = |path| prison.pointer(path).map(VirtAddr::non_null);
        let mut name = prison.text("pr_name")?;
        if host && name.is_empty() {
            name = "0".into();
        }
        Ok(Self {
            address: prison.address,
            jid: prison.int("pr_id")?,
            name: name.into(),
            parent: pointer("pr_parent")?,
            vnet: pointer("pr_vnet")?,
            own_vnet: host || prison.uint("pr_flags")? & PR_VNET != 0,
            life: if host { Life::Alive } else { Life::read(prison)? },
        })
    }

    /// Its struct prison.
    ///
    /// # Errors
    /// The kernel has no debug information about prisons.
    pub(super) fn prison<'t>(&self, target: &'t Target) -> Result<Object<'t>, ReadError> {
        Ok(Object::new(target, target.global("prison0")?.type_id, self.address))
    }

    /// Its number and name, and its state unless it is alive:
    /// `jail 98 (tmp98), being removed`.
    #[must_use]
    pub fn title(&self) -> String {
        JailRef::from(self).long_title()
    }
}

impl Life {
    /// pr_state exists since 13.0. Before that, a jail without user references is dying; and being
    /// created if it has no vnet yet, in a kernel where all jails have one.
    fn read(prison: &Object<'_>) -> Result<Self, ReadError> {
        if prison.has("pr_state") {
            return Ok(match prison.uint("pr_state")? {
                0 => Self::Starting,
                1 => Self::Alive,
                _ => Self::Dying,
            });
        }
        if prison.int("pr_uref")? > 0 {
            return Ok(Self::Alive);
        }
        let has_vnets = prison.target().kernel().set_vnet().is_some();
        let is_first = has_vnets && prison.pointer("pr_vnet")?.is_null();
        Ok(if is_first { Self::Starting } else { Self::Dying })
    }

    /// Whether it has been removed, and something keeps it.
    #[must_use]
    pub fn is_ending(self) -> bool {
        matches!(self, Self::Dying | Self::BeingRemoved)
    }

    /// The name for scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Starting => "starting",
            Self::Dying => "dying",
            Self::BeingRemoved => "being-removed",
        }
    }

    /// In words; `None` if it is alive.
    #[must_use]
    pub fn meaning(self) -> Option<&'static str> {
        match self {
            Self::Alive => None,
            Self::Starting => Some("being created"),
            Self::Dying => Some("dying"),
            Self::BeingRemoved => Some("being removed"),
        }
    }

    fn rank(self) -> usize {
        match self {
            Self::Alive => 0,
            Self::Starting => 1,
            Self::Dying => 2,
            Self::BeingRemoved => 3,
        }
    }
}

impl From<&Jail> for JailRef {
    fn from(jail: &Jail) -> Self {
        Self { jid: jail.jid, name: jail.name.clone(), state: jail.life.meaning() }
    }
}
