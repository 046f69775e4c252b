//! The calls that a thread is in, read from its kernel stack.
//!
//! What: return addresses. FreeBSD's kernels keep frame pointers, so that a chain of
//! frames leads from the innermost call outwards. A function that has only just been
//! called has no frame yet: its return address is in the link register or on top of
//! the stack. At a trap or an interrupt, the chain continues with what
//! was interrupted. Words of the stack that look like return addresses may be left over from
//! earlier calls, and are kept apart.
//!
//! What it refuses to do: it does not unwind by call frame information, and shows no
//! arguments.

mod code;
mod trap;

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::SymbolKind;
use crate::target::{ReadError, Target};
use crate::threads::registers::{Origin, Registers};
use crate::threads::stack_memory;
use crate::value::Object;

use code::Frame;

pub use code::follows_call;

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
    /// From a word on the stack.
    Word,
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

/// The longest chain that is followed; real ones have tens of frames.
const MOST_FRAMES: usize = 256;

/// The largest frame.
const LARGEST_FRAME: u64 = 1 << 20;

/// The name of a caller, and the return address, by their distance from where the
/// frame pointer points, in words.
struct FrameLayout {
    caller: i64,
    return_address: i64,
    /// The return address is kept in the caller's frame.
    in_caller: bool,
}

impl Stack {
    /// The stack of `thread`, as far as its registers and its memory show it.
    ///
    /// # Errors
    /// The thread cannot be read, or the kernel's types lack something.
    pub fn of(thread: &Object<'_>) -> Result<Self, ReadError> {
        let target = thread.target();
        // Without its registers, the whole stack is searched.
        let registers = Registers::of(thread).unwrap_or(None);
        let calls = registers.map(|(registers, origin)| calls(target, registers, origin));
        let pointer = registers.and_then(|(registers, _)| registers.stack);
        let (start, all) = stack_memory::words(thread, pointer)?;
        let word = target.arch().pointer_size();
        let words = all.iter().zip(0..).map(|(value, number): (_, u64)| Call {
            address: unsigned(target, *value),
            at: Some(start.wrapping_add(number * word)),
            found: FoundBy::Word,
        });
        let returns = |call: &Call| {
            Self::function(target, call).is_some()
                && follows_call(target, call.address) != Some(false)
        };
        let words = words.filter(returns).collect();
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
        let address = VirtAddr::new(call.address.get().wrapping_sub(back));
        let (symbol, _) = target.symbolize(address)?;
        (symbol.kind != SymbolKind::Object).then_some(symbol.address)
    }
}

/// The calls that registers lead to: by a chain of frames, and from one chain to the next if
/// the first began with a trap.
fn calls(target: &Target, registers: Registers, origin: Origin) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut next = Some((registers, FoundBy::Counter));
    while let Some((registers, found)) = next {
        if let Some(counter) = registers.counter {
            let call = Call { address: unsigned(target, counter), at: None, found };
            if found == FoundBy::Trap && Stack::function(target, &call).is_none() {
                // It came from user space.
                return calls;
            }
            calls.push(call);
        }
        // A pcb keeps the counter of a switch, which is a return address.
        if found == FoundBy::Trap || origin != Origin::Switched {
            let is_exact = found == FoundBy::Trap || matches!(origin, Origin::Noted { .. });
            calls.extend(caller_of_entered(target, &registers, is_exact));
        }
        let interrupted = registers.frame.and_then(|frame| walk(target, frame, &mut calls));
        next = interrupted.filter(|_| calls.len() < MOST_FRAMES).map(|it| (it, FoundBy::Trap));
    }
    calls
}

/// The call of a function that has no frame yet. The chain of frames does not have it.
fn caller_of_entered(target: &Target, registers: &Registers, is_exact: bool) -> Option<Call> {
    let counter = unsigned(target, registers.counter?);
    let (symbol, offset) = target.symbolize(counter)?;
    if symbol.kind == SymbolKind::Object || (offset != 0 && !is_exact) {
        return None;
    }
    let frame = code::frame(target, symbol.address, offset);
    let at_stack = |words: u64| {
        let at = registers.stack?.wrapping_add(words * target.arch().pointer_size());
        let address = unsigned(target, target.memory().pointer(at).ok()?);
        Some(Call { address, at: Some(at), found: FoundBy::Entry })
    };
    let link = || {
        let address = unsigned(target, registers.link?);
        Some(Call { address, at: None, found: FoundBy::Entry })
    };
    let on_stack = matches!(target.arch(), Arch::Amd64 | Arch::I386);
    let candidates = match frame {
        Frame::There => [None, None],
        Frame::NotYet if on_stack => [at_stack(0), None],
        // A breakpoint leaves the counter after the first byte, which has not run yet.
        Frame::Pushed => [at_stack(1), at_stack(0)],
        Frame::NotYet => [link(), None],
    };
    let returns = |call: &&Call| match follows_call(target, call.address) {
        Some(follows) => follows || (is_exact && frame == Frame::NotYet),
        None => is_exact,
    };
    let is_code = |call: &&Call| Stack::function(target, call).is_some();
    candidates.iter().flatten().filter(is_code).find(returns).copied()
}

/// Follows the chain of frames from `frame` outwards. Gives what was interrupted where
/// the chain ends in a trap.
fn walk(target: &Target, mut frame: VirtAddr, calls: &mut Vec<Call>) -> Option<Registers> {
    let layout = frame_layout(target.arch());
    let word = target.arch().pointer_size();
    let memory = target.memory();
    let at =
        |frame: VirtAddr, words: i64| frame.wrapping_add(word.wrapping_mul(words.cast_unsigned()));
    while calls.len() < MOST_FRAMES {
        let caller = memory.pointer(at(frame, layout.caller)).ok()?;
        let holder = if layout.in_caller { caller } else { frame };
        let place = at(holder, layout.return_address);
        let address = memory.pointer(place).ok()?;
        if address.is_null() {
            return None;
        }
        let call =
            Call { address: unsigned(target, address), at: Some(place), found: FoundBy::Chain };
        calls.push(call);
        let entry = VirtAddr::new(call.address.get().wrapping_sub(1));
        if let Some(entry) = target.kernel().label(entry)
            && let Some(interrupted) = trap::interrupted(target, entry.name, frame, caller)
        {
            return Some(interrupted);
        }
        // Stacks grow downwards, so callers lie above; anything else is not a chain.
        match caller.offset_from(frame) {
            Some(distance) if distance != 0 && distance < LARGEST_FRAME => frame = caller,
            _ => return None,
        }
    }
    None
}

/// The address without the signature that arm64 kernels of 14 and later put above its
/// 48 bits: bit 55 is set in the kernel's addresses.
fn unsigned(target: &Target, address: VirtAddr) -> VirtAddr {
    const KERNEL: u64 = 1 << 55;
    match target.arch() {
        Arch::Arm64 if address.get() & KERNEL != 0 => {
            VirtAddr::new(address.get() | 0xffff_0000_0000_0000)
        }
        _ => address,
    }
}

/// The frames of each architecture's calling convention, as clang and gcc make them.
fn frame_layout(arch: Arch) -> FrameLayout {
    let (caller, return_address, in_caller) = match arch {
        Arch::Amd64 | Arch::I386 | Arch::Arm64 | Arch::Arm => (0, 1, false),
        // s0 points behind the frame.
        Arch::Riscv64 => (-2, -1, false),
        Arch::Powerpc64 | Arch::Powerpc64le => (0, 2, true),
    };
    FrameLayout { caller, return_address, in_caller }
}
