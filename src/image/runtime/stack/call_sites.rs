//! Where functions call others, by their instructions.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::image::runtime::Runtime;

/// Looks for calls in the memory of the machine.
pub(super) struct CallSites<'a> {
    pub runtime: &'a Runtime,
}

/// A call instruction.
struct Call {
    /// Behind it, from the start of the function.
    behind: u64,
    /// What it calls; `None` through a pointer.
    target: Option<u64>,
}

/// Functions in assembly that save the registers: what an innermost function calls.
const SAVERS: [&str; 2] = ["cpu_switch", "savectx"];
/// The most bytes of a function that are searched.
const MOST_BYTES: u64 = 0x1000;

impl CallSites<'_> {
    /// The address behind the call of `callee` in a function; without a callee, of what saves
    /// registers. A call through a pointer may call anything, and so may one to a function
    /// that goes on to the callee. `None`: it calls nothing.
    pub fn behind_call(&self, start: VirtAddr, callee: Option<VirtAddr>) -> Option<VirtAddr> {
        let size = self.runtime.symbol_at(start).map_or(0, |symbol| symbol.size);
        let mut code = vec![0; size.min(MOST_BYTES) as usize];
        let machine = self.runtime.kernel().machine();
        machine.read(start, &mut code).ok()?;
        let calls = calls(machine.arch(), start.get(), &code);
        let savers = SAVERS.into_iter().filter_map(|name| self.runtime.lookup_symbol(name));
        let wanted: Vec<u64> = match callee {
            Some(callee) => vec![callee.get()],
            None => savers.map(VirtAddr::get).collect(),
        };
        let local = |target: u64| {
            // Code for other modules enters a function behind its first instructions.
            wanted.iter().any(|wanted| target.wrapping_sub(*wanted) <= 8)
        };
        let direct = calls.iter().find(|call| call.target.is_some_and(local));
        let indirect = || calls.iter().find(|call| call.target.is_none());
        let found = direct.or_else(indirect).or(calls.first());
        found.map(|call| start.wrapping_add(call.behind))
    }
}

fn calls(arch: Arch, start: u64, code: &[u8]) -> Vec<Call> {
    let step = match arch {
        Arch::Amd64 | Arch::I386 => 1,
        Arch::Riscv64 => 2,
        _ => 4,
    };
    let mut found: Vec<Call> = Vec::new();
    let mut at = 0;
    while let Some(rest) = code.get(at..).filter(|rest| !rest.is_empty()) {
        match call(arch, start.wrapping_add(at as u64), rest) {
            Some((len, target)) => {
                at += len;
                let target = target.map(|target| arch.wrap(target));
                found.push(Call { behind: at as u64, target });
            }
            None => at += step,
        }
    }
    found
}

/// The length and the target of the call at the start of `code`, if it is one.
fn call(arch: Arch, at: u64, code: &[u8]) -> Option<(usize, Option<u64>)> {
    let word = |at: usize| {
        let bytes = code.get(at..at + 4)?;
        Some(arch.endian().uint(bytes) as u32)
    };
    match arch {
        Arch::Amd64 | Arch::I386 => match code {
            [0xe8, ..] => {
                let distance = i64::from(word(1)?.cast_signed());
                // Anything else in the code that looks like one leads far away.
                let target = at.wrapping_add(5).wrapping_add(distance.cast_unsigned());
                (distance.unsigned_abs() < 1 << 30).then_some((5, Some(target)))
            }
            [0xff, 0x15, ..] => Some((6, None)),
            [0xff, 0xd0..=0xd7, ..] => Some((2, None)),
            [0xff, 0x50..=0x53 | 0x55..=0x57, ..] => Some((3, None)),
            [0xff, 0x90..=0x93 | 0x95..=0x97, ..] => Some((6, None)),
            [0xff, 0x14, ..] => Some((if code.get(2)? & 7 == 5 { 7 } else { 3 }, None)),
            [0xff, 0x54, ..] => Some((4, None)),
            _ => None,
        },
        Arch::Arm64 => match word(0)? {
            word if word >> 26 == 0x25 => Some((4, Some(relative(at, word & 0x3ff_ffff, 26, 2)))),
            word if word & 0xffff_fc1f == 0xd63f_0000 => Some((4, None)),
            _ => None,
        },
        Arch::Arm => match word(0)? {
            // With any condition; 15 is another instruction.
            word if word & 0x0f00_0000 == 0x0b00_0000 && word >> 28 != 0xf => {
                Some((4, Some(relative(at.wrapping_add(8), word & 0xff_ffff, 24, 2))))
            }
            word if word & 0x0fff_fff0 == 0x012f_ff30 => Some((4, None)),
            _ => None,
        },
        Arch::Riscv64 => {
            let first = word(0)?;
            // auipc ra, high; jalr ra, low(ra)
            if first & 0xfff == 0x97
                && let Some(second) = word(4).filter(|second| second & 0xfffff == 0x80e7)
            {
                let high = i64::from((first & 0xffff_f000).cast_signed());
                let low = i64::from(second.cast_signed() >> 20);
                return Some((8, Some(at.wrapping_add((high + low).cast_unsigned()))));
            }
            match first {
                word if word & 0xfff == 0xe7 => Some((4, None)),
                // c.jalr
                word if word & 0xf07f == 0x9002 && word & 0xf80 != 0 => Some((2, None)),
                _ => None,
            }
        }
        Arch::Powerpc64 | Arch::Powerpc64le => match word(0)? {
            word if word & 0xfc00_0003 == 0x4800_0001 => {
                Some((4, Some(relative(at, (word & 0x3ff_fffc) >> 2, 24, 2))))
            }
            0x4e80_0421 => Some((4, None)),
            _ => None,
        },
    }
}

/// An address at a signed distance of `bits` bits, in units of `1 << shift` bytes.
fn relative(at: u64, distance: u32, bits: u32, shift: u32) -> u64 {
    let unused = 64 - bits;
    let distance = ((u64::from(distance) << unused).cast_signed() >> unused) << shift;
    at.wrapping_add(distance.cast_unsigned())
}
