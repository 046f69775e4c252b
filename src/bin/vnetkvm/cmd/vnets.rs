//! `vnets`: every virtual network stack.

use serde::Serialize;
use vnetkvm::render::json::JsonVnet;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::vnet::Vnet;
use vnetkvm::vnet::list::JailRef;

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::{Output, note};

pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let vnets = session.vnets()?;
    let mut output = Output::new(&cli.output);
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                vnets: Vec<JsonVnet<'a>>,
            }
            output.document(Body { vnets: vnets.iter().map(JsonVnet).collect() })?;
        }
        Format::Jsonl => {
            for vnet in vnets {
                output.json_line(&JsonVnet(vnet))?;
            }
        }
        Format::Table | Format::Plain => output.table(table(vnets))?,
    }
    for problem in session.list_problems() {
        note(&format!("warning: {problem}"));
    }
    for vnet in vnets {
        for problem in &vnet.problems {
            note(&format!("warning: {}: {problem}", context::title(vnet)));
        }
    }
    let outcome = if vnets.is_empty() { Outcome::NothingMatched } else { Outcome::Answered };
    output.finish(outcome)
}

fn table(vnets: &[Vnet]) -> Table {
    let mut table = Table::new(&[
        ("VNET", Align::Right),
        ("ADDRESS", Align::Left),
        ("STATE", Align::Left),
        ("SHUTDOWN", Align::Left),
        ("IFS", Align::Right),
        ("SOCKETS", Align::Right),
        ("BLOCK", Align::Left),
        ("BASE", Align::Left),
        ("JAILS", Align::Left),
    ]);
    for vnet in vnets {
        table.row([
            vnet.index.map_or("-".to_owned(), |index| index.to_string()),
            vnet.address.to_string(),
            state(vnet),
            vnet.shutdown.map_or("-", |yes| if yes { "yes" } else { "no" }).to_owned(),
            vnet.ifcnt.to_string(),
            vnet.sockcnt.to_string(),
            vnet.data_mem.to_string(),
            vnet.data_base.to_string(),
            jails(vnet),
        ]);
    }
    table
}

fn state(vnet: &Vnet) -> String {
    match &vnet.state {
        Some(state) => state.meaning.to_string(),
        None => "-".to_owned(),
    }
}

/// The jails by name. Prison 0, which is no jail, is the host.
fn jails(vnet: &Vnet) -> String {
    let name = |jail: &'_ JailRef| if jail.jid == 0 { "(host)" } else { &*jail.name }.to_owned();
    let mut names: Vec<String> = vnet.jails.iter().map(name).collect();
    if !vnet.listed {
        names.push("(unlisted)".to_owned());
    }
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}
