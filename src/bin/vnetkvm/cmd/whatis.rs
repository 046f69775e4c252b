//! `whatis`: takes addresses from the command line or from standard input, or annotates a text.

use std::io::{self, BufRead, BufReader, Read, Write};

use clap::Args;
use vnetkvm::answers::memory::AddressError;
use vnetkvm::answers::whatis::{self, Asked};
use vnetkvm::render::sanitize;
use vnetkvm::session::Session;
use vnetkvm::views::whatis::Whatis;
use vnetkvm::vnet::Stack;

use super::read::explained;
use crate::args::values::count;
use crate::args::{Format, Globals};
use crate::exit::{Failure, Outcome};
use crate::lost_files::require_intact_files;
use crate::output::{self, show};
use crate::say::{hint, warning};
use crate::stdout::cannot_write;
use crate::{context, limits};

/// Which addresses to identify.
#[derive(Debug, Args)]
pub struct WhatisArgs {
    /// Addresses, or expressions whose values are addresses; - reads them from standard input
    #[arg(value_name = "ADDR", required_unless_present = "annotate")]
    pub addresses: Vec<String>,

    /// Copy standard input, any text, and write after each address in it what it is
    #[arg(long)]
    pub annotate: bool,

    /// Follow pointers from variables of vnets to objects on the heap, this many levels deep; a
    /// list counts as one level
    #[arg(long, value_name = "LEVELS", value_parser = count, default_value_t = DEEP)]
    pub deep: usize,
}

impl WhatisArgs {
    /// Whether addresses come from standard input.
    pub fn reads_input(&self) -> bool {
        self.annotate || self.addresses.iter().any(|address| address == STDIN)
    }
}

/// How deep the heap is searched by default.
const DEEP: usize = 2;

/// The argument that stands for standard input.
const STDIN: &str = "-";

/// The longest line that is read as one address, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

pub fn run(globals: &Globals, args: &WhatisArgs) -> anyhow::Result<Outcome> {
    if args.annotate {
        return annotate(globals, args);
    }
    let session = context::open(globals)?;
    let words = words(&args.addresses)?;
    let place = context::place(globals, stack(globals, session, &words)?);
    let asked = words.iter().map(|word| Asked::new(session, place, word)).collect();
    let asked = require_address(asked)?;
    let identities = whatis::whatis(&session.whatis(args.deep)?, &asked);
    let unknown = identities.has_unknown();
    let outcome = show(globals, identities)?;
    if unknown && limits::reached().is_none() {
        let deeper = args.deep.saturating_add(2);
        hint(&format!("--deep {deeper} follows pointers further, to more objects on the heap"));
    }
    Ok(outcome)
}

/// Checks that one of them is an address, and warns of each that is none. If none is, the error is
/// that of one that failed, or else of a name without a match.
fn require_address(mut asked: Vec<Asked>) -> anyhow::Result<Vec<Asked>> {
    if asked.is_empty() || asked.iter().any(|asked| asked.address.is_ok()) {
        warn_of_others(&asked);
        return Ok(asked);
    }
    let is_no_match = |asked: &Asked| matches!(&asked.address, Err(AddressError::Other(why)) if why.is_no_match());
    let failed = asked.iter().rposition(|asked| !is_no_match(asked));
    let own = asked.remove(failed.unwrap_or(asked.len() - 1));
    warn_of_others(&asked);
    match own.address {
        Err(why) => Err(explained(why)),
        Ok(_) => Ok(asked),
    }
}

/// Warns of each that is no address.
fn warn_of_others(asked: &[Asked]) {
    for asked in asked {
        let Some(why) = asked.why_not() else { continue };
        let text = asked.text.as_deref().unwrap_or_default();
        // Most messages name the expression.
        match why.message.contains(text) {
            true => warning(&why.message),
            false => warning(&format!("{text}: {}", why.message)),
        }
    }
}

/// The addresses as they were written, with those of standard input in the place of `-`.
fn words(arguments: &[String]) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for argument in arguments {
        if argument != STDIN {
            words.push(argument.clone());
            continue;
        }
        let mut input = BufReader::new(io::stdin().lock());
        let mut line = Vec::new();
        while input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(cannot_read)?
            > 0
        {
            words.extend(whatis::addresses_on(&String::from_utf8_lossy(&line)).map(str::to_owned));
            line.clear();
        }
    }
    Ok(words)
}

/// The network stack in which expressions are evaluated, if there are any.
fn stack<'r>(
    globals: &Globals,
    session: &'r Session,
    words: &[String],
) -> anyhow::Result<Stack<'r>> {
    let is_expression = |word: &String| whatis::number(session, word).is_none();
    if !words.iter().any(is_expression) {
        return Ok(Stack::Unchosen);
    }
    let chosen = context::chosen(globals, session)?;
    output::say_choice(&chosen);
    match chosen.stacks[..] {
        [stack] => Ok(stack),
        _ => Err(Failure::new("an expression takes a single vnet")
            .hint("choose one with --vnet or --jail")
            .into()),
    }
}

/// Copies standard input and adds to each address what it is. A line is written as soon as it is
/// read.
fn annotate(globals: &Globals, args: &WhatisArgs) -> anyhow::Result<Outcome> {
    if args.addresses.iter().any(|address| address != STDIN) {
        let what = "--annotate reads standard input and takes no addresses";
        return Err(Failure::new(what).hint("leave out --annotate, or the addresses").into());
    }
    if *output::format(&globals.output) != Format::Table {
        let failure = Failure::new("--annotate conflicts with --json and --format");
        return Err(failure.hint("without --annotate, `-` reads addresses").into());
    }
    let session = context::open(globals)?;
    let index = session.whatis(args.deep)?;
    output::say_problems(&index.problems);
    output::require_no_problem(globals, &index.problems)?;
    let mut input = BufReader::new(io::stdin().lock());
    let mut out = io::stdout().lock();
    let mut text = Vec::new();
    while input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut text).map_err(cannot_read)? > 0 {
        // A word may go on in what is not read yet.
        let whole = match text.last() {
            Some(b'\n') => text.len(),
            _ => whole_words(&text).unwrap_or(text.len()),
        };
        let rest = text.split_off(whole);
        write_annotated(&mut out, &text, session, &index).map_err(cannot_write)?;
        text = rest;
        if input.buffer().is_empty() {
            require_intact_files()?;
            out.flush().map_err(cannot_write)?;
        }
    }
    write_annotated(&mut out, &text, session, &index).map_err(cannot_write)?;
    require_intact_files()?;
    out.flush().map_err(cannot_write)?;
    Ok(Outcome::Answered)
}

/// The length of the text up to its last word; `None` if it has no end of a word.
fn whole_words(text: &[u8]) -> Option<usize> {
    let last = text.iter().rposition(|byte| !whatis::is_word(*byte))?;
    Some(last + 1)
}

/// Writes a piece of text. Only what comes from the dump is made harmless.
fn write_annotated(
    out: &mut impl Write,
    text: &[u8],
    session: &Session,
    index: &Whatis<'_>,
) -> io::Result<()> {
    let mut written = 0;
    for token in whatis::addresses_in(text, session.core().arch) {
        let found = index.describe(token.address);
        // A backtrace has the line of the call there, which may be another.
        let is_said = token.is_named && found.meaning.is_function();
        if is_said || !found.meaning.is_known() {
            continue;
        }
        out.write_all(text.get(written..token.place.end).unwrap_or_default())?;
        write!(out, " <{}>", sanitize::line(&found.to_string()))?;
        written = token.place.end;
    }
    out.write_all(text.get(written..).unwrap_or_default())
}

fn cannot_read(cause: io::Error) -> anyhow::Error {
    Failure::new("cannot read standard input").because(cause)
}
