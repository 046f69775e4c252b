//! Writes answers to standard output, in the chosen format, and the messages about them to
//! standard error.

use std::io::{self, IsTerminal, Write};

use vnetkvm::answers::{Answer, Chosen, Medium, Remark};
use vnetkvm::render::changes::GUTTER;
use vnetkvm::render::json::{self, Document};
use vnetkvm::render::page::TextPage;
use vnetkvm::render::sanitize::SafeWriter;
use vnetkvm::render::table::Style;
use vnetkvm::render::template::{Template, TemplatePage};
use vnetkvm::walk::Problems;

use crate::args::{Format, Globals, OutputArgs};
use crate::exit::{self, Failure, Outcome};
use crate::hints;
use crate::limits;
use crate::say::{self, hint, note, warning};
use crate::stdout::Stdout;

/// Writes an answer and all messages about it. With `--strict`, nothing of an incomplete answer
/// is written.
pub fn show<A: Answer>(globals: &Globals, mut answer: A) -> anyhow::Result<Outcome> {
    let unreadable = if globals.output.strict { answer.unreadable() } else { 0 };
    let tells_later = answer.tells_later();
    if !tells_later {
        say_about(&mut answer)?;
    }
    if globals.output.strict {
        require_readable(unreadable)?;
        no_problem(&answer.problems())?;
    }
    let mut out = Stdout::new(&globals.run);
    write(globals, &answer, &mut out)?;
    finish(globals, out)?;
    if tells_later {
        say_about(&mut answer)?;
    }
    let answered = if answer.found() { Outcome::Found } else { Outcome::Answered };
    Ok(answer.nothing().map_or(answered, Outcome::NothingMatched))
}

/// Says what a person should know of an answer beside what is in it.
fn say_about<A: Answer>(answer: &mut A) -> anyhow::Result<()> {
    say_problems(&answer.problems());
    say_remarks(&answer.remarks());
    exit::report_missed(answer.take_missed(), answer.nothing().is_none())?;
    answer.chosen().into_iter().for_each(say_choice);
    Ok(())
}

/// The same for a command that looks for something, whose status says whether that was found: a
/// question that nothing matches is a failure.
pub fn show_search<A: Answer>(globals: &Globals, mut answer: A) -> anyhow::Result<Outcome> {
    let Some(why) = answer.nothing() else { return show(globals, answer) };
    say_about(&mut answer)?;
    Err(Failure::new(why).into())
}

/// Writes text that has no formats. Control characters in it are made harmless.
pub fn text<E: Into<anyhow::Error>>(
    globals: &Globals,
    write: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> anyhow::Result<Outcome> {
    let mut out = Stdout::new(&globals.run);
    write(&mut SafeWriter(&mut out)).map_err(Into::into)?;
    finish(globals, out)?;
    Ok(Outcome::Answered)
}

/// Writes what makes its own text safe, to standard output.
pub fn raw<T>(
    globals: &Globals,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> anyhow::Result<T> {
    let mut out = Stdout::new(&globals.run);
    let written = write(&mut out)?;
    finish(globals, out)?;
    Ok(written)
}

/// Writes an answer in a form of its own, and the messages about it.
pub fn drawing<A: Answer>(
    globals: &Globals,
    answer: &A,
    draw: impl FnOnce(&A, &mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<Outcome> {
    let problems = answer.problems();
    say_problems(&problems);
    if globals.output.strict {
        require_readable(answer.unreadable())?;
        no_problem(&problems)?;
    }
    let mut out = Stdout::new(&globals.run);
    draw(answer, &mut out)?;
    finish(globals, out)?;
    Ok(answer.nothing().map_or(Outcome::Answered, Outcome::NothingMatched))
}

/// The chosen format.
pub fn format(args: &OutputArgs) -> &Format {
    if args.json { &Format::Json } else { &args.format }
}

/// Says which vnet is used by default, and what is doubtful about the choice.
pub fn say_choice(chosen: &Chosen<'_>) {
    say_problems(&chosen.problems);
    say_remarks(&chosen.remarks);
    if let Some(default) = &chosen.default {
        say::fact(&format!("note: {default}; choose another with --vnet or --jail"));
    }
}

/// Warns about what could not be read.
pub fn say_problems(problems: &Problems) {
    problems.iter().for_each(|problem| warning(&problem.to_string()));
    let more = problems.len().saturating_sub(problems.iter().count());
    if more > 0 {
        warning(&format!("{more} more warnings like these"));
    }
}

fn say_remarks(remarks: &[Remark]) {
    for remark in remarks {
        match remark {
            Remark::Note(text) => note(&format!("note: {text}")),
            Remark::Warning(text) => warning(text),
        }
    }
}

fn write<A: Answer>(globals: &Globals, answer: &A, out: &mut Stdout<'_>) -> anyhow::Result<()> {
    let medium = match format(&globals.output) {
        Format::Json => {
            let document = Document::new(answer).asked_at(globals.run.stamp());
            return Ok(json::write_document(out, &document)?);
        }
        Format::Template(template) => return by_template(answer, template, out),
        Format::Table | Format::Html | Format::Markdown => Medium::People,
        Format::Plain => Medium::Columns,
        Format::Jsonl => Medium::Lines,
    };
    let gutter = if globals.run.answer().is_some() { GUTTER } else { 0 };
    let style = match globals.run.is_elsewhere() {
        true => Style { width: None, color: false },
        false => style(medium, gutter),
    };
    let mut page = TextPage::new(out, medium, style);
    answer.lay_out(&mut page)?;
    Ok(page.finish()?)
}

/// Writes an answer by a template. A path that no element has is an error.
fn by_template<A: Answer>(
    answer: &A,
    template: &Template,
    out: &mut Stdout<'_>,
) -> anyhow::Result<()> {
    let mut page = TemplatePage::new(out, template);
    answer.lay_out(&mut page)?;
    page.finish()?.map_or(Ok(()), |missed| {
        Err(Failure::new(missed.to_string()).hint(hints::not_found(&missed)).into())
    })
}

/// The width of the terminal without what stands before each line, for tables only, and whether to
/// use colours.
fn style(medium: Medium, gutter: usize) -> Style {
    let is_terminal = medium == Medium::People && io::stdout().is_terminal();
    let size = is_terminal.then(terminal_size::terminal_size).flatten();
    Style {
        width: size.map(|(width, _)| usize::from(width.0).saturating_sub(gutter)),
        color: has_color(),
    }
}

/// Whether standard output has colours.
pub fn has_color() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

const NOT_STRICT: &str =
    "without --strict, the answer is shown, with a reason in place of each unreadable value";

fn require_readable(unreadable: usize) -> anyhow::Result<()> {
    if unreadable > 0 {
        let plural = if unreadable == 1 { "value" } else { "values" };
        let what = format!("{unreadable} {plural} in the answer could not be read");
        return Err(Failure::new(what).hint(NOT_STRICT).into());
    }
    Ok(())
}

/// Checks `--strict` for output that is not an [`Answer`].
pub fn require_no_problem(globals: &Globals, problems: &Problems) -> anyhow::Result<()> {
    if globals.output.strict { no_problem(problems) } else { Ok(()) }
}

fn no_problem(problems: &Problems) -> anyhow::Result<()> {
    problems.none().map_err(|problem| {
        let what = "the answer is incomplete, because something could not be read";
        Failure::new(what).hint(NOT_STRICT).because(problem)
    })
}

/// Writes the rest, and warns if a limit cut the answer.
fn finish(globals: &Globals, out: Stdout<'_>) -> anyhow::Result<()> {
    warn_of_limit(globals)?;
    out.finish()
}

/// Warns if a limit cut the answer.
pub fn warn_of_limit(globals: &Globals) -> anyhow::Result<()> {
    let Some(why) = limits::reached() else { return Ok(()) };
    let what = "the answer is incomplete, because a limit was reached";
    if globals.output.strict {
        return Err(Failure::new(what).hint(NOT_STRICT).because(why));
    }
    warning(&format!("{what}: {why}"));
    limits::option(&why).into_iter().for_each(hint);
    Ok(())
}
