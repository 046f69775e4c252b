//! The shell on a terminal.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, IsTerminal};
use std::rc::Rc;

use anstyle::{AnsiColor, Style};
use rustyline::completion::{Completer, Pair};
use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, CompletionType, Config, Context, Editor, Helper};

use super::history::Kept;
use super::interrupt;
use super::pager::Pager;
use super::script::Flow;
use super::state::State;
use crate::output;
use crate::say::note;
use crate::stdout::cannot_write;

/// Lines that are kept from one run to the next.
const MOST_KEPT: usize = 10_000;

const PROMPT: Style = AnsiColor::Green.on_default().bold();

/// Reads lines and answers them until their user ends the shell.
pub fn run(mut state: State) -> anyhow::Result<()> {
    interrupt::catch();
    let pager = Rc::new(RefCell::new(Pager::new()));
    state.page(pager.clone());
    let state = Rc::new(RefCell::new(state));
    let mut editor = editor(Rc::clone(&state))?;
    let mut kept = Kept::load(&mut editor);
    note("note: `help` says what a line may be; Ctrl-D ends the shell");
    loop {
        let prompt = state.borrow_mut().prompt();
        let line = match editor.readline(&prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(why) => return Err(why.into()),
        };
        kept.add(&mut editor, &line);
        pager.borrow_mut().begin();
        let flow = state.borrow_mut().run(&line);
        pager.borrow_mut().finish().map_err(cannot_write)?;
        interrupt::end();
        if flow == Flow::End {
            return Ok(());
        }
    }
}

fn editor(state: Rc<RefCell<State>>) -> rustyline::Result<Editor<Help, FileHistory>> {
    let color = if output::has_color() { ColorMode::Enabled } else { ColorMode::Disabled };
    // Answers may go elsewhere, but not the prompt.
    let is_terminal = io::stdout().is_terminal();
    let behavior = if is_terminal { Behavior::Stdio } else { Behavior::PreferTerm };
    let config = Config::builder()
        .max_history_size(MOST_KEPT)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .color_mode(color)
        .behavior(behavior)
        .build();
    let history = FileHistory::with_config(&config);
    let mut editor = Editor::with_history(config, history)?;
    editor.set_helper(Some(Help(state)));
    Ok(editor)
}

/// What the editor does for its user.
struct Help(Rc<RefCell<State>>);

impl Helper for Help {}

impl Completer for Help {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let found = self.0.borrow().complete(line.get(..at).unwrap_or_default());
        let end = if found.are_whole { " " } else { "" };
        let pairs = found.words.into_iter().map(|word| {
            let replacement = format!("{word}{end}");
            Pair { display: word, replacement }
        });
        Ok((found.start, pairs.collect()))
    }
}

impl Hinter for Help {
    type Hint = String;
}
impl Validator for Help {}

impl Highlighter for Help {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _is_default: bool,
    ) -> Cow<'b, str> {
        Cow::Owned(format!("{PROMPT}{prompt}{PROMPT:#}"))
    }
}
