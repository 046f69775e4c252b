//! `eventhandlers`: what is called once for each vnet when something happens.

use serde::Serialize;
use vnetkvm::render::c;
use vnetkvm::render::json::JsonHandler;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::value::model::{PointerValue, ValueError};
use vnetkvm::views::eventhandlers::{VnetHandler, VnetHandlers};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::Output;
use crate::say::warning;

pub fn run(cli: &Cli, names: &[String]) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let all = session.eventhandlers()?;
    // A name that cannot be read may be any.
    let is_wanted = |handler: &&VnetHandler| match &handler.event {
        Ok(_) => names.is_empty() || names.iter().any(|name| is_of(handler, name)),
        Err(_) => true,
    };
    let handlers: Vec<&VnetHandler> = all.handlers.iter().filter(is_wanted).collect();
    let is_missed = |name: &&String| !handlers.iter().any(|handler| is_of(handler, name));
    if !handlers.is_empty() {
        let missed = names.iter().filter(is_missed);
        missed.for_each(|name| warning(&none(&all, std::slice::from_ref(name))));
    }
    let mut output = Output::new(&cli.output);
    output.count_errors(handlers.iter().filter(|handler| is_damaged(handler)).count());
    output.problems(&all.problems);
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                eventhandlers: Option<Vec<JsonHandler<'a>>>,
            }
            let eventhandlers = handlers.iter().map(|handler| JsonHandler::from(*handler));
            let eventhandlers = output.listed(eventhandlers.collect());
            output.document(Body { eventhandlers })?;
        }
        Format::Jsonl => {
            handlers
                .iter()
                .try_for_each(|handler| output.json_line(&JsonHandler::from(*handler)))?;
        }
        Format::Table | Format::Plain => output.table(table(&handlers))?,
    }
    output.finish(Outcome::of(!handlers.is_empty(), none(&all, names)))
}

fn is_of(handler: &VnetHandler, name: &str) -> bool {
    handler.event.as_ref().is_ok_and(|event| **event == *name)
}

fn none(all: &VnetHandlers, names: &[String]) -> String {
    match (names, all.registered) {
        _ if !all.problems.is_empty() => {
            "whether there are such handlers is not known: their lists cannot be read whole"
                .to_owned()
        }
        ([], 0) => "the kernel has no event handlers at all".to_owned(),
        ([], count) => {
            format!("of the kernel's {count} event handlers none is called for each vnet")
        }
        (names, _) => format!("no handler of {} is called for each vnet", names.join(" or ")),
    }
}

fn table(handlers: &[&VnetHandler]) -> Table {
    let mut table = Table::new(&[
        ("EVENT", Align::Left),
        ("PRIORITY", Align::Right),
        ("FUNCTION", Align::Left),
        ("ARGUMENT", Align::Left),
        ("ENTRY", Align::Left),
    ]);
    for handler in handlers {
        let priority = match &handler.priority {
            Ok(_) if handler.is_dead() => "dead".to_owned(),
            Ok(priority) => priority.to_string(),
            Err(why) => c::error(why),
        };
        table.row([
            handler.event.as_ref().map_or_else(c::error, ToString::to_string),
            priority,
            pointer(&handler.function),
            pointer(&handler.argument),
            handler.address.to_string(),
        ]);
    }
    table
}

fn pointer(pointer: &Result<PointerValue, ValueError>) -> String {
    pointer.as_ref().map_or_else(c::error, c::symbol_or_address)
}

fn is_damaged(handler: &VnetHandler) -> bool {
    handler.event.is_err()
        || handler.priority.is_err()
        || handler.function.is_err()
        || handler.argument.is_err()
}
