//! How far the creation or destruction of a vnet that is on no list has come.

use std::cell::OnceCell;

use serde::{Serialize, Serializer};

use crate::session::Session;
use crate::threads::ThreadName;
use crate::views::construction::{Construction, Phase, Workers};
use crate::vnet::{Sysinits, Vnet};
use crate::walk::Problems;

/// How far the creation or destruction of a vnet has come.
#[derive(Debug, Clone, Serialize)]
pub struct Progress {
    /// `building`, `tearing-down`, or `between` if it may be either.
    #[serde(serialize_with = "name")]
    pub phase: Phase,
    /// The subsystem that it has reached, by the kernel's name.
    pub subsystem: Option<Box<str>>,
    /// The thread that does it.
    pub thread: Option<ThreadName>,
    /// The constructor or destructor that the thread is certainly in.
    pub function: Option<String>,
    /// How that is known.
    pub evidence: Box<str>,
}

/// Tells the progress of vnets. The constructors and destructors are read for the first that needs
/// them.
pub(super) struct Reader<'s> {
    session: &'s Session,
    known: OnceCell<Option<(Sysinits, Workers<'s>)>>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(session: &'s Session) -> Self {
        Self { session, known: OnceCell::new() }
    }

    /// That of `vnet`; `None` if it is neither being created nor being destroyed, or if the
    /// constructors and destructors are unknown.
    pub(super) fn of(&self, vnet: &Vnet, problems: &mut Problems) -> Option<Progress> {
        if vnet.is_listed() || vnet.is_freed() {
            return None;
        }
        let read = || {
            let sysinits = Sysinits::read(self.session.target(), &self.session.unloaded()).ok()?;
            Some((sysinits, self.session.workers()))
        };
        let (sysinits, workers) = self.known.get_or_init(read).as_ref()?;
        let construction = Construction::of(workers, sysinits, vnet);
        problems.extend(construction.problems.clone());
        let moving =
            matches!(construction.phase, Phase::Building | Phase::TearingDown | Phase::Between);
        let function = construction.function.and_then(|running| sysinits.function_at(running));
        moving.then(|| Progress {
            phase: construction.phase,
            subsystem: vnet.state.as_ref().and_then(|state| state.name.clone()),
            thread: construction.thread,
            function,
            evidence: construction.evidence,
        })
    }
}

impl Progress {
    /// In words: `being torn down by thread 100007 (kernel), in vnet_if_return`.
    #[must_use]
    pub fn title(&self) -> String {
        let phase = self.phase.words();
        let by = self.thread.as_ref().map_or(String::new(), |thread| format!(" by {thread}"));
        let at = match (&self.function, &self.subsystem) {
            (Some(function), _) => format!(", in {function}"),
            (None, Some(subsystem)) => format!(", at {subsystem}"),
            (None, None) => String::new(),
        };
        format!("{phase}{by}{at}")
    }
}

fn name<S: Serializer>(phase: &Phase, serializer: S) -> Result<S::Ok, S::Error> {
    phase.name().serialize(serializer)
}
