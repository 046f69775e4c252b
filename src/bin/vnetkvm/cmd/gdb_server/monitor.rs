//! What `monitor` in a debugger asks: the commands of the program, of the dump that is open.

use std::rc::Rc;

use vnetkvm::gdbserver::Monitor;
use vnetkvm::session::Session;

use crate::cli::Cli;
use crate::commands::Command;
use crate::opened::{self, Opened};
use crate::run::Run;
use crate::say;
use crate::vnet_option::VnetOption;

/// The commands of `monitor`.
pub struct Commands {
    opened: Opened,
}

impl Commands {
    pub fn new(session: Rc<Session>) -> Self {
        Self { opened: Opened::new(session, None) }
    }

    /// `vnet N`, `vnet 0xADDRESS`, `vnet JAIL`: chooses the vnet of the commands that follow, and
    /// says which it is. `vnet none` forgets the choice.
    fn choose(&mut self, wanted: &[String]) -> String {
        let chosen = match wanted {
            [] => Ok(()),
            [none] if none == "none" => {
                self.opened.forget_choice();
                Ok(())
            }
            [one] => self.opened.choose(VnetOption::vnet(one)),
            _ => return "error: a vnet's number or address, or a jail is wanted\n".to_owned(),
        };
        match chosen.and_then(|()| self.opened.title()) {
            Ok(title) => format!("{title}\n"),
            Err(why) => format!("error: {why:#}\n"),
        }
    }

    fn ask(&mut self, words: &[String]) -> String {
        let cli = match self.opened.parse(words) {
            Ok(cli) => cli,
            Err(wrong) => return wrong.to_string(),
        };
        if let Some(why) = refused(&cli) {
            return format!("error: {why}\n");
        }
        say::keep();
        let asked = self.opened.ask(cli, None, Run::of_open_files);
        let answer = if asked.status.code < 2 { asked.run.take_answer() } else { String::new() };
        format!("{answer}{}", anstream::adapter::strip_str(&say::take()))
    }
}

impl Monitor for Commands {
    fn start(&mut self) {
        self.opened.forget_choice();
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

/// Why a command is not for a debugger, which shows text and writes no files.
fn refused(cli: &Cli) -> Option<String> {
    let own = match &cli.command {
        Command::GdbServer(_) => Some("a debugger is connected already"),
        Command::Convert(_) => Some("monitor writes no files"),
        #[cfg(feature = "export")]
        Command::Export(_) => Some("monitor writes no files"),
        Command::Report(args) if args.writes_file() => Some("monitor writes no files"),
        Command::Lldb(args) if args.writes_file() => Some("monitor writes no files"),
        Command::Read(args) if args.raw => Some("the bytes alone are no text"),
        _ => None,
    };
    own.map(str::to_owned).or_else(|| opened::refused(cli, "monitor"))
}
