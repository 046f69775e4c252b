//! `print`: the values of expressions, and what a shell keeps of them.

use vnetkvm::answers::{self, Chosen};
use vnetkvm::expr::KeptValue;
use vnetkvm::session::{Names, Place, Session};
use vnetkvm::value::{self, Limits};

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
    let value = names.kept.and_then(|_| value_to_keep(session, &chosen, names, expressions));
    let answer = answers::expressions(session, chosen, names, expressions, &limits)?;
    if let Some(value) = value {
        globals.run.keep_value(value, *output::format(&globals.output) == Format::Table)?;
    }
    output::show(globals, answer)
}

/// The value of a single expression in a single vnet.
fn value_to_keep(
    session: &Session,
    chosen: &Chosen<'_>,
    names: Names<'_>,
    expressions: &[String],
) -> Option<KeptValue> {
    let ([stack], [text]) = (&chosen.stacks[..], expressions) else { return None };
    let (_, text) = value::Format::take(text).ok()?;
    session.value_to_keep(Place { stack: *stack, names }, text).ok()
}
