//! Typed reads of kernel memory: values to print, structs to walk, queues and
//! trees, per-CPU counters.

mod access;
pub(crate) mod bits;
pub mod counter;
pub mod cpus;
mod decode;
mod elements;
mod float;
mod format;
pub(crate) mod freed;
mod gathered;
pub mod inet;
pub mod interface_flags;
pub mod lock_word;
mod meaning;
pub(crate) mod memory_block;
pub mod model;
pub(crate) mod number;
pub mod object;
mod parts;
mod plan;
pub mod queue;
pub mod radix;
pub mod read;
mod record;
pub(crate) mod serialize;
mod stream;
mod told;
pub(crate) mod tree;

pub use access::{ElementsIter, PathError};
pub use counter::Counters;
pub use format::{Format, FormatError, Letter};
pub(crate) use meaning::NumberMeaning;
pub use meaning::{MbufHeader, MbufNaming};
pub use model::Value;
pub use object::Object;
pub use plan::Plans;
pub use read::{Limits, ValueReader};
