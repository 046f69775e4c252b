//! The calls that a thread is in, read from its kernel stack.
//!
//! What: return addresses. FreeBSD's kernels keep frame pointers, so that a chain of
//! frames leads from the innermost call outwards. A function that has only just been
//! called has no frame yet: its return address is in the link register or on top of
//! the stack. At a trap or an interrupt, the chain continues with what
//! was interrupted. Words of the stack that look like return addresses may be left over from
//! earlier calls, and are kept apart.
//!
//! What it refuses to do: without the debug information about code it goes by the chain
//! alone, which is what questions about functions need.

mod cfi;
mod chain;
mod code;
mod entry;
mod frame;
pub(super) mod old_rules;
mod place;
mod trap;
pub(super) mod trap_rules;
mod unwinder;

use crate::addr::VirtAddr;
use crate::target::code::RunningCode;
use crate::target::{ReadError, Target};
use crate::threads::registers::{Origin, Registers};
use crate::threads::stack_memory;
use crate::value::Object;

use place::{function_at, unsigned};
use unwinder::Unwinder;

pub use code::follows_call;
pub use entry::TrapKind;
pub use frame::{Call, End, FoundBy, Frame};
pub use trap::Trap;

/// All calls of a thread, with their frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwound {
    /// Where its registers were saved.
    pub origin: Option<Origin>,
    /// Innermost first.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: End,
    /// If nothing leads on: words further out that look like return addresses.
    pub words: Vec<Call>,
}

/// A thread's kernel stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    /// The calls that are certainly on it, innermost first.
    pub calls: Vec<Call>,
    /// All words from the stack pointer outwards that point into the kernel's code, behind
    /// a call if its instructions can be read.
    pub words: Vec<Call>,
    /// All words of that part of the stack.
    all: Vec<VirtAddr>,
}

/// Words that are shown where nothing leads on.
const MOST_WORDS: usize = 64;

impl Stack {
    /// The stack of `thread`, as far as its registers and its memory show it.
    ///
    /// # Errors
    /// The thread cannot be read, or the kernel's types lack something.
    pub fn of(thread: &Object<'_>) -> Result<Self, ReadError> {
        let target = thread.target();
        // Without its registers, the whole stack is searched.
        let registers = Registers::of(thread).unwrap_or(None);
        let unwinder = Unwinder { target, code: None, bounds: stack_memory::range(thread).ok() };
        let calls = registers.map(|(registers, origin)| {
            let (frames, _) = unwinder.run(registers, origin);
            frames.into_iter().map(|frame| frame.call).collect()
        });
        let pointer = registers.and_then(|(registers, _)| registers.stack);
        let (start, all) = stack_memory::words(thread, pointer)?;
        let words = returns(target, start, &all);
        Ok(Self { calls: calls.unwrap_or_default(), words, all })
    }

    /// All words of that part of the stack.
    #[must_use]
    pub fn values(&self) -> &[VirtAddr] {
        &self.all
    }

    /// Whether this address is one of the words on the stack.
    #[must_use]
    pub fn mentions(&self, address: VirtAddr) -> bool {
        self.all.contains(&address)
    }

    /// The function that a call is in, by its first address. A call never returns to
    /// the first byte of a function: that would be behind the last of another.
    #[must_use]
    pub fn function(target: &Target, call: &Call) -> Option<VirtAddr> {
        let back = u64::from(!matches!(call.found, FoundBy::Counter | FoundBy::Trap));
        function_at(target, VirtAddr::new(call.address.get().wrapping_sub(back)))
    }
}

impl Unwound {
    /// The calls of `thread` with their frames, by all that is known about code.
    ///
    /// # Errors
    /// The thread cannot be read, or the kernel's types lack something.
    pub fn of<'t>(thread: &Object<'t>, code: &RunningCode<'t>) -> Result<Self, ReadError> {
        let target = thread.target();
        let bounds = stack_memory::range(thread)?;
        let registers = Registers::all_of(thread)?;
        let unwinder = Unwinder { target, code: Some(code), bounds: Some(bounds) };
        let (frames, end) = match registers {
            Some((registers, origin)) => unwinder.run(registers, origin),
            None => (Vec::new(), End::NoRegisters),
        };
        let words = match end {
            End::LeavesStack { .. }
            | End::DoesNotRise { .. }
            | End::Unreadable { .. }
            | End::EmptyTrap { .. }
            | End::NoRegisters => {
                // From where the last frame is known to be.
                let known = |frame: &Frame| frame.call.at.or(frame.registers.stack);
                let from = frames.iter().rev().find_map(known);
                let word = target.arch().pointer_size();
                let from = from.map(|at| at.wrapping_add(word));
                let (start, all) = stack_memory::words(thread, from)?;
                let mut words = returns(target, start, &all);
                // The pcb at the end of a stack has registers too.
                let pcb = thread.pointer("td_pcb").ok().and_then(VirtAddr::non_null);
                let pcb = pcb.filter(|pcb| *pcb >= start);
                words.retain(|word| pcb.is_none_or(|pcb| word.at.is_none_or(|at| at < pcb)));
                words.truncate(MOST_WORDS);
                words
            }
            End::Outermost | End::UserSpace | End::TooLong => Vec::new(),
        };
        Ok(Self { origin: registers.map(|(_, origin)| origin), frames, end, words })
    }
}

/// The words of a part of a stack that look like return addresses.
fn returns(target: &Target, start: VirtAddr, all: &[VirtAddr]) -> Vec<Call> {
    let word = target.arch().pointer_size();
    let words = all.iter().zip(0..).map(|(value, number): (_, u64)| Call {
        address: unsigned(target, *value),
        at: Some(start.wrapping_add(number * word)),
        found: FoundBy::Word,
    });
    let returns = |call: &Call| {
        Stack::function(target, call).is_some() && follows_call(target, call.address) != Some(false)
    };
    words.filter(returns).collect()
}
