//! `interfaces`: the interfaces of the chosen vnets.

mod block;
mod entry;
mod json;
mod rows;

use std::io;
use std::sync::Arc;

use globset::GlobMatcher;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::per_vnet::Pass;
use super::{Answer, Chosen, Elements, Medium, Page, PerVnet, Remark, call_outs};
use crate::error::Error;
use crate::session::Session;
use crate::value::Object;
use crate::views::interfaces::{self, Conditions, Interface};
use crate::views::known_vnets::KnownVnets;
use crate::views::wiring::Network;
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
#[derive(Debug, Clone)]
pub struct Interfaces {
    /// In order of attachment.
    pub interfaces: Arc<[Entry]>,
    /// The list could not be read, and its interfaces are unknown.
    pub unknown: bool,
    long: bool,
    /// What keeps others from being known.
    problems: Problems,
    /// Whether any was asked for, also before they are read.
    any: bool,
    /// The names that were asked for and that it has, by their places in the question.
    seen: Vec<usize>,
}

/// The interfaces of each of the chosen vnets.
///
/// # Errors
/// The kernel has no debug information, or a name is not a valid pattern.
pub fn interfaces<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    question: Question<'_>,
) -> Result<PerVnet<'s, Interfaces>, Error> {
    let Question { names, long } = question;
    let wanted = names.iter().map(|name| Wanted::new(name)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = vec![false; wanted.len()];
    let mut any = false;
    let reader = Reader {
        session,
        network: session.network()?,
        known: session.known_vnets()?,
        wanted,
        long,
    };
    let ask = move |stack, pass| Ok(reader.read(stack, pass));
    let answer = PerVnet::looked_through(session, chosen, ask, |found| {
        any |= found.any;
        for place in &found.seen {
            seen.get_mut(*place).into_iter().for_each(|seen| *seen = true);
        }
    })?;
    let missed = names.iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(name, _)| &**name);
    let missed: Vec<&str> = missed.collect();
    let nothing = (!any).then(|| nothing(&missed, &answer.problems));
    let mut remarks = Vec::new();
    if any {
        let warning = |name: &&str| Remark::Warning(no_such(name, &answer.problems));
        remarks.extend(missed.iter().map(warning));
    }
    Ok(PerVnet { remarks, nothing, ..answer })
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
    /// The interfaces of a stack that are wanted. A first look reads of them what keeps others from
    /// being known.
    fn read(&self, stack: Stack<'_>, pass: Pass) -> Interfaces {
        let mut seen = Vec::new();
        let vnet = stack.vnet();
        let Some(found) = self.network.stack(vnet.map(|vnet| vnet.address)) else {
            let why = "it is destroyed: its list is freed memory";
            let name = vnet.map_or_else(String::new, |vnet| format!(" of {}", vnet.title()));
            let problems = Problem::new(format!("V_ifnet{name}"), why).into();
            return self.answer(Vec::new(), problems, false, seen);
        };
        let vnets = self.known.as_ref();
        let conditions = Conditions::of(&found.copies, &found.list, &self.network.shared, vnets);
        let mut problems = found.list.problems.clone();
        problems.extend(conditions.problems.clone());
        let (mut entries, mut any) = (Vec::new(), false);
        for object in found.list.all() {
            let is_wanted = self.is_wanted(&object, &mut seen);
            any |= is_wanted;
            match pass {
                Pass::Look => problems.extend(Interface::problems(&object)),
                Pass::Show => {
                    let counters = self.session.counters();
                    let entry = Entry::read(&object, &self.network, &conditions, vnets, counters);
                    problems.extend(entry.interface.problems.clone());
                    entries.extend(is_wanted.then_some(entry));
                }
            }
        }
        self.answer(entries, problems, any, seen)
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
        entries: Vec<Entry>,
        problems: Problems,
        any: bool,
        seen: Vec<usize>,
    ) -> Interfaces {
        let unknown = !any && !problems.is_empty();
        Interfaces { interfaces: entries.into(), unknown, long: self.long, problems, any, seen }
    }
}

impl Answer for Interfaces {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let people = page.medium() == Medium::People;
        if people && self.long {
            self.interfaces.iter().try_for_each(|entry| block::lay_out(page, entry))?;
        } else {
            let entries: Vec<&Entry> = self.interfaces.iter().collect();
            page.table(&rows::columns(page.medium()), &Elements::from(entries))?;
        }
        if !people {
            return Ok(());
        }
        let titles: Vec<String> = self.interfaces.iter().map(Entry::title).collect();
        let named = titles.iter().zip(self.interfaces.iter());
        call_outs::lay_out(page, named.map(|(title, entry)| (&**title, &*entry.call_outs)))
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn unreadable(&self) -> usize {
        self.interfaces.iter().filter(|entry| entry.is_unreadable()).count()
    }
}

impl Serialize for Interfaces {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let interfaces = Some(&*self.interfaces).filter(|_| !self.unknown);
        map.serialize_entry("interfaces", &interfaces)?;
        map.end()
    }
}
