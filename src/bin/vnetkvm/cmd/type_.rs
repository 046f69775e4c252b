//! `type`: a declaration with offsets, sizes and holes.

use serde::Serialize;
use vnetkvm::error::TypeError;
use vnetkvm::render::decl::write_declaration;
use vnetkvm::render::json::JsonDeclaration;
use vnetkvm::types::{TypeId, Types};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::Output;

pub fn run(cli: &Cli, words: &[String]) -> anyhow::Result<Outcome> {
    let declaration = context::with_kernel(cli, |kernel| {
        let types = Types::load(kernel).map_err(vnetkvm::Error::from)?;
        Ok(types.declaration(find(&types, &words.join(" "))?)?)
    })?;
    let mut output = Output::new(&cli.output);
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                #[serde(rename = "type")]
                declaration: JsonDeclaration<'a>,
            }
            output.document(Body { declaration: JsonDeclaration::new(&declaration) })?;
        }
        Format::Jsonl => output.json_line(&JsonDeclaration::new(&declaration))?,
        Format::Table | Format::Plain => write_declaration(output.text(), &declaration)?,
    }
    output.finish(Outcome::Answered)
}

/// The type of that name; a bare name is a typedef or base type, or else a tag.
fn find(types: &Types, name: &str) -> Result<TypeId, TypeError> {
    let bare = types.find(name);
    if !matches!(bare, Err(TypeError::NotFound { .. })) {
        return bare;
    }
    let tagged = ["struct", "union", "enum"].into_iter();
    let found = tagged.filter_map(|tag| types.find(&format!("{tag} {name}")).ok()).next();
    found.map_or(bare, Ok)
}
