//! Hints for memory that cannot be read.

use vnetkvm::error::{Fault, FaultKind, ReadError, Stage};

use super::types;

pub(super) fn hint(why: &ReadError) -> Option<String> {
    match why {
        ReadError::Type(why) => types::hint(why),
        ReadError::Fault(fault) => fault_hint(fault),
        ReadError::NoSymbol { .. } => Some(
            "the kernel may be stripped: try its debug file; other releases may use another name"
                .into(),
        ),
        _ => None,
    }
}

fn fault_hint(fault: &Fault) -> Option<String> {
    let hint = match fault.kind {
        FaultKind::NotMapped | FaultKind::BadAddress => {
            "the pointer may be stale or damaged: print the variable that it was read from"
        }
        FaultKind::Freed => "the pointer is stale: print the variable that it was read from",
        FaultKind::NotDumped
            if matches!(fault.stage, Stage::Device { .. } | Stage::NotMemory(_)) =>
        {
            return None;
        }
        FaultKind::NotDumped => "a full dump has this page, but this dump does not",
        FaultKind::Truncated => {
            "the copy of the dump is incomplete: compare its size with the original's"
        }
        _ => return None,
    };
    Some(hint.into())
}
