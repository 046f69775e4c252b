//! What is known of one dump.

use std::path::Path;

use super::crash::Crash;
use super::element::{Checked, Triaged};
use super::{Question, shown};
use crate::answers::info::Overview;
use crate::answers::{Answer, checks, info, info_of_dump};
use crate::budget::Allowance;
use crate::error::{Error, SourceError, story};
use crate::session::{self, Options, Selector, Session};
use crate::views::checks::Verdict;
use crate::walk::Problems;

/// Reads one dump, and closes it. What cannot be read is an error in the element.
pub(super) fn read(path: &Path, question: &Question) -> Triaged {
    let options = Options { core: path.to_owned(), ..question.options.clone() };
    let mut read = match Session::open(&options) {
        Ok(session) => of_session(&session, question),
        Err(why) => of_dump(path, why),
    };
    // What was cut off while it was read looks like zeros.
    if let Some(why) = session::lost_dump(path) {
        read = Triaged { error: Some(reason(path, why)), ..Triaged::named(shown(path)) };
    }
    read
}

fn of_session(session: &Session, question: &Question) -> Triaged {
    let (budget, justified) = (session.budget(), session.budget().allowance());
    budget.renew(Allowance {
        work: question.work.unwrap_or(justified.work),
        bytes: question.bytes.unwrap_or(justified.bytes),
    });
    let info = info(session);
    let mut problems = info.problems();
    let mut read = of_overview(session.core_path(), info.overview.with_time(session));
    let mut error = read.error.take();
    let mut note = |why: String| {
        error.get_or_insert(why);
    };
    // Each question has what a command of its own would have.
    budget.begin_question();
    match Crash::of_session(session, read.panic.as_deref(), &mut problems) {
        Ok(crash) => read.sign(crash),
        Err(why) => {
            note(why.story());
            read.sign(Crash::of_message(read.panic.as_deref()));
        }
    }
    budget.begin_question();
    match checks(session, &Selector::Default, &[]) {
        Ok(verdicts) => {
            problems.extend(verdicts.problems());
            let found = verdicts.findings.kept().unwrap_or_default();
            let worst = found.iter().max_by(|a, b| {
                // Of equal ones, the first is the most telling.
                a.verdict.cmp(&b.verdict).then(std::cmp::Ordering::Greater)
            });
            read.check = worst.map(|worst| Checked {
                verdict: worst.verdict,
                name: (worst.verdict > Verdict::Ok).then_some(worst.name),
                faults: verdicts.count(Verdict::Fault),
                warnings: verdicts.count(Verdict::Warning),
                unknown: verdicts.count(Verdict::Unknown),
                ok: verdicts.count(Verdict::Ok),
            });
        }
        Err(why) => note(why.story()),
    }
    // One that was reached in any of the questions.
    if let Some(limit) = budget.exhausted() {
        note(limit.to_string());
    }
    Triaged { error, problems, ..read }
}

/// What a dump says without its kernel, if it can be read at all.
fn of_dump(path: &Path, why: Error) -> Triaged {
    let mut read = match session::open_dump(path, &mut |_| {}) {
        Ok(core) => of_overview(path, info_of_dump(&core, path, Vec::new(), &why).overview),
        Err(_) => Triaged::named(shown(path)),
    };
    read.sign(Crash::of_message(read.panic.as_deref()));
    Triaged { error: Some(reason(path, why)), ..read }
}

/// The error without the name of the dump, which stands beside it.
fn reason(path: &Path, why: Error) -> String {
    match why {
        Error::Dump { source, .. } => story(&source),
        Error::Source(SourceError { access, path: other, cause }) if other == path => {
            format!("cannot {access} it: {cause}")
        }
        why => why.story(),
    }
}

/// Why a dump that ends too early is only partly read.
fn cut_off(pages: u64) -> Option<String> {
    (pages > 0).then(|| format!("the dump is cut off: {pages} of its pages are missing"))
}

fn of_overview(path: &Path, overview: Overview) -> Triaged {
    Triaged {
        host: overview.host,
        time: overview.core.time,
        version: overview.core.version,
        panic: overview.panic,
        thread: overview.crashed,
        warnings: overview.warnings,
        error: cut_off(overview.core.pages_cut_off),
        ..Triaged::named(shown(path))
    }
}

impl Triaged {
    /// A dump of which nothing else is known.
    fn named(dump: String) -> Self {
        Self {
            dump,
            host: None,
            time: None,
            version: None,
            panic: None,
            thread: None,
            stack: Vec::new(),
            check: None,
            warnings: Vec::new(),
            problems: Problems::default(),
            signature: None,
            error: None,
        }
    }

    /// Adds what the crash has in common with equal ones.
    fn sign(&mut self, crash: Crash) {
        (self.signature, self.stack) = (crash.signature, crash.stack);
    }
}
