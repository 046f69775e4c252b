//! Which vnets an answer is about, and what is to be said of the choice.

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
    /// Every vnet was asked for, however many there are.
    pub all: bool,
    /// What could not be read while the vnets were looked for.
    pub problems: Problems,
    /// Which vnet was chosen by default, and damage in the chosen vnets.
    pub remarks: Vec<Remark>,
    /// Nobody chose: which vnet it is and why, `vnet 0 (0x…), the host's`.
    pub default: Option<String>,
}

impl<'s> Chosen<'s> {
    /// Finds the vnets that are meant.
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

    /// No vnet in particular: for what belongs to none.
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

/// The vnet that is meant where none was chosen, why, and what the crashed thread has to do
/// with it.
pub fn title_of_default(session: &Session, vnet: &Vnet) -> String {
    let why = if vnet.default { "the host's" } else { "the crashing thread's vnet" };
    let crashed =
        session.crashed_thread().ok().flatten().map(|crashed| elsewhere(session, vnet, &crashed));
    format!("{}, {why}{}", vnet.title(), crashed.unwrap_or_default())
}

/// What is to be said of the crashed thread where it is not known, or worked in no vnet and
/// its jail has another than the one that is meant.
fn elsewhere(session: &Session, meant: &Vnet, crashed: &CrashedThread) -> String {
    let tid = crashed.tid;
    if crashed.thread.is_none() {
        return format!("; the crashing {crashed}");
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
