//! What is known of a stack.

use crate::addr::VirtAddr;
use crate::threads::ThreadName;
use crate::value::model::{Value, ValueError};
use crate::views::backtrace::trap::TrapSeen;

/// A thread's stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtrace {
    /// The thread and its process.
    pub thread: ThreadName,
    /// Innermost first; inlined functions are frames of their own.
    pub frames: Vec<StackFrame>,
    /// Why there are no more.
    pub ending: Ending,
}

/// Why there are no more frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// `outermost`, `user-space`, `leaves-stack`, `does-not-rise`, `unreadable`, `empty-trap`,
    /// `too-long`, `no-registers`, `no-stack` or `swapped-out`.
    pub kind: &'static str,
    /// A sentence without a full stop.
    pub message: String,
    /// The address that leads no further.
    pub address: Option<VirtAddr>,
}

/// How a frame was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// By registers that were saved, or by the chain of frames that they lead to.
    Chain,
    /// By call frame information.
    Cfi,
    /// It was interrupted: its registers are in a trap frame.
    Trap,
    /// A word on the stack looks like its return address. It may be left over from an earlier
    /// call.
    Scan,
}

/// A function on a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackFrame {
    /// The next instruction; behind a call, except in the innermost and interrupted frames.
    pub address: VirtAddr,
    /// Its name; `None` if no symbol or debug information covers the address.
    pub function: Option<Box<str>>,
    /// The distance of the address from the start of the function; `None` if it was inlined.
    pub offset: Option<u64>,
    /// The source file, below `sys/`.
    pub file: Option<Box<str>>,
    /// The line there.
    pub line: Option<u32>,
    /// `kernel`, or the file name of a module.
    pub module: Option<Box<str>>,
    /// The function was inlined into the next one.
    pub inlined: bool,
    /// How it was found.
    pub kind: FrameKind,
    /// The parameters whose values are known.
    pub arguments: Vec<Argument>,
    /// All registers there, if a trap frame has them.
    pub registers: Option<Vec<(String, u64)>>,
    /// The function is an entry point of the kernel, and this is what it saved.
    pub trap: Option<TrapSeen>,
    /// The vnet that it works in; `None` outside the network stack.
    pub vnet: Result<Option<VirtAddr>, ValueError>,
}

/// A parameter with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Argument {
    /// Its name.
    pub name: Box<str>,
    /// Its value.
    pub value: Value,
}

impl FrameKind {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Cfi => "cfi",
            Self::Trap => "trap",
            Self::Scan => "scan",
        }
    }
}
