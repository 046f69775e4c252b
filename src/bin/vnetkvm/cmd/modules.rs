//! `modules`: the files that make up the running kernel.

use serde::Serialize;
use vnetkvm::modules::Module;
use vnetkvm::render::json::JsonModule;
use vnetkvm::render::table::{Align, Table};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::output::Output;
use crate::say::{note, warning};

pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let modules = session.modules()?;
    if let ([], Err(why)) = (&modules.files[..], modules.problems.none()) {
        return Err(Failure::new(why.to_string())
            .hint("`vnetkvm info` shows whether the dump is whole")
            .into());
    }
    let mut output = Output::new(&cli.output);
    let own_problems = modules.files.iter().map(|module| module.problems.len());
    output.problems(&modules.problems);
    output.count_errors(own_problems.sum::<usize>());
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                modules: Vec<JsonModule<'a>>,
            }
            output.document(Body { modules: modules.files.iter().map(JsonModule).collect() })?;
        }
        Format::Jsonl => {
            for module in &modules.files {
                output.json_line(&JsonModule(module))?;
            }
        }
        Format::Table | Format::Plain => output.table(table(&modules.files))?,
    }
    if cli.output.verbose {
        modules.files.iter().flat_map(|module| &module.log).for_each(|line| note(line));
    }
    for module in &modules.files {
        for problem in &module.problems {
            warning(&format!("{}: {problem}", module.name));
        }
    }
    // That a module has no file is told by the column TYPES.
    context::warn_untyped_modules(session, |module| !module.refused.is_empty())?;
    // Even the kernel itself has an entry, from early in its start on.
    output.finish(Outcome::of(!modules.files.is_empty(), "the list of modules is empty"))
}

fn table(modules: &[Module]) -> Table {
    let mut table = Table::new(&[
        ("ID", Align::Right),
        ("NAME", Align::Left),
        ("ADDRESS", Align::Left),
        ("SIZE", Align::Right),
        ("REFS", Align::Right),
        ("CLASS", Align::Left),
        ("MODSPACE", Align::Left),
        ("BYTES", Align::Right),
        ("VARIABLES", Align::Right),
        ("TYPES", Align::Left),
        ("PATH", Align::Left),
    ]);
    let number = |number: Option<i64>| number.map_or("-".to_owned(), |number| number.to_string());
    for module in modules {
        let set = module.set.as_ref();
        let count = set.map(|_| module.vnet_symbols().count().max(module.typed.len()));
        table.row([
            number(module.id),
            module.name.to_string(),
            module.address.to_string(),
            module.size.map_or("-".to_owned(), |size| size.to_string()),
            number(module.refs),
            module.class.as_deref().unwrap_or("-").to_owned(),
            set.map_or("-".to_owned(), |set| set.start.to_string()),
            set.map_or("-".to_owned(), |_| module.set_size().to_string()),
            count.map_or("-".to_owned(), |count| count.to_string()),
            set.map_or("-", |_| if module.types_from.is_some() { "yes" } else { "no" }).to_owned(),
            module.path.to_string(),
        ]);
    }
    table
}
