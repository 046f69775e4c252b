//! Instructions, as far as reading a stack needs them: whether there is a call before a return
//! address, and whether a function has set up its frame yet.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::bytes::Endian;
use crate::target::Target;

/// Bytes of the longest call of x86 without a prefix: opcode, ModRM, SIB, 4 of displacement.
const LONGEST_CALL: u64 = 7;

/// Whether the instruction before `address` is a call. `None` if neither the dump nor the
/// kernel's file has its bytes.
#[must_use]
pub fn follows_call(target: &Target, address: VirtAddr) -> Option<bool> {
    let before = |len: u64| bytes(target, address.wrapping_add(len.wrapping_neg()), len as usize);
    let word = |endian: Endian| Some(endian.uint(&before(4)?) as u32);
    match target.arch() {
        Arch::Amd64 | Arch::I386 => Some(ends_in_x86_call(&before(LONGEST_CALL)?)),
        _ if !address.get().is_multiple_of(2) => Some(false),
        Arch::Arm64 => Some(is_arm64_call(word(Endian::Little)?)),
        Arch::Arm => Some(is_arm_call(word(Endian::Little)?)),
        Arch::Riscv64 => Some(is_riscv_call(word(Endian::Little)?)),
        Arch::Powerpc64 => Some(is_powerpc_call(word(Endian::Big)?)),
        Arch::Powerpc64le => Some(is_powerpc_call(word(Endian::Little)?)),
    }
}

/// Code as the dump has it, or else the kernel's file.
pub(super) fn bytes(target: &Target, at: VirtAddr, len: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    match target.memory().read(at, &mut bytes) {
        Ok(()) => Some(bytes),
        Err(_) => target.kernel().initial_bytes(at, len as u64).map(|bytes| bytes.into_owned()),
    }
}

/// `call rel32`, or `call` through a register or memory.
fn ends_in_x86_call(bytes: &[u8]) -> bool {
    let from_end =
        |back: usize| bytes.len().checked_sub(back).and_then(|at| bytes.get(at)).copied();
    from_end(5) == Some(0xe8)
        || (2..=LONGEST_CALL as usize).any(|len| {
            from_end(len) == Some(0xff)
                && from_end(len - 1).is_some_and(|modrm| {
                    x86_indirect_call(modrm, from_end(len.saturating_sub(2))) == Some(len)
                })
        })
}

/// The length of `ff /2` with this ModRM byte and, where it has one, SIB byte.
fn x86_indirect_call(modrm: u8, sib: Option<u8>) -> Option<usize> {
    if modrm >> 3 & 7 != 2 {
        return None;
    }
    let (mode, register) = (modrm >> 6, modrm & 7);
    let has_sib = mode != 3 && register == 4;
    let displacement = match (mode, register) {
        (0, 5) => 4,
        (0, 4) if sib.is_some_and(|sib| sib & 7 == 5) => 4,
        (1, _) => 1,
        (2, _) => 4,
        _ => 0,
    };
    Some(2 + usize::from(has_sib) + displacement)
}

/// bl, blr, and blr with authentication.
fn is_arm64_call(word: u32) -> bool {
    word & 0xfc00_0000 == 0x9400_0000
        || word & 0xffff_fc1f == 0xd63f_0000
        || word & 0xfeff_f800 == 0xd63f_0800
}

/// bl, blx.
fn is_arm_call(word: u32) -> bool {
    (word & 0x0f00_0000 == 0x0b00_0000 && word >> 28 != 0xf)
        || word & 0x0fff_fff0 == 0x012f_ff30
        || word & 0xfe00_0000 == 0xfa00_0000
}

/// jal and jalr that leave the return address in ra or t0; c.jalr, in the upper half.
fn is_riscv_call(word: u32) -> bool {
    let links = matches!(word >> 7 & 0x1f, 1 | 5);
    let half = word >> 16;
    (links && (word & 0x7f == 0x6f || word & 0x707f == 0x67))
        || (half & 0xf07f == 0x9002 && half >> 7 & 0x1f != 0)
}

/// bl, bctrl, blrl and conditional branches that link.
fn is_powerpc_call(word: u32) -> bool {
    word & 0xfc00_0001 == 0x4800_0001
        || word & 0xfc00_0001 == 0x4000_0001
        || matches!(word & 0xfc00_07ff, 0x4c00_0421 | 0x4c00_0021)
}

/// How much of a function is searched for the set-up of its frame, in bytes.
const PROLOGUE: usize = 96;

/// How far a function has set up its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// The frame pointer is its caller's, and the return address where the call left it:
    /// in the link register, or on top of the stack.
    NotYet,
    /// The same, with the caller's frame pointer pushed on top of the return address.
    Pushed,
    /// It is complete; or the function has none, which looks the same.
    There,
}

/// How far the function at `start` has set up its frame at `offset` bytes from there.
pub(super) fn frame(target: &Target, start: VirtAddr, offset: u64) -> Frame {
    if offset == 0 {
        return Frame::NotYet;
    }
    let Some(code) = bytes(target, start, PROLOGUE) else { return Frame::There };
    let Ok(offset) = usize::try_from(offset) else { return Frame::There };
    match target.arch() {
        Arch::Amd64 => x86_frame(&code, offset, &[0x48, 0x89, 0xe5]),
        Arch::I386 => x86_frame(&code, offset, &[0x89, 0xe5]),
        arch => match set_up(arch, &code) {
            Some(end) if offset < end => Frame::NotYet,
            _ => Frame::There,
        },
    }
}

/// `push %rbp; mov %rsp,%rbp`, perhaps behind `endbr64`.
fn x86_frame(code: &[u8], offset: usize, moves: &[u8]) -> Frame {
    const PUSH: u8 = 0x55;
    let push = match code {
        [0xf3, 0x0f, 0x1e, 0xfa | 0xfb, ..] => 4,
        _ => 0,
    };
    let pushes = code.get(push) == Some(&PUSH);
    let moves = code.get(push + 1..push + 1 + moves.len()) == Some(moves);
    match offset {
        _ if !pushes || !moves => Frame::There,
        offset if offset <= push => Frame::NotYet,
        offset if offset == push + 1 => Frame::Pushed,
        _ => Frame::There,
    }
}

/// Where the instruction that sets up the frame ends, from the start of the function.
fn set_up(arch: Arch, code: &[u8]) -> Option<usize> {
    let endian = arch.endian();
    let mut at = 0;
    while let Some(bytes) = code.get(at..at + 4) {
        let word = endian.uint(bytes) as u32;
        let (sets, len) = match arch {
            // add x29, sp, #n
            Arch::Arm64 => (word & 0xff80_03ff == 0x9100_03fd, 4),
            // add r11, sp, #n; mov r11, sp
            Arch::Arm => (word & 0xffff_f000 == 0xe28d_b000 || word == 0xe1a0_b00d, 4),
            // stdu r1, n(r1)
            Arch::Powerpc64 | Arch::Powerpc64le => (word & 0xffff_0003 == 0xf821_0001, 4),
            // addi s0, sp, n; c.addi4spn s0, n
            Arch::Riscv64 if word & 3 == 3 => (word & 0xf_ffff == 0x1_0413, 4),
            Arch::Riscv64 => (word & 0xe01f == 0 && word & 0x1fe0 != 0, 2),
            Arch::Amd64 | Arch::I386 => return None,
        };
        at += len;
        if sets {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_x86_are_known_by_their_bytes() {
        for (code, call) in [
            (&[0x90, 0x90, 0xe8, 1, 2, 3, 4][..], true),
            (&[0, 0, 0, 0, 0, 0xff, 0xd0], true),
            (&[0, 0, 0, 0, 0xff, 0x53, 0x08], true),
            (&[0, 0xff, 0x15, 1, 2, 3, 4], true),
            (&[0xff, 0x14, 0xc5, 1, 2, 3, 4], true),
            (&[0, 0, 0, 0xff, 0x54, 0x24, 0x08], true),
            // A jump through memory, an increment, and a call that ends elsewhere.
            (&[0, 0, 0, 0, 0xff, 0x63, 0x08], false),
            (&[0, 0, 0, 0, 0, 0xff, 0xc0], false),
            (&[0, 0, 0, 0xff, 0x53, 0x08, 0x90], false),
        ] {
            assert_eq!(ends_in_x86_call(code), call, "{code:02x?}");
        }
    }

    #[test]
    fn calls_of_other_machines_are_known_by_a_word() {
        assert!(
            is_arm64_call(0xd63f_0120) && is_arm64_call(0x9400_0010) && !is_arm64_call(0xd65f_03c0)
        );
        assert!(is_arm64_call(0xd73f_0911), "blraa");
        assert!(is_arm_call(0xe12f_ff32) && is_arm_call(0xeb00_0001) && !is_arm_call(0xe12f_ff1e));
        assert!(
            is_riscv_call(0x0000_00ef) && is_riscv_call(0x0005_80e7) && is_riscv_call(0x9602_4c6c)
        );
        assert!(!is_riscv_call(0x8082_6105) && !is_riscv_call(0x0000_006f));
        assert!(is_powerpc_call(0x4e80_0421) && is_powerpc_call(0x4bff_fff1));
        assert!(!is_powerpc_call(0x4e80_0020) && !is_powerpc_call(0x4800_0010));
    }

    #[test]
    fn a_frame_is_there_behind_its_set_up() {
        const PLAIN: &[u8] = &[0x55, 0x48, 0x89, 0xe5, 0x53];
        const BRANCH: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5, 0x53];
        let frame = |code, offset| x86_frame(code, offset, &[0x48, 0x89, 0xe5]);
        assert_eq!(frame(PLAIN, 1), Frame::Pushed);
        assert_eq!(frame(PLAIN, 4), Frame::There);
        assert_eq!((frame(BRANCH, 4), frame(BRANCH, 5)), (Frame::NotYet, Frame::Pushed));
        assert_eq!(frame(&[0x53, 0x48, 0x89, 0xfb], 1), Frame::There);
        // stp x29, x30, [sp, #-48]!; str x21, [sp, #16]; mov x29, sp
        let arm64 = [0xa9bd_7bfd_u32, 0xf900_0bf5, 0x9100_03fd];
        let arm64: Vec<u8> = arm64.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(set_up(Arch::Arm64, &arm64), Some(12));
        // addi sp, sp, -32; sd ra, 24(sp); sd s0, 16(sp); addi s0, sp, 32, short and long
        let short = [0x1101_u16, 0xec06, 0xe822, 0x1000, 0];
        let short: Vec<u8> = short.into_iter().flat_map(u16::to_le_bytes).collect();
        assert_eq!(set_up(Arch::Riscv64, &short), Some(8));
        let long: Vec<u8> =
            [0xec06_1101_u32, 0x0201_0413, 0].into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(set_up(Arch::Riscv64, &long), Some(8));
    }
}
