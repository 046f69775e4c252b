//! What is known of one call on a stack, and why there are no more.

use crate::addr::VirtAddr;
use crate::threads::registers::Registers;
use crate::threads::stack::trap::Trap;

/// An address in the middle of a function, or at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The next instruction there.
    pub address: VirtAddr,
    /// Where it is on the stack; `None` if it is in a register.
    pub at: Option<VirtAddr>,
    pub found: FoundBy,
}

/// How a call was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoundBy {
    /// From the program counter: the innermost call.
    Counter,
    /// From the program counter in a trap frame: what was interrupted.
    Trap,
    /// From the return address of a function that has no frame yet.
    Entry,
    /// From the chain of frames.
    Chain,
    /// From call frame information.
    Rules,
    /// From a word on the stack.
    Word,
}

/// A call with what is known of its frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub call: Call,
    /// Whether the instruction at the address has not run yet. Otherwise it is behind a call.
    pub exact: bool,
    /// The registers there, as far as they are known.
    pub registers: Registers,
    /// The stack pointer at the call of this function.
    pub cfa: Option<VirtAddr>,
    /// The function is an entry point of the kernel, and this is what it saved.
    pub trap: Option<Trap>,
}

impl Frame {
    /// The address that tells the function: a call may be the last instruction of its own.
    pub fn looked_up(&self) -> VirtAddr {
        VirtAddr::new(self.call.address.get().wrapping_sub(u64::from(!self.exact)))
    }
}

/// Why there are no more calls on a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is no caller.
    Outermost,
    /// The kernel was entered from user space.
    UserSpace,
    /// The frame pointer leads out of the stack.
    LeavesStack { at: VirtAddr },
    /// The frame pointer does not lead outwards.
    DoesNotRise { at: VirtAddr },
    /// The memory of the frame cannot be read.
    Unreadable { at: VirtAddr },
    /// The trap frame that should tell what was interrupted is empty.
    EmptyTrap { at: VirtAddr },
    /// There are more than any kernel has.
    TooLong,
    /// The thread's registers were not saved.
    NoRegisters,
}
