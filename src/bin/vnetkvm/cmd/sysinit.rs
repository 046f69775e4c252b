//! `sysinit`: what runs when a vnet is made and when it is destroyed, and how far a
//! vnet has come with it.

use std::io;

use serde::Serialize;
use vnetkvm::render::c;
use vnetkvm::render::json::{JsonConstruction, JsonSysinit};
use vnetkvm::render::table::{Align, Table};
use vnetkvm::value::model::{PointerValue, ValueError};
use vnetkvm::views::construction::{Construction, Course, Direction, Phase, Progress};
use vnetkvm::vnet::enum_names::EnumValue;
use vnetkvm::vnet::{Sysinits, Vnet, VnetSysinit};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::Output;

pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let sysinits = session.sysinits()?;
    let mut output = Output::new(&cli.output);
    output.count_errors(errors(&sysinits));
    output.problems(&sysinits.problems);
    match cli.vnet.is_given() {
        false => show(&mut output, &sysinits)?,
        true => {
            let stacks = context::chosen(cli, session, &mut output)?;
            let of = |vnet| (vnet, session.construction(&sysinits, vnet));
            let answers: Vec<_> = stacks.iter().filter_map(|stack| stack.vnet()).map(of).collect();
            answers.iter().for_each(|(_, construction)| output.problems(&construction.problems));
            show_vnets(&mut output, &sysinits, &answers, cli.vnet.all_vnets)?;
        }
    }
    output.finish(Outcome::of(sysinits.iter().next().is_some(), none(&sysinits)))
}

/// Why there is nothing to show.
fn none(sysinits: &Sysinits) -> String {
    match sysinits.problems.none() {
        Ok(()) => "the kernel has not registered any constructor or destructor".to_owned(),
        Err(why) => {
            format!("which constructors and destructors there are is unknown, because {why}")
        }
    }
}

/// Both lists.
fn show(output: &mut Output, sysinits: &Sysinits) -> io::Result<()> {
    match output.format() {
        Format::Json => {
            let sysinits = output.listed(elements(sysinits, None));
            output.document(Body { sysinits })
        }
        Format::Jsonl => {
            elements(sysinits, None).iter().try_for_each(|element| output.json_line(element))
        }
        Format::Table | Format::Plain => {
            let mut table = Table::new(&COLUMNS);
            for (kind, sysinit) in both(sysinits) {
                table.row(cells(kind, sysinit));
            }
            output.table(table)
        }
    }
}

/// Both lists and the progress of each vnet.
fn show_vnets(
    output: &mut Output,
    sysinits: &Sysinits,
    answers: &[(&Vnet, Construction)],
    all: bool,
) -> io::Result<()> {
    match output.format() {
        Format::Json => {
            let whole = sysinits.problems.is_empty();
            let listed = |found: Vec<_>| (whole || !found.is_empty()).then_some(found);
            let answers = answers.iter().map(|(vnet, construction)| {
                let sysinits_of = listed(elements(sysinits, Some(construction)));
                let construction = JsonConstruction::new(construction, sysinits, vnet);
                (Some(*vnet), VnetBody { construction, sysinits: sysinits_of })
            });
            output.vnet_documents(answers, all)
        }
        Format::Jsonl => answers.iter().try_for_each(|(vnet, construction)| {
            let elements = elements(sysinits, Some(construction));
            elements.iter().try_for_each(|element| output.vnet_line(Some(vnet), element))
        }),
        Format::Table => answers.iter().try_for_each(|(vnet, construction)| {
            output.title(&format!("{}: {}", vnet.title(), phase(construction.phase)))?;
            tell(output, sysinits, vnet, construction)?;
            output.table(progress_table(sysinits, construction, None))
        }),
        Format::Plain => answers.iter().try_for_each(|(vnet, construction)| {
            output.table(progress_table(sysinits, construction, Some(vnet)))
        }),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    sysinits: Option<Vec<JsonSysinit<'a>>>,
}

#[derive(Serialize)]
struct VnetBody<'a> {
    construction: JsonConstruction<'a>,
    sysinits: Option<Vec<JsonSysinit<'a>>>,
}

const COLUMNS: [(&str, Align); 7] = [
    ("KIND", Align::Left),
    ("SUBSYSTEM", Align::Left),
    ("ORDER", Align::Left),
    ("FUNCTION", Align::Left),
    ("ARGUMENT", Align::Left),
    ("MODULE", Align::Left),
    ("ADDRESS", Align::Left),
];

/// All of both lists, with their kind.
fn both(sysinits: &Sysinits) -> impl Iterator<Item = (Direction, &VnetSysinit)> {
    let list = |way: Direction| way.of(sysinits).iter().map(move |sysinit| (way, sysinit));
    [Direction::Up, Direction::Down].into_iter().flat_map(list)
}

/// What is on the way, or the ways, of a vnet, with its progress.
fn with_progress<'s>(
    sysinits: &'s Sysinits,
    construction: &'s Construction,
) -> impl Iterator<Item = (Direction, &'s VnetSysinit, Progress)> {
    construction.courses.iter().flat_map(|course| {
        let list = course.direction.of(sysinits).iter().zip(&course.progress);
        list.map(|(sysinit, progress)| (course.direction, sysinit, *progress))
    })
}

fn elements<'s>(
    sysinits: &'s Sysinits,
    construction: Option<&'s Construction>,
) -> Vec<JsonSysinit<'s>> {
    match construction {
        None => both(sysinits).map(|(kind, sysinit)| JsonSysinit::new(kind, sysinit)).collect(),
        Some(construction) => with_progress(sysinits, construction)
            .map(|(kind, sysinit, progress)| {
                JsonSysinit::new(kind, sysinit).with_progress(progress)
            })
            .collect(),
    }
}

fn cells(kind: Direction, sysinit: &VnetSysinit) -> [String; 7] {
    let kind = match kind {
        Direction::Up => "constructor",
        Direction::Down => "destructor",
    };
    [
        kind.to_owned(),
        label(&sysinit.subsystem),
        label(&sysinit.order),
        pointer(&sysinit.function),
        pointer(&sysinit.argument),
        sysinit.module.as_deref().unwrap_or("-").to_owned(),
        sysinit.address.to_string(),
    ]
}

fn progress_table(sysinits: &Sysinits, construction: &Construction, vnet: Option<&Vnet>) -> Table {
    let mut columns = vec![("PROGRESS", Align::Left)];
    columns.splice(0..0, vnet.map(|_| ("VNET", Align::Right)));
    columns.extend(COLUMNS);
    let mut table = Table::new(&columns);
    for (kind, sysinit, progress) in with_progress(sysinits, construction) {
        let title = vnet.map(context::short_title).into_iter();
        let progress = progress_name(progress).to_owned();
        table.row(title.chain([progress]).chain(cells(kind, sysinit)));
    }
    table
}

/// What the state and the stacks say, in words.
fn tell(
    output: &mut Output,
    sysinits: &Sysinits,
    vnet: &Vnet,
    construction: &Construction,
) -> io::Result<()> {
    output.line(&sentence(&construction.evidence))?;
    if let Some(state) = &vnet.state {
        let name = match (&state.name, state.value) {
            (Some(name), _) => name.to_string(),
            (None, 0) => "0 (never set)".to_owned(),
            (None, value) => format!("{value:#x}"),
        };
        output.line(&format!("vnet_state: {name}"))?;
    }
    let name = |address| {
        let sysinit = sysinits.iter().find(|sysinit| sysinit.address == address);
        sysinit.map(|sysinit| pointer(&sysinit.function))
    };
    if let Some(running) = construction.function.and_then(name) {
        output.line(&format!("running: {running}"))?;
    }
    let possible: Vec<String> = construction.possible.iter().copied().filter_map(name).collect();
    if !possible.is_empty() {
        output.line(&format!("possible: {} (by words on its stack)", possible.join(", ")))?;
    }
    let moving = !matches!(construction.phase, Phase::Up | Phase::Destroyed);
    for course in construction.courses.iter().filter(|_| moving) {
        if construction.courses.len() > 1 {
            output.line(&format!("if it is {}:", way(course.direction)))?;
        }
        for (title, progress) in [
            ("done", Progress::Done),
            ("in progress", Progress::Running),
            ("to come", Progress::ToCome),
        ] {
            output.line(&format!("{title}: {}", names(course, sysinits, progress)))?;
        }
    }
    Ok(())
}

fn names(course: &Course, sysinits: &Sysinits, wanted: Progress) -> String {
    let names = course.subsystems(sysinits, wanted);
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().collect::<String>());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

fn label(number: &Result<EnumValue, ValueError>) -> String {
    match number {
        Ok(number) => number.label.to_string(),
        Err(why) => c::error(why),
    }
}

/// A function's name, or the address of what has none.
fn pointer(pointer: &Result<PointerValue, ValueError>) -> String {
    match pointer {
        Ok(pointer) => c::symbol_or_address(pointer),
        Err(why) => c::error(why),
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Up => "up",
        Phase::Building => way(Direction::Up),
        Phase::TearingDown => way(Direction::Down),
        Phase::Between => "being built or torn down",
        Phase::Destroyed => "destroyed",
    }
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "being built",
        Direction::Down => "being torn down",
    }
}

fn progress_name(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "done",
        Progress::Running => "running",
        Progress::Possible => "one of these",
        Progress::ToCome => "to come",
        Progress::Unknown => "?",
    }
}

/// What could not be read.
fn errors(sysinits: &Sysinits) -> usize {
    let of = |sysinit: &VnetSysinit| {
        let (subsystem, order) = (sysinit.subsystem.is_err(), sysinit.order.is_err());
        [subsystem, order, sysinit.function.is_err(), sysinit.argument.is_err()]
            .into_iter()
            .filter(|failed| *failed)
            .count()
    };
    sysinits.iter().map(of).sum()
}
