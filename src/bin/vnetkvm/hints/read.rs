//! Hints for memory that cannot be read.

use vnetkvm::error::{Fault, FaultKind, ReadError};

use super::types;

pub(super) fn hint(why: &ReadError) -> Option<String> {
    match why {
        ReadError::Type(why) => types::hint(why),
        ReadError::Fault(fault) => fault_hint(fault),
        ReadError::NoSymbol { .. } => {
            Some("the kernel may be stripped: try its debug file, or another release's name".into())
        }
        _ => None,
    }
}

fn fault_hint(fault: &Fault) -> Option<String> {
    let hint = match fault.kind {
        FaultKind::NotMapped | FaultKind::BadAddress => {
            "the pointer may be stale or damaged: print what it was read from"
        }
        FaultKind::Freed => {
            "something still points at what the kernel gave back: print what it was read from"
        }
        FaultKind::NotDumped => "a full dump would have this page, a minidump does not",
        FaultKind::Truncated => {
            "the copy of the dump is not complete: compare its size with the original's"
        }
        _ => return None,
    };
    Some(hint.into())
}
