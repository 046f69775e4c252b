//! The kernel stack of a thread: what it was doing, call by call.
//!
//! Calls come from `threads::stack`; here each gets its names, its lines, its arguments
//! and the vnet that it works in. An address is looked up in the kernel or in the module
//! that has it. A return address is looked up one byte before: the call may be the last
//! instruction of its function.

mod arguments;
mod model;
mod names;
mod trap;
mod vnets;

use crate::addr::VirtAddr;
use crate::target::code::RunningCode;
use crate::target::{ReadError, Target};
use crate::threads::Thread;
use crate::threads::stack::{Call, End, FoundBy, Frame, Unwound};
use crate::value::read::ValueReader;

pub use model::{Argument, Backtrace, Ending, FrameKind, StackFrame};
pub use trap::{Syscall, TrapSeen};

/// Reads stacks.
#[derive(Debug)]
pub struct Tracer<'t> {
    target: &'t Target,
    code: RunningCode<'t>,
    reader: ValueReader<'t>,
}

impl<'t> Tracer<'t> {
    /// `reader` reads the values of arguments.
    pub fn new(target: &'t Target, reader: ValueReader<'t>) -> Self {
        Self { target, code: target.code(), reader }
    }

    /// The stack of a thread.
    ///
    /// # Errors
    /// The thread cannot be read, or the kernel's types lack something.
    pub fn trace(&self, thread: &Thread<'t>) -> Result<Backtrace, ReadError> {
        let unwound = Unwound::of(&thread.thread, &self.code)?;
        let mut vnets = vnets::Vnets::of(&thread.thread);
        let mut frames = Vec::new();
        let mut interrupted = None;
        for frame in &unwound.frames {
            let mut found = self.functions(frame, &mut vnets);
            if let (Some(innermost), Some(registers)) = (found.first_mut(), interrupted.take()) {
                innermost.registers = Some(registers);
            }
            if let (Some(trap), Some(last)) = (&frame.trap, found.last_mut()) {
                interrupted = Some(trap.named.clone());
                last.trap = Some(TrapSeen::of(trap, &thread.process));
            }
            frames.extend(found);
        }
        frames.extend(unwound.words.iter().map(|word| self.word(word, &mut vnets)));
        let ending = ending(thread, &unwound);
        Ok(Backtrace { thread: thread.name(), frames, ending })
    }

    /// The functions of a frame, innermost first: those that were inlined, and the one around.
    fn functions(&self, frame: &Frame, vnets: &mut vnets::Vnets) -> Vec<StackFrame> {
        let at = self.code.at(frame.looked_up());
        let scopes = at.and_then(|at| at.code.scopes(at.linked));
        let scopes = scopes.as_deref().unwrap_or_default();
        let mut found = self.named(&frame.call, frame.looked_up());
        // The frames of the source and its scopes are the same functions.
        for (function, scope) in found.iter_mut().zip(scopes) {
            let Some(at) = at else { break };
            let place = arguments::Place { tracer: self, at, frame };
            function.arguments = place.arguments(scope);
            function.vnet = vnets.current();
            vnets.leave(place.saved_vnet(scope));
        }
        for function in found.iter_mut().skip(scopes.len()) {
            function.vnet = vnets.current();
        }
        found
    }

    fn word(&self, word: &Call, vnets: &mut vnets::Vnets) -> StackFrame {
        let before = VirtAddr::new(word.address.get().wrapping_sub(1));
        let mut frame = self.named(word, before).pop().unwrap_or_else(|| self.bare(word));
        frame.vnet = vnets.unknown();
        frame
    }

    fn bare(&self, call: &Call) -> StackFrame {
        StackFrame {
            address: call.address,
            function: None,
            offset: None,
            file: None,
            line: None,
            module: None,
            inlined: false,
            kind: match call.found {
                FoundBy::Counter | FoundBy::Entry | FoundBy::Chain => FrameKind::Chain,
                FoundBy::Rules => FrameKind::Cfi,
                FoundBy::Trap => FrameKind::Trap,
                FoundBy::Word => FrameKind::Scan,
            },
            arguments: Vec::new(),
            registers: None,
            trap: None,
            vnet: Ok(None),
        }
    }
}

/// A process that is in memory (`sys/sys/proc.h`, up to 14). Before that, the stacks of its
/// threads may have been written to swap space.
const P_INMEM: u64 = 0x1000_0000;

fn ending(thread: &Thread<'_>, unwound: &Unwound) -> Ending {
    if thread.thread.pointer("td_kstack").is_ok_and(VirtAddr::is_null) {
        let message = "the thread has no kernel stack".to_owned();
        return Ending { kind: "no-stack", message, address: None };
    }
    let in_memory = thread.process.uint("p_flag").map(|flags| flags & P_INMEM != 0);
    let begins = unwound.frames.len() <= 1;
    if in_memory == Ok(false) && begins && unwound.words.is_empty() {
        let message = "the process is swapped out: its stacks are not in memory".to_owned();
        return Ending { kind: "swapped-out", message, address: None };
    }
    let (kind, message, address) = match unwound.end {
        End::Outermost => ("outermost", "this is the outermost call".to_owned(), None),
        End::UserSpace => {
            ("user-space", "the kernel was entered from user space here".to_owned(), None)
        }
        End::LeavesStack { at } => {
            ("leaves-stack", format!("the frame pointer {at} leaves the thread's stack"), Some(at))
        }
        End::DoesNotRise { at } => {
            ("does-not-rise", format!("the frame pointer {at} does not lead outwards"), Some(at))
        }
        End::Unreadable { at } => {
            ("unreadable", format!("the frame at {at} cannot be read"), Some(at))
        }
        End::EmptyTrap { at } => {
            ("empty-trap", format!("the trap frame at {at} is empty"), Some(at))
        }
        End::TooLong => ("too-long", "no kernel has more calls on a stack".to_owned(), None),
        End::NoRegisters => {
            ("no-registers", "the registers of the thread were not saved".to_owned(), None)
        }
    };
    Ending { kind, message, address }
}
