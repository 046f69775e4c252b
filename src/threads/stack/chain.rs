//! The chain of frames: what the frame pointer leads to.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::Target;

/// What a frame has of the caller.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// The caller's frame.
    pub caller: VirtAddr,
    /// The return address.
    pub back: VirtAddr,
    /// Where the return address is.
    pub at: VirtAddr,
    /// The stack pointer in the caller, where the frame alone says that.
    pub stack: Option<VirtAddr>,
}

/// Where a frame has these, by their distance from where the frame pointer points, in words.
struct FrameLayout {
    caller: i64,
    return_address: i64,
    /// The return address is kept in the caller's frame.
    in_caller: bool,
    /// Where the caller's stack ends.
    stack: Option<i64>,
}

/// What the frame at `frame` has.
///
/// # Errors
/// The address that cannot be read.
pub fn follow(target: &Target, frame: VirtAddr) -> Result<Link, VirtAddr> {
    let layout = frame_layout(target.arch());
    let word = target.arch().pointer_size();
    let at =
        |frame: VirtAddr, words: i64| frame.wrapping_add(word.wrapping_mul(words.cast_unsigned()));
    let read = |place: VirtAddr| target.memory().pointer(place).map_err(|_| place);
    let caller = read(at(frame, layout.caller))?;
    let holder = if layout.in_caller { caller } else { frame };
    let place = at(holder, layout.return_address);
    let back = if layout.in_caller && caller.is_null() { caller } else { read(place)? };
    let stack = match layout.in_caller {
        true => Some(caller),
        false => layout.stack.map(|words| at(frame, words)),
    };
    Ok(Link { caller, back, at: place, stack })
}

/// The frames of each architecture's calling convention, as clang and gcc make them.
fn frame_layout(arch: Arch) -> FrameLayout {
    let (caller, return_address, in_caller, stack) = match arch {
        Arch::Amd64 | Arch::I386 => (0, 1, false, Some(2)),
        Arch::Arm64 | Arch::Arm => (0, 1, false, None),
        // s0 points behind the frame.
        Arch::Riscv64 => (-2, -1, false, Some(0)),
        Arch::Powerpc64 | Arch::Powerpc64le => (0, 2, true, None),
    };
    FrameLayout { caller, return_address, in_caller, stack }
}
