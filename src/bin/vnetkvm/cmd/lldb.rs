//! `lldb`: a script that gives lldb the vnets.

use vnetkvm::render::lldb_python::write_lldb_script;

use crate::args::Globals;
use crate::exit::Outcome;
use crate::output;

pub fn run(globals: &Globals) -> anyhow::Result<Outcome> {
    output::text(globals, |out| write_lldb_script(out))
}
