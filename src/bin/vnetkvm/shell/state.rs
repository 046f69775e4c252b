//! What the shell remembers from one line to the next, and what it does with a line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::rc::Rc;

use vnetkvm::answers::completions::Vocabulary;
use vnetkvm::expr::KeptValue;
use vnetkvm::render::sanitize;
use vnetkvm::vnet::{Stack, Vnet};

use super::complete::Known;
use super::definition::Definition;
use super::found::Found;
use super::help;
use super::line::Line;
use super::script::{self, End, Flow};
use super::values::Values;
use crate::exit::{Failure, Outcome, Status, report_status};
use crate::opened::{self, Opened};
use crate::output;
use crate::run::Run;
use crate::say;
use crate::stdout::{self, Stdout};

/// A file may name another to be run, and that a third, up to this depth.
const DEEPEST: usize = 16;

/// In characters, of a name in a prompt.
const LONGEST_NAME: usize = 24;

/// An open dump, the choices that were made, and where answers are shown.
pub struct State {
    opened: Opened,
    definition: Definition,
    /// Shows the answers in place of standard output.
    pager: Option<Rc<RefCell<dyn Write>>>,
    /// The values that later lines may name.
    values: Values,
    /// The names that lines are completed with.
    vocabulary: Vocabulary,
    /// A script stops at the first line that says `error:`.
    stops: bool,
    /// How many files are being run, each named by the one before.
    depth: usize,
    /// The name of the vnet that is chosen, since it was asked for.
    name: Option<String>,
}

impl State {
    pub fn new(opened: Opened, stops: bool) -> Self {
        let (values, vocabulary) = Default::default();
        let definition = Definition::new();
        Self { opened, definition, pager: None, values, vocabulary, stops, depth: 0, name: None }
    }

    /// From now on, this shows the answers.
    pub fn page(&mut self, pager: Rc<RefCell<dyn Write>>) {
        self.pager = Some(pager);
    }

    /// What stands before a line: the vnet that it will be about.
    ///
    /// Of a dump, the name is kept until another vnet is chosen. After an answer that was stopped
    /// nothing else is known any more, and to find all vnets and jails again would take long.
    pub fn prompt(&mut self) -> String {
        if self.opened.session().core().is_live() {
            self.name = None;
        }
        if self.name.is_none() {
            self.name = self.opened.vnet().ok().flatten().map(short_name);
        }
        match &self.name {
            Some(name) => format!("{name}> "),
            None => "vnetkvm> ".to_owned(),
        }
    }

    /// How a line may go on that ends where the cursor stands.
    pub fn complete(&self, line: &str) -> Found {
        self.opened.begin();
        let session = self.opened.session();
        let known = Known {
            definition: &self.definition,
            session,
            vocabulary: &self.vocabulary,
            stack: self.opened.stack().unwrap_or(Stack::Unchosen),
            kept: self.values.kept(),
        };
        known.complete(line)
    }

    /// Runs the lines of a script.
    pub fn script(&mut self, lines: &mut impl BufRead, name: &str) -> End {
        script::run(lines, name, self.stops, |line| self.run(line))
    }

    /// Runs a line.
    pub fn run(&mut self, line: &str) -> Flow {
        say::forget();
        stdout::begin_answer();
        match Line::parse(line, &self.definition) {
            Ok(Line::Nothing) => Flow::Nothing,
            Ok(Line::Quit) => Flow::End,
            Ok(Line::Source(path)) => self.source(&path),
            Ok(Line::Command(words)) => Flow::Next(self.print(&words, None)),
            Ok(Line::Expression(words, meant)) => {
                let advice = (!meant.is_empty())
                    .then(|| format!("did you mean the command {}?", meant.join(" or ")));
                Flow::Next(self.print(&words, advice))
            }
            Ok(Line::Let(name, words)) => Flow::Next(self.bind(&name, &words)),
            Ok(line) => Flow::Next(report_status(self.own(line), false)),
            Err(wrong) => Flow::Next(report_status(Err(wrong.into()), false)),
        }
    }

    /// Does what needs no command of the program.
    fn own(&mut self, line: Line) -> anyhow::Result<Outcome> {
        match line {
            Line::Help => return self.show(&help::text(&self.definition)),
            Line::Choose(option) => {
                self.opened.choose(option)?;
                self.name = None;
            }
            Line::ForgetChoice => {
                self.opened.forget_choice();
                self.name = None;
            }
            _ => {}
        }
        let title = self.opened.title()?;
        let none =
            if self.opened.has_choice() { "" } else { "no vnet is chosen; by default it is " };
        self.show(&format!("{none}{title}\n"))
    }

    /// Runs a command of the program, and keeps the value if it prints one. If it fails, `advice`
    /// is what to try.
    fn print(&mut self, words: &[String], advice: Option<String>) -> Status {
        let (status, value) = self.command(words, advice, self.pager.clone());
        if let Some(value) = value {
            self.values.push(value);
        }
        status
    }

    /// Gives a name to the value that a command would print.
    fn bind(&mut self, name: &str, words: &[String]) -> Status {
        let nowhere = Rc::new(RefCell::new(io::sink()));
        let (status, value) = self.command(words, None, Some(nowhere));
        if let Some(value) = value {
            self.values.name(name, value);
        }
        status
    }

    /// The status of a command, and the value that it would keep.
    fn command(
        &mut self,
        words: &[String],
        advice: Option<String>,
        pager: Option<Rc<RefCell<dyn Write>>>,
    ) -> (Status, Option<KeptValue>) {
        let cli = match self.opened.parse(words) {
            Ok(cli) => cli,
            Err(wrong) if wrong.use_stderr() => {
                // If standard error is closed, nobody reads messages.
                let _ = wrong.print();
                return (Status::FAILED, None);
            }
            Err(help) => {
                let text = help.render();
                let text =
                    if output::has_color() { text.ansi().to_string() } else { text.to_string() };
                return (report_status(self.show(&text), false), None);
            }
        };
        if let Some(why) = opened::refused(&cli, "the shell") {
            return (report_status(Err(Failure::new(why).into()), false), None);
        }
        let kept = self.values.share();
        let asked = self.opened.ask(cli, advice, |session| Run::of_shell(session, pager, kept));
        // What is known of a value that a limit cut is not the value.
        let value = asked.run.take_value().filter(|_| asked.status.code < 2 && !asked.is_cut);
        (asked.status, value)
    }

    /// Runs the lines of a file.
    fn source(&mut self, path: &str) -> Flow {
        let failed = |why| Flow::Next(report_status(Err(why), false));
        if self.depth == DEEPEST {
            let why = format!("{path}: more than {DEEPEST} files are run, each named by another");
            return failed(Failure::new(why).into());
        }
        let file = match File::open(path) {
            Ok(file) => file,
            Err(why) => return failed(Failure::new(format!("cannot open {path}")).because(why)),
        };
        self.depth += 1;
        let end = self.script(&mut BufReader::new(file), path);
        self.depth -= 1;
        if end.quits { Flow::End } else { Flow::Next(end.status) }
    }

    fn show(&self, text: &str) -> anyhow::Result<Outcome> {
        let session = Rc::clone(self.opened.session());
        let run = Run::of_shell(session, self.pager.clone(), self.values.share());
        let mut out = Stdout::new(&run);
        out.write_all(text.as_bytes())?;
        out.finish()?;
        Ok(Outcome::Answered)
    }
}

/// `vnet 1 web01`, with the jail that names it. The host's needs no name.
fn short_name(vnet: &Vnet) -> String {
    let number = match vnet.index {
        Some(index) => format!("vnet {index}"),
        None => format!("vnet {}", vnet.address),
    };
    let jails = vnet.jails.iter().flatten();
    match jails.into_iter().find(|jail| jail.jid != 0) {
        Some(jail) if vnet.index != Some(0) => {
            let name: String = sanitize::line(&jail.name).chars().take(LONGEST_NAME).collect();
            format!("{number} {name}")
        }
        _ => number,
    }
}
