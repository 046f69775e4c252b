//! What the library cannot do, whatever the layer: every layer's own error, joined.
//!
//! Each layer owns its error: what went wrong, with what a caller may want to know of it in
//! fields. Every error is a sentence.

mod hint;

use std::path::PathBuf;

use crate::shorten::shortened;

pub use crate::dump::DumpError;
pub use crate::expr::eval::ExprError;
pub use crate::fault::{Fault, FaultKind, Stage};
pub use crate::kernel::KernelError;
pub use crate::source::{SourceError, UnpackError};
pub use crate::target::{ReadError, TargetError};
pub use crate::types::TypeError;
pub use crate::vnet::VnetError;

/// What the library cannot do, whatever the layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{} is no dump that can be read", path.display())]
    Dump { path: PathBuf, source: DumpError },
    #[error("{} is no kernel that can be used", path.display())]
    Kernel { path: PathBuf, source: KernelError },
    #[error("no kernel was given, and {}", none_found(*refused, *cut_off))]
    NoKernel {
        /// Where was looked, what was found there and why it was not taken, a line each.
        searched: Vec<String>,
        /// Kernels that were found and not taken.
        refused: usize,
        /// Pages that are missing from the dump.
        cut_off: u64,
    },
    #[error("{}", joining(.0))]
    Target(#[from] TargetError),
    #[error("types are needed for this")]
    Types(#[from] TypeError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Vnet(#[from] VnetError),
    #[error("cannot evaluate {}", shortened(expression))]
    Expr { expression: String, source: ExprError },
}

fn joining(why: &TargetError) -> &'static str {
    match why {
        TargetError::CutOff { .. } => "the dump is not complete",
        _ => "the kernel and the dump do not go together",
    }
}

fn none_found(refused: usize, cut_off: u64) -> String {
    match (refused, cut_off) {
        (0, _) => "none lies beside the dump or where kernels are installed".to_owned(),
        (_, 1..) => format!(
            "the dump file is cut off: {cut_off} pages are missing, by which its kernel could be told"
        ),
        (1, 0) => "the only one that was found did not write this dump".to_owned(),
        (count, 0) => format!("none of the {count} that were found wrote this dump"),
    }
}
