//! The threads of the kernel: the lists of them, the registers that each had, and the
//! calls on its kernel stack.

mod list;
pub(crate) mod registers;
pub(crate) mod stack;
mod stack_memory;

pub use list::ThreadName;
pub(crate) use list::{Thread, VnetPointer, all, prison, process, thread, vnets_of_all};
