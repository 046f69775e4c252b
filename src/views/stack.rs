//! The calls that a thread is in, read off its kernel stack.
//!
//! What: return addresses. FreeBSD's kernels keep frame pointers, so that a chain of
//! frames leads from the innermost call outwards. Where the chain is broken (an
//! assembler routine, a trap, a stack that was switched) words of the stack that
//! point into code are all that is left; they may be what earlier calls left behind,
//! and are kept apart.
//!
//! What it refuses to do: it does not unwind by call frame information, and shows no
//! arguments.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::error::ReadError;
use crate::kernel::SymbolKind;
use crate::target::Target;
use crate::value::Object;
use crate::views::registers::Registers;

/// An address in the middle of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The next instruction there.
    pub address: VirtAddr,
    /// Where on the stack that stands; `None` for the program counter.
    pub at: Option<VirtAddr>,
}

/// A thread's kernel stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stack {
    /// By the chain of frames, innermost first.
    pub calls: Vec<Call>,
    /// All words from the stack pointer outwards that point into the kernel's code.
    pub words: Vec<Call>,
    /// All words of that part of the stack.
    all: Vec<VirtAddr>,
}

/// Chains of real frames are tens long.
const MOST_FRAMES: usize = 256;

/// A frame is smaller than a stack.
const LARGEST_FRAME: u64 = 1 << 20;

/// Pages of the largest kernel stack: KSTACK_PAGES is 2 to 6.
const MOST_PAGES: u64 = 64;

/// The name of a caller, and the return address, by their distance from where the
/// frame pointer points, in words.
struct Frame {
    caller: i64,
    return_address: i64,
    /// The return address is kept in the caller's frame.
    in_caller: bool,
}

impl Stack {
    /// The stack of `thread`, as far as its registers and its memory lead.
    ///
    /// # Errors
    /// The thread cannot be read, or the kernel's types do not tell.
    pub fn of(thread: &Object<'_>) -> Result<Self, ReadError> {
        let target = thread.target();
        // Without its registers the whole stack is looked through.
        let registers = Registers::of(thread).unwrap_or(None);
        let mut calls = Vec::new();
        if let Some(registers) = registers {
            let counter = registers.program_counter();
            calls.extend(counter.map(|address| Call { address: code(target, address), at: None }));
            if let Some(frame) = registers.frame_pointer() {
                walk(target, frame, &mut calls);
            }
        }
        let pointer = registers.and_then(|registers| registers.stack_pointer());
        let (start, all) = read(thread, pointer)?;
        let word = target.arch().pointer_size();
        let words = all.iter().zip(0..).map(|(value, number): (_, u64)| Call {
            address: code(target, *value),
            at: Some(start.wrapping_add(number * word)),
        });
        let words = words.filter(|call| Self::function(target, call).is_some()).collect();
        Ok(Self { calls, words, all })
    }

    /// Is this address one of the words on the stack?
    pub fn mentions(&self, address: VirtAddr) -> bool {
        self.all.contains(&address)
    }

    /// The function that a call is in, by its first address. A call never returns to
    /// the first byte of a function: that would be behind the last of another.
    pub fn function(target: &Target, call: &Call) -> Option<VirtAddr> {
        let back = u64::from(call.at.is_some());
        let address = VirtAddr::new(call.address.get().wrapping_sub(back));
        let (symbol, _) = target.symbolize(address)?;
        (symbol.kind != SymbolKind::Object).then_some(symbol.address)
    }
}

/// Follows the chain of frames from `frame` outwards.
fn walk(target: &Target, mut frame: VirtAddr, calls: &mut Vec<Call>) {
    let shape = shape(target.arch());
    let word = target.arch().pointer_size();
    let memory = target.memory();
    let at =
        |frame: VirtAddr, words: i64| frame.wrapping_add(word.wrapping_mul(words.cast_unsigned()));
    for _ in 0..MOST_FRAMES {
        let Ok(caller) = memory.pointer(at(frame, shape.caller)) else { return };
        let holder = if shape.in_caller { caller } else { frame };
        let place = at(holder, shape.return_address);
        let Ok(address) = memory.pointer(place) else { return };
        if address.is_null() {
            return;
        }
        calls.push(Call { address: code(target, address), at: Some(place) });
        // Stacks grow downwards, so callers lie above; anything else is no chain.
        match caller.offset_from(frame) {
            Some(distance) if distance != 0 && distance < LARGEST_FRAME => frame = caller,
            _ => return,
        }
    }
}

/// The words of the stack from `pointer` on, or all of them, and where they begin.
fn read(
    thread: &Object<'_>,
    pointer: Option<VirtAddr>,
) -> Result<(VirtAddr, Vec<VirtAddr>), ReadError> {
    let target = thread.target();
    let base = thread.pointer("td_kstack")?;
    let len = thread.uint("td_kstack_pages")?.min(MOST_PAGES) * target.memory().page_size();
    let used = pointer.and_then(|pointer| pointer.offset_from(base));
    let used = used.filter(|used| *used < len).unwrap_or(0);
    let mut bytes = vec![0; (len - used) as usize];
    let start = base.wrapping_add(used);
    let (read, _) = target.memory().read_prefix(start, &mut bytes);
    let (word, endian) = (target.arch().pointer_size(), target.arch().endian());
    let words = bytes.get(..read).unwrap_or_default().chunks_exact(word as usize);
    Ok((start, words.map(|bytes| VirtAddr::new(endian.uint(bytes) as u64)).collect()))
}

/// The address without the signature that arm64 kernels of 14 and later put above its
/// 48 bits: bit 55 tells that it is the kernel's.
fn code(target: &Target, address: VirtAddr) -> VirtAddr {
    const KERNEL: u64 = 1 << 55;
    match target.arch() {
        Arch::Arm64 if address.get() & KERNEL != 0 => {
            VirtAddr::new(address.get() | 0xffff_0000_0000_0000)
        }
        _ => address,
    }
}

/// The frames of each architecture's calling convention, as clang and gcc make them.
fn shape(arch: Arch) -> Frame {
    let (caller, return_address, in_caller) = match arch {
        Arch::Amd64 | Arch::I386 | Arch::Arm64 | Arch::Arm => (0, 1, false),
        // s0 points behind the frame.
        Arch::Riscv64 => (-2, -1, false),
        Arch::Powerpc64 | Arch::Powerpc64le => (0, 2, true),
    };
    Frame { caller, return_address, in_caller }
}
