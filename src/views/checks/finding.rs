//! What checks find: a verdict, and the evidence for it.

use crate::addr::VirtAddr;
use crate::fault::FaultKind;
use crate::target::ReadError;
use crate::value::model::{ErrorKind, ValueError};
use crate::views::call_out::CallOut;
use crate::vnet::{Condition, Vnet, VnetRef};
use crate::walk::{Problem, Problems, Why};

/// What a check says of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is as in a sound kernel.
    Ok,
    /// The dump does not show whether it is.
    Unknown,
    /// It need not be wrong, but is worth a look.
    Warning,
    /// No sound kernel has it.
    Fault,
}

/// A verdict, about the kernel or about one vnet, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// The vnet that it is about; `None` if it is about none, or about several.
    pub vnet: Option<VnetRef>,
    /// What was found, a sentence without a full stop.
    pub message: Box<str>,
    /// The addresses that it is about, the most telling first.
    pub addresses: Vec<VirtAddr>,
}

/// What one check found, and what it could not read.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    found: Vec<Finding>,
    problems: Problems,
    /// What no finding is about is as in a sound kernel.
    covers_all: bool,
}

impl Verdict {
    /// The name for scripts.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Unknown => "cannot tell",
            other => other.name(),
        }
    }
}

impl Finding {
    fn new(verdict: Verdict, message: impl Into<Box<str>>) -> Self {
        Self { verdict, vnet: None, message: message.into(), addresses: Vec::new() }
    }

    /// It is as in a sound kernel.
    pub fn ok(message: impl Into<Box<str>>) -> Self {
        Self::new(Verdict::Ok, message)
    }

    /// It is worth a look.
    pub fn warning(message: impl Into<Box<str>>) -> Self {
        Self::new(Verdict::Warning, message)
    }

    /// No sound kernel has it.
    pub fn fault(message: impl Into<Box<str>>) -> Self {
        Self::new(Verdict::Fault, message)
    }

    /// The dump does not show it; the message says why.
    pub fn unknown(message: impl Into<Box<str>>) -> Self {
        Self::new(Verdict::Unknown, message)
    }

    /// What a view called out about `subject`: a fault.
    pub fn call_out(subject: &str, call_out: &CallOut) -> Self {
        Self::fault(format!("{subject}: {}", call_out.why)).at(call_out.at)
    }

    /// What broke off, and what that shows of the kernel: see `judge`.
    pub fn broken(problem: &Problem) -> Self {
        Self::new(judge(problem), problem.to_string()).at(problem.at)
    }

    /// A value that cannot be read, and what that shows of the kernel: see `judge_value`.
    pub fn unreadable(subject: &str, why: &ValueError) -> Self {
        Self::new(judge_value(why), format!("{subject}: {}", why.message)).at(why.address)
    }

    /// The same about this vnet.
    pub fn of(self, vnet: impl Into<Option<VnetRef>>) -> Self {
        Self { vnet: vnet.into(), ..self }
    }

    /// The same with further evidence at these addresses; NULL is none.
    pub fn at(mut self, addresses: impl IntoIterator<Item = VirtAddr>) -> Self {
        for address in addresses.into_iter().filter_map(VirtAddr::non_null) {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
        self
    }

    /// The same, but a fault is unknown if there is a reason why it may be none.
    pub fn unless(self, reason: Option<&str>) -> Self {
        match (self.verdict, reason) {
            (Verdict::Fault | Verdict::Warning, Some(reason)) => Self {
                verdict: Verdict::Unknown,
                message: format!("{}; but {reason}", self.message).into(),
                ..self
            },
            _ => self,
        }
    }
}

impl Findings {
    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// Adds what a walk says that this check is about: a cycle or freed memory is a fault, what the
    /// dump lacks is unknown.
    pub fn add_broken(&mut self, problems: &Problems) {
        self.add_all_broken(None, problems, None);
    }

    /// The same, but what contradicts itself is unknown if there is a reason why it may be a change
    /// in progress.
    pub fn add_broken_unless(&mut self, problems: &Problems, changing: Option<&str>) {
        self.add_all_broken(None, problems, changing);
    }

    /// The same about a vnet whose things may be freed if there is such a reason: then nothing is a
    /// fault.
    pub fn add_broken_in(
        &mut self,
        vnet: Option<VnetRef>,
        problems: &Problems,
        excuse: Option<&str>,
    ) {
        let broken = problems.iter().map(|problem| Finding::broken(problem).of(vnet));
        self.found.extend(broken.map(|finding| finding.unless(excuse)));
        self.note(problems);
    }

    /// Both: about a vnet, and what contradicts itself may be a change in progress.
    pub fn add_all_broken(
        &mut self,
        vnet: Option<VnetRef>,
        problems: &Problems,
        changing: Option<&str>,
    ) {
        let broken = problems.iter().map(|problem| {
            let in_motion = changing.filter(|_| matches!(problem.why, Why::Contradiction(_)));
            Finding::broken(problem).unless(in_motion).of(vnet)
        });
        self.found.extend(broken);
        self.problems.extend(problems.clone());
    }

    /// Adds what a walk lacks that this check rests on, and another is about: it is unknown
    /// whether there is more. `problems` may be empty.
    pub fn add_unknown(&mut self, problems: &Problems) {
        self.add_unknown_of(None, problems);
    }

    /// The same about a vnet.
    pub fn add_unknown_of(&mut self, vnet: Option<VnetRef>, problems: &Problems) {
        if let Err(first) = problems.none() {
            self.found.push(Finding::unknown(first.to_string()).at(first.at).of(vnet));
        }
        self.problems.extend(problems.clone());
    }

    /// Adds what could not be read, where findings say so already.
    pub fn note(&mut self, problems: &Problems) {
        self.problems.extend(problems.clone());
    }

    /// Adds the findings of others.
    pub fn extend(&mut self, others: Self) {
        self.found.extend(others.found);
        self.covers_all |= others.covers_all;
        self.problems.extend(others.problems);
    }

    /// Adds a finding in place of what says that all is well.
    pub fn add_doubt(&mut self, finding: Finding) {
        self.found.retain(|known| known.verdict != Verdict::Ok);
        self.add(finding);
    }

    /// Whether nothing was found at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether nothing was found but what is as in a sound kernel.
    #[must_use]
    pub fn all_ok(&self) -> bool {
        self.found.iter().all(|finding| finding.verdict == Verdict::Ok)
    }

    /// Adds that all is well, if nothing else was found and nothing was unreadable.
    pub fn or_ok(mut self, message: impl FnOnce() -> String) -> Self {
        self.covers_all = true;
        if self.found.is_empty() {
            self.add(match self.problems.none() {
                Ok(()) => Finding::ok(message()),
                Err(problem) => Finding::unknown(problem.to_string()).at(problem.at),
            });
        }
        self
    }

    /// The same about all stacks: it is unknown whether all is well if a problem hides others.
    pub fn or_ok_everywhere(
        mut self,
        hidden: Option<Problem>,
        message: impl FnOnce() -> String,
    ) -> Self {
        let hidden = hidden.filter(|_| self.found.is_empty());
        self.found.extend(hidden.map(|problem| {
            let why = format!("{problem}; there may be other vnets");
            Finding::unknown(why).at(problem.at)
        }));
        self.or_ok(message)
    }

    /// Whether a vnet that no finding is about, and whose variables can be read, is as in a sound
    /// kernel.
    #[must_use]
    pub fn covers_all(&self) -> bool {
        self.covers_all
    }

    /// All of them, and what could not be read.
    pub fn take(self) -> (Vec<Finding>, Problems) {
        (self.found, self.problems)
    }
}

impl From<Finding> for Findings {
    fn from(finding: Finding) -> Self {
        Self { found: vec![finding], ..Self::default() }
    }
}

/// What a walk that broke off shows of the kernel: damage is a fault, what the dump lacks is
/// unknown.
fn judge(problem: &Problem) -> Verdict {
    match &problem.why {
        Why::Cycle | Why::Contradiction(_) => Verdict::Fault,
        Why::Unreadable { why, .. } | Why::Element { why, .. } => judge_error(why),
        Why::Torn(_) | Why::Limit(_) | Why::Other(_) => Verdict::Unknown,
    }
}

fn judge_error(why: &ReadError) -> Verdict {
    match why.fault().map(|fault| fault.kind) {
        // The kernel itself could not have read it.
        Some(FaultKind::Freed | FaultKind::BadAddress | FaultKind::NotMapped) => Verdict::Fault,
        Some(FaultKind::NotDumped | FaultKind::Truncated) | None => Verdict::Unknown,
    }
}

/// The same for a value that could not be read.
pub(super) fn judge_value(why: &ValueError) -> Verdict {
    match why.kind {
        ErrorKind::Stale => Verdict::Fault,
        kind if kind.is_damage() => Verdict::Fault,
        _ => Verdict::Unknown,
    }
}

/// Why what is wrong with a vnet may be work in progress; `None` if it is up.
pub(super) fn excuse(vnet: Option<&Vnet>) -> Option<&'static str> {
    match vnet?.condition? {
        Condition::UnderConstruction => Some("the vnet is under construction"),
        Condition::BeingDestroyed => Some("the vnet is being destroyed"),
        _ => None,
    }
}
