//! `locks`: who holds the locks of the VNET code.

use serde::{Serialize, Serializer};

use super::{Cell, Column, Element, List, Medium, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::Session;
use crate::threads::ThreadName;
use crate::value::lock_word::{Holder, LockState};
use crate::value::model::ValueError;
use crate::views::locks::{LockView, Locks};

/// A lock: its decoded word, or why that cannot be read.
#[derive(Debug, Clone, Serialize)]
pub struct Lock {
    /// The kernel's variable: `vnet_rwlock`.
    pub name: &'static str,
    /// The address of its `struct rwlock` or `struct sx`; `None` without a symbol.
    pub address: Option<VirtAddr>,
    /// What its word says.
    #[serde(flatten)]
    pub state: State,
    /// The thread that holds it.
    pub owner: Option<ThreadName>,
    /// Why a thread that holds it has no name.
    pub nameless: Option<Box<str>>,
    /// What its state means for the data it protects, in words.
    pub meaning: Box<str>,
}

/// The content of a lock's word.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum State {
    /// The lock's word, decoded.
    #[serde(serialize_with = "word")]
    Read(LockState),
    /// Why the word cannot be read.
    Unreadable(ValueError),
}

/// The locks, their holders, and what that means for the data they protect.
///
/// # Errors
/// The kernel is not the dump's, or has no VIMAGE.
pub fn locks(session: &Session) -> Result<List<'static, Lock>, Error> {
    let Locks { locks, problems } = Locks::read(session.matching_target()?)?;
    let locks: Vec<Lock> = locks.into_iter().map(Lock::from).collect();
    let columns = vec![
        Column::left("LOCK"),
        Column::left("TYPE"),
        Column::left("ADDRESS"),
        Column::left("STATE"),
        Column::left("WAITING"),
        Column::left("OWNER"),
        Column::left("MEANING"),
    ];
    let list = List::new(columns, locks).with_problems(problems);
    Ok(list.or_nothing(|| "the kernel has none of these locks".to_owned()))
}

impl From<LockView> for Lock {
    fn from(view: LockView) -> Self {
        let LockView { lock, owner, nameless, meaning } = view;
        let state = lock.state.map_or_else(State::Unreadable, State::Read);
        Self { name: lock.name, address: lock.address, state, owner, nameless, meaning }
    }
}

/// A lock's word as members of the lock.
fn word<S: Serializer>(state: &LockState, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Word {
        r#type: &'static str,
        word: VirtAddr,
        state: &'static str,
        readers: Option<u64>,
        owner_address: Option<VirtAddr>,
        shared_waiters: bool,
        exclusive_waiters: bool,
        spinner: bool,
        recursed: bool,
    }
    let (name, readers, owner_address) = match state.holder {
        Holder::Nobody => ("unlocked", None, None),
        Holder::Shared { readers } => ("shared", Some(readers), None),
        Holder::Exclusive { thread } => ("exclusive", None, Some(thread)),
        Holder::Destroyed => ("destroyed", None, None),
        Holder::NotYet => ("not-yet", None, None),
        Holder::Nonsense => ("nonsense", None, None),
    };
    Word {
        r#type: state.kind.name(),
        word: VirtAddr::new(state.word),
        state: name,
        readers,
        owner_address,
        shared_waiters: state.shared_waiters,
        exclusive_waiters: state.exclusive_waiters,
        spinner: state.spinner,
        recursed: state.recursed,
    }
    .serialize(serializer)
}

impl Element for Lock {
    const ARRAY: &'static str = "locks";

    fn unreadable(&self) -> usize {
        usize::from(matches!(self.state, State::Unreadable(_)))
    }
}

impl Row for Lock {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let (kind, state, waiting) = match &self.state {
            State::Read(state) => (state.kind.name().into(), holder(state).into(), waiting(state)),
            State::Unreadable(why) => (Cell::Nothing, Cell::Error(why), None),
        };
        vec![vec![
            self.name.into(),
            kind,
            self.address.into(),
            state,
            waiting.into(),
            self.owner_title().into(),
            (&*self.meaning).into(),
        ]]
    }
}

impl Lock {
    /// The thread that holds it, by name, or by address if it has none.
    fn owner_title(&self) -> Option<String> {
        match (&self.owner, &self.state) {
            (Some(owner), _) => Some(owner.to_string()),
            (None, State::Read(LockState { holder: Holder::Exclusive { thread }, .. })) => {
                Some(format!("{thread}, {}", self.nameless.as_deref().unwrap_or_default()))
            }
            _ => None,
        }
    }
}

fn holder(state: &LockState) -> String {
    let again = if state.recursed { ", recursed" } else { "" };
    match state.holder {
        Holder::Nobody => "unlocked".to_owned(),
        Holder::Shared { readers } => format!("shared by {readers}"),
        Holder::Exclusive { .. } => format!("exclusive{again}"),
        Holder::Destroyed => "destroyed".to_owned(),
        Holder::NotYet => "not yet".to_owned(),
        Holder::Nonsense => format!("{:#x}?", state.word),
    }
}

/// The kinds of threads that wait for it.
fn waiting(state: &LockState) -> Option<String> {
    let kinds = [
        (state.shared_waiters, "readers"),
        (state.exclusive_waiters, "writers"),
        (state.spinner, "a spinning writer"),
    ];
    let waiting = kinds.into_iter().filter_map(|(waits, who)| waits.then_some(who));
    let waiting: Vec<&str> = waiting.collect();
    (!waiting.is_empty()).then(|| waiting.join(", "))
}
