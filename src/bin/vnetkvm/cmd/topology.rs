//! `topology`: how all network stacks are wired, as a tree, a graph or a drawing.

use clap::ValueEnum;
use vnetkvm::answers;
use vnetkvm::render::{dot, svg};

use crate::args::{Format, Globals};
use crate::exit::{Failure, Outcome};
use crate::{context, output};

/// A form that the wiring is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A tree for the terminal, or rows and JSON by --format
    Tree,
    /// A graph for dot(1) of Graphviz
    Dot,
    /// A drawing
    Svg,
}

/// Shows it in that form.
pub fn run(globals: &Globals, form: Form) -> anyhow::Result<Outcome> {
    let format = output::format(&globals.output);
    if form != Form::Tree && *format != Format::Table {
        let failure = Failure::new("--format has no effect on a graph or a drawing");
        return Err(failure.hint("leave out --as for JSON and rows").into());
    }
    let session = context::open(globals)?;
    let chosen = globals.vnet.is_given().then(|| context::chosen(globals, session)).transpose()?;
    let topology = answers::topology(session, chosen.as_ref())?;
    match form {
        Form::Tree => output::show(globals, topology),
        Form::Dot => output::drawing(globals, &topology, dot::write),
        Form::Svg => output::drawing(globals, &topology, svg::write),
    }
}
