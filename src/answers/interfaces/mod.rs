//! `interfaces`: the interfaces of the chosen vnets.

mod block;
mod entry;
mod json;
mod rows;

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use globset::GlobMatcher;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::later::Later;
use super::per_vnet::Summary;
use super::{Answer, Chosen, Elements, Medium, Page, PerVnet, Remark, call_outs};
use crate::error::Error;
use crate::parallel;
use crate::session::Session;
use crate::value::Object;
use crate::views::interfaces::{self, Conditions, Interface};
use crate::views::known_vnets::KnownVnets;
use crate::views::wiring::{Network, StackList};
use crate::vnet::variables::compile_glob;
use crate::vnet::{Stack, VnetError};
use crate::walk::{Problem, Problems};

pub use entry::{Address, Entry, OtherEnd};

/// Which interfaces to show, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question<'a> {
    /// Names, perhaps with wildcards; empty means all.
    pub names: &'a [String],
    /// Show people everything that is known of each.
    pub long: bool,
}

/// The interfaces of one network stack.
#[derive(Clone)]
pub struct Interfaces<'s> {
    entries: Entries<'s>,
    /// The list could not be read, and its interfaces are unknown.
    pub unknown: bool,
    long: bool,
    /// What keeps others from being known.
    problems: Problems,
    /// What is known of entries that are read, when they have been.
    later: RefCell<Later>,
    /// Whether any was asked for, also before they are read.
    any: bool,
    /// The names that were asked for and that it has, by their places in the question.
    seen: Vec<usize>,
}

/// The interfaces of a stack, in order of attachment.
#[derive(Clone)]
enum Entries<'s> {
    Kept(Arc<[Entry]>),
    /// There are so many, so each is read when its turn comes.
    Read {
        by: Arc<Reader<'s>>,
        stack: Stack<'s>,
        count: usize,
    },
}

/// The most interfaces of a stack that are kept.
const MOST_KEPT: usize = 64;

/// The interfaces of each of the chosen vnets.
///
/// # Errors
/// The kernel has no debug information, or a name is not a valid pattern.
pub fn interfaces<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    question: Question<'_>,
) -> Result<PerVnet<'s, Interfaces<'s>>, Error> {
    let Question { names, long } = question;
    let wanted = names.iter().map(|name| Wanted::new(name)).collect::<Result<Vec<_>, _>>()?;
    let all = All { names: names.to_vec(), seen: vec![false; wanted.len()], any: false };
    let reader = Arc::new(Reader {
        session,
        network: session.network()?,
        known: session.known_vnets()?,
        wanted,
        long,
    });
    PerVnet::at_once(session, chosen, move |stack| reader.read(stack), all)
}

/// The interfaces of all chosen vnets.
struct All {
    /// The names that are wanted, and whether each was seen.
    names: Vec<String>,
    seen: Vec<bool>,
    any: bool,
}

impl All {
    fn missed(&self) -> Vec<&str> {
        let missed = self.names.iter().zip(&self.seen).filter(|(_, seen)| !**seen);
        missed.map(|(name, _)| &**name).collect()
    }
}

impl Summary<Interfaces<'_>> for All {
    fn see(&mut self, found: &Interfaces<'_>) {
        self.any |= found.any;
        for place in &found.seen {
            self.seen.get_mut(*place).into_iter().for_each(|seen| *seen = true);
        }
    }

    fn nothing(&self, problems: &Problems) -> Option<String> {
        (!self.any).then(|| nothing(&self.missed(), problems))
    }

    fn remarks(&self, problems: &Problems) -> Vec<Remark> {
        let missed = if self.any { self.missed() } else { Vec::new() };
        missed.iter().map(|name| Remark::Warning(no_such(name, problems))).collect()
    }
}

fn nothing(missed: &[&str], problems: &Problems) -> String {
    match missed {
        _ if !problems.is_empty() => {
            "the interfaces are unknown: their list cannot be read completely".to_owned()
        }
        [] => "the stack has no interfaces".to_owned(),
        names => no_such(&names.join(" or "), problems),
    }
}

fn no_such(name: &str, problems: &Problems) -> String {
    match problems.is_empty() {
        true => format!("there is no interface {name} in the chosen vnets"),
        false => format!("no interface {name} is on the part of the list that can be read"),
    }
}

/// A name, perhaps with wildcards.
struct Wanted {
    name: String,
    glob: Option<GlobMatcher>,
}

impl Wanted {
    fn new(name: &str) -> Result<Self, VnetError> {
        Ok(Self { name: name.to_owned(), glob: compile_glob(name, name)? })
    }

    fn matches(&self, name: &str) -> bool {
        *name == self.name || self.glob.as_ref().is_some_and(|glob| glob.is_match(name))
    }
}

/// Reads the interfaces of one stack after the other.
struct Reader<'s> {
    session: &'s Session,
    network: Network<'s>,
    known: Option<KnownVnets<'s>>,
    wanted: Vec<Wanted>,
    long: bool,
}

impl<'s> Reader<'s> {
    /// The interfaces of a stack that are wanted, and what keeps others from being known.
    fn read(self: &Arc<Self>, stack: Stack<'s>) -> Interfaces<'s> {
        let mut seen = Vec::new();
        let vnet = stack.vnet();
        let Some(found) = self.network.stack(vnet.map(|vnet| vnet.address)) else {
            let why = "it is destroyed: its list is freed memory";
            let name = vnet.map_or_else(String::new, |vnet| format!(" of {}", vnet.title()));
            let problems = Problem::new(format!("V_ifnet{name}"), why).into();
            return self.answer(Entries::Kept(Arc::default()), problems, false, seen);
        };
        let conditions = self.conditions(found);
        let mut problems = found.list.problems.clone();
        problems.extend(conditions.problems.clone());
        let is_too_long =
            found.list.interfaces.len() > MOST_KEPT && !self.session.memory().is_live();
        let (mut kept, mut count) = (Vec::new(), 0);
        for object in found.list.all() {
            let is_wanted = self.is_wanted(&object, &mut seen);
            count += usize::from(is_wanted);
            if !is_wanted {
                problems.extend(Interface::problems(&object));
            } else if !is_too_long {
                let entry = self.entry(&object, &conditions);
                problems.extend(entry.interface.problems.clone());
                kept.push(entry);
            }
        }
        let entries = match is_too_long {
            true => Entries::Read { by: Arc::clone(self), stack, count },
            false => Entries::Kept(kept.into()),
        };
        self.answer(entries, problems, count > 0, seen)
    }

    /// Calls `f` with each interface of a stack that is wanted, until it returns false.
    fn each(&self, stack: Stack<'s>, mut f: impl FnMut(&Entry) -> bool) {
        let vnet = stack.vnet().map(|vnet| vnet.address);
        let Some(found) = self.network.stack(vnet) else { return };
        let conditions = self.conditions(found);
        let is_wanted = |object: &Object<'_>| self.is_wanted(object, &mut Vec::new());
        let wanted: Vec<Object<'s>> = found.list.all().filter(is_wanted).collect();
        let jobs = parallel::jobs_for(wanted.len());
        let entry = |object: &Object<'s>| self.entry(object, &conditions);
        parallel::for_each(&wanted, jobs, entry, |entry| f(&entry));
    }

    fn conditions<'a>(&'a self, found: &'a StackList<'s>) -> Conditions<'s, 'a> {
        Conditions::of(&found.copies, &found.list, &self.network.shared, self.known.as_ref())
    }

    fn entry(&self, object: &Object<'s>, conditions: &Conditions<'s, '_>) -> Entry {
        let counters = self.session.counters();
        Entry::read(object, &self.network, conditions, self.known.as_ref(), counters)
    }

    /// Whether it has a name that is wanted. What has none may be meant.
    fn is_wanted(&self, object: &Object<'_>, seen: &mut Vec<usize>) -> bool {
        if self.wanted.is_empty() {
            return true;
        }
        let Ok(name) = interfaces::name(object) else { return true };
        let found = self.wanted.iter().enumerate().filter(|(_, wanted)| wanted.matches(&name));
        let before = seen.len();
        seen.extend(found.map(|(place, _)| place));
        seen.len() > before
    }

    fn answer(
        &self,
        entries: Entries<'s>,
        problems: Problems,
        any: bool,
        seen: Vec<usize>,
    ) -> Interfaces<'s> {
        let unknown = !any && !problems.is_empty();
        let (long, later) = (self.long, RefCell::default());
        Interfaces { entries, unknown, long, problems, later, any, seen }
    }
}

impl Interfaces<'_> {
    /// The interfaces, in order of attachment.
    pub fn elements(&self) -> Elements<'_, Entry> {
        Elements::made_twice(|f| match &self.entries {
            Entries::Kept(entries) => {
                let _ = entries.iter().all(f);
            }
            Entries::Read { by, stack, .. } => {
                let mut place = 0;
                by.each(*stack, |entry| {
                    let problems = || entry.interface.problems.clone();
                    self.later.borrow_mut().see(place, problems);
                    place += 1;
                    f(entry)
                });
            }
        })
    }

    /// The table, and below it what is called out.
    fn lay_out_table(&self, page: &mut impl Page) -> io::Result<()> {
        let medium = page.medium();
        let told = RefCell::new(Vec::new());
        let each = |f: &mut dyn FnMut(&Entry) -> bool| {
            told.borrow_mut().clear();
            let _ = self.elements().try_for_each(|entry| {
                if medium == Medium::People && !entry.call_outs.is_empty() {
                    told.borrow_mut().push((entry.title(), entry.call_outs.clone()));
                }
                f(entry).then_some(()).ok_or(())
            });
        };
        page.table(&rows::columns(medium), &Elements::made_twice(each))?;
        call_outs::lay_out(page, told.borrow().iter().map(|(title, told)| (&**title, &**told)))
    }
}

impl Answer for Interfaces<'_> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() != Medium::People || !self.long {
            return self.lay_out_table(page);
        }
        let mut told = Vec::new();
        self.elements().try_for_each(|entry| {
            told.push((entry.title(), entry.call_outs.clone()));
            block::lay_out(page, entry)
        })?;
        call_outs::lay_out(page, told.iter().map(|(title, told)| (&**title, &**told)))
    }

    fn problems(&self) -> Problems {
        let mut problems = self.problems.clone();
        problems.extend(self.later.borrow().problems.clone());
        problems
    }

    fn tells_later(&self) -> bool {
        matches!(self.entries, Entries::Read { count, .. } if !self.later.borrow().has_seen(count))
    }

    fn unreadable(&self) -> usize {
        let mut count = 0;
        self.elements().for_each(|entry| count += usize::from(entry.is_unreadable()));
        count
    }
}

impl Serialize for Interfaces<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let interfaces = (!self.unknown).then(|| self.elements());
        map.serialize_entry("interfaces", &interfaces)?;
        map.end()
    }
}
