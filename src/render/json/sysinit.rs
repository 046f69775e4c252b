//! Constructors and destructors, and how far a vnet has come with them, as JSON.

use serde::Serialize;

use super::value::{JsonPointer, OrError};
use super::{JsonThread, JsonVnetState};
use crate::addr::VirtAddr;
use crate::views::construction::{Construction, Course, Direction, Phase, Progress};
use crate::vnet::enum_names::EnumValue;
use crate::vnet::{Sysinits, Vnet, VnetSysinit};

/// A constructor or destructor, and how far one vnet has come with it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonSysinit<'a> {
    kind: &'static str,
    address: VirtAddr,
    subsystem: OrError<'a, JsonEnumValue<'a>>,
    order: OrError<'a, JsonEnumValue<'a>>,
    function: OrError<'a, JsonPointer<'a>>,
    argument: OrError<'a, JsonPointer<'a>>,
    module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<&'static str>,
}

/// `{"enum": "SI_ORDER_ANY", "value": 268435455}`
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonEnumValue<'a> {
    #[serde(rename = "enum")]
    name: Option<&'a str>,
    value: u64,
}

/// How far a vnet has come.
#[derive(Debug, Clone, Serialize)]
pub struct JsonConstruction<'a> {
    phase: &'static str,
    state: Option<JsonVnetState<'a>>,
    evidence: &'a str,
    thread: Option<JsonThread<'a>>,
    function: Option<JsonRunning>,
    /// Functions that words on the thread's stack point into, where no chain of frames tells.
    possible: Vec<VirtAddr>,
    courses: Vec<JsonCourse<'a>>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct JsonRunning {
    sysinit: VirtAddr,
    certain: bool,
}

#[derive(Debug, Clone, Serialize)]
struct JsonCourse<'a> {
    direction: &'static str,
    done: Vec<&'a str>,
    in_progress: Vec<&'a str>,
    to_come: Vec<&'a str>,
}

impl<'a> JsonSysinit<'a> {
    pub fn new(kind: Direction, sysinit: &'a VnetSysinit) -> Self {
        Self {
            kind: match kind {
                Direction::Up => "constructor",
                Direction::Down => "destructor",
            },
            address: sysinit.address,
            subsystem: OrError::new(&sysinit.subsystem),
            order: OrError::new(&sysinit.order),
            function: OrError::new(&sysinit.function),
            argument: OrError::new(&sysinit.argument),
            module: sysinit.module.as_deref(),
            progress: None,
        }
    }

    /// The same with how far one vnet has come with it.
    pub fn with_progress(self, progress: Progress) -> Self {
        Self { progress: Some(progress_name(progress)), ..self }
    }
}

impl<'a> From<&'a EnumValue> for JsonEnumValue<'a> {
    fn from(number: &'a EnumValue) -> Self {
        Self { name: number.name.as_deref(), value: number.value }
    }
}

impl<'a> JsonConstruction<'a> {
    pub fn new(construction: &'a Construction, sysinits: &'a Sysinits, vnet: &'a Vnet) -> Self {
        let course = |course: &Course| JsonCourse {
            direction: match course.direction {
                Direction::Up => "up",
                Direction::Down => "down",
            },
            done: course.subsystems(sysinits, Progress::Done),
            in_progress: course.subsystems(sysinits, Progress::Running),
            to_come: course.subsystems(sysinits, Progress::ToCome),
        };
        Self {
            phase: match construction.phase {
                Phase::Up => "up",
                Phase::Building => "building",
                Phase::TearingDown => "tearing-down",
                Phase::Between => "between",
                Phase::Destroyed => "destroyed",
            },
            state: vnet.state.as_ref().map(JsonVnetState::from),
            evidence: &construction.evidence,
            thread: construction.thread.as_ref().map(JsonThread::from),
            function: construction.function.map(|sysinit| JsonRunning { sysinit, certain: true }),
            possible: construction.possible.clone(),
            courses: construction.courses.iter().map(course).collect(),
        }
    }
}

fn progress_name(progress: Progress) -> &'static str {
    match progress {
        Progress::Done => "done",
        Progress::Running => "running",
        Progress::Possible => "possible",
        Progress::ToCome => "to-come",
        Progress::Unknown => "unknown",
    }
}
