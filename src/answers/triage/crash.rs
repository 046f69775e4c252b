//! What a crash has in common with equal ones.

use crate::answers::backtraces::{Frame, Which};
use crate::answers::{Answer, backtraces};
use crate::error::Error;
use crate::session::Session;
use crate::value::Limits;
use crate::views::signature::Signature;
use crate::walk::Problems;

/// What a crash has in common with equal ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crash {
    /// A number in hexadecimal that stands for it; `None` if nothing is known of the crash.
    pub signature: Option<String>,
    /// The functions that were running outside of the panic, innermost first, at most three.
    pub stack: Vec<String>,
}

impl Crash {
    /// Of the thread that crashed, and its panic message. What hides a part of its stack is added to
    /// `problems`.
    ///
    /// # Errors
    /// The stack is unknown.
    pub fn of_session(
        session: &Session,
        panic: Option<&str>,
        problems: &mut Problems,
    ) -> Result<Self, Error> {
        let stacks = backtraces(session, &Which::Dumping, false, &Limits::default())?;
        problems.extend(stacks.problems());
        let first = stacks.stacks.kept().and_then(|stacks| stacks.first());
        let frames = first.map(|stack| &stack.frames[..]).unwrap_or_default();
        Ok(Self::new(panic, &functions(frames)))
    }

    /// Of a panic message alone.
    #[must_use]
    pub fn of_message(panic: Option<&str>) -> Self {
        Self::new(panic, &[])
    }

    fn new(panic: Option<&str>, functions: &[&str]) -> Self {
        let signature = Signature::of(panic, functions.iter().copied());
        Self {
            signature: signature.as_ref().map(ToString::to_string),
            stack: signature.map(|signature| signature.functions).unwrap_or_default(),
        }
    }
}

/// The functions that were called, innermost first. Words that only look like calls are none.
fn functions(frames: &[Frame]) -> Vec<&str> {
    let called = frames.iter().filter(|frame| frame.kind != "scan");
    called.filter_map(|frame| frame.function.as_deref()).collect()
}
