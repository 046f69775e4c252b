//! Which dumps are the same crash.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{NO_DUMP, Triaged};
use crate::answers::date::utc;
use crate::answers::{Cell, Column, Element, List, Medium, Remark, Row};

/// Dumps with the same signature, or with none and the same error; or one with neither.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// What they have in common; `None` if nothing is known of the crash.
    pub signature: Option<String>,
    /// How many there are.
    pub count: usize,
    /// The panic message of the first.
    pub panic: Option<String>,
    /// The functions that were running, innermost first.
    pub stack: Vec<String>,
    /// When the first of them was written, in seconds since 1970-01-01 UTC.
    pub first: Option<u64>,
    /// When the last of them was written.
    pub last: Option<u64>,
    /// The machines, sorted.
    pub hosts: Vec<String>,
    /// The dumps, in the order of the question.
    pub dumps: Vec<String>,
    /// Why they could not be read, if nothing is known of the crash.
    pub error: Option<String>,
}

/// The groups of these dumps, the largest first; last the dumps of which nothing is known.
pub(super) fn of(dumps: &[Triaged]) -> List<'static, Group> {
    let mut groups: BTreeMap<_, Vec<&Triaged>> = BTreeMap::new();
    for (place, dump) in dumps.iter().enumerate() {
        let signature = dump.signature.as_deref();
        let error = dump.error.as_deref().filter(|_| signature.is_none());
        // Dumps of which neither is known have nothing in common.
        let own = (signature.is_none() && error.is_none()).then_some(place);
        groups.entry((signature, error, own)).or_default().push(dump);
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|((_, error, _), dumps)| Group::of(error, &dumps)).collect();
    groups.sort_by_key(|group| (group.signature.is_none(), std::cmp::Reverse(group.count)));
    let remarks = by_message_alone(dumps).into_iter().collect();
    List { remarks, ..List::new(columns(), groups).or_nothing(|| NO_DUMP.to_owned()) }
}

/// Different crashes may have the same message, as page faults have.
fn by_message_alone(dumps: &[Triaged]) -> Option<Remark> {
    let alone = dumps.iter().filter(|dump| dump.signature.is_some() && dump.stack.is_empty());
    let count = alone.count();
    let dumps = if count == 1 { "dump is" } else { "dumps are" };
    (count > 0).then(|| {
        Remark::Warning(format!(
            "{count} {dumps} grouped by the panic message alone, because no function is known; triage without --group shows why"
        ))
    })
}

impl Group {
    fn of(error: Option<&str>, dumps: &[&Triaged]) -> Self {
        let times = || dumps.iter().filter_map(|dump| dump.time);
        let mut hosts: Vec<String> = dumps.iter().filter_map(|dump| dump.host.clone()).collect();
        hosts.sort();
        hosts.dedup();
        let first = dumps.first();
        Self {
            signature: first.and_then(|dump| dump.signature.clone()),
            count: dumps.len(),
            panic: first.and_then(|dump| dump.panic.clone()),
            stack: first.map(|dump| dump.stack.clone()).unwrap_or_default(),
            first: times().min(),
            last: times().max(),
            hosts,
            dumps: dumps.iter().map(|dump| dump.dump.clone()).collect(),
            error: error.map(str::to_owned),
        }
    }

    /// The first of its dumps, and how many others there are.
    fn example(&self) -> Option<String> {
        let first = self.dumps.first()?;
        Some(match self.count.saturating_sub(1) {
            0 => first.clone(),
            others => format!("{first} and {others} more"),
        })
    }
}

fn columns() -> Vec<Column> {
    let titles = ["SIGNATURE", "FUNCTION", "FIRST", "LAST", "HOSTS", "DUMPS", "PANIC"];
    std::iter::once(Column::right("COUNT")).chain(titles.map(Column::left)).collect()
}

impl Row for Group {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        let is_for_people = medium == Medium::People;
        let hosts = match (&self.hosts[..], is_for_people) {
            ([], _) => None,
            ([host], _) => Some(host.clone()),
            (hosts, true) => Some(format!("{} hosts", hosts.len())),
            (hosts, false) => Some(hosts.join(",")),
        };
        let dumps = if is_for_people { self.example() } else { Some(self.dumps.join(",")) };
        let error = || self.error.as_ref().map(|error| format!("error: {error}"));
        vec![vec![
            self.count.into(),
            self.signature.as_deref().into(),
            self.stack.first().map(String::as_str).into(),
            self.first.map(utc).into(),
            self.last.map(utc).into(),
            hosts.into(),
            dumps.into(),
            self.panic.clone().or_else(error).into(),
        ]]
    }
}

impl Element for Group {
    const ARRAY: &'static str = "groups";
}
