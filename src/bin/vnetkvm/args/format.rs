//! `--format`: the name of a format, or a template.

use std::ffi::OsStr;
use std::sync::Arc;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, ValueEnum};
use vnetkvm::render::sanitize;
use vnetkvm::render::template::{Template, TemplateError};

use crate::hints;

#[derive(Debug, Clone, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, cut to the width of the terminal
    Table,
    /// Columns separated by tabs, without titles, never cut
    Plain,
    /// One JSON object
    Json,
    /// One JSON object per line for each element of the answer
    Jsonl,
    /// One file for a browser
    #[value(hide = true)]
    Html,
    /// Text for a bug tracker
    #[value(hide = true)]
    Markdown,
    /// One line for each element of the answer, made of members of its JSON object
    #[value(skip)]
    Template(Arc<Template>),
}

impl Format {
    /// Whether a command answers in this format. Reports have formats of their own.
    pub fn fits(&self, command: &str) -> bool {
        let is_for_reports = matches!(self, Self::Html | Self::Markdown);
        is_for_reports == (command == "report")
    }

    /// As it is given on the command line.
    pub fn name(&self) -> String {
        match self {
            Self::Template(template) => template.text().to_owned(),
            named => named
                .to_possible_value()
                .map(|value| value.get_name().to_owned())
                .unwrap_or_default(),
        }
    }
}

/// Reads a [`Format`]. What has a brace is a template.
#[derive(Debug, Clone)]
pub struct FormatParser;

impl TypedValueParser for FormatParser {
    type Value = Format;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Format, clap::Error> {
        if value.as_encoded_bytes().contains(&b'{') {
            let parse = |text: &str| match Template::parse(text) {
                Ok(template) => Ok(Format::Template(Arc::new(template))),
                Err(why) => Err(mistake(&why)),
            };
            return parse.parse_ref(command, arg, value);
        }
        let named = clap::builder::EnumValueParser::<Format>::new();
        named.parse_ref(command, arg, value).map_err(|mut error| {
            if error.kind() == ErrorKind::InvalidValue {
                let tip = "a template has braces: --format '{vnet.index}\\t{name}'";
                error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
            }
            error
        })
    }

    /// For help and completions.
    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let named = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        Some(Box::new(named))
    }
}

/// What is wrong with a template, where, and what to write.
fn mistake(why: &TemplateError) -> String {
    let caret = why.caret();
    let lines = caret.lines().map(|line| format!("\n    {}", sanitize::line(line)));
    format!("{why}{}\nhint: {}", lines.collect::<String>(), hints::template(&why.fault))
}
