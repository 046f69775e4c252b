//! `print`: the values of expressions, and what a shell keeps of them.

use clap::Args;
use vnetkvm::answers::{self, Chosen};
use vnetkvm::session::Names;
use vnetkvm::value::Limits;

use crate::args::values::number;
use crate::args::{Format, Globals};
use crate::exit::{Outcome, warn_of};
use crate::{context, output};

/// What to evaluate, and where.
#[derive(Debug, Args)]
pub struct PrintArgs {
    /// The CPU whose copies DPCPU(NAME) means (default: the CPU of the crashing thread)
    #[arg(long, value_name = "N", value_parser = number)]
    cpu: Option<u64>,

    /// Show all vnets side by side: a row for each expression, a column for each vnet
    #[arg(long)]
    pivot: bool,

    /// Follow mbufs: a line for each of the packet that begins there, and of those after it
    #[arg(long, conflicts_with = "pivot")]
    follow: bool,

    /// Expressions to evaluate, each in quotes if the shell would take it apart; /x before
    /// them writes numbers in hexadecimal
    #[arg(value_name = "EXPR", required = true)]
    expressions: Vec<String>,
}

/// Messages about the choice of vnets come before messages about the expressions.
pub fn run(globals: &Globals, args: &PrintArgs) -> anyhow::Result<Outcome> {
    let PrintArgs { cpu, pivot, follow, expressions } = args;
    let session = context::open(globals)?;
    let names = Names { cpu: *cpu, kept: globals.run.kept() };
    if *pivot {
        let chosen = context::all_side_by_side(globals, session)?;
        let evaluated = answers::expressions(session, chosen, names, expressions)?;
        let limits = context::limits_side_by_side(globals);
        return output::show(globals, evaluated.side_by_side(&limits));
    }
    let chosen = match Chosen::ask(session, &context::selector(globals)) {
        // Not every expression has to do with a vnet.
        Err(why @ vnetkvm::Error::Vnet(_)) if !globals.vnet.is_given() => {
            warn_of(why);
            Chosen::none()
        }
        asked => asked.map_err(context::not_chosen)?,
    };
    output::say_choice(&chosen);
    let limits = context::limits(globals, Limits::default().elements);
    let evaluated = answers::expressions(session, chosen, names, expressions)?;
    if let Some(value) = names.kept.and_then(|_| evaluated.to_keep()) {
        globals.run.keep_value(value, *output::format(&globals.output) == Format::Table)?;
    }
    match follow {
        true => output::show(globals, evaluated.follow()),
        false => output::show(globals, evaluated.read(&limits)),
    }
}
