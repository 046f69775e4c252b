//! `gdb`: a script that gives gdb and kgdb the variables of a vnet.

use vnetkvm::answers;
use vnetkvm::render::gdb::write_script;
use vnetkvm::vnet::Stack;

use crate::args::Globals;
use crate::exit::{self, Failure, Outcome};
use crate::{context, output};

pub fn run(globals: &Globals, patterns: &[String]) -> anyhow::Result<Outcome> {
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
    let mut script = answers::gdb(session, vnet, patterns)?;
    output::say_problems(&script.problems);
    exit::report_missed(std::mem::take(&mut script.missed), !script.variables.is_empty())?;
    output::say_choice(&chosen);
    script.problems.extend(chosen.problems);
    output::require_no_problem(globals, &script.problems)?;
    output::text(globals, |out| write_script(out, &script))
}
