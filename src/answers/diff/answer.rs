//! What differs in one vnet, as an answer.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::element::{self, Changed, Difference, Place, Unknown};
use super::matched::Matched;
use super::partner::Partner;
use crate::answers::variables::Described;
use crate::answers::{Answer, Elements, Page, Remark};
use crate::session::Session;
use crate::views::diff::{Comparison, Finding, Findings, Folded, InitialValues, Origin, What};
use crate::vnet::{Stack, Vnet, VnetRef};

/// What differs in one vnet. Its parts are compared when they are asked for.
#[derive(Clone)]
pub struct Diff<'s>(Rc<Inner<'s>>);

struct Inner<'s> {
    compared: Compared<'s>,
    summary: OnceCell<Summary>,
}

/// What is compared with what.
pub struct Compared<'s> {
    pub session: &'s Session,
    pub stack: Stack<'s>,
    pub old: Baseline<'s>,
    pub matched: Rc<Matched>,
    pub all: bool,
}

/// What a vnet is compared with.
pub enum Baseline<'s> {
    Initial(Rc<InitialValues<'s>>),
    Stack(Partner<'s>),
}

/// Everything about the comparison but the differences themselves.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many parts differ, each range of elements counted once.
    pub differences: usize,
    /// What cannot be read or not be compared.
    pub unknown: Vec<Unknown>,
    /// What the two kernels declare differently.
    pub changed: Vec<Changed>,
    /// What was left out, by kind.
    pub folded: Folded,
    /// How many variables were compared.
    pub compared: usize,
    /// Where the initial values of how many variables of which module come from.
    pub origins: BTreeMap<(Box<str>, Origin), usize>,
}

impl<'s> Diff<'s> {
    pub(super) fn new(compared: Compared<'s>) -> Self {
        Self(Rc::new(Inner { compared, summary: OnceCell::new() }))
    }

    /// The differences, one after the other.
    #[must_use]
    pub fn differences(&self) -> Elements<'s, Difference> {
        let inner = Rc::clone(&self.0);
        Elements::made_twice(move |f| inner.each_difference(f))
    }

    /// Everything else about the comparison.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        self.0.summary.get_or_init(|| self.0.summarise())
    }

    /// The sides that have no copies of the variables: the vnet if it is of the other side, and
    /// why.
    pub(super) fn without_copies(&self) -> Vec<(Option<&'s Vnet>, &'static str)> {
        let Compared { session, stack, old, .. } = &self.0.compared;
        let mut found = Vec::new();
        found.extend(missing(session, *stack).map(|why| (None, why)));
        if let Baseline::Stack(Partner { session, stack, .. }) = old {
            found.extend(missing(session, *stack).map(|why| (stack.vnet(), why)));
        }
        found
    }

    /// Whether nothing can be compared.
    fn is_unknown(&self) -> bool {
        !self.without_copies().is_empty()
    }

    /// Says where the initial values come from.
    pub(super) fn origins_remark(&self) -> Option<Remark> {
        let origins = &self.summary().origins;
        if origins.is_empty() {
            return None;
        }
        let mut told: Vec<(String, usize)> = Vec::new();
        let is_kernel = |of: &&(&(Box<str>, Origin), &usize)| &*of.0.0 == "kernel";
        let (kernel, modules) = origins.iter().partition::<Vec<_>, _>(|of| is_kernel(&of));
        for ((module, origin), count) in kernel.into_iter().chain(modules) {
            let title = origin.title(module);
            match told.iter_mut().find(|(known, _)| *known == title) {
                Some((_, total)) => *total += count,
                None => told.push((title, *count)),
            }
        }
        let told = told.iter().map(|(title, count)| {
            let plural = if *count == 1 { "variable" } else { "variables" };
            format!("{title} ({count} {plural})")
        });
        let told = told.collect::<Vec<_>>().join(", ");
        Some(Remark::Note(format!("compared with the initial values in {told}")))
    }
}

/// Why a stack has no copies.
fn missing(session: &Session, stack: Stack<'_>) -> Option<&'static str> {
    let set = session.kernel().set_vnet()?;
    stack.copy_of(session.target(), set.start).err()
}

/// Takes what is found about a variable; false if that is enough.
type OfVariable<'f> = dyn FnMut(&Arc<Described>, Findings, Option<Origin>) -> bool + 'f;

impl<'s> Inner<'s> {
    /// Calls `f` with what is found about each variable, until it returns false.
    fn each(&self, f: &mut OfVariable<'_>) {
        let Compared { session, stack, old, matched, all } = &self.compared;
        let partner = match old {
            Baseline::Initial(_) => None,
            Baseline::Stack(partner) => Some(partner),
        };
        let no_copies = missing(session, *stack).is_some()
            || partner.is_some_and(|other| missing(other.session, other.stack).is_some());
        if no_copies {
            return;
        }
        let new = session.side(*stack);
        let old = match old {
            Baseline::Initial(values) => session.initial_side(values),
            Baseline::Stack(Partner { session, stack, .. }) => session.side(*stack),
        };
        let comparison = Comparison::new(&old, &new, *all);
        for (variable, named) in &matched.both {
            let (findings, origin) = comparison.variable(variable, &named.variable);
            if !f(named, findings, origin) {
                return;
            }
        }
    }

    fn each_difference(&self, f: &mut dyn FnMut(&Difference) -> bool) {
        let with_kind = self.compared.all;
        self.each(&mut |named, findings, _| {
            findings.list.into_iter().all(|finding| {
                let place = place(named, &finding);
                match finding.what {
                    What::Differs { old, new, folded } => {
                        f(&Difference { place, old, new, folded, with_kind })
                    }
                    What::Unknown { .. } | What::Changed(_) => true,
                }
            })
        });
    }

    fn summarise(&self) -> Summary {
        let mut summary = Summary::default();
        let with_kind = self.compared.all;
        self.each(&mut |named, findings, origin| {
            summary.compared += 1;
            summary.folded.extend(&findings.folded);
            if let Some(origin) = origin {
                let of = (named.variable.module.clone(), origin);
                *summary.origins.entry(of).or_default() += 1;
            }
            for finding in findings.list {
                let place = place(named, &finding);
                match finding.what {
                    What::Differs { .. } => summary.differences += 1,
                    What::Unknown { side, why } => {
                        summary.unknown.push(Unknown { place, side, why });
                    }
                    What::Changed(change) => {
                        summary.changed.push(Changed { place, change, with_kind });
                    }
                }
            }
            true
        });
        let single = self.compared.matched.single.iter().map(|(named, change)| {
            let type_name = named.type_name.as_deref().unwrap_or_default().into();
            let place = Place { of: Arc::clone(named), path: "".into(), type_name, address: None };
            Changed { place, change: change.clone(), with_kind }
        });
        summary.changed.extend(single);
        summary
    }
}

fn place(named: &Arc<Described>, finding: &Finding) -> Place {
    Place {
        of: Arc::clone(named),
        path: finding.path.as_str().into(),
        type_name: finding.type_name.clone(),
        address: finding.address,
    }
}

impl Answer for Diff<'_> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let summary = self.summary();
        let columns = element::columns(self.0.compared.all);
        for (_, why) in self.without_copies() {
            page.line(&format!("unknown: {why}"))?;
        }
        if self.is_unknown() {
            return Ok(());
        }
        if summary.differences > 0 {
            page.table(&columns, &self.differences())?;
        } else {
            page.line(if summary.changed.is_empty() {
                "nothing differs"
            } else {
                "no value differs"
            })?;
        }
        if !summary.changed.is_empty() {
            page.title("On one side only, or declared differently")?;
            page.table(&columns, &Elements::from(summary.changed.iter().collect::<Vec<_>>()))?;
        }
        if !summary.unknown.is_empty() {
            page.title("Unknown")?;
            page.table(
                &element::unknown_columns(),
                &Elements::from(summary.unknown.iter().collect::<Vec<_>>()),
            )?;
        }
        if !summary.folded.is_empty() {
            page.line(&format!("left out: {}", summary.folded))?;
        }
        Ok(())
    }

    fn found(&self) -> bool {
        self.summary().differences > 0 || !self.summary().changed.is_empty()
    }

    fn unreadable(&self) -> usize {
        self.summary().unknown.len()
    }
}

impl Serialize for Diff<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("against", &self.against())?;
        let known = Some(self.differences()).filter(|_| !self.is_unknown());
        map.serialize_entry("differences", &known)?;
        let summary = self.summary();
        map.serialize_entry("changed", &summary.changed)?;
        map.serialize_entry("unknown", &summary.unknown)?;
        map.serialize_entry("folded", &summary.folded)?;
        map.serialize_entry("compared", &summary.compared)?;
        map.end()
    }
}

/// What it is compared with, in JSON.
#[derive(serde::Serialize)]
struct AgainstWhat {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    core: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vnet: Option<VnetRef>,
    variables: usize,
}

impl Diff<'_> {
    fn against(&self) -> Vec<AgainstWhat> {
        let summary = self.summary();
        match &self.0.compared.old {
            Baseline::Initial(_) => {
                let origins = summary.origins.iter();
                let told = origins.map(|((module, origin), variables)| AgainstWhat {
                    kind: origin.name(),
                    module: Some(module.clone()),
                    core: None,
                    vnet: None,
                    variables: *variables,
                });
                told.collect()
            }
            Baseline::Stack(partner) => {
                let other = partner.is_of_other_dump();
                let core = other.then(|| partner.session.core_path().display().to_string());
                vec![AgainstWhat {
                    kind: if other { "core" } else { "vnet" },
                    module: None,
                    core,
                    vnet: partner.stack.vnet().map(VnetRef::from),
                    variables: summary.compared,
                }]
            }
        }
    }
}
