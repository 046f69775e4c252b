//! A dump that is open, and the commands that are asked about it one after the other: those of
//! `monitor` in a debugger, and the lines of the shell.

use std::rc::Rc;

use vnetkvm::budget::Allowance;
use vnetkvm::session::{Selector, Session};
#[cfg(feature = "shell")]
use vnetkvm::vnet::Stack;
use vnetkvm::vnet::Vnet;

use crate::args::Globals;
use crate::cli::Cli;
use crate::commands::Command;
use crate::exit::{Advice, Status, report_status};
use crate::run::Run;
use crate::vnet_option::VnetOption;
use crate::{context, limits, stdout, usage};

/// A dump that is open, and the vnet that is chosen for commands that choose none.
pub struct Opened {
    session: Rc<Session>,
    /// What the files justify to spend on one command.
    justified: Allowance,
    chosen: Option<VnetOption>,
}

/// What came of a command.
pub struct Asked {
    /// Its exit status.
    pub status: Status,
    /// What it held.
    pub run: Run,
    /// A limit was reached.
    pub is_cut: bool,
}

impl Opened {
    pub fn new(session: Rc<Session>, chosen: Option<VnetOption>) -> Self {
        let justified = session.budget().allowance();
        Self { session, justified, chosen }
    }

    pub fn session(&self) -> &Rc<Session> {
        &self.session
    }

    /// Chooses the vnet of the commands that follow.
    ///
    /// # Errors
    /// There is no such vnet. The choice stays what it was.
    pub fn choose(&mut self, chosen: VnetOption) -> anyhow::Result<()> {
        self.session.select(&selector(Some(&chosen))?)?;
        self.chosen = Some(chosen);
        Ok(())
    }

    /// The commands that follow choose for themselves.
    pub fn forget_choice(&mut self) {
        self.chosen = None;
    }

    /// Whether a vnet is chosen.
    #[cfg(feature = "shell")]
    pub fn has_choice(&self) -> bool {
        self.chosen.is_some()
    }

    /// The name of the chosen vnet, or else of the default one, with its jails.
    ///
    /// # Errors
    /// As [`Opened::vnet`].
    pub fn title(&self) -> anyhow::Result<String> {
        let vnet = self.vnet()?;
        Ok(vnet.map_or("this kernel has no vnets".to_owned(), Vnet::title_with_jails))
    }

    /// The chosen vnet, or else the default one, with its jails; `None` if the kernel has no
    /// VIMAGE.
    ///
    /// # Errors
    /// As [`Session::select`].
    pub fn vnet(&self) -> anyhow::Result<Option<&Vnet>> {
        let selection = self.session.select(&selector(self.chosen.as_ref())?)?;
        let vnet = selection.stacks.iter().find_map(|stack| stack.vnet());
        let Some(vnet) = vnet else { return Ok(None) };
        let all = &self.session.vnets()?.all;
        Ok(Some(all.iter().find(|known| known.address == vnet.address).unwrap_or(vnet)))
    }

    /// The network stack of the commands that follow.
    ///
    /// # Errors
    /// As [`Session::select`].
    #[cfg(feature = "shell")]
    pub fn stack(&self) -> anyhow::Result<Stack<'_>> {
        let selection = self.session.select(&selector(self.chosen.as_ref())?)?;
        Ok(selection.stacks.first().copied().unwrap_or(Stack::Unchosen))
    }

    /// A question begins that is no command; it may spend as much as one.
    #[cfg(feature = "shell")]
    pub fn begin(&self) {
        self.session.budget().renew(self.justified);
    }

    /// Reads a command without the program's name. Unless it names a vnet, it is about the
    /// chosen one.
    ///
    /// # Errors
    /// It is no command, or asks for help.
    pub fn parse(&self, words: &[String]) -> Result<Cli, clap::Error> {
        let cli = parse(words)?;
        let is_for_all = matches!(&cli.command, Command::Gdb(args) if args.is_for_all_vnets());
        let names_none = !cli.globals.vnet.is_given() && !is_for_all;
        match self.chosen.as_ref().filter(|_| names_none) {
            // A command that takes no vnet does without.
            Some(chosen) => Ok(parse(&[&[chosen.word()], words].concat()).unwrap_or(cli)),
            None => Ok(cli),
        }
    }

    /// Asks a command, which has a budget of its own, and says why it failed, with `advice` if
    /// there is any.
    ///
    /// The session is opened anew if what it keeps may be incomplete or old.
    pub fn ask(
        &mut self,
        cli: Cli,
        advice: Option<String>,
        run: impl FnOnce(Rc<Session>) -> Run,
    ) -> Asked {
        if self.session.core().is_live()
            && let Err(why) = self.open_afresh()
        {
            let status = report_status(Err(why.into()), false);
            return Asked { status, run: Run::default(), is_cut: true };
        }
        let Cli { mut globals, command } = cli;
        // The environment may name others than those that are open.
        (globals.input.kernel, globals.input.core) = (None, None);
        limits::forget();
        limits::set_budget(&globals, self.session.budget(), self.justified);
        stdout::begin_answer();
        globals.run = run(Rc::clone(&self.session));
        let result = command.run(&globals, usage::command);
        let result = match advice {
            Some(advice) => result.map_err(|why| why.context(Advice(advice))),
            None => result,
        };
        let status = report_status(result, command.searches());
        limits::forget();
        let budget = self.session.budget();
        let is_cut = budget.exhausted().is_some();
        budget.renew(self.justified);
        if is_cut && let Err(why) = self.open_afresh() {
            report_status(Err(why.into()), false);
        }
        Asked { status, run: globals.run, is_cut }
    }

    /// Forgets what was read when a limit was reached, or of a machine that runs.
    fn open_afresh(&mut self) -> Result<(), vnetkvm::Error> {
        self.session = Rc::new(self.session.afresh()?);
        Ok(())
    }
}

/// Reads a command without the program's name.
fn parse(words: &[String]) -> Result<Cli, clap::Error> {
    usage::parse_from(std::iter::once("vnetkvm").chain(words.iter().map(String::as_str)))
}

fn selector(chosen: Option<&VnetOption>) -> anyhow::Result<Selector> {
    let Some(chosen) = chosen else { return Ok(Selector::Default) };
    let cli = parse(&["vars".to_owned(), chosen.word()])?;
    Ok(context::selector(&cli.globals))
}

/// Why a command is not for `asker`, who asks about a dump that is open and whose standard input
/// is in use.
pub fn refused(cli: &Cli, asker: &str) -> Option<String> {
    refused_option(&cli.globals, asker).or_else(|| refused_command(&cli.command, asker))
}

fn refused_option(globals: &Globals, asker: &str) -> Option<String> {
    let input = &globals.input;
    if globals.kernel_named || globals.core_named || input.demo || input.dump.is_some() {
        return Some(about_another(asker));
    }
    globals.watch.watch.map(|_| format!("{asker} asks only once"))
}

fn refused_command(command: &Command, asker: &str) -> Option<String> {
    match command {
        Command::Image(_)
        | Command::Triage(_)
        | Command::Completions { .. }
        | Command::Man { .. } => Some(about_another(asker)),
        #[cfg(feature = "gdb-server")]
        Command::GdbServer(_) => Some(format!("{asker} starts no server")),
        #[cfg(feature = "shell")]
        Command::Shell(_) => Some(format!("{asker} starts no shell")),
        #[cfg(feature = "export")]
        Command::Export(args) if args.is_stream() => Some(format!("{asker} shows only text")),
        Command::Whatis(args) if args.reads_input() => {
            Some(format!("{asker} gives commands no standard input"))
        }
        _ => None,
    }
}

fn about_another(asker: &str) -> String {
    format!("{asker} asks only about the dump that is open")
}
