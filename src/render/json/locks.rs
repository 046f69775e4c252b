//! Locks as JSON.

use serde::Serialize;

use super::{JsonError, JsonThread};
use crate::addr::VirtAddr;
use crate::views::locks::LockView;
use crate::vnet::locks::{Holder, LockKind, LockState};

/// A lock: what its word says, or why that cannot be read.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonLock<'a> {
    name: &'a str,
    address: Option<VirtAddr>,
    #[serde(flatten)]
    state: OrWhy<'a>,
    owner: Option<JsonThread<'a>>,
    /// Why a thread that holds it has no name.
    nameless: Option<&'a str>,
    meaning: &'a str,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum OrWhy<'a> {
    State(JsonState),
    Why(JsonError<'a>),
}

#[derive(Debug, Clone, Copy, Serialize)]
struct JsonState {
    #[serde(rename = "type")]
    kind: &'static str,
    word: VirtAddr,
    state: &'static str,
    readers: Option<u64>,
    owner_address: Option<VirtAddr>,
    shared_waiters: bool,
    exclusive_waiters: bool,
    spinner: bool,
    recursed: bool,
}

impl<'a> From<&'a LockView> for JsonLock<'a> {
    fn from(view: &'a LockView) -> Self {
        Self {
            name: view.lock.name,
            address: view.lock.address,
            state: match &view.lock.state {
                Ok(state) => OrWhy::State(state.into()),
                Err(why) => OrWhy::Why(JsonError(why)),
            },
            owner: view.owner.as_ref().map(JsonThread::from),
            nameless: view.nameless.as_deref(),
            meaning: &view.meaning,
        }
    }
}

impl From<&LockState> for JsonState {
    fn from(state: &LockState) -> Self {
        let (name, readers, owner) = match state.holder {
            Holder::Nobody => ("unlocked", None, None),
            Holder::Shared { readers } => ("shared", Some(readers), None),
            Holder::Exclusive { thread } => ("exclusive", None, Some(thread)),
            Holder::Destroyed => ("destroyed", None, None),
            Holder::NotYet => ("not-yet", None, None),
            Holder::Nonsense => ("nonsense", None, None),
        };
        Self {
            kind: match state.kind {
                LockKind::Rwlock => "rwlock",
                LockKind::Sx => "sx",
            },
            word: VirtAddr::new(state.word),
            state: name,
            readers,
            owner_address: owner,
            shared_waiters: state.shared_waiters,
            exclusive_waiters: state.exclusive_waiters,
            spinner: state.spinner,
            recursed: state.recursed,
        }
    }
}
