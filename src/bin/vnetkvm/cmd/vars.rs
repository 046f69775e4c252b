//! `vars`: the virtualized variables of the chosen vnets, with their values.

use std::collections::HashMap;

use serde::Serialize;
use vnetkvm::addr::VirtAddr;
use vnetkvm::render::c;
use vnetkvm::render::json::JsonVariable;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::session::Session;
use vnetkvm::value::Value;
use vnetkvm::vnet::{Vnet, VnetVariable};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::Output;

pub fn run(cli: &Cli, patterns: &[String]) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let mut output = Output::new(&cli.output);
    let variables = context::variables(session, patterns, &mut output)?;
    let names = Names::of(session, &variables);
    context::warn_untyped_variables(cli, session, &variables)?;
    let stacks = context::chosen(cli, session, &mut output)?;
    let limits = context::limits(cli, output.format(), SHOWN_ELEMENTS);
    let mut listings = Vec::with_capacity(stacks.len());
    for stack in stacks {
        let values = session.values(stack, &variables, &limits);
        values.iter().for_each(|(_, value)| output.inspect(value));
        listings.push(Listing { vnet: stack.vnet(), variables: &variables, names: &names, values });
    }
    let all = cli.vnet.all_vnets;
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                variables: Vec<JsonVariable<'a>>,
            }
            let parts = listings.iter().map(|one| (one.vnet, Body { variables: one.json() }));
            output.vnet_documents(parts, all)?;
        }
        Format::Jsonl => {
            for listing in &listings {
                listing.json().iter().try_for_each(|one| output.vnet_line(listing.vnet, one))?;
            }
        }
        Format::Table => write_tables(&mut output, &listings)?,
        Format::Plain => write_plain(&mut output, &listings, all)?,
    }
    // As with the session: the process ends anyway.
    std::mem::forget(listings);
    output.finish(Outcome::Answered)
}

/// A line of a table has room for a few elements of an array.
const SHOWN_ELEMENTS: usize = 32;

/// What is the same in every vnet: types and names by which variables can be told apart.
struct Names {
    types: Vec<Option<String>>,
    shown: Vec<String>,
}

impl Names {
    fn of(session: &Session, variables: &[VnetVariable]) -> Self {
        let types = session.types().ok();
        let type_name = |variable: &VnetVariable| Some(types?.name(variable.type_id?));
        let mut count: HashMap<&str, usize> = HashMap::new();
        for variable in variables {
            *count.entry(&variable.name).or_default() += 1;
        }
        let shown = |variable: &VnetVariable| match variable.qualifier() {
            Some(qualifier) if count.get(&*variable.name) > Some(&1) => {
                format!("{}@{qualifier}", variable.name)
            }
            _ => variable.name.to_string(),
        };
        Self {
            types: variables.iter().map(type_name).collect(),
            shown: variables.iter().map(shown).collect(),
        }
    }
}

/// The variables of one vnet.
struct Listing<'a> {
    vnet: Option<&'a Vnet>,
    variables: &'a [VnetVariable],
    names: &'a Names,
    values: Vec<(VirtAddr, Value)>,
}

impl Listing<'_> {
    fn json(&self) -> Vec<JsonVariable<'_>> {
        let parts = self.variables.iter().zip(&self.names.types).zip(&self.values);
        parts
            .map(|((variable, type_name), (address, value))| {
                JsonVariable::new(variable, type_name.as_deref(), *address, value)
            })
            .collect()
    }

    /// One row a variable; values of at most `width` characters.
    fn rows(&self, width: Option<usize>) -> impl Iterator<Item = [String; 6]> {
        let names = self.names.shown.iter().zip(&self.names.types);
        let parts = self.variables.iter().zip(names).zip(&self.values);
        parts.map(move |((variable, (shown, type_name)), (address, value))| {
            [
                shown.clone(),
                address.to_string(),
                variable.size.to_string(),
                type_name.as_deref().unwrap_or("-").to_owned(),
                variable.module.to_string(),
                width.map_or_else(|| c::line(value), |width| c::line_within(value, width)),
            ]
        })
    }
}

const COLUMNS: [(&str, Align); 6] = [
    ("NAME", Align::Left),
    ("ADDRESS", Align::Left),
    ("SIZE", Align::Right),
    ("TYPE", Align::Left),
    ("MODULE", Align::Left),
    ("VALUE", Align::Left),
];

fn write_tables(output: &mut Output, listings: &[Listing<'_>]) -> anyhow::Result<()> {
    let width = output.width();
    for listing in listings {
        if listings.len() > 1 {
            output.vnet_title(listing.vnet)?;
        }
        let mut table = Table::new(&COLUMNS);
        listing.rows(width).for_each(|row| table.row(row));
        output.table(table)?;
    }
    Ok(())
}

/// With all vnets, a column in front says which.
fn write_plain(output: &mut Output, listings: &[Listing<'_>], all: bool) -> anyhow::Result<()> {
    let mut table = Table::new(&COLUMNS);
    for listing in listings {
        let which = listing.vnet.filter(|_| all).map(context::short_title);
        listing.rows(None).for_each(|row| table.row(which.clone().into_iter().chain(row)));
    }
    output.table(table)?;
    Ok(())
}
