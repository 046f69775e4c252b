//! The kernel's threads: their lists, their registers, and the
//! calls on their kernel stacks.

pub(crate) mod general;
mod kernel_copy;
mod list;
mod listed;
pub(crate) mod ranked;
pub(crate) mod registers;
pub(crate) mod stack;
mod stack_memory;

pub use kernel_copy::{CopyError, KernelCopy};
pub use list::ThreadName;
pub(crate) use list::{
    Process, Thread, VnetPointer, by_process, enumerator, is_zombie, prison, process, processes,
};
pub(crate) use listed::{Listed, all};
pub(crate) use ranked::{Ranked, ranked};
pub(crate) use stack_memory::range as kernel_stack;
