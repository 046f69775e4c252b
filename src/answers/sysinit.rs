//! `sysinit`: what runs when a vnet is created and destroyed, and how far a
//! vnet has come with it.

mod progress;

use serde::Serialize;

use super::{Cell, Column, Element, List, Medium, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::Session;
use crate::value::model::{PointerValue, ValueError};
use crate::value::serialize::or_error;
use crate::views::construction::{Direction, Progress};
use crate::vnet::enum_names::EnumValue;
use crate::vnet::{Sysinits, VnetSysinit};

pub use progress::{Course, Running, Stage, VnetConstruction, construction};

/// A constructor or destructor.
#[derive(Debug, Clone, Serialize)]
pub struct Sysinit {
    /// `constructor` or `destructor`.
    pub kind: &'static str,
    /// The address of its struct vnet_sysinit.
    pub address: VirtAddr,
    /// When it runs: an `enum sysinit_sub_id` of `sys/sys/kernel.h`.
    #[serde(serialize_with = "or_error")]
    pub subsystem: Result<EnumValue, ValueError>,
    /// When it runs within its subsystem: an `enum sysinit_elem_order`.
    #[serde(serialize_with = "or_error")]
    pub order: Result<EnumValue, ValueError>,
    /// What is called.
    #[serde(serialize_with = "or_error")]
    pub function: Result<PointerValue, ValueError>,
    /// What the function is called with.
    #[serde(serialize_with = "or_error")]
    pub argument: Result<PointerValue, ValueError>,
    /// The owner of the function: `kernel`, or a module's file name.
    pub module: Option<Box<str>>,
    /// How far one vnet has come with it, if the question was about one vnet.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "progress_name")]
    pub progress: Option<Progress>,
}

/// The constructors and destructors, in the order in which they run.
///
/// # Errors
/// The kernel is not the dump's, or has no VIMAGE, no such lists or no debug information.
pub fn sysinits(session: &Session) -> Result<List<'static, Sysinit>, Error> {
    let sysinits = Sysinits::read(session.matching_target()?, &session.unloaded())?;
    let both = [Direction::Up, Direction::Down].into_iter().flat_map(|way| {
        way.of(&sysinits).iter().map(move |sysinit| Sysinit::new(way, sysinit, None))
    });
    let both: Vec<Sysinit> = both.collect();
    let unknown = both.is_empty() && !sysinits.problems.is_empty();
    let list = List::new(columns(), both).or_nothing(|| none(&sysinits));
    Ok(List { unknown, ..list }.with_problems(sysinits.problems))
}

/// Why the list is empty.
fn none(sysinits: &Sysinits) -> String {
    match sysinits.problems.none() {
        Ok(()) => "the kernel has not registered any constructor or destructor".to_owned(),
        Err(why) => {
            format!("the constructors and destructors are unknown, because {why}")
        }
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::left("KIND"),
        Column::left("SUBSYSTEM"),
        Column::left("ORDER"),
        Column::left("FUNCTION"),
        Column::left("ARGUMENT"),
        Column::left("MODULE"),
        Column::left("ADDRESS"),
    ]
}

impl Sysinit {
    fn new(direction: Direction, sysinit: &VnetSysinit, progress: Option<Progress>) -> Self {
        let VnetSysinit { address, subsystem, order, function, argument, module } = sysinit.clone();
        let kind = match direction {
            Direction::Up => "constructor",
            Direction::Down => "destructor",
        };
        Self { kind, address, subsystem, order, function, argument, module, progress }
    }
}

impl Element for Sysinit {
    const ARRAY: &'static str = "sysinits";

    fn unreadable(&self) -> usize {
        let Self { subsystem, order, function, argument, .. } = self;
        let errors = [subsystem.is_err(), order.is_err(), function.is_err(), argument.is_err()];
        errors.into_iter().filter(|error| *error).count()
    }
}

impl Row for Sysinit {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let progress = self.progress.map(|progress| Cell::from(words(progress)));
        let cells = [
            self.kind.into(),
            Cell::read(&self.subsystem, |number| (&*number.label).into()),
            Cell::read(&self.order, |number| (&*number.label).into()),
            Cell::read(&self.function, Cell::Pointer),
            Cell::read(&self.argument, Cell::Pointer),
            self.module.as_deref().into(),
            self.address.into(),
        ];
        vec![progress.into_iter().chain(cells).collect()]
    }
}

/// The text for people.
fn words(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "done",
        Progress::Running => "running",
        Progress::Possible => "one of these",
        Progress::ToCome => "to come",
        Progress::Unknown => "?",
    }
}

/// The name in JSON.
fn progress_name<S: serde::Serializer>(
    progress: &Option<Progress>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let name = progress.map(|progress| match progress {
        Progress::Done => "done",
        Progress::Running => "running",
        Progress::Possible => "possible",
        Progress::ToCome => "to-come",
        Progress::Unknown => "unknown",
    });
    name.serialize(serializer)
}
