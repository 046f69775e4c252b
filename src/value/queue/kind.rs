//! The kinds of lists, told apart by the names of the pointers in their heads and links
//! (`sys/sys/queue.h`, `sys/contrib/ck/include/ck_queue.h`).

use crate::value::object::Object;

/// The names of the pointers of one kind of list.
#[derive(Debug)]
pub(super) struct Kind {
    /// A head's pointer to the first element.
    pub first: &'static str,
    /// A head's pointer to the next pointer of the last element, if it has one.
    pub last: Option<&'static str>,
    /// A link's pointer to the next element.
    pub next: &'static str,
    /// A link's pointer to the pointer that leads to its element, if it has one.
    pub previous: Option<&'static str>,
}

/// Those that are in most lists come first.
pub(super) const KINDS: [Kind; 7] = [
    Kind { first: "lh_first", last: None, next: "le_next", previous: Some("le_prev") },
    Kind {
        first: "tqh_first",
        last: Some("tqh_last"),
        next: "tqe_next",
        previous: Some("tqe_prev"),
    },
    Kind { first: "cstqh_first", last: Some("cstqh_last"), next: "cstqe_next", previous: None },
    Kind { first: "clh_first", last: None, next: "cle_next", previous: Some("cle_prev") },
    Kind { first: "stqh_first", last: Some("stqh_last"), next: "stqe_next", previous: None },
    Kind { first: "slh_first", last: None, next: "sle_next", previous: None },
    Kind { first: "cslh_first", last: None, next: "csle_next", previous: None },
];

impl Kind {
    /// The kind of the list with this head; `None` if it is no head of a list.
    pub(super) fn of(head: &Object<'_>) -> Option<&'static Self> {
        KINDS.iter().find(|kind| head.has(kind.first))
    }
}
