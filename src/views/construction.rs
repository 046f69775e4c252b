//! How far the construction or destruction of a network stack has come.
//!
//! What: for each constructor and destructor whether this vnet has run it, runs it,
//! or is still to run it.
//!
//! How: `vnet_state` names the subsystem whose constructors vnet_alloc, or whose
//! destructors vnet_destroy, came to last (`sys/net/vnet.c`, 11.0 and later). It
//! shows neither which of the two, nor which function. That is on the kernel stack of
//! the thread that works in this vnet, between vnet_alloc or vnet_destroy and
//! whatever the function has called.
//!
//! What it refuses to do: it does not guess. Where nothing shows whether it is going up or down,
//! both courses are given; if no stack shows the function, it is one of several. A word on
//! the stack outside the chain of frames may be left over from an earlier call:
//! a function known only from such a word is possible, never running and never done.

mod direction;
mod work;

use self::work::{Inside, Work};
use crate::addr::VirtAddr;
use crate::threads::ThreadName;
use crate::vnet::{Condition, Sysinits, Vnet, VnetSysinit};
use crate::walk::Problems;

pub use direction::Direction;
pub use work::Workers;

/// The construction or destruction of a vnet.
#[derive(Debug, Clone, PartialEq)]
pub struct Construction {
    /// Whether it is up, and if not, which way it goes.
    pub phase: Phase,
    /// How that is known, in words.
    pub evidence: Box<str>,
    /// The thread that builds it or tears it down.
    pub thread: Option<ThreadName>,
    /// The function that it is certainly in, as the address of its struct vnet_sysinit.
    pub function: Option<VirtAddr>,
    /// If that is unknown: functions that words on its stack point into, as such addresses.
    pub possible: Vec<VirtAddr>,
    /// The way up, the way down, or both where it may be either.
    pub courses: Vec<Course>,
    /// Why the thread that works on it may be unknown.
    pub problems: Problems,
}

/// Where in its life a vnet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// All constructors that are registered have run.
    Up,
    /// vnet_alloc is running its constructors, or has not linked it yet.
    Building,
    /// vnet_destroy has unlinked it and is running its destructors.
    TearingDown,
    /// One of these two.
    Between,
    /// vnet_destroy has poisoned it.
    Destroyed,
}

impl Phase {
    /// The name for scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Building => "building",
            Self::TearingDown => "tearing-down",
            Self::Between => "between",
            Self::Destroyed => "destroyed",
        }
    }

    /// In words: `being torn down`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Building => "being built",
            Self::TearingDown => "being torn down",
            Self::Between => "being built or torn down",
            Self::Destroyed => "destroyed",
        }
    }
}

/// What has run and what is still to run in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// Up or down.
    pub direction: Direction,
    /// For each constructor or destructor, in the order of [`Sysinits`].
    pub progress: Vec<Progress>,
}

/// How far a vnet has come with one constructor or destructor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has returned.
    Done,
    /// The thread's stack shows that it is running.
    Running,
    /// It belongs to the subsystem in progress, or is one of several that share a function.
    Possible,
    /// It has not begun.
    ToCome,
    /// The kernel's state does not show it.
    Unknown,
}

impl Construction {
    /// What the dump shows of `vnet`; one of `workers` may be at work on it.
    #[must_use]
    pub fn of(workers: &Workers<'_>, sysinits: &Sysinits, vnet: &Vnet) -> Self {
        if vnet.is_freed() {
            let evidence = "its magic is that of a destroyed vnet";
            let course = whole(Direction::Down, sysinits, Progress::Done);
            return Self::known(Phase::Destroyed, evidence, vec![course]);
        }
        let up = match vnet.condition {
            None => Some("it is on the list: a vnet is linked after its last constructor"),
            Some(_) if vnet.default => Some("it is vnet0, which stays until shutdown"),
            Some(Condition::Stray) => {
                Some("its neighbours link to it, but the list does not lead there")
            }
            Some(_) => None,
        };
        if let Some(evidence) = up {
            let course = whole(Direction::Up, sysinits, Progress::Done);
            return Self::known(Phase::Up, evidence, vec![course]);
        }
        let work = workers.work_on(sysinits, vnet);
        let problems = if work.is_some() { Problems::default() } else { workers.problems.clone() };
        let (direction, evidence) = direction(vnet, work.as_ref());
        let directions = match direction {
            Some(direction) => vec![direction],
            None => Direction::BOTH.into(),
        };
        let inside = work.as_ref().map(|work| &work.inside);
        let running = match inside {
            Some(Inside::Certain(sysinits)) => &sysinits[..],
            _ => &[],
        };
        let possible = match inside {
            Some(Inside::Possible(sysinits)) => sysinits.clone(),
            _ => Vec::new(),
        };
        let courses = directions.into_iter();
        let courses = courses.map(|way| course(way, sysinits, vnet, running, &possible)).collect();
        let phase = match direction {
            Some(Direction::Up) => Phase::Building,
            Some(Direction::Down) => Phase::TearingDown,
            None => Phase::Between,
        };
        let function = match running {
            [sysinit] => Some(*sysinit),
            _ => None,
        };
        let thread = work.map(|work| work.thread);
        Self { phase, evidence, thread, function, possible, courses, problems }
    }

    fn known(phase: Phase, evidence: &str, courses: Vec<Course>) -> Self {
        let (thread, function, possible) = (None, None, Vec::new());
        let problems = Problems::default();
        Self { phase, evidence: evidence.into(), thread, function, possible, courses, problems }
    }
}

impl Course {
    /// The subsystems with this progress, by name, in the order in which they run: done
    /// if all of its functions are done, to come if none has begun.
    #[must_use]
    pub fn subsystems<'s>(&self, sysinits: &'s Sysinits, wanted: Progress) -> Vec<&'s str> {
        let rows = self.direction.of(sysinits).iter().zip(&self.progress);
        let mut all: Vec<(&str, Progress)> = Vec::new();
        for (sysinit, progress) in rows {
            let Ok(subsystem) = &sysinit.subsystem else { continue };
            match all.last_mut() {
                Some((name, known)) if *name == &*subsystem.label => {
                    // Some are done and some are to come.
                    *known = if known == progress { *known } else { Progress::Running };
                }
                _ => all.push((&subsystem.label, *progress)),
            }
        }
        let is_wanted = |progress| match progress {
            Progress::Possible => wanted == Progress::Running,
            progress => wanted == progress,
        };
        all.into_iter().filter(|(_, progress)| is_wanted(*progress)).map(|(name, _)| name).collect()
    }
}

/// Up or down, and how that is known.
fn direction(vnet: &Vnet, work: Option<&Work>) -> (Option<Direction>, Box<str>) {
    if let Some(work) = work.filter(|work| work.certain) {
        let [runner, _] = work.direction.runners();
        return (Some(work.direction), format!("{} is in {runner}", work.thread).into());
    }
    let (direction, why) = match vnet.condition {
        Some(Condition::UnderConstruction) => (Some(Direction::Up), "it was never linked"),
        Some(Condition::BeingDestroyed) if vnet.shutdown == Some(true) => {
            (Some(Direction::Down), "its vnet_shutdown is set")
        }
        Some(Condition::BeingDestroyed) => (Some(Direction::Down), "it was unlinked"),
        _ => (None, "nothing shows whether it is going up or down"),
    };
    let seen = match work {
        Some(work) => {
            let [runner, _] = work.direction.runners();
            format!("{} may be in {runner}, judging by a word on its stack", work.thread)
        }
        None => "no thread was found in vnet_alloc or vnet_destroy".to_owned(),
    };
    (direction, format!("{why}; {seen}").into())
}

/// The progress in one direction, from the state, and in its subsystem from what certainly runs.
fn course(
    direction: Direction,
    sysinits: &Sysinits,
    vnet: &Vnet,
    running: &[VirtAddr],
    possible: &[VirtAddr],
) -> Course {
    let list = direction.of(sysinits);
    let state = vnet.state.as_ref().map(|state| state.value);
    let of_state = |sysinit: &VnetSysinit| match running {
        [] => state.is_some() && sysinit.subsystem_value() == state,
        known => known.contains(&sysinit.address),
    };
    let first = list.iter().position(of_state);
    let last = list.iter().rposition(of_state);
    let progress = list.iter().enumerate().map(|(index, sysinit)| match (first, last, state) {
        (Some(first), Some(last), _) => match index {
            index if index < first => Progress::Done,
            index if index > last => Progress::ToCome,
            _ if running.len() == 1 => Progress::Running,
            _ => Progress::Possible,
        },
        // All functions of that subsystem were unregistered since.
        (.., Some(state)) => by_subsystem(direction, sysinit, state),
        _ if possible.contains(&sysinit.address) => Progress::Possible,
        _ => Progress::Unknown,
    });
    Course { direction, progress: progress.collect() }
}

fn by_subsystem(direction: Direction, sysinit: &VnetSysinit, state: u64) -> Progress {
    let Some(own) = sysinit.subsystem_value() else { return Progress::Unknown };
    // Destructors are run backwards; a state that was never set means that none ran.
    match direction {
        Direction::Up if own < state => Progress::Done,
        Direction::Down if own > state && state != 0 => Progress::Done,
        _ => Progress::ToCome,
    }
}

fn whole(direction: Direction, sysinits: &Sysinits, progress: Progress) -> Course {
    Course { direction, progress: vec![progress; direction.of(sysinits).len()] }
}
