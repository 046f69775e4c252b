//! `report`: all that a bug report needs, in one document.
//!
//! What: a list of sections, each an answer to a question that can also be asked alone. Each is made
//! when its turn comes. A section that cannot be answered says why, and the others go on.
//!
//! What it refuses to do: it does not grow with the dump. A section has room for so many bytes;
//! what does not fit is counted by the [`Document`].

mod document;
mod identities;
mod sections;

use std::io;
use std::path::Path;

use super::backtraces::Which;
use super::checks::{self, Verdicts};
use super::diff::{Against, Question as Differences};
use super::info::Info;
use super::interfaces::Question as Interfaces;
use super::messages::MessageBuffer;
use super::routes::Question as Routes;
use super::sockets::Question as Sockets;
use super::{Answer, Chosen, Part, PerVnet, Remark};
use crate::dump::Core;
use crate::error::Error;
use crate::kernel::LinkerSet;
use crate::session::{Selector, Session};
use crate::value::Limits;
use crate::views::checks::Verdict;
use crate::views::construction::Phase;
use crate::vnet::{Stack, Vnet, VnetRef};

pub use document::{Built, Document, Front, Picture};
pub use identities::{Identities, Named};
pub use sections::{SECTIONS, Section, Topic};

/// Elements of an argument that is an array.
const SHOWN_ELEMENTS: usize = 8;

/// All that a bug report needs.
#[derive(Debug)]
pub struct Report<'s> {
    info: Info,
    messages: Option<MessageBuffer>,
    /// What is doubtful about the files.
    warnings: Vec<String>,
    subject: Result<&'s Session, String>,
    /// What all checks say.
    verdicts: Option<Result<Verdicts, Error>>,
}

/// A report of everything in the dump. If the kernel is not the dump's, it has only what the dump
/// says of itself.
#[must_use]
pub fn report(session: &Session) -> Report<'_> {
    Report {
        info: super::info(session),
        messages: super::messages(session),
        warnings: session.warnings().to_vec(),
        subject: session.require_match().map(|()| session).map_err(|why| why.story()),
        verdicts: session
            .require_match()
            .ok()
            .map(|()| super::checks(session, &Selector::Default, &[])),
    }
}

/// A report of what a dump says of itself, at this path, with what is odd about it; `why` says why
/// there is no session of it and a kernel.
#[must_use]
pub fn report_of_dump(
    core: &Core,
    path: &Path,
    warnings: Vec<String>,
    why: &Error,
) -> Report<'static> {
    Report {
        info: super::info_of_dump(core, path, warnings.clone(), why),
        messages: super::messages_of_dump(core),
        warnings,
        subject: Err(why.story()),
        verdicts: None,
    }
}

impl Report<'_> {
    /// Lays out all sections, one after the other.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn lay_out(&self, document: &mut impl Document) -> io::Result<()> {
        let sections = SECTIONS.iter().filter(|section| match section.topic {
            Topic::Summary | Topic::Messages => true,
            _ => self.subject.is_ok(),
        });
        document.front(&self.front(sections.clone().collect()))?;
        for section in sections {
            document.section(section)?;
            if let Ok(session) = self.subject {
                session.budget().begin_question();
            }
            if let Err(why) = self.section(section, document)? {
                document.nothing(&why.story())?;
            }
        }
        document.end()
    }

    /// The names and addresses in it that tell whose machine it was.
    #[must_use]
    pub fn identities(&self) -> Identities {
        let subject = self.subject.as_ref();
        Identities::of(&self.info, subject.copied().map_err(String::as_str))
    }

    fn front(&self, sections: Vec<&'static Section>) -> Front {
        let info = &self.info.overview;
        let version = info.core.version.as_deref().unwrap_or_default();
        let about = [info.host.as_deref(), version.lines().next()];
        let about: Vec<&str> =
            about.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        Front {
            title: match &info.panic {
                Some(panic) => format!("panic: {panic}"),
                None => "A kernel that did not panic".to_owned(),
            },
            about: about.join(", "),
            verdict: self.verdicts.as_ref().and_then(|it| it.as_ref().ok()).map(Verdicts::summary),
            sections,
        }
    }

    /// Lays out one section. The inner error is the question's.
    fn section(
        &self,
        section: &Section,
        page: &mut impl Document,
    ) -> io::Result<Result<(), Error>> {
        let session = match (section.topic, &self.subject) {
            (Topic::Summary, _) => return self.summary(page),
            (Topic::Messages, _) => return self.messages(section.room, page).map(Ok),
            (_, Ok(session)) => *session,
            (_, Err(why)) => return page.nothing(why).map(Ok),
        };
        let default = Selector::Default;
        match section.topic {
            Topic::Faults => self.faults(page),
            Topic::Vnets => answer(page, super::vnets(session, None, true)),
            Topic::Jails => answer(page, super::jails(session, &default)),
            Topic::Threads => answer(page, super::threads(session, &default, false)),
            Topic::Wiring => Self::wiring(session, page),
            Topic::Interfaces => Self::each(session, page, |session, chosen| {
                super::interfaces(session, chosen, Interfaces::default())
            }),
            Topic::Sockets => Self::each(session, page, |session, chosen| {
                super::sockets(session, chosen, Sockets::default())
            }),
            Topic::Routes => Self::each(session, page, |session, chosen| {
                super::routes(session, chosen, Routes::default())
            }),
            Topic::Neighbors => {
                Self::each(session, page, |session, chosen| super::neighbors(session, chosen, None))
            }
            Topic::Differences => Self::each(session, page, |session, chosen| {
                super::diff(session, chosen, Against::Initial, Differences::default())
            }),
            Topic::Construction => Self::construction(session, page),
            Topic::ModuleSpace => Self::module_space(session, page),
            Topic::Modules => answer(page, super::modules(session)),
            Topic::Locks => answer(page, super::locks(session)),
            Topic::Summary | Topic::Messages => Ok(Ok(())),
        }
    }

    fn summary(&self, page: &mut impl Document) -> io::Result<Result<(), Error>> {
        for why in &self.warnings {
            page.remark(&Remark::Warning(why.clone()))?;
        }
        lay_out(page, &self.info)?;
        let session = match &self.subject {
            Ok(session) => session,
            Err(why) => return page.nothing(why).map(Ok),
        };
        let limits = Limits { elements: SHOWN_ELEMENTS, ..Limits::default() };
        page.title("Kernel stack of the thread that wrote the dump")?;
        answer(page, super::backtraces(session, &Which::Dumping, true, &limits))
    }

    /// Faults first, what is as it should be last and folded.
    fn faults(&self, page: &mut impl Document) -> io::Result<Result<(), Error>> {
        let verdicts = match &self.verdicts {
            Some(Ok(verdicts)) => verdicts,
            Some(Err(why)) => return page.nothing(&why.story()).map(Ok),
            None => return Ok(Ok(())),
        };
        for verdict in [Verdict::Fault, Verdict::Warning, Verdict::Unknown] {
            for finding in verdicts.of_verdict(verdict) {
                let vnet = finding.vnet.map_or(String::new(), |vnet| format!(", vnet {vnet}"));
                let text = format!("{}{vnet}: {}", finding.name, finding.message_with_addresses());
                match verdict {
                    Verdict::Fault => page.call_out(&text)?,
                    Verdict::Warning => page.remark(&Remark::Warning(text))?,
                    _ => page.remark(&Remark::Note(format!("cannot tell: {text}")))?,
                }
            }
        }
        let ok = verdicts.of_verdict(Verdict::Ok);
        before(page, verdicts)?;
        let title = Some(verdicts.summary_of_ok());
        page.part(Some(Part { vnet: None, title, marked: false }))?;
        page.table(&checks::columns(), &ok.into())?;
        page.part(None).map(Ok)
    }

    /// The newest messages are the last to be left out.
    fn messages(&self, room: u64, page: &mut impl Document) -> io::Result<()> {
        let Some(messages) = &self.messages else {
            return page.nothing("the message buffer cannot be read");
        };
        before(page, messages)?;
        let lines = &messages.messages.lines;
        let mut size = 0;
        let kept = lines.iter().rev().take_while(|line| {
            size += line.len() as u64 + 1;
            size <= room / 2
        });
        let left_out = lines.len() - kept.count();
        if left_out > 0 {
            page.nothing(&format!("{left_out} older lines are left out"))?;
        }
        lines.iter().skip(left_out).try_for_each(|line| page.line(line))
    }

    fn wiring(session: &Session, page: &mut impl Document) -> io::Result<Result<(), Error>> {
        let topology = match super::topology(session, None) {
            Ok(topology) => topology,
            Err(why) => return Ok(Err(why)),
        };
        page.picture(&Picture::Wiring(&topology))?;
        lay_out(page, &topology).map(Ok)
    }

    fn module_space(session: &Session, page: &mut impl Document) -> io::Result<Result<(), Error>> {
        let space = match super::modspace(session, LinkerSet::Vnet) {
            Ok(space) => space,
            Err(why) => return Ok(Err(why)),
        };
        page.picture(&Picture::ModuleSpace(&space))?;
        lay_out(page, &space).map(Ok)
    }

    /// A picture of all vnets, and the functions of those that are not up.
    fn construction(session: &Session, page: &mut impl Document) -> io::Result<Result<(), Error>> {
        let chosen = match Chosen::ask(session, &Selector::All) {
            Ok(chosen) => chosen,
            Err(why) => return Ok(Err(why)),
        };
        let answer = match super::construction(session, chosen) {
            Ok(answer) => answer,
            Err(why) => return Ok(Err(why)),
        };
        page.problems(&answer.problems())?;
        if let Some(why) = answer.nothing() {
            return page.nothing(&why).map(Ok);
        }
        let mut built = Vec::new();
        answer.for_each(|stack, answer| {
            if let Some(answer) = answer {
                built.push(Built { title: title(stack), stage: answer.construction.clone() });
            }
        });
        page.picture(&Picture::Construction(&built))?;
        for Built { title, stage } in &built {
            page.line(&format!("{title}: {}", stage.phase.name()))?;
        }
        let moving = |stage: &Phase| !matches!(stage, Phase::Up | Phase::Destroyed);
        page.parts(built.iter().filter(|built| moving(&built.stage.phase)).count());
        answer.try_for_each(|stack, answer| {
            match answer.as_ref().filter(|answer| moving(&answer.construction.phase)) {
                Some(answer) => part(page, stack).and_then(|()| answer.lay_out(page)),
                None => Ok(()),
            }
        })?;
        page.part(None).map(Ok)
    }

    /// A question about each vnet.
    fn each<'s, A: Answer>(
        session: &'s Session,
        page: &mut impl Document,
        ask: impl FnOnce(&'s Session, Chosen<'s>) -> Result<PerVnet<'s, A>, Error>,
    ) -> io::Result<Result<(), Error>> {
        let chosen = Chosen::ask(session, &Selector::All);
        let answer = match chosen.and_then(|chosen| ask(session, chosen)) {
            Ok(answer) => answer,
            Err(why) => return Ok(Err(why)),
        };
        answer.look_through();
        before(page, &answer)?;
        if let Some(why) = answer.nothing() {
            return page.nothing(&why).map(Ok);
        }
        page.parts(answer.chosen.stacks.len());
        answer.try_for_each(|stack, answer| {
            part(page, stack)?;
            match answer.nothing() {
                Some(why) => page.nothing(&why),
                None => answer.lay_out(page),
            }
        })?;
        page.part(None).map(Ok)
    }
}

/// An answer about the whole dump.
fn answer<A: Answer>(
    page: &mut impl Document,
    answer: Result<A, Error>,
) -> io::Result<Result<(), Error>> {
    match answer {
        Ok(answer) => lay_out(page, &answer).map(Ok),
        Err(why) => Ok(Err(why)),
    }
}

fn lay_out(page: &mut impl Document, answer: &impl Answer) -> io::Result<()> {
    before(page, answer)?;
    match answer.nothing() {
        Some(why) => page.nothing(&why),
        None => answer.lay_out(page),
    }
}

/// What a reader should know before the answer.
fn before(page: &mut impl Document, answer: &impl Answer) -> io::Result<()> {
    answer.remarks().iter().try_for_each(|remark| page.remark(remark))?;
    page.problems(&answer.problems())
}

/// Begins the part about one stack.
fn part(page: &mut impl Document, stack: Stack<'_>) -> io::Result<()> {
    let vnet = stack.vnet().map(VnetRef::from);
    page.part(Some(Part { vnet, title: Some(title(stack)), marked: false }))
}

/// `vnet 1 (0xfffff80003a51800): web01, web01.php`
fn title(stack: Stack<'_>) -> String {
    stack.vnet().map_or_else(|| "the network stack".to_owned(), Vnet::title_with_jails)
}
