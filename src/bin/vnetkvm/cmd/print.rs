//! `print`: the values of expressions, and what a shell keeps of them.

use vnetkvm::answers::{self, Chosen};
use vnetkvm::session::Names;
use vnetkvm::value::Limits;

use crate::args::{Format, Globals};
use crate::exit::{Outcome, warn_of};
use crate::{context, output};

/// Messages about the choice of vnets come before messages about the expressions.
pub fn run(globals: &Globals, expressions: &[String], cpu: Option<u64>) -> anyhow::Result<Outcome> {
    let session = context::open(globals)?;
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
    let names = Names { cpu, kept: globals.run.kept() };
    let evaluated = answers::expressions(session, chosen, names, expressions)?;
    if let Some(value) = names.kept.and_then(|_| evaluated.to_keep()) {
        globals.run.keep_value(value, *output::format(&globals.output) == Format::Table)?;
    }
    output::show(globals, evaluated.read(&limits))
}
