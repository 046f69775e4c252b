//! `print`: C expressions in the chosen vnets.

use std::io::Write;

use serde::Serialize;
use vnetkvm::error::{ExprError, ReadError};
use vnetkvm::kernel::VNET_PREFIX;
use vnetkvm::render::json::JsonPrinted;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::render::{c, sanitize};
use vnetkvm::session::{Printed, Session};
use vnetkvm::value::model::ValueError;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::Vnet;

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::{self, Outcome};
use crate::output::Output;
use crate::say::warning;

pub fn run(cli: &Cli, expressions: &[String]) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let mut output = Output::new(&cli.output);
    let stacks = context::chosen(cli, session, &mut output)?;
    let limits = context::limits(cli, output.format(), Limits::default().elements);
    let mut answers = Vec::with_capacity(stacks.len());
    let alone = stacks.len() * expressions.len() == 1;
    let mut missed = Missed::default();
    for stack in stacks {
        let mut results = Vec::with_capacity(expressions.len());
        for text in expressions {
            let printed = session.print(stack, text, &limits);
            results.push(match if alone { printed } else { in_its_place(text, printed) } {
                Ok(printed) => Ok(printed),
                Err(why) => {
                    let why = anyhow::Error::from(why);
                    let failed = Failed::new(text, &why);
                    missed.add(why);
                    Err(failed)
                }
            });
        }
        output.count_errors(results.iter().filter(|result| result.is_err()).count());
        for printed in results.iter().flatten() {
            output.inspect(&printed.value);
            printed.remarks.iter().for_each(|remark| note_remark(stack.vnet(), printed, remark));
        }
        answers.push(Answer { vnet: stack.vnet(), results });
    }
    let mut printed = answers.iter().flat_map(Answer::printed);
    let untyped = printed.any(|printed| matches!(printed.value, Value::Bytes(_)));
    if untyped || !missed.0.is_empty() {
        warn_untyped_variables(session, expressions)?;
    }
    missed.report(answers.iter().any(|answer| answer.printed().next().is_some()))?;
    let all = cli.vnet.all_vnets;
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                results: Vec<JsonPrinted<'a>>,
            }
            let parts = answers.iter().map(|one| (one.vnet, Body { results: one.json() }));
            output.vnet_documents(parts, all)?;
        }
        Format::Jsonl => {
            for answer in &answers {
                answer.json().iter().try_for_each(|one| output.vnet_line(answer.vnet, one))?;
            }
        }
        Format::Table => write_blocks(&mut output, &answers)?,
        Format::Plain => write_plain(&mut output, &answers, all)?,
    }
    output.finish(Outcome::Answered)
}

/// Why the types of modules' variables that the expressions name are not known.
fn warn_untyped_variables(session: &Session, expressions: &[String]) -> Result<(), vnetkvm::Error> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = expressions.iter().flat_map(|text| text.split(|c| !is_part(c)));
    let words: Vec<&str> = words.map(|word| word.strip_prefix("V_").unwrap_or(word)).collect();
    context::warn_untyped_modules(session, |module| {
        let names = module.vnet_symbols().map(|symbol| symbol.name);
        let mut bare = names.filter_map(|name| name.strip_prefix(VNET_PREFIX));
        bare.any(|name| words.contains(&name))
    })
}

/// Why expressions have no value. What is the same in several vnets is told once.
#[derive(Default)]
struct Missed(Vec<(String, anyhow::Error)>);

impl Missed {
    fn add(&mut self, why: anyhow::Error) {
        let story = format!("{why:#}");
        if self.0.iter().all(|(told, _)| *told != story) {
            self.0.push((story, why));
        }
    }

    fn report(self, answered: bool) -> anyhow::Result<()> {
        exit::report_missed_errors(self.0.into_iter().map(|(_, why)| why).collect(), answered)
    }
}

/// Among several answers, memory that cannot be read on the way to one is told in its place.
fn in_its_place(
    expression: &str,
    printed: Result<Printed, vnetkvm::Error>,
) -> Result<Printed, vnetkvm::Error> {
    match printed {
        Err(vnetkvm::Error::Expr { source: ExprError::Read(ReadError::Fault(fault)), .. }) => {
            Ok(Printed {
                expression: expression.into(),
                type_name: "".into(),
                address: None,
                value: ValueError::from(fault).into(),
                remarks: Vec::new(),
            })
        }
        printed => printed,
    }
}

fn note_remark(vnet: Option<&Vnet>, printed: &Printed, remark: &str) {
    let place = vnet.map_or(String::new(), |vnet| format!("{}: ", vnet.title()));
    warning(&format!("{place}{}: {remark}", printed.expression));
}

struct Answer<'a> {
    vnet: Option<&'a Vnet>,
    results: Vec<Result<Printed, Failed>>,
}

/// An expression that has no value, for those who want an element for each.
struct Failed {
    expression: Box<str>,
    kind: &'static str,
    message: Box<str>,
}

impl Failed {
    fn new(expression: &str, why: &anyhow::Error) -> Self {
        let kind = if exit::is_empty_answer(why) { "no-such-name" } else { "bad-expression" };
        let causes: Vec<String> = why.chain().skip(1).map(ToString::to_string).collect();
        let message = if causes.is_empty() { why.to_string() } else { causes.join(": ") };
        Self { expression: expression.into(), kind, message: message.into() }
    }
}

impl Answer<'_> {
    fn printed(&self) -> impl Iterator<Item = &Printed> {
        self.results.iter().flatten()
    }

    fn json(&self) -> Vec<JsonPrinted<'_>> {
        let results = self.results.iter();
        results
            .map(|result| match result {
                Ok(Printed { expression, type_name, address, value, .. }) => {
                    let type_name = (!type_name.is_empty()).then_some(&**type_name);
                    JsonPrinted::new(expression, type_name, *address, value)
                }
                Err(Failed { expression, kind, message }) => {
                    JsonPrinted::failed(expression, kind, message)
                }
            })
            .collect()
    }
}

/// `expression = (type) value`, over several lines where it does not fit.
fn write_blocks(output: &mut Output, answers: &[Answer<'_>]) -> anyhow::Result<()> {
    for answer in answers {
        if answers.len() > 1 {
            output.vnet_title(answer.vnet)?;
        }
        for printed in answer.printed() {
            let (text, type_name) = (&printed.expression, &printed.type_name);
            let label = match type_name.is_empty() {
                true => format!("{text} = "),
                false => format!("{text} = ({type_name}) "),
            };
            let label = sanitize::line(&label);
            let value = c::block(&printed.value, label.chars().count());
            writeln!(output.text(), "{label}{value}")?;
        }
    }
    Ok(())
}

/// Columns: expression, type, address or nothing, value; with all vnets, which one in front.
fn write_plain(output: &mut Output, answers: &[Answer<'_>], all: bool) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ("EXPRESSION", Align::Left),
        ("TYPE", Align::Left),
        ("ADDRESS", Align::Left),
        ("VALUE", Align::Left),
    ]);
    for answer in answers {
        let which = answer.vnet.filter(|_| all).map(context::short_title);
        for printed in answer.printed() {
            let cells = [
                printed.expression.to_string(),
                printed.type_name.to_string(),
                printed.address.map_or(String::new(), |address| address.to_string()),
                c::line(&printed.value),
            ];
            table.row(which.clone().into_iter().chain(cells));
        }
    }
    output.table(table)?;
    Ok(())
}
