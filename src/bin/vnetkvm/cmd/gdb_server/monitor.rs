//! What `monitor` in a debugger asks: the commands of the program, of the dump that is open.

use std::rc::Rc;

use vnetkvm::gdbserver::Monitor;
use vnetkvm::session::{Selector, Session};

use crate::args::Globals;
use crate::cli::Cli;
use crate::commands::Command;
use crate::exit::report;
use crate::run::Run;
use crate::{context, say, usage};

/// The commands of `monitor`.
pub struct Commands {
    session: Rc<Session>,
    /// The options that choose a vnet for commands that choose none.
    chosen: Option<VnetOption>,
}

impl Commands {
    pub fn new(session: Rc<Session>) -> Self {
        Self { session, chosen: None }
    }

    /// `vnet N`, `vnet 0xADDRESS`, `vnet JAIL`: chooses the vnet of the commands that follow, and
    /// says which it is. `vnet none` forgets the choice.
    fn choose(&mut self, wanted: &[String]) -> String {
        let chosen = match wanted {
            [] => self.chosen.clone(),
            [none] if none == "none" => None,
            [one] => Some(VnetOption::new(one)),
            _ => return "error: a vnet's number or address, or a jail is wanted\n".to_owned(),
        };
        let selector = chosen.as_ref().map_or(Ok(Selector::Default), VnetOption::selector);
        let named =
            selector.and_then(|selector| self.name(&selector).map_err(|why| format!("{why:#}")));
        match named {
            Ok(name) => {
                self.chosen = chosen;
                format!("{name}\n")
            }
            Err(why) => format!("error: {why}\n"),
        }
    }

    /// The name of a vnet, with its jails.
    fn name(&self, selector: &Selector) -> anyhow::Result<String> {
        let selection = self.session.select(selector)?;
        let vnet = selection.stacks.iter().find_map(|stack| stack.vnet());
        let Some(vnet) = vnet else { return Ok("this kernel has no vnets".to_owned()) };
        let all = &self.session.vnets()?.all;
        let known = all.iter().find(|known| known.address == vnet.address);
        Ok(known.unwrap_or(vnet).title_with_jails())
    }

    fn ask(&self, words: &[String]) -> String {
        let mut cli = match parse(words) {
            Ok(cli) => cli,
            Err(wrong) => return wrong.to_string(),
        };
        let is_for_all = matches!(&cli.command, Command::Gdb(args) if args.is_for_all_vnets());
        let names_none = !cli.globals.vnet.is_given() && !is_for_all;
        if let Some(chosen) = self.chosen.as_ref().filter(|_| names_none) {
            // A command that takes no vnet does without.
            if let Ok(with_vnet) = parse(&[words, &[chosen.word()]].concat()) {
                cli = with_vnet;
            }
        }
        self.answer(cli)
    }

    fn answer(&self, cli: Cli) -> String {
        let Cli { mut globals, command } = cli;
        if let Some(why) = refused_option(&globals).or_else(|| refused(&command)) {
            return format!("error: {why}\n");
        }
        // The environment may name others than those that are open.
        (globals.input.kernel, globals.input.core) = (None, None);
        globals.run = Run::of_open_files(Rc::clone(&self.session));
        say::keep();
        let result = command.run(&globals, usage::command);
        let answer = if result.is_ok() { globals.run.take_answer() } else { String::new() };
        report(result, command.searches());
        let messages = say::take();
        format!("{answer}{}", anstream::adapter::strip_str(&messages))
    }
}

impl Monitor for Commands {
    fn start(&mut self) {
        self.chosen = None;
    }

    fn run(&mut self, command: &str) -> String {
        let Some(words) = shlex::split(command) else {
            return "error: a quotation mark is missing\n".to_owned();
        };
        match words.split_first() {
            None => self.ask(&["help".to_owned()]),
            Some((first, rest)) if first == "vnet" => self.choose(rest),
            Some(_) => self.ask(&words),
        }
    }
}

/// Reads a command without the program's name.
fn parse(words: &[String]) -> Result<Cli, clap::Error> {
    usage::parse_from(std::iter::once("vnetkvm").chain(words.iter().map(String::as_str)))
}

/// A vnet by number or address, or else by its jail.
#[derive(Debug, Clone)]
struct VnetOption {
    name: &'static str,
    value: String,
}

impl VnetOption {
    fn new(wanted: &str) -> Self {
        let is_number =
            wanted.starts_with("0x") || wanted.bytes().all(|byte| byte.is_ascii_digit());
        let name = if is_number { "--vnet" } else { "--jail" };
        Self { name, value: wanted.to_owned() }
    }

    fn word(&self) -> String {
        format!("{}={}", self.name, self.value)
    }

    fn selector(&self) -> Result<Selector, String> {
        let words = ["vars".to_owned(), self.word()];
        let cli = parse(&words).map_err(|wrong| wrong.to_string())?;
        Ok(context::selector(&cli.globals))
    }
}

/// Why options are not for a debugger, which shows one answer about one dump.
fn refused_option(globals: &Globals) -> Option<&'static str> {
    let input = &globals.input;
    if globals.kernel_named || globals.core_named || input.demo || input.dump.is_some() {
        return Some("monitor asks only about the dump that is open");
    }
    globals.watch.watch.map(|_| "monitor asks only once")
}

/// Why a command is not for a debugger: it has nothing to do with this dump, writes files, or
/// reads what the debugger sends.
fn refused(command: &Command) -> Option<&'static str> {
    match command {
        Command::GdbServer(_) => Some("a debugger is connected already"),
        Command::Image(_) | Command::Completions { .. } | Command::Man { .. } => {
            Some("monitor asks only about the dump that is open")
        }
        Command::Convert(_) => Some("monitor writes no files"),
        Command::Report(args) if args.writes_file() => Some("monitor writes no files"),
        Command::Read(args) if args.raw => Some("the bytes alone are no text"),
        Command::Whatis(args) if args.reads_input() => Some("monitor has no standard input"),
        _ => None,
    }
}
