//! `gdb`: a script that gives gdb and kgdb the variables of a vnet.

use vnetkvm::answers;
use vnetkvm::render::gdb::write_script;
use vnetkvm::render::gdb_python::write_python_script;
use vnetkvm::vnet::Stack;

use clap::Args;

use crate::args::Globals;
use crate::exit::{self, Failure, Outcome};
use crate::{context, output};

/// Which script, and for which variables.
#[derive(Debug, Args)]
pub struct GdbArgs {
    /// Variables to define; * ? [...] and {a,b} are wildcards (default: all)
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,

    /// Write a Python script for all vnets and kernels: $V("NAME"), info vnets, trap frames
    ///
    /// It has functions, commands, printers, and an unwinder for trap frames, and needs neither a
    /// dump nor a kernel. `help vnet` in the debugger says more.
    #[arg(long, conflicts_with = "patterns")]
    python: bool,
}

impl GdbArgs {
    /// Whether the script has the variables of all vnets.
    #[cfg(any(feature = "gdb-server", feature = "shell"))]
    pub fn is_for_all_vnets(&self) -> bool {
        self.python
    }
}

pub fn run(globals: &Globals, args: &GdbArgs) -> anyhow::Result<Outcome> {
    if args.python {
        return python(globals);
    }
    let session = context::open(globals)?;
    let chosen = context::chosen(globals, session)?;
    let vnet = match chosen.stacks[..] {
        [Stack::Vnet(vnet)] => vnet,
        [Stack::Only] => {
            return Err(Failure::new("this kernel has no VIMAGE and no vnets")
                .hint("gdb shows its variables by their own names")
                .into());
        }
        _ => {
            return Err(Failure::new("gdb takes a single vnet")
                .hint("choose one with --vnet or --jail")
                .into());
        }
    };
    let mut script = answers::gdb(session, vnet, &args.patterns)?;
    output::say_problems(&script.problems);
    exit::report_missed(std::mem::take(&mut script.missed), !script.variables.is_empty())?;
    output::say_choice(&chosen);
    script.problems.extend(chosen.problems);
    output::require_no_problem(globals, &script.problems)?;
    output::text(globals, |out| write_script(out, &script))
}

fn python(globals: &Globals) -> anyhow::Result<Outcome> {
    if globals.vnet.is_given() {
        return Err(Failure::new("the Python script is for all vnets")
            .hint("choose one in the debugger: `vnet web01`")
            .into());
    }
    output::text(globals, |out| write_python_script(out))
}
