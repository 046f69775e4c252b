//! What a stack is to have.

use std::collections::BTreeMap;

use crate::addr::VirtAddr;

/// The calls of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackOptions {
    /// Innermost first.
    pub calls: Vec<StackCall>,
    /// The processor that it runs on, where it was stopped; `None` if it does not run, or dumps.
    pub cpu: Option<u32>,
    /// Values of variables, by `function.variable`. Others get 1, a `td` its thread, a
    /// `saved_vnet` the thread's curvnet.
    pub variables: BTreeMap<String, u64>,
    /// The number of the system call, where the outermost call is an entry point for them.
    pub syscall: u64,
    /// What is wrong with it.
    pub fault: Option<StackFault>,
}

/// A call on a stack.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StackCall {
    /// A function of the kernel or of a module: `trap`, or with an offset `trap+0x12`.
    pub function: String,
    /// Members of the trap frame that an entry point saved, without their prefix.
    pub trap: BTreeMap<String, u64>,
}

/// What is wrong with a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackFault {
    /// The frame pointer of the outermost call leads to the innermost.
    Circle,
    /// It leads out of the stack.
    Outside,
    /// The page with the outer calls is to be left out of the dump.
    Missing,
    /// Nobody kept the registers.
    Lost,
}

/// A call with its addresses.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub name: String,
    pub start: VirtAddr,
    /// The return address, or the instruction that was interrupted.
    pub counter: VirtAddr,
    /// It was interrupted, not called from here.
    pub interrupted: bool,
    /// It is an entry point of the kernel.
    pub entry: bool,
    /// It has an ordinary frame, although no place in it is known to have one.
    pub framed: bool,
    pub trap: BTreeMap<String, u64>,
}
