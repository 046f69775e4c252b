//! `--watch`: asks a command again and again, and shows each answer with what changed in it.
//!
//! Every answer has files that were opened for it, so that nothing in it was read earlier. The last
//! two are in memory as a whole.

mod moment;
mod screen;
mod series;
mod title;

use std::io::{self, IsTerminal, Write};
use std::process::{self, ExitCode};
use std::thread;
use std::time::Duration;

use moment::Moment;
use screen::Screen;
use title::Title;

use crate::args::{Format, Globals};
use crate::cmd::topology::Form;
use crate::commands::Command;
use crate::exit::{Failure, Outcome, report};
use crate::run::Run;
use crate::stdout::cannot_write;
use crate::{interrupt, limits, output, say, usage};

/// Asks the command until it has answered as often as the command line says, and returns the
/// status of the last answer. If the first question fails, it is the only one.
pub fn run(command: &Command, globals: &mut Globals, pause: Duration) -> ExitCode {
    match watch(command, globals, pause) {
        Ok(status) => status,
        Err(error) => report(Err(error), false),
    }
}

fn watch(command: &Command, globals: &mut Globals, pause: Duration) -> anyhow::Result<ExitCode> {
    if let Some(what) = asked_once(command) {
        let failure = Failure::new(format!("--watch conflicts with {what}"));
        return Err(failure.hint("use one of them").into());
    }
    let format = output::format(&globals.output).clone();
    let mut screen = is_screen(&format).then(|| Screen::new(title(pause)));
    interrupt::react_by(if screen.is_some() { end_screen } else { end });
    let mut left = globals.watch.count.map(u64::from);
    let mut before: Option<String> = None;
    loop {
        let keeps_messages = screen.is_some() && io::stderr().is_terminal();
        if keeps_messages {
            say::keep();
        }
        let moment = Moment::now();
        let (result, answer) = ask(command, globals, &moment);
        let status = report(result, command.searches());
        let messages = if keeps_messages { say::take() } else { String::new() };
        if before.is_none() && answer.is_none() {
            say::error(|out| out.write_all(messages.as_bytes()));
            return Ok(status);
        }
        let shown = match &mut screen {
            Some(screen) => screen.draw(&messages, before.as_deref(), answer.as_deref(), &moment),
            None => series::write(&format, before.as_deref(), answer.as_deref(), &moment),
        };
        shown.map_err(cannot_write)?;
        before = answer.or(before);
        left = left.map(|left| left - 1);
        if left == Some(0) {
            return Ok(status);
        }
        thread::sleep(pause);
    }
}

/// Ctrl-C ends the program with status 0, as its user means it to end, even while a question is
/// being answered. A screen is then as it should be, because it is drawn in one piece.
fn end_screen() {
    // Whoever draws has the lock until the screen is whole. A pipe may never be read.
    let mut out = io::stdout().lock();
    let _ = out.write_all(b"\n").and_then(|()| out.flush());
    end();
}

fn end() {
    process::exit(0);
}

/// Asks once, of files that are opened for it, and gives the answer if there is one.
fn ask(
    command: &Command,
    globals: &mut Globals,
    moment: &Moment,
) -> (anyhow::Result<Outcome>, Option<String>) {
    limits::forget();
    globals.run = Run::keeping_answer(moment.stamp());
    let result = command.run(globals, usage::command);
    let answer = result.is_ok().then(|| globals.run.take_answer());
    globals.run = Run::default();
    // What was lost of the files that are now closed is in the result, and nowhere else.
    let _ = vnetkvm::source::lost();
    (result, answer)
}

/// What of the command line can be asked only once.
fn asked_once(command: &Command) -> Option<&'static str> {
    match command {
        Command::Check { list: true, .. } => Some("--list"),
        Command::Read(args) if args.raw => Some("--raw"),
        Command::Topology { form: Form::Dot | Form::Svg } => Some("--as dot and --as svg"),
        Command::Whatis(args) if args.annotate => Some("--annotate"),
        Command::Whatis(args) if args.reads_input() => Some("addresses from standard input"),
        _ => None,
    }
}

/// The title for the command line of this program.
fn title(pause: Duration) -> Title {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    Title::new(pause, &words.collect::<Vec<_>>(), &usage::command())
}

/// Whether answers are drawn in place: tables, on a terminal that can.
fn is_screen(format: &Format) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    *format == Format::Table && io::stdout().is_terminal() && !is_dumb
}
