//! Pointers that should lead to a socket, and do not.

use crate::addr::VirtAddr;
use crate::value::model::{ErrorKind, ValueError};
use crate::views::call_out::CallOut;

/// A pointer to a socket that is freed, or that is none.
pub fn lost_socket(at: VirtAddr, why: &ValueError) -> Option<CallOut> {
    match why.kind {
        ErrorKind::Freed => {
            Some(CallOut::new("freed-socket", at, format!("the socket at {at} is freed")))
        }
        kind if kind.is_damage() => {
            Some(CallOut::new("wild-socket", at, format!("no socket is at {at}")))
        }
        _ => None,
    }
}
