//! The caller by call frame information.

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::target::code::CodeAt;
use crate::threads::general::{self, General};
use crate::threads::registers::Registers;
use crate::types::code::{Rule, UnwindRules};

/// The registers that the caller had, and how they were found.
#[derive(Debug, Clone, Copy)]
pub struct Unwound {
    /// The registers in the caller. Its counter is the return address.
    pub registers: Registers,
    /// The canonical frame address: its stack pointer.
    pub cfa: VirtAddr,
    /// Where the return address is; `None` if it is in a register.
    pub at: Option<VirtAddr>,
    /// Whether the frame pointer leads to it.
    pub by_frame: bool,
}

/// The caller of the function that runs with these registers, at an address that `code`
/// covers; `None` if nothing covers it, or a register or word is missing.
pub fn unwind(target: &Target, code: CodeAt<'_, '_>, registers: &Registers) -> Option<Unwound> {
    let rules = code.code.unwind(code.linked)?;
    let arch = target.arch();
    let pointer = general::stack_pointer(arch);
    let base = value(target, registers, rules.cfa.register)?;
    let cfa = arch.wrap(base.wrapping_add(rules.cfa.offset.cast_unsigned()));
    let place = |offset: i64| VirtAddr::new(arch.wrap(cfa.wrapping_add(offset.cast_unsigned())));
    let get = |number: u16| match rule(&rules, number) {
        Some(Rule::Saved(offset)) => target.memory().pointer(place(offset)).ok().map(VirtAddr::get),
        Some(Rule::Sum(offset)) => Some(place(offset).get()),
        Some(Rule::In(other)) => value(target, registers, other),
        Some(Rule::Same) => value(target, registers, number),
        Some(Rule::Lost) => None,
        None if general::is_preserved(arch, number) => value(target, registers, number),
        None if number == rules.return_address => registers.link.map(VirtAddr::get),
        None => None,
    };
    let back = get(rules.return_address)?;
    let at = match rule(&rules, rules.return_address) {
        Some(Rule::Saved(offset)) => Some(place(offset)),
        _ => None,
    };
    let mut all = General::default();
    for number in 0..32 {
        all.set(number, get(number));
    }
    all.set(pointer, Some(cfa));
    let cfa = VirtAddr::new(cfa);
    let frame = match target.arch() {
        // r1 is both.
        arch if general::stack_pointer(arch) == 1 => Some(cfa),
        arch => all.get(general::frame_pointer(arch)).map(VirtAddr::new),
    };
    Some(Unwound {
        registers: Registers {
            counter: Some(VirtAddr::new(back)),
            stack: Some(cfa),
            frame,
            link: None,
            general: all,
        },
        cfa,
        at,
        by_frame: rules.cfa.register == general::frame_pointer(arch),
    })
}

fn rule(rules: &UnwindRules, number: u16) -> Option<Rule> {
    rules.registers.iter().find(|(known, _)| *known == number).map(|(_, rule)| *rule)
}

/// A register in the function itself.
fn value(target: &Target, registers: &Registers, number: u16) -> Option<u64> {
    registers.numbered(target.arch(), number)
}
