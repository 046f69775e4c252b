//! Lists the network stacks in a crash dump, and what each of them has in one variable.
//!
//! ```sh
//! cargo run --example variable -- kernel.debug vmcore.0 ip_defttl
//! ```

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use vnetkvm::Session;
use vnetkvm::render::c;
use vnetkvm::session::{Options, Selector};
use vnetkvm::value::Limits;
use vnetkvm::vnet::Stack;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kernel, core, variable] = arguments.as_slice() else {
        return Err("usage: variable KERNEL CORE VARIABLE".into());
    };
    run(Path::new(kernel), Path::new(core), variable, &mut io::stdout().lock())
}

pub fn run(
    kernel: &Path,
    core: &Path,
    variable: &str,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let options = Options { kernel: Some(kernel.into()), core: core.into(), ..Options::default() };
    let session = Session::open(&options)?;
    for warning in session.warnings() {
        writeln!(out, "warning: {warning}")?;
    }

    // A pattern may name several: `ip_*`. Without a match this is an error.
    let variables = session.variables(&[variable.to_owned()])?;
    let selection = session.select(&Selector::All)?;
    for stack in &selection.stacks {
        let title = match stack {
            Stack::Vnet(vnet) => vnet.title(),
            Stack::Only | Stack::Unchosen => "the only network stack".to_owned(),
        };
        writeln!(out, "{title}")?;
        for variable in &variables {
            let (address, value) = session.value(*stack, variable, &Limits::default());
            // A number can be computed with; anything can be shown as C.
            match value.as_u64() {
                Some(number) => writeln!(out, "  {address} {} = {number}", variable.name)?,
                None => writeln!(out, "  {address} {} = {}", variable.name, c::line(&value))?,
            }
        }
    }
    // What could not be read, and so which vnets may be missing above.
    for problem in selection.problems.iter() {
        writeln!(out, "problem: {problem}")?;
    }
    Ok(())
}
