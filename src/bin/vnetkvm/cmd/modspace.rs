//! `modspace`: the arena of modules' virtualized variables as a map.

use std::io::Write;

use serde::Serialize;
use vnetkvm::render::json::{JsonModuleSpace, JsonRegion};
use vnetkvm::render::table::{Align, Table};
use vnetkvm::session::Session;
use vnetkvm::vnet::modspace::{Accounts, Holder, ModuleSpace};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::Output;
use crate::say::warning;

pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let space = session.module_space()?;
    let modules = session.modules()?;
    let variables = variables(session, &space)?;
    let names: Vec<Vec<&str>> =
        variables.iter().map(|names| names.iter().map(|name| &**name).collect()).collect();
    let mut output = Output::new(&cli.output);
    output.problems(&space.problems);
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                modspace: JsonModuleSpace<'a>,
            }
            let modspace = JsonModuleSpace { space: &space, variables: &names };
            output.document(Body { modspace })?;
        }
        Format::Jsonl => {
            for (region, names) in space.regions.iter().zip(&names) {
                output.json_line(&JsonRegion::new(region, names))?;
            }
        }
        Format::Table => {
            output.table(table(&space, &names))?;
            writeln!(output.text(), "\n{}", summary(&space))?;
        }
        Format::Plain => output.table(table(&space, &names))?,
    }
    let problems = modules.modules().flat_map(|module| {
        module.problems.iter().map(|problem| format!("{}: {problem}", module.name))
    });
    let faults = space.faults.iter().map(|fault| fault.message.to_string());
    problems.chain(faults).for_each(|problem| warning(&problem));
    output.finish(Outcome::Answered)
}

/// The names of the variables in each region.
fn variables(session: &Session, space: &ModuleSpace) -> anyhow::Result<Vec<Vec<Box<str>>>> {
    let mut all = session.variables(&[])?;
    all.sort_by_key(|variable| variable.master);
    let named = space.regions.iter().map(|region| {
        let Holder::Module(module) = &region.holder else { return Vec::new() };
        let inside = all.iter().filter(|variable| {
            variable.module == *module && region.range.contains(&variable.master)
        });
        inside.map(|variable| variable.name.clone()).collect()
    });
    Ok(named.collect())
}

fn table(space: &ModuleSpace, variables: &[Vec<&str>]) -> Table {
    let mut table = Table::new(&[
        ("ADDRESS", Align::Left),
        ("SIZE", Align::Right),
        ("HOLDER", Align::Left),
        ("VARIABLES", Align::Left),
    ]);
    for (region, names) in space.regions.iter().zip(variables) {
        let holder = match &region.holder {
            Holder::Free => "(free)",
            Holder::Module(name) => name,
            Holder::Nobody => "(lost)",
            Holder::Unknown => "(unknown)",
            Holder::NotYet => "(not yet)",
        };
        table.row([
            region.range.start.to_string(),
            region.len().to_string(),
            holder.to_owned(),
            if names.is_empty() { "-".to_owned() } else { names.join(" ") },
        ]);
    }
    table
}

fn summary(space: &ModuleSpace) -> String {
    let used = format!("{} bytes: {} used", space.size(), space.used());
    let known = space.free().zip(space.lost()).zip(space.largest_free().zip(space.fragmentation()));
    match known {
        Some(((free, lost), (largest, fragmentation))) => {
            let lost = if lost == 0 { String::new() } else { format!(", {lost} lost") };
            let fragmentation = fragmentation * 100.0;
            format!(
                "{used}, {free} free{lost}; largest free run {largest}, \
                 fragmentation {fragmentation:.0}%"
            )
        }
        None if space.accounts == Accounts::NotYet => {
            format!("{used}; the kernel has not made its list of what is free yet")
        }
        None => format!(
            "{used}; how much is free is unknown, because a list is not whole (see the warnings)"
        ),
    }
}
