//! How far the chosen vnets have come with their constructors and destructors.

use std::io;

use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};

use super::super::{Answer, Chosen, Column, Elements, Page, PerVnet};
use super::{Sysinit, columns, none};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::Session;
use crate::threads::ThreadName;
use crate::views::construction::{self, Construction, Direction, Phase, Progress};
use crate::vnet::{Stack, Sysinits, Vnet, VnetState};

/// How far a vnet has come, and with which functions.
#[derive(Debug, Serialize)]
pub struct VnetConstruction {
    /// The phase, and how far it has come.
    pub construction: Stage,
    /// Progress up, down, or both; `None` if that is unknown.
    pub sysinits: Option<Elements<'static, Sysinit>>,
    /// Its vnet and phase.
    #[serde(skip)]
    title: String,
    /// The names of the functions in `construction`.
    #[serde(skip)]
    running: Option<String>,
    #[serde(skip)]
    possible: Vec<String>,
}

/// How far a vnet has come.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// Built, up, torn down, or between.
    #[serde(serialize_with = "phase_name")]
    pub phase: Phase,
    /// `vnet_state`; `None` before 11.0, which has no such member.
    pub state: Option<VnetState>,
    /// How that is known.
    pub evidence: Box<str>,
    /// The thread that builds it or tears it down.
    pub thread: Option<ThreadName>,
    /// The function that it is certainly in.
    pub function: Option<Running>,
    /// Functions that words on the thread's stack point into, if no chain of frames shows it; as
    /// the addresses of their struct vnet_sysinit.
    pub possible: Vec<VirtAddr>,
    /// The way up, the way down, or both where it may be either.
    pub courses: Vec<Course>,
}

/// The constructor or destructor that runs.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Running {
    /// The address of its struct vnet_sysinit.
    pub sysinit: VirtAddr,
    /// Whether the thread's stack proves that it runs.
    pub certain: bool,
}

/// The subsystems on one way, in the order in which they run.
#[derive(Debug, Clone, Serialize)]
pub struct Course {
    /// Up or down.
    #[serde(serialize_with = "direction_name")]
    pub direction: Direction,
    /// Subsystems whose functions have all run.
    pub done: Vec<String>,
    /// Subsystems of which some have run, or that are running.
    pub in_progress: Vec<String>,
    /// Subsystems that have not begun.
    pub to_come: Vec<String>,
}

/// How far each of the chosen vnets has come.
///
/// # Errors
/// The kernel is not the dump's, or has no VIMAGE, no such lists or no debug information.
pub fn construction<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
) -> Result<PerVnet<'s, Option<VnetConstruction>>, Error> {
    let sysinits = Sysinits::read(session.matching_target()?, &session.unloaded())?;
    let empty = sysinits.iter().next().is_none();
    let nothing = empty.then(|| none(&sysinits));
    let mut problems = sysinits.problems.clone();
    let (mut constructions, workers) = (FxHashMap::default(), session.workers());
    for vnet in chosen.stacks.iter().filter_map(|stack| stack.vnet()) {
        let construction = Construction::of(&workers, &sysinits, vnet);
        problems.extend(construction.problems.clone());
        constructions.insert(vnet.address, construction);
    }
    let of_vnet = move |stack: Stack<'s>| {
        let vnet = stack.vnet()?;
        Some(VnetConstruction::new(&sysinits, vnet, constructions.get(&vnet.address)?))
    };
    // Its own title includes the phase.
    let answer = PerVnet { titled: false, marked: true, ..PerVnet::new(chosen, of_vnet) };
    Ok(PerVnet { problems, nothing, ..answer })
}

impl VnetConstruction {
    fn new(sysinits: &Sysinits, vnet: &Vnet, of: &Construction) -> Self {
        let on_the_way = of.courses.iter().flat_map(|course| {
            let list = course.direction.of(sysinits).iter().zip(&course.progress);
            list.map(|(sysinit, progress)| Sysinit::new(course.direction, sysinit, Some(*progress)))
        });
        let on_the_way: Vec<Sysinit> = on_the_way.collect();
        let known = !on_the_way.is_empty() || sysinits.problems.is_empty();
        let name = |address| sysinits.function_at(address);
        Self {
            title: format!("{}: {}", vnet.title(), of.phase.words()),
            running: of.function.and_then(name),
            possible: of.possible.iter().copied().filter_map(name).collect(),
            sysinits: known.then(|| on_the_way.into()),
            construction: Stage {
                phase: of.phase,
                state: vnet.state.clone(),
                evidence: of.evidence.clone(),
                thread: of.thread.clone(),
                function: of.function.map(|sysinit| Running { sysinit, certain: true }),
                possible: of.possible.clone(),
                courses: of.courses.iter().map(|course| Course::new(course, sysinits)).collect(),
            },
        }
    }

    /// What the state and the stacks show.
    fn lay_out_stage(&self, page: &mut impl Page) -> io::Result<()> {
        let Stage { phase, state, evidence, courses, .. } = &self.construction;
        page.line(&sentence(evidence))?;
        if let Some(state) = state {
            let name = match (&state.name, state.value) {
                (Some(name), _) => name.to_string(),
                (None, 0) => "0 (never set)".to_owned(),
                (None, value) => format!("{value:#x}"),
            };
            page.line(&format!("vnet_state: {name}"))?;
        }
        if let Some(running) = &self.running {
            page.line(&format!("running: {running}"))?;
        }
        if !self.possible.is_empty() {
            let possible = self.possible.join(", ");
            page.line(&format!("possible: {possible} (judging by words on its stack)"))?;
        }
        let moving = !matches!(phase, Phase::Up | Phase::Destroyed);
        for course in courses.iter().filter(|_| moving) {
            if courses.len() > 1 {
                page.line(&format!("if it is {}:", way(course.direction)))?;
            }
            course.lay_out(page)?;
        }
        Ok(())
    }
}

impl Answer for VnetConstruction {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        page.title(&self.title)?;
        self.lay_out_stage(page)?;
        let columns: Vec<Column> =
            [Column::left("PROGRESS")].into_iter().chain(columns()).collect();
        let none = Elements::from(Vec::new());
        page.table(&columns, self.sysinits.as_ref().unwrap_or(&none))
    }

    fn unreadable(&self) -> usize {
        let sysinits = self.sysinits.as_ref().and_then(Elements::kept).unwrap_or_default();
        sysinits.iter().map(super::Element::unreadable).sum()
    }
}

impl Course {
    fn new(course: &construction::Course, sysinits: &Sysinits) -> Self {
        let names = |wanted| {
            let names = course.subsystems(sysinits, wanted).into_iter();
            names.map(str::to_owned).collect()
        };
        Self {
            direction: course.direction,
            done: names(Progress::Done),
            in_progress: names(Progress::Running),
            to_come: names(Progress::ToCome),
        }
    }

    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let parts =
            [("done", &self.done), ("in progress", &self.in_progress), ("to come", &self.to_come)];
        for (title, names) in parts {
            let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
            page.line(&format!("{title}: {names}"))?;
        }
        Ok(())
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().collect::<String>());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

fn way(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "being built",
        Direction::Down => "being torn down",
    }
}

fn phase_name<S: Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(phase.name())
}

fn direction_name<S: Serializer>(direction: &Direction, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    })
}
