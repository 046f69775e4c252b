//! `vnets`: every virtual network stack.

use serde::Serialize;
use vnetkvm::render::json::JsonVnet;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::vnet::list::JailRef;
use vnetkvm::vnet::{Condition, Vnet};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::Output;
use crate::say::{hint, warning};

pub fn run(cli: &Cli, scan: bool, wide: bool) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let found = if scan { session.scan() } else { session.vnets().cloned() };
    let found = found.map_err(|why| {
        context::without_vimage(why, "its variables are shown by name: `vnetkvm vars 'tcp*'`")
    })?;
    let mut output = Output::new(&cli.output);
    output.problems(&found.problems);
    let vnets = &found.all;
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
        Format::Table if !wide => {
            output.table(short_table(vnets))?;
            for vnet in vnets.iter().filter(|vnet| !vnet.is_listed()) {
                output.title(&format!("{}: {}", vnet.address, state(vnet)))?;
                for found in &vnet.found_by {
                    output.line(&format!("  found by {found}"))?;
                }
            }
        }
        Format::Table | Format::Plain => output.table(table(vnets))?,
    }
    for vnet in vnets {
        for problem in &vnet.problems {
            warning(&format!("{}: {problem}", vnet.title()));
        }
    }
    if let Some(reason) = session.may_hide_vnets()?.first().filter(|_| !scan) {
        hint(&format!("{reason}: `vnetkvm vnets --scan` finds vnets that nothing leads to"));
    }
    output
        .finish(Outcome::of(!vnets.is_empty(), "no vnet was found, on the kernel's list or off it"))
}

/// The columns that fit 80 characters. What they have no room for of a vnet that is on no list
/// stands below them.
fn short_table(vnets: &[Vnet]) -> Table {
    let mut table = Table::new(&[
        ("VNET", Align::Right),
        ("STATE", Align::Left),
        ("IFS", Align::Right),
        ("SOCKS", Align::Right),
        ("ADDRESS", Align::Left),
        ("JAILS", Align::Left),
    ]);
    for vnet in vnets {
        table.row([
            number(vnet),
            short_state(vnet).to_owned(),
            count(vnet.ifcnt),
            count(vnet.sockcnt),
            vnet.address.to_string(),
            jails(vnet),
        ]);
    }
    table
}

fn table(vnets: &[Vnet]) -> Table {
    let unlisted = vnets.iter().any(|vnet| !vnet.is_listed());
    let columns = [
        ("VNET", Align::Right),
        ("ADDRESS", Align::Left),
        ("STATE", Align::Left),
        ("SHUTDOWN", Align::Left),
        ("IFS", Align::Right),
        ("SOCKETS", Align::Right),
        ("BLOCK", Align::Left),
        ("BASE", Align::Left),
        ("JAILS", Align::Left),
        ("FOUND BY", Align::Left),
    ];
    // Where all are on the list, that is how they were found.
    let shown = if unlisted { columns.len() } else { columns.len() - 1 };
    let mut table = Table::new(&columns[..shown]);
    for vnet in vnets {
        let cells = [
            number(vnet),
            vnet.address.to_string(),
            state(vnet),
            vnet.shutdown.map_or("-", |yes| if yes { "yes" } else { "no" }).to_owned(),
            count(vnet.ifcnt),
            count(vnet.sockcnt),
            vnet.data_mem.to_string(),
            vnet.data_base.to_string(),
            jails(vnet),
            found_by(vnet),
        ];
        table.row(cells.into_iter().take(shown));
    }
    table
}

fn number(vnet: &Vnet) -> String {
    vnet.index.map_or("-".to_owned(), |index| index.to_string())
}

fn count(count: Option<u64>) -> String {
    count.map_or("-".to_owned(), |count| count.to_string())
}

/// The state without what explains it.
fn short_state(vnet: &Vnet) -> &str {
    match (vnet.condition, &vnet.state) {
        (Some(Condition::Stray), _) => "stray",
        (Some(condition), _) => condition.meaning(),
        (None, _) if vnet.is_freed() => Condition::Freed.meaning(),
        (None, Some(state)) => {
            let short = state.meaning.split([',', '(']).next();
            short.unwrap_or_default().trim_end()
        }
        (None, None) => "-",
    }
}

fn state(vnet: &Vnet) -> String {
    let meaning = match (&vnet.state, vnet.condition) {
        (Some(state), _) => &state.meaning,
        (None, Some(condition)) => condition.meaning(),
        (None, None) if vnet.is_freed() => Condition::Freed.meaning(),
        (None, None) => "-",
    };
    // Which subsystem it has come to is the first thing to know of a vnet in between.
    let name = vnet.state.as_ref().and_then(|state| state.name.as_deref());
    match (vnet.condition, name) {
        (Some(Condition::UnderConstruction | Condition::BeingDestroyed), Some(name)) => {
            format!("{meaning}, {name}")
        }
        _ => meaning.to_owned(),
    }
}

/// The jails by name, or `?` where they are not known. Prison 0, which is no jail, is the host.
fn jails(vnet: &Vnet) -> String {
    let name = |jail: &'_ JailRef| if jail.jid == 0 { "(host)".to_owned() } else { jail.title() };
    let Some(jails) = &vnet.jails else { return "?".to_owned() };
    let names: Vec<String> = jails.iter().map(name).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}

fn found_by(vnet: &Vnet) -> String {
    match vnet.found_by.as_slice() {
        [] => "-".to_owned(),
        witnesses => witnesses.join("; "),
    }
}
