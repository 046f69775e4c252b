//! `counters`: the per-CPU counters of the chosen vnets, summed.

use std::sync::Arc;

use serde::Serialize;

use super::{Cell, Chosen, Column, Element, List, Medium, PerVnet, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::Session;
use crate::session::counters::CounterMatches;
use crate::value::counter::CpuSlot;
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::counters::{CounterSums, CounterVariable};
use crate::vnet::Stack;

/// The counters of a variable in a vnet.
#[derive(Debug, Clone, Serialize)]
pub struct Counters {
    /// The variable, without `V_`: `ipstat`.
    pub name: Box<str>,
    /// The struct that names the counters, otherwise the variable's own type.
    #[serde(rename = "type")]
    pub type_name: Box<str>,
    /// `None` where the vnet has no copy.
    pub address: Option<VirtAddr>,
    /// The file that defines the variable: `netinet/ip_input.c`.
    pub file: Option<Box<str>>,
    /// In the order in which they lie in the variable.
    pub members: Vec<Counter>,
    /// The CPUs that have columns.
    #[serde(skip)]
    columns: Arc<[u64]>,
}

/// One counter.
#[derive(Debug, Clone, Serialize)]
pub struct Counter {
    /// The member of the statistics struct, or the index: `ips_total`, `[3]`.
    pub name: Box<str>,
    /// The sum over all CPUs, modulo 2^64.
    #[serde(serialize_with = "or_error")]
    pub value: Result<u64, ValueError>,
    /// Each CPU's share, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Vec<Cpu>>,
}

/// What one CPU has counted.
#[derive(Debug, Clone, Serialize)]
pub struct Cpu {
    /// The CPU's id in the kernel.
    pub cpu: u64,
    /// Its share of the sum, modulo 2^64.
    #[serde(serialize_with = "or_error")]
    pub value: Result<u64, ValueError>,
}

/// Selects counters.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Names of variables; empty means all.
    pub patterns: &'a [String],
    /// Pairs of a variable and the struct that names its counters.
    pub types: &'a [(String, String)],
    /// Also show each CPU's share.
    pub per_cpu: bool,
}

/// The counters of each of the chosen vnets.
///
/// # Errors
/// As [`Session::counter_matches`].
pub fn counters<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    question: Question<'_>,
) -> Result<PerVnet<'s, List<'s, Counters>>, Error> {
    let CounterMatches { variables, missed, problems } =
        session.counter_matches(question.patterns, question.types)?;
    let nothing = variables.is_empty().then(|| "no variable has counters".to_owned());
    let per_cpu = question.per_cpu;
    let cpus: Arc<[u64]> = if per_cpu { session.counters().cpus().into() } else { Arc::default() };
    let of_vnet = move |stack: Stack<'s>| {
        let of = |variable: &CounterVariable| {
            let sums = session.counter_sums(stack, variable);
            Counters::new(variable, sums, per_cpu, &cpus)
        };
        let counters: Vec<Counters> = variables.iter().map(of).collect();
        List::new(columns(&cpus), counters)
    };
    let missed = missed.into_iter().map(Error::from).collect();
    Ok(PerVnet { problems, missed, nothing, ..PerVnet::new(chosen, of_vnet) })
}

impl Counters {
    fn new(
        variable: &CounterVariable,
        sums: CounterSums,
        cpus: bool,
        columns: &Arc<[u64]>,
    ) -> Self {
        let members = variable.places.iter().zip(sums.members);
        let members = members.map(|(place, sum)| Counter {
            name: place.name.clone(),
            value: sum.value,
            cpus: cpus.then(|| sum.cpus.into_iter().map(Cpu::from).collect()),
        });
        Self {
            name: variable.variable.name.clone(),
            type_name: variable.type_name.clone(),
            address: sums.address,
            file: variable.variable.file.clone(),
            members: members.collect(),
            columns: Arc::clone(columns),
        }
    }

    /// The reason why no counter has a sum, if all have the same.
    fn common_error(&self) -> Option<&ValueError> {
        let (first, rest) = self.members.split_first()?;
        let why = first.value.as_ref().err()?;
        let same = |member: &Counter| member.value.as_ref().err() == Some(why);
        (!rest.is_empty() && rest.iter().all(same)).then_some(why)
    }

    fn row<'a>(&'a self, name: &'a str, cpus: &'a [Cpu], sum: Cell<'a>) -> Vec<Cell<'a>> {
        let slot = |cpu: &u64| {
            let slot = cpus.iter().find(|slot| slot.cpu == *cpu);
            slot.map_or(Cell::Nothing, |slot| number(&slot.value))
        };
        let start = [(&*self.name).into(), name.into()];
        start.into_iter().chain(self.columns.iter().map(slot)).chain([sum]).collect()
    }
}

impl From<CpuSlot> for Cpu {
    fn from(CpuSlot { cpu, value }: CpuSlot) -> Self {
        Self { cpu, value }
    }
}

impl Element for Counters {
    const ARRAY: &'static str = "counters";

    fn unreadable(&self) -> usize {
        self.members.iter().filter(|member| member.value.is_err()).count()
    }
}

/// One row per counter: variable, counter, the CPUs' shares, the sum. For people, one for all of a
/// variable that are missing for the same reason.
impl Row for Counters {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        match self.common_error() {
            Some(why) if medium == Medium::People => {
                vec![self.row("(all)", &[], Cell::Error(why))]
            }
            _ => {
                let rows = self.members.iter().map(|member| {
                    let cpus = member.cpus.as_deref().unwrap_or_default();
                    self.row(&member.name, cpus, number(&member.value))
                });
                rows.collect()
            }
        }
    }
}

fn number(number: &Result<u64, ValueError>) -> Cell<'_> {
    Cell::read(number, |number| (*number).into())
}

fn columns(cpus: &[u64]) -> Vec<Column> {
    let cpus = cpus.iter().map(|cpu| Column::right(format!("CPU {cpu}")));
    let start = [Column::left("NAME"), Column::left("COUNTER")];
    start.into_iter().chain(cpus).chain([Column::right("SUM")]).collect()
}
