//! `gdb`: a script that gives gdb and kgdb the variables of a vnet.

use std::collections::HashMap;

use vnetkvm::render::gdb::{Header, PointerType, SymbolFile, Variable, write_script};
use vnetkvm::session::Session;
use vnetkvm::types::Types;
use vnetkvm::vnet::{Stack, VnetVariable};

use crate::args::Cli;
use crate::context;
use crate::exit::{Failure, Outcome};
use crate::output::Output;

pub fn run(cli: &Cli, patterns: &[String]) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let mut output = Output::new(&cli.output);
    let variables = context::variables(session, patterns, &mut output)?;
    let stacks = context::chosen(cli, session, &mut output)?;
    let vnet = match stacks.as_slice() {
        [Stack::Vnet(vnet)] => *vnet,
        [Stack::Only] => {
            return Err(Failure::new("this kernel has no VIMAGE, and no vnets")
                .hint("gdb knows its variables by their own names")
                .into());
        }
        _ => {
            return Err(Failure::new("a script can be about one vnet only")
                .hint("choose it with --vnet or --jail")
                .into());
        }
    };
    let types = session.types().ok();
    let pointer_types: Vec<PointerName> =
        variables.iter().map(|variable| PointerName::of(types, variable)).collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    let all = session.variables(&[])?;
    for variable in &all {
        *count.entry(&variable.name).or_default() += 1;
    }
    let title = format!("Variables of {} in {}", vnet.title(), session.core_path().display());
    let header = Header {
        title: &title,
        vnet: vnet.address,
        vnet_type: if types.is_some() { "struct vnet" } else { "void" },
        data_base: vnet.data_base,
        pointer_size: session.kernel().arch().pointer_size(),
        symbol_files: &symbol_files(session, &variables, &pointer_types)?,
    };
    let shown = variables.iter().zip(&pointer_types).map(|(variable, pointer)| {
        let ambiguous = count.get(&*variable.name) > Some(&1);
        Variable {
            name: &variable.name,
            symbol: &variable.symbol,
            file: variable.qualifier().filter(|_| ambiguous),
            pointer: pointer.shown(),
            size: variable.size,
            address: session.address(vnet.into(), variable),
        }
    });
    write_script(output.text(), &header, shown)?;
    output.finish(Outcome::Answered)
}

/// The files of the modules that define types which the kernel does not have.
fn symbol_files(
    session: &Session,
    variables: &[VnetVariable],
    pointers: &[PointerName],
) -> anyhow::Result<Vec<SymbolFile>> {
    let elsewhere = |(_, pointer): &(_, &PointerName)| matches!(pointer, PointerName::Elsewhere(_));
    let wanted = variables.iter().zip(pointers).filter(elsewhere);
    let wanted: Vec<&str> = wanted.map(|(variable, _)| &*variable.module).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let modules = session.modules()?.modules().filter(|module| wanted.contains(&&*module.name));
    let files = modules.filter_map(|module| {
        let (path, sections) = (module.types_from.clone()?, module.sections.clone());
        Some(SymbolFile { module: module.name.clone(), path, sections })
    });
    Ok(files.collect())
}

/// The type of a pointer to a variable.
enum PointerName {
    Written(String),
    Borrowed,
    Elsewhere(String),
    Unknown,
}

impl PointerName {
    fn of(types: Option<&Types>, variable: &VnetVariable) -> Self {
        let known = types.zip(variable.type_id);
        // A debugger that has not been given the modules' files knows only the kernel's types.
        match known.filter(|(types, id)| &*variable.module == "kernel" || types.is_of_kernel(*id)) {
            Some((types, id)) if types.can_be_written(id) => {
                Self::Written(types.name(types.pointer_to(id)))
            }
            Some(_) if &*variable.module == "kernel" => Self::Borrowed,
            _ => known.map_or(Self::Unknown, |(types, id)| {
                Self::Elsewhere(types.name(types.pointer_to(id)))
            }),
        }
    }

    fn shown(&self) -> PointerType<'_> {
        match self {
            Self::Written(spelled) => PointerType::Written(spelled),
            Self::Borrowed => PointerType::Borrowed,
            Self::Elsewhere(spelled) => PointerType::Elsewhere(spelled),
            Self::Unknown => PointerType::Unknown,
        }
    }
}
