//! `shell`: one dump, and as many questions as its user has. On a terminal there is a prompt;
//! otherwise the lines of standard input are a script.

mod complete;
mod definition;
mod examine;
mod files;
mod found;
mod help;
mod history;
mod interrupt;
mod line;
mod pager;
mod prompt;
mod script;
mod state;
mod values;

use std::io::{self, IsTerminal};
use std::rc::Rc;

use clap::Args;

use crate::args::Globals;
use crate::context;
use crate::exit::Outcome;
use crate::opened::Opened;
use crate::vnet_option::VnetOption;
use state::State;

/// How scripts are run.
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// Stop a script at the first line that says `error:`, with its status
    #[arg(short = 'e', long)]
    pub stop: bool,
}

pub fn run(globals: &Globals, args: &ShellArgs) -> anyhow::Result<Outcome> {
    let session = Rc::clone(context::open(globals)?);
    let mut opened = Opened::new(session, None);
    if let Some(chosen) = VnetOption::given(&globals.vnet) {
        opened.choose(chosen)?;
    }
    let mut state = State::new(opened, args.stop);
    if io::stdin().is_terminal() {
        prompt::run(state)?;
        return Ok(Outcome::Answered);
    }
    let end = state.script(&mut io::stdin().lock(), "standard input");
    Ok(Outcome::Ended(end.status))
}
