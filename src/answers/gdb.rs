//! `gdb`: what a debugger needs to know about the variables of one vnet.

use std::collections::HashMap;

use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::{Matches, Session};
use crate::types::Types;
use crate::vnet::{SetVariable, Vnet};
use crate::walk::Problems;

/// The contents of a script for gdb and kgdb; [`render::gdb`](crate::render::gdb) writes it.
#[derive(Debug)]
pub struct Script {
    /// Which vnet of which dump this is, for the reader of the script.
    pub title: String,
    /// The address of the struct vnet.
    pub vnet: VirtAddr,
    /// `struct vnet`, or `void` for a debugger that knows no types.
    pub vnet_type: &'static str,
    /// Its `vnet_data_base`.
    pub data_base: VirtAddr,
    /// Bytes of a kernel pointer: a debugger with shorter ones truncates addresses.
    pub pointer_size: u64,
    /// Files that the debugger must load first to know all types.
    pub symbol_files: Vec<SymbolFile>,
    /// The variables.
    pub variables: Vec<ScriptVariable>,
    /// What could not be read, and what is unknown as a result.
    pub problems: Problems,
    /// Why patterns match no variable.
    pub missed: Vec<Error>,
}

/// A module's file, and where its sections were loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolFile {
    /// The module's name: `if_gif.ko`.
    pub module: Box<str>,
    /// The path of the file that its types are from.
    pub path: Box<str>,
    /// The names of its sections, and the addresses where they were loaded.
    pub sections: Vec<(Box<str>, VirtAddr)>,
}

/// One variable of the vnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptVariable {
    /// `tcbinfo`
    pub name: Box<str>,
    /// The debugger's name for the master copy: `vnet_entry_tcbinfo`.
    pub symbol: Box<str>,
    /// The source file, if it is known and other files define the same name.
    pub file: Option<String>,
    /// The type of a pointer to it.
    pub pointer: PointerType,
    /// Bytes.
    pub size: u64,
    /// The address of the vnet's copy.
    pub address: VirtAddr,
}

/// How a pointer to a variable gets its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointerType {
    /// Written out, as C spells it: `struct inpcbinfo *`.
    Written(String),
    /// It has no C syntax; the debugger takes it from the master copy.
    Borrowed,
    /// The debugger does not know it without the module's file: the type in C syntax.
    Elsewhere(String),
    /// It is unknown.
    Unknown,
}

/// What a debugger needs to know about the variables of `vnet` that match the patterns, or about
/// all.
///
/// # Errors
/// The variables are unknown. A pattern that matches none is reported in the answer.
pub fn gdb(session: &Session, vnet: &Vnet, patterns: &[String]) -> Result<Script, Error> {
    let Matches { variables, missed, problems } = session.matches(patterns)?;
    let types = session.types().ok();
    let pointers: Vec<PointerType> =
        variables.iter().map(|variable| PointerType::of(types, variable)).collect();
    let symbol_files = symbol_files(session, &variables, &pointers)?;
    let mut count: HashMap<Box<str>, usize> = HashMap::new();
    for variable in session.variables(&[])? {
        *count.entry(variable.name).or_default() += 1;
    }
    let told = variables.into_iter().zip(pointers).map(|(variable, pointer)| {
        let ambiguous = count.get(&variable.name) > Some(&1);
        ScriptVariable {
            file: variable.qualifier().filter(|_| ambiguous).map(str::to_owned),
            address: session.address(vnet.into(), &variable),
            name: variable.name,
            symbol: variable.symbol,
            pointer,
            size: variable.size,
        }
    });
    Ok(Script {
        title: format!("Variables of {} in {}", vnet.title(), session.core_path().display()),
        vnet: vnet.address,
        vnet_type: match types {
            Some(types) if types.is_for_debuggers() => "struct vnet",
            _ => "void",
        },
        data_base: vnet.data_base,
        pointer_size: session.kernel().arch().pointer_size(),
        symbol_files,
        variables: told.collect(),
        problems,
        missed: missed.into_iter().map(Error::from).collect(),
    })
}

/// The files of modules that define types which the kernel does not have.
fn symbol_files(
    session: &Session,
    variables: &[SetVariable],
    pointers: &[PointerType],
) -> Result<Vec<SymbolFile>, Error> {
    let elsewhere = |(_, pointer): &(_, &PointerType)| matches!(pointer, PointerType::Elsewhere(_));
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

impl PointerType {
    fn of(types: Option<&Types>, variable: &SetVariable) -> Self {
        let known = types.zip(variable.type_id);
        // Without the modules' files, a debugger knows only the kernel's types.
        let of_kernel = &*variable.module == "kernel";
        match known.filter(|(types, id)| types.is_of_kernel(*id)) {
            Some((types, id)) if types.can_be_written(id) => {
                Self::Written(types.name(types.pointer_to(id)))
            }
            Some(_) if of_kernel => Self::Borrowed,
            None if of_kernel => Self::Unknown,
            _ => known.map_or(Self::Unknown, |(types, id)| {
                Self::Elsewhere(types.name(types.pointer_to(id)))
            }),
        }
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::answers::testing::demo;
    use crate::render::gdb::write_script;

    #[test]
    fn a_script_is_about_one_vnets_copies() {
        let session = demo();
        let vnet = &session.vnets().unwrap().all[1];
        let patterns = ["tcbinfo".to_owned(), "no_such".to_owned()];
        let script = gdb(session, vnet, &patterns).unwrap();
        assert_eq!((script.variables.len(), script.missed.len()), (1, 1));
        let [tcbinfo] = &script.variables[..] else { panic!() };
        assert_eq!(tcbinfo.pointer, PointerType::Written("struct inpcbinfo *".into()));
        let mut out = Vec::new();
        write_script(&mut out, &script).unwrap();
        let text = String::from_utf8(out).unwrap();
        let line = format!("set $V_tcbinfo = (struct inpcbinfo *){}\n", tcbinfo.address);
        assert!(text.contains(&line), "{text}");
    }
}
