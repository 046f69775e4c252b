//! Walks of queue(3) lists.
//!
//! What a list's head and its elements' links are called tells its kind, so no
//! caller says "this is a TAILQ": LIST, SLIST, STAILQ, TAILQ and their CK forms
//! (`sys/sys/queue.h`, `sys/contrib/ck/include/ck_queue.h`). Where a release made a
//! tree of a list, the tree is walked.

use rustc_hash::FxHashSet;

use crate::addr::VirtAddr;
use crate::error::ReadError;
use crate::value::object::Object;
use crate::value::tree;

/// Names of a head's first pointer and of a link's next pointer.
const KINDS: [(&str, &str); 7] = [
    ("lh_first", "le_next"),
    ("slh_first", "sle_next"),
    ("stqh_first", "stqe_next"),
    ("tqh_first", "tqe_next"),
    ("clh_first", "cle_next"),
    ("cslh_first", "csle_next"),
    ("cstqh_first", "cstqe_next"),
];

/// The elements of a list, and what ended the walk if not its end.
#[derive(Debug)]
pub struct Walk<'t> {
    pub elements: Vec<Object<'t>>,
    pub broken: Option<Broken>,
}

/// Why a walk ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// An element that was there before comes again.
    Cycle { at: VirtAddr },
    /// More elements than any such list has.
    TooLong { limit: usize },
    /// The next pointer of this element, or the head, cannot be read.
    Unreadable { at: VirtAddr, why: ReadError },
}

/// Walks the list at `head`, whose elements are linked by their member `link`,
/// for no more than `limit` elements.
pub fn walk<'t>(head: Object<'t>, link: &str, limit: usize) -> Walk<'t> {
    if head.has("rbh_root") {
        return tree::walk(head, link, limit);
    }
    let mut walk = Walk { elements: Vec::new(), broken: None };
    let unreadable = |at: VirtAddr| move |why| Broken::Unreadable { at, why };
    let first = KINDS.into_iter().find(|(first, _)| head.has(first)).unwrap_or(KINDS[0]);
    let mut next = head.follow(first.0).map_err(unreadable(head.address));
    let mut seen = FxHashSet::default();
    let path = format!("{link}.{}", first.1);
    loop {
        match next {
            Ok(None) => return walk,
            Ok(Some(element)) if !seen.insert(element.address) => {
                walk.broken = Some(Broken::Cycle { at: element.address });
                return walk;
            }
            Ok(Some(_)) if walk.elements.len() == limit => {
                walk.broken = Some(Broken::TooLong { limit });
                return walk;
            }
            Ok(Some(element)) => {
                next = element.follow(&path).map_err(unreadable(element.address));
                if next.is_err() && element.probe().is_err() {
                    // Not even its first byte is there: it is no element.
                    walk.broken = next.err();
                    return walk;
                }
                walk.elements.push(element);
            }
            Err(broken) => {
                walk.broken = Some(broken);
                return walk;
            }
        }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cycle { at } => write!(f, "the list comes back to {at}: it has a cycle"),
            Self::TooLong { limit } => write!(f, "the list has more than {limit} elements"),
            Self::Unreadable { at, why } => write!(f, "the list breaks off at {at}: {why}"),
        }
    }
}
