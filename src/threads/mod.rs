//! The threads of the kernel: the lists of them, the registers that each had, and the
//! calls on its kernel stack.

mod list;
pub mod registers;
pub mod stack;
mod stack_memory;

pub use list::{Thread, ThreadName, VnetPointer, all, prison, process, thread, vnets_of_all};
