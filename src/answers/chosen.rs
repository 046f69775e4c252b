//! Which vnets an answer is about, and remarks about the choice.

use super::Remark;
use crate::error::Error;
use crate::session::{Selector, Session};
use crate::views::crashed_thread::CrashedThread;
use crate::vnet::{Stack, Vnet};
use crate::walk::Problems;

/// The vnets that a question is asked of.
#[derive(Debug, Clone)]
pub struct Chosen<'s> {
    /// One, or all: those on the list in order of creation, then the others.
    pub stacks: Vec<Stack<'s>>,
    /// Every vnet was asked for, even if there is only one.
    pub all: bool,
    /// What could not be read while the vnets were looked for.
    pub problems: Problems,
    /// Which vnet was chosen by default, and damage in the chosen vnets.
    pub remarks: Vec<Remark>,
    /// The default vnet and the reason, if the user did not choose: `vnet 0 (0x…), the host's`.
    pub default: Option<String>,
}

impl<'s> Chosen<'s> {
    /// Finds the selected vnets.
    ///
    /// # Errors
    /// As [`Session::select`].
    pub fn ask(session: &'s Session, selector: &Selector) -> Result<Self, Error> {
        let selection = session.select(selector)?;
        let stacks = selection.stacks;
        let notes = selection.remarks.into_iter().map(Remark::Note);
        let vnets = stacks.iter().filter_map(|stack| stack.vnet());
        let damage = vnets.flat_map(|vnet| {
            vnet.problems.iter().map(|why| Remark::Warning(format!("{}: {why}", vnet.title())))
        });
        let default = match stacks.as_slice() {
            [Stack::Vnet(vnet)] if *selector == Selector::Default => {
                Some(title_of_default(session, vnet))
            }
            _ => None,
        };
        Ok(Self {
            remarks: notes.chain(damage).collect(),
            all: *selector == Selector::All,
            problems: selection.problems,
            default,
            stacks,
        })
    }

    /// No vnet, for questions about what belongs to none.
    pub fn none() -> Self {
        Self {
            stacks: vec![Stack::Unchosen],
            all: false,
            problems: Problems::default(),
            remarks: Vec::new(),
            default: None,
        }
    }
}

/// The default vnet, why it is the default, and what the crashing thread has to do
/// with it.
pub fn title_of_default(session: &Session, vnet: &Vnet) -> String {
    let why = if vnet.default { "the host's" } else { "the crashing thread's vnet" };
    let crashed =
        session.crashed_thread().ok().flatten().map(|crashed| elsewhere(session, vnet, crashed));
    format!("{}, {why}{}", vnet.title(), crashed.unwrap_or_default())
}

/// A remark about the crashing thread if it is unknown, or if it was in no vnet and
/// its jail's vnet is not the default.
fn elsewhere(session: &Session, meant: &Vnet, crashed: &CrashedThread) -> String {
    let tid = crashed.tid;
    if crashed.thread.is_none() {
        return format!("; the crashing {}", crashed.title(None));
    }
    let jails = crashed.jail_vnet.and_then(|vnet| session.vnet(vnet));
    match jails.filter(|vnet| crashed.curvnet.is_none() && vnet.address != meant.address) {
        Some(vnet) => format!(
            "; the crashing thread {tid} was in no vnet, and its jail's vnet is {}",
            vnet.title()
        ),
        None => String::new(),
    }
}
