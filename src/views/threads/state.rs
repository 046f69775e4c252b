//! What a thread does: whether it runs, and if not, what keeps it and what it waits for.
//!
//! `td_state`, and where that is TDS_INHIBITED the bits of `td_inhibitors`; the state of its
//! process, where that has ended or has only begun (`sys/sys/proc.h`, 9.3 to main).

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::threads;
use crate::value::Object;
use crate::value::model::ValueError;

/// Whether a thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On a processor.
    Running,
    /// It could run: on a run queue, or about to be.
    Runnable,
    /// It waits for a lock.
    Locked,
    /// It sleeps.
    Sleeping,
    /// A thread of an interrupt, which waits for one.
    Iwait,
    /// It is stopped, by a signal or a debugger, or because its process has to be alone.
    Suspended,
    /// Its stack is not in memory.
    Swapped,
    /// It is kept by something that has no name here.
    Inhibited,
    /// It does not take part: being created, or free.
    Inactive,
    /// Its process is being created.
    New,
    /// Its process has ended.
    Zombie,
    /// Its state is a number without a name.
    Unknown,
}

/// A thread's state and what keeps it from running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doing {
    /// The state that ps(1) would show.
    pub state: State,
    /// All that keeps it from running: a thread may be asleep and swapped out.
    pub inhibitors: Vec<State>,
}

/// What a thread waits for; all is `None` if it does not wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The message of its sleep: `kqread` (`td_wmesg`).
    pub message: Result<Option<Box<str>>, ValueError>,
    /// What it sleeps on (`td_wchan`).
    pub channel: Result<Option<VirtAddr>, ValueError>,
    /// The lock that it waits for.
    pub lock: Option<Lock>,
}

/// A lock that a thread waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// Its name (`td_lockname`).
    pub name: Result<Option<Box<str>>, ValueError>,
    /// Its address (`ts_lockobj` of the turnstile that the thread is in).
    pub address: Option<VirtAddr>,
}

const TDI_LOCK: u64 = 0x8;

/// TDI_SUSPENDED and its kin (`sys/sys/proc.h`, 9.3 to main). The first that is set is what ps(1)
/// would show.
const INHIBITORS: [(u64, State); 5] = [
    (0x1, State::Suspended),
    (TDI_LOCK, State::Locked),
    (0x2, State::Sleeping),
    (0x10, State::Iwait),
    (0x4, State::Swapped),
];

impl State {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Runnable => "runnable",
            Self::Locked => "locked",
            Self::Sleeping => "sleeping",
            Self::Iwait => "iwait",
            Self::Suspended => "suspended",
            Self::Swapped => "swapped",
            Self::Inhibited => "inhibited",
            Self::Inactive => "inactive",
            Self::New => "new",
            Self::Zombie => "zombie",
            Self::Unknown => "unknown",
        }
    }
}

impl Doing {
    /// That of a thread of `process`.
    pub(super) fn read(thread: &Object<'_>, process: &Object<'_>) -> Result<Self, ReadError> {
        let alone = |state| Self { state, inhibitors: Vec::new() };
        match &*threads::enumerator(process, "p_state")? {
            "PRS_ZOMBIE" => return Ok(alone(State::Zombie)),
            "PRS_NEW" => return Ok(alone(State::New)),
            _ => {}
        }
        Ok(match &*threads::enumerator(thread, "td_state")? {
            "TDS_RUNNING" => alone(State::Running),
            "TDS_RUNQ" | "TDS_CAN_RUN" => alone(State::Runnable),
            "TDS_INACTIVE" => alone(State::Inactive),
            "TDS_INHIBITED" => inhibited(thread.uint("td_inhibitors")?),
            _ => alone(State::Unknown),
        })
    }
}

fn inhibited(bits: u64) -> Doing {
    let all = INHIBITORS.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, state)| *state);
    let inhibitors: Vec<State> = all.collect();
    Doing { state: inhibitors.first().copied().unwrap_or(State::Inhibited), inhibitors }
}

impl Wait {
    pub(super) fn read(thread: &Object<'_>) -> Self {
        let channel = thread.pointer("td_wchan").map(VirtAddr::non_null);
        let locked = thread.uint("td_inhibitors").is_ok_and(|bits| bits & TDI_LOCK != 0);
        Self {
            message: thread.text_behind("td_wmesg").map_err(ValueError::from),
            channel: channel.map_err(ValueError::from),
            lock: locked.then(|| Lock {
                name: thread.text_behind("td_lockname").map_err(ValueError::from),
                address: lock_of(thread),
            }),
        }
    }
}

/// The lock whose turnstile the thread is in.
fn lock_of(thread: &Object<'_>) -> Option<VirtAddr> {
    let turnstile = thread.follow("td_blocked").ok()??;
    turnstile.pointer("ts_lockobj").ok()?.non_null()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ps_shows_the_first_of_several_reasons() {
        let names = |bits| {
            let Doing { state, inhibitors } = inhibited(bits);
            let all: Vec<_> = inhibitors.into_iter().map(State::name).collect();
            (state.name(), all.join(","))
        };
        assert_eq!(names(0x2), ("sleeping", "sleeping".to_owned()));
        assert_eq!(names(0x6), ("sleeping", "sleeping,swapped".to_owned()));
        assert_eq!(names(0x3), ("suspended", "suspended,sleeping".to_owned()));
        assert_eq!(names(0x8), ("locked", "locked".to_owned()));
        assert_eq!(names(0x10), ("iwait", "iwait".to_owned()));
        assert_eq!(names(0x40), ("inhibited", String::new()));
    }
}
