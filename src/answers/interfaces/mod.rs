//! `interfaces`: the interfaces of the chosen vnets.

mod block;
mod entry;
mod json;
mod rows;

use std::io;
use std::sync::Arc;

use globset::GlobMatcher;
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Answer, Chosen, Elements, Medium, Page, PerVnet, Remark, call_outs};
use crate::error::Error;
use crate::parallel;
use crate::session::Session;
use crate::views::interfaces::Conditions;
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
    let mut problems = Problems::default();
    let mut answers = Vec::new();
    let network = session.network()?;
    let known = session.known_vnets()?;
    let read = |stack: &Stack<'_>| Entries::read(session, *stack, &network, known.as_ref());
    parallel::for_each(&chosen.stacks, parallel::processors(), read, |mut entries| {
        entries.all.retain(|entry| {
            let Ok(name) = &entry.interface.name else { return true };
            let mut matches = wanted.is_empty();
            for (wanted, seen) in wanted.iter().zip(&mut seen) {
                let found = wanted.matches(name);
                (matches, *seen) = (matches || found, *seen || found);
            }
            matches
        });
        let unknown = entries.all.is_empty() && !entries.problems.is_empty();
        problems.extend(entries.problems);
        answers.push(Interfaces { interfaces: entries.all.into(), unknown, long });
        true
    });
    let missed = names.iter().zip(&seen).filter(|(_, seen)| !**seen).map(|(name, _)| &**name);
    let missed: Vec<&str> = missed.collect();
    let none = answers.iter().all(|answer| answer.interfaces.is_empty());
    let nothing = none.then(|| nothing(&missed, &problems));
    let mut remarks = Vec::new();
    if !none {
        remarks.extend(missed.iter().map(|name| Remark::Warning(no_such(name, &problems))));
    }
    Ok(PerVnet { problems, remarks, nothing, ..PerVnet::kept(chosen, answers) })
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

/// The interfaces of one stack, with what keeps others from being known.
struct Entries {
    all: Vec<Entry>,
    problems: Problems,
}

impl Entries {
    fn read(
        session: &Session,
        stack: Stack<'_>,
        network: &Network<'_>,
        vnets: Option<&KnownVnets<'_>>,
    ) -> Self {
        let Some(found) = network.stack(stack.vnet().map(|vnet| vnet.address)) else {
            let why = "it is destroyed: its list is freed memory";
            let name =
                stack.vnet().map_or_else(String::new, |vnet| format!(" of {}", vnet.title()));
            let problems = Problem::new(format!("V_ifnet{name}"), why).into();
            return Self { all: Vec::new(), problems };
        };
        let conditions = Conditions::of(&found.copies, &found.list, &network.shared, vnets);
        let mut problems = found.list.problems.clone();
        problems.extend(conditions.problems.clone());
        let counters = session.counters();
        let read = |object| Entry::read(&object, network, &conditions, vnets, counters);
        let all: Vec<Entry> = found.list.all().map(read).collect();
        for entry in &all {
            problems.extend(entry.interface.problems.clone());
        }
        Self { all, problems }
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
