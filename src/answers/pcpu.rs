//! `pcpu`: the DPCPU variables of the chosen CPUs, with their values.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::variables::{Copies, Described, Variable, columns, described, untyped_modules};
use super::{Answer, Cell, Column, Elements, List, Medium, Page, Remark, Row};
use crate::error::Error;
use crate::kernel::LinkerSet;
use crate::session::{CopyOf, Matches, Session};
use crate::value::{Format, Limits, ValueReader};
use crate::views::cpus::Cpu;
use crate::walk::Problems;

/// Which CPUs a question is asked of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Where the crashing thread ran; if that is unknown, CPU 0.
    Default,
    /// Those with these ids, in this order, each once.
    Ids(Vec<u64>),
    /// All that exist.
    All,
}

/// The variables of each of the chosen CPUs.
pub struct OfCpus<'s> {
    /// The CPUs, in the order in which they are asked.
    pub cpus: Vec<&'s Cpu>,
    /// Every CPU was asked for, even if there is only one.
    pub all: bool,
    /// Which CPU was chosen by default, and why; `None` if the user chose.
    pub default: Option<String>,
    session: &'s Session,
    reader: Rc<ValueReader<'s>>,
    described: Arc<[Arc<Described>]>,
    problems: Problems,
    remarks: Vec<Remark>,
    missed: Vec<Error>,
}

/// The variables that match the patterns, or all, on each of the chosen CPUs. Of their values, as
/// much as `limits` allows is read.
///
/// # Errors
/// The kernel is not the dump's, or has no DPCPU variables; there is no such CPU. A pattern that
/// matches none is [reported with the answer](Answer::take_missed).
pub fn pcpu<'s>(
    session: &'s Session,
    which: &Which,
    patterns: &[String],
    limits: &Limits,
) -> Result<OfCpus<'s>, Error> {
    let Matches { variables, missed, mut problems } =
        session.matches_in(LinkerSet::Pcpu, patterns)?;
    let known = session.cpus()?;
    let mut default = None;
    let cpus: Vec<&Cpu> = match which {
        Which::All if known.all.is_empty() => vec![session.default_cpu()?.cpu],
        Which::All => known.all.iter().collect(),
        Which::Ids(ids) => {
            let mut known = BTreeSet::new();
            let once = ids.iter().filter(|id| known.insert(**id));
            once.map(|id| session.cpu(*id)).collect::<Result<_, _>>()?
        }
        Which::Default => {
            let chosen = session.default_cpu()?;
            default = Some(chosen.title);
            vec![chosen.cpu]
        }
    };
    problems.extend(known.problems.clone());
    cpus.iter().filter_map(|cpu| cpu.doubt.clone()).for_each(|doubt| problems.add(doubt));
    Ok(OfCpus {
        remarks: untyped_modules(session, &variables)?,
        described: described(session, variables).into(),
        reader: Rc::new(session.reader(limits).for_people(Format::default())),
        missed: missed.into_iter().map(Error::from).collect(),
        all: *which == Which::All,
        cpus,
        default,
        session,
        problems,
    })
}

impl<'s> OfCpus<'s> {
    /// The variables of one of the CPUs.
    pub fn variables(&self, cpu: &'s Cpu) -> List<'s, Variable<'s>> {
        self.copies(vec![CopyOf::Cpu(cpu)]).list()
    }

    fn copies(&self, copies: Vec<CopyOf<'s>>) -> Copies<'s> {
        let (session, reader, all) = (self.session, self.reader.clone(), self.described.clone());
        Copies { copies, session, reader, all }
    }

    /// The one CPU that the answer is about; `None` if it may be about several.
    fn only(&self) -> Option<&'s Cpu> {
        match (&self.cpus[..], self.all) {
            ([only], false) => Some(only),
            _ => None,
        }
    }

    /// A row for each variable and CPU.
    fn rows(&self) -> Elements<'s, OnCpu<'s>> {
        let copies = self.copies(self.cpus.iter().map(|cpu| CopyOf::Cpu(cpu)).collect());
        let outlined = copies.clone();
        let each = move |f: &mut dyn FnMut(&OnCpu<'s>) -> bool| {
            for variable in copies.variables() {
                if !f(&OnCpu::from(variable)) {
                    return;
                }
            }
        };
        Elements::made(each, move |f| {
            outlined.variables().for_each(|variable| f(OnCpu::from(variable).outline()));
        })
    }
}

impl Answer for OfCpus<'_> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        match self.only() {
            Some(only) if page.medium() != Medium::Lines => self.variables(only).lay_out(page),
            _ => {
                let cpu = [Column::right("CPU")];
                let columns: Vec<Column> = cpu.into_iter().chain(columns()).collect();
                page.table(&columns, &self.rows())
            }
        }
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn take_missed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.missed)
    }

    fn nothing(&self) -> Option<String> {
        self.described.is_empty().then(|| "no variable matches".to_owned())
    }

    fn unreadable(&self) -> usize {
        self.cpus.iter().map(|cpu| self.variables(cpu).unreadable()).sum()
    }
}

/// The variables of the CPU, or an array if several were asked for.
impl Serialize for OfCpus<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(only) = self.only() {
            return About { cpu: only.id, what: self.variables(only) }.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("cpus", &Each(self))?;
        map.end()
    }
}

struct Each<'a, 's>(&'a OfCpus<'s>);

impl Serialize for Each<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.cpus.len()))?;
        for cpu in &self.0.cpus {
            seq.serialize_element(&About { cpu: cpu.id, what: self.0.variables(cpu) })?;
        }
        seq.end()
    }
}

/// What is about one CPU.
#[derive(Serialize)]
struct About<T> {
    cpu: u64,
    #[serde(flatten)]
    what: T,
}

/// A variable on one of several CPUs.
#[derive(Serialize)]
struct OnCpu<'s> {
    cpu: u64,
    #[serde(flatten)]
    variable: Variable<'s>,
}

impl<'s> From<Variable<'s>> for OnCpu<'s> {
    fn from(variable: Variable<'s>) -> Self {
        let cpu = match variable.copy {
            CopyOf::Cpu(cpu) => cpu.id,
            CopyOf::Stack(_) => 0,
        };
        Self { cpu, variable }
    }
}

impl OnCpu<'_> {
    fn outline(&self) -> Vec<Cell<'_>> {
        [Cell::from(self.cpu)].into_iter().chain(self.variable.outline()).collect()
    }
}

impl Row for OnCpu<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let mut row = self.outline();
        row.push(Cell::Value(Cow::Owned(self.variable.value())));
        vec![row]
    }
}
