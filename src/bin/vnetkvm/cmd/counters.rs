//! `counters`: the per-CPU counters of the chosen vnets, summed.

use std::borrow::Cow;

use serde::Serialize;
use vnetkvm::render::c;
use vnetkvm::render::json::JsonCounters;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::session::counters::CounterMatches;
use vnetkvm::value::model::ValueError;
use vnetkvm::views::counters::{CounterSums, CounterVariable, MemberSum};
use vnetkvm::vnet::Vnet;

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::{self, Outcome};
use crate::output::Output;

/// What the command line asks for.
pub struct Request<'a> {
    pub patterns: &'a [String],
    pub per_cpu: bool,
    /// Variables and the structs that name their counters.
    pub types: &'a [(String, String)],
}

pub fn run(cli: &Cli, request: &Request<'_>) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let found = session.counter_matches(request.patterns, request.types).map_err(|why| {
        context::without_vimage(why, "name those to sum up: `vnetkvm counters ipstat tcpstat`")
    });
    let CounterMatches { variables, missed, problems } = found?;
    let mut output = Output::new(&cli.output);
    output.problems(&problems);
    exit::report_missed(missed, !variables.is_empty())?;
    let stacks = context::chosen(cli, session, &mut output)?;
    let mut listings = Vec::with_capacity(stacks.len());
    for stack in stacks {
        let sums = variables.iter().map(|variable| session.counter_sums(stack, variable));
        let sums: Vec<CounterSums> = sums.collect();
        let errors =
            sums.iter().flat_map(|sums| &sums.members).filter_map(|m| m.value.as_ref().err());
        output.count_errors(errors.count());
        listings.push(Listing {
            vnet: stack.vnet(),
            variables: &variables,
            sums,
            per_cpu: request.per_cpu,
        });
    }
    let all = cli.vnet.all_vnets;
    let cpus = if request.per_cpu { session.counters().cpus() } else { &[] };
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                counters: Vec<JsonCounters<'a>>,
            }
            let parts = listings.iter().map(|one| (one.vnet, Body { counters: one.json() }));
            output.vnet_documents(parts, all)?;
        }
        Format::Jsonl => {
            for listing in &listings {
                listing.json().iter().try_for_each(|one| output.vnet_line(listing.vnet, one))?;
            }
        }
        Format::Table => {
            for listing in &listings {
                if listings.len() > 1 {
                    output.vnet_title(listing.vnet)?;
                }
                let mut table = Table::with_titles(columns(cpus));
                listing.rows(cpus, true).for_each(|row| table.row(row));
                output.table(table)?;
            }
        }
        Format::Plain => {
            let mut table = Table::with_titles(columns(cpus));
            for listing in &listings {
                let which = listing.vnet.filter(|_| all).map(context::short_title);
                let rows = listing.rows(cpus, false);
                rows.for_each(|row| table.row(which.clone().into_iter().chain(row)));
            }
            output.table(table)?;
        }
    }
    output.finish(Outcome::of(!variables.is_empty(), "no variable has counters"))
}

/// The counters of one vnet.
struct Listing<'a> {
    vnet: Option<&'a Vnet>,
    variables: &'a [CounterVariable],
    sums: Vec<CounterSums>,
    per_cpu: bool,
}

impl Listing<'_> {
    fn json(&self) -> Vec<JsonCounters<'_>> {
        let parts = self.variables.iter().zip(&self.sums);
        parts.map(|(variable, sums)| JsonCounters::new(variable, sums, self.per_cpu)).collect()
    }

    /// One row a counter: variable, counter, the CPUs', the sum. If `brief`, one for
    /// all of a variable that are missing for the same reason.
    fn rows(&self, cpus: &[u64], brief: bool) -> impl Iterator<Item = Vec<String>> {
        let parts = self.variables.iter().zip(&self.sums);
        parts.flat_map(move |(variable, sums)| {
            let name = &variable.variable.name;
            let why = common_error(&sums.members).filter(|_| brief);
            let all = why.map(|why| {
                row(name, "(all)", &MemberSum { value: Err(why.clone()), cpus: Vec::new() }, cpus)
            });
            let each = variable.places.iter().zip(&sums.members).filter(|_| why.is_none());
            let each = each.map(|(place, member)| row(name, &place.name, member, cpus));
            all.into_iter().chain(each).collect::<Vec<_>>()
        })
    }
}

/// The reason for which all of several counters have no sum.
fn common_error(members: &[MemberSum]) -> Option<&ValueError> {
    let (first, rest) = members.split_first()?;
    let why = first.value.as_ref().err()?;
    let same = |member: &MemberSum| matches!(&member.value, Err(other) if other == why);
    (!rest.is_empty() && rest.iter().all(same)).then_some(why)
}

fn row(variable: &str, counter: &str, member: &MemberSum, cpus: &[u64]) -> Vec<String> {
    let slot = |cpu: &u64| {
        let slot = member.cpus.iter().find(|slot| slot.cpu == *cpu);
        slot.map_or("-".to_owned(), |slot| shown(&slot.value))
    };
    let start = [variable.to_owned(), counter.to_owned()];
    start.into_iter().chain(cpus.iter().map(slot)).chain([shown(&member.value)]).collect()
}

fn shown(sum: &Result<u64, ValueError>) -> String {
    match sum {
        Ok(sum) => sum.to_string(),
        Err(error) => c::error(error),
    }
}

fn columns(cpus: &[u64]) -> impl Iterator<Item = (Cow<'static, str>, Align)> {
    let cpus = cpus.iter().map(|cpu| (format!("CPU {cpu}").into(), Align::Right));
    let start = [("NAME".into(), Align::Left), ("COUNTER".into(), Align::Left)];
    start.into_iter().chain(cpus).chain([("SUM".into(), Align::Right)])
}
