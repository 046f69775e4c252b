//! `recursions`: what a kernel with VNET_DEBUG records of curvnet.

use std::io;

use serde::Serialize;
use vnetkvm::addr::VirtAddr;
use vnetkvm::render::c;
use vnetkvm::render::json::{JsonCurvnet, JsonRecursion};
use vnetkvm::render::table::{Align, Table};
use vnetkvm::value::model::ValueError;
use vnetkvm::views::recursions::{Curvnet, Recursion, Recursions};
use vnetkvm::vnet::Vnet;

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::output::Output;

pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let vnets = &session.vnets()?.all;
    let Some(recorded) = session.recursions()? else {
        let what = "the kernel records no recursions: it was compiled without VNET_DEBUG";
        let hint = "vnetkvm vnets shows which thread works in a vnet that is on no list";
        return Err(Failure::new(what).hint(hint).into());
    };
    let mut output = Output::new(&cli.output);
    output.problems(&recorded.problems);
    output.count_errors(errors(&recorded));
    show(&mut output, &recorded, vnets)?;
    let nothing = recorded.recursions.is_empty() && recorded.threads.is_empty();
    output.finish(Outcome::of(!nothing, "no recursion was found, and no thread in a vnet"))
}

fn show(output: &mut Output, recorded: &Recursions, vnets: &[Vnet]) -> io::Result<()> {
    let recursions = recorded.recursions.iter().map(|one| JsonRecursion::new(one, vnets));
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                recursions: Vec<JsonRecursion<'a>>,
                threads: Vec<JsonCurvnet<'a>>,
            }
            let threads = recorded.threads.iter().map(|thread| JsonCurvnet::new(thread, vnets));
            output.document(Body { recursions: recursions.collect(), threads: threads.collect() })
        }
        Format::Jsonl => recursions.into_iter().try_for_each(|one| output.json_line(&one)),
        Format::Plain => output.table(recursion_table(&recorded.recursions, vnets)),
        Format::Table => {
            if !recorded.recursions.is_empty() {
                output.title("Recursions: curvnet was already set")?;
                output.table(recursion_table(&recorded.recursions, vnets))?;
            }
            if !recorded.threads.is_empty() {
                output.title("Threads in a vnet")?;
                output.table(thread_table(&recorded.threads, vnets))?;
            }
            Ok(())
        }
    }
}

fn recursion_table(recursions: &[Recursion], vnets: &[Vnet]) -> Table {
    let mut table = Table::new(&[
        ("FUNCTION", Align::Left),
        ("LINE", Align::Right),
        ("FROM", Align::Right),
        ("TO", Align::Right),
        ("SET BEFORE BY", Align::Left),
        ("ADDRESS", Align::Left),
    ]);
    for recursion in recursions {
        table.row([
            text(&recursion.function),
            recursion.line.as_ref().map_or_else(c::error, ToString::to_string),
            vnet(&recursion.old_vnet, vnets),
            vnet(&recursion.new_vnet, vnets),
            text(&recursion.previous),
            recursion.address.to_string(),
        ]);
    }
    table
}

fn thread_table(threads: &[Curvnet], vnets: &[Vnet]) -> Table {
    let mut table =
        Table::new(&[("VNET", Align::Right), ("SET BY", Align::Left), ("THREAD", Align::Left)]);
    for thread in threads {
        let vnet = short_title(thread.vnet, vnets);
        table.row([vnet, text(&thread.set_by), thread.thread.to_string()]);
    }
    table
}

fn vnet(vnet: &Result<Option<VirtAddr>, ValueError>, vnets: &[Vnet]) -> String {
    match vnet {
        Ok(Some(address)) => short_title(*address, vnets),
        Ok(None) => "NULL".to_owned(),
        Err(why) => c::error(why),
    }
}

/// A vnet's number, or the address of one that has none.
fn short_title(address: VirtAddr, vnets: &[Vnet]) -> String {
    let known = vnets.iter().find(|vnet| vnet.address == address);
    known.map_or_else(|| address.to_string(), context::short_title)
}

fn text(text: &Result<Option<Box<str>>, ValueError>) -> String {
    match text {
        Ok(Some(text)) => text.to_string(),
        Ok(None) => "-".to_owned(),
        Err(why) => c::error(why),
    }
}

fn errors(recorded: &Recursions) -> usize {
    let of = |one: &Recursion| {
        let failed = [
            one.previous.is_err(),
            one.function.is_err(),
            one.line.is_err(),
            one.old_vnet.is_err(),
            one.new_vnet.is_err(),
        ];
        failed.into_iter().filter(|failed| *failed).count()
    };
    recorded.recursions.iter().map(of).sum()
}
