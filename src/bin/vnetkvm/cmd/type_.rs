//! `type`: declarations with offsets, sizes and holes.

use std::io::Write;

use serde::Serialize;
use vnetkvm::error::TypeError;
use vnetkvm::kernel::Kernel;
use vnetkvm::render::decl::{plain_table, write_declaration};
use vnetkvm::render::json::JsonDeclaration;
use vnetkvm::session::MissingTypes;
use vnetkvm::types::declaration::Declaration;
use vnetkvm::types::{Definition, Types};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::{self, Failure, Outcome};
use crate::hints;
use crate::limits;
use crate::output::Output;
use crate::say::note;

pub fn run(cli: &Cli, words: &[String]) -> anyhow::Result<Outcome> {
    let names = names(words)?;
    let declarations = context::with_kernel(cli, |kernel| declarations(cli, kernel, &names))?;
    let mut output = Output::new(&cli.output);
    match output.format() {
        Format::Json => write_json(&mut output, &declarations)?,
        Format::Jsonl => {
            let mut shown = declarations.iter().map(JsonDeclaration::new);
            shown.try_for_each(|one| output.json_line(&one))?;
        }
        Format::Table => {
            for (index, declaration) in declarations.iter().enumerate() {
                if index > 0 {
                    writeln!(output.text())?;
                }
                write_declaration(&mut output.text(), declaration)?;
            }
        }
        Format::Plain => {
            for declaration in &declarations {
                output.table(plain_table(declaration))?;
            }
        }
    }
    output.finish(Outcome::Answered)
}

fn write_json(output: &mut Output, declarations: &[Declaration]) -> std::io::Result<()> {
    #[derive(Serialize)]
    struct One<'a> {
        #[serde(rename = "type")]
        declaration: JsonDeclaration<'a>,
    }
    #[derive(Serialize)]
    struct Several<'a> {
        types: Vec<JsonDeclaration<'a>>,
    }
    match declarations {
        [one] => output.document(One { declaration: JsonDeclaration::new(one) }),
        several => {
            output.document(Several { types: several.iter().map(JsonDeclaration::new).collect() })
        }
    }
}

/// What the names name. Of several, one that names nothing is told of; it is an error
/// if it is the last hope.
fn declarations(cli: &Cli, kernel: &Kernel, names: &[String]) -> anyhow::Result<Vec<Declaration>> {
    let types = Types::load(kernel).map_err(|why| no_types(kernel, why))?;
    limits::set_budget(cli, types.budget(), types.budget().allowance());
    let mut found = Vec::with_capacity(names.len());
    let mut missed = Vec::new();
    for name in names {
        match find(&types, name) {
            Ok(declarations) => {
                note_other_definitions(&declarations);
                found.extend(declarations);
            }
            Err(why) => missed.push(missing(kernel, name, why)),
        }
    }
    exit::report_missed_errors(missed, !found.is_empty())?;
    Ok(found)
}

/// Why there is no such type; it may be that a variable has the name.
fn missing(kernel: &Kernel, name: &str, why: TypeError) -> anyhow::Error {
    let bare = name.strip_prefix("V_").unwrap_or(name);
    let symbols = [name.to_owned(), format!("vnet_entry_{bare}")];
    let variable = symbols.iter().any(|symbol| kernel.symbol(symbol).is_some());
    if !variable || !why.is_no_match() {
        return why.into();
    }
    Failure::new(format!("{name} is a variable or function, not a type"))
        .hint(format!("`vnetkvm print {name}` shows it with its type"))
        .because(why)
}

fn no_types(kernel: &Kernel, why: TypeError) -> anyhow::Error {
    let missing = MissingTypes::of(kernel, &why);
    Failure::new("types are needed for this").hint(hints::missing_types(&missing)).because(why)
}

/// The words as names of types, each of one word or more: `struct vnet`, `unsigned
/// long`, `ifnet_t *`.
fn names(words: &[String]) -> Result<Vec<String>, Failure> {
    const TAGS: [&str; 4] = ["struct", "union", "enum", "class"];
    const BASE: [&str; 8] =
        ["unsigned", "signed", "long", "short", "int", "char", "double", "_Complex"];
    let mut names: Vec<String> = Vec::new();
    for word in words {
        let word = word.trim();
        if word.is_empty() {
            return Err(Failure::new("a type without a name was asked for")
                .hint("name one, such as `struct vnet`"));
        }
        let goes_on = names.last().is_some_and(|name| {
            let last = name.rsplit(' ').next().unwrap_or_default();
            let qualified = ["const", "volatile"].contains(&last);
            let pointer = word.chars().all(|c| matches!(c, '*' | ' '));
            let base = BASE.contains(&last) && BASE.contains(&word);
            TAGS.contains(&last) || qualified || pointer || base
        });
        match names.last_mut().filter(|_| goes_on) {
            Some(name) => *name = format!("{name} {word}"),
            None => names.push(word.to_owned()),
        }
    }
    Ok(names)
}

/// The types of that name: one, or several that are different. A bare name is a typedef
/// or base type, or else a tag.
fn find(types: &Types, name: &str) -> Result<Vec<Declaration>, TypeError> {
    let mut definitions = types.definitions(name);
    for tag in ["struct", "union", "enum"] {
        match (&definitions, types.definitions(&format!("{tag} {name}"))) {
            (Err(bare), Ok(tagged)) if bare.is_no_match() => definitions = Ok(tagged),
            (Err(bare), Err(why)) if bare.is_no_match() && is_elsewhere(&why) => {
                definitions = Err(why);
            }
            _ => {}
        }
    }
    let definitions = definitions?;
    // Of a type that all files share, the file says nothing.
    let by_file = definitions.len() > 1 || name.contains('@');
    let declared = definitions.into_iter().map(|Definition { type_id, file }| {
        let declaration = types.declaration(type_id)?;
        Ok(Declaration { file: file.filter(|_| by_file), ..declaration })
    });
    declared.collect()
}

/// Do other files than the one that was named have it?
fn is_elsewhere(why: &TypeError) -> bool {
    matches!(why, TypeError::NotInFile { elsewhere, .. } if !elsewhere.is_empty())
}

fn note_other_definitions(declarations: &[Declaration]) {
    if let [first, _, ..] = declarations {
        let (count, name, one) = (declarations.len(), &first.name, first.full_name());
        note(&format!(
            "note: there are {count} different types named {name}; ask for one as \"{one}\""
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_of_several_words() {
        for (words, wanted) in [
            (&["struct", "vnet"][..], &["struct vnet"][..]),
            (&["struct vnet", "ifnet"], &["struct vnet", "ifnet"]),
            (&["struct", "vnet", "union", "x"], &["struct vnet", "union x"]),
            (&["unsigned", "long", "int", "u_int"], &["unsigned long int", "u_int"]),
            (&["const", "struct", "vnet", "*"], &["const struct vnet *"]),
            (&["a", "b"], &["a", "b"]),
        ] {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(names(&words).unwrap(), wanted);
        }
        assert!(names(&[String::new()]).is_err());
        assert!(names(&["vnet".to_owned(), " ".to_owned()]).is_err());
    }
}
