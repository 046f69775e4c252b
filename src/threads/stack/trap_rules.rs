//! The kernel's entry points as call frame information, which debuggers read.
//!
//! A compiler writes such rules for each function that it makes: where the caller's registers
//! are. FreeBSD's entry points are assembly code without any, and debuggers stop there. The
//! rules that are made here say that the registers of what was interrupted are in
//! the trap frame. As an entry point has its trap frame in the same place at each of its calls, one
//! rule is enough for it.

use std::collections::BTreeMap;

use gimli::constants::{DW_OP_and, DW_OP_deref, DW_OP_dup, DW_OP_eq, DW_OP_minus, DW_OP_nop};
use gimli::write::{
    Address, CallFrameInstruction as Rule, CommonInformationEntry, DebugFrame, EndianVec,
    Expression, FrameDescriptionEntry, FrameTable, Writer,
};
use gimli::{Encoding, Format, Register, RunTimeEndian};

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::Kernel;
use crate::kernel::symbols::LONGEST_ROUTINE;
use crate::threads::general;
use crate::threads::stack::entry::{Entry, Place};
use crate::types::{TypeError, Types};

/// The code of an entry point, by link addresses.
#[derive(Debug, Clone, Copy)]
pub struct EntryCode {
    pub start: VirtAddr,
    /// In bytes.
    pub len: u32,
    entry: Entry,
}

impl EntryCode {
    /// The code of `calltrap`.
    #[cfg(test)]
    pub fn at(start: VirtAddr, len: u32) -> Self {
        let entry = Entry { kind: super::entry::TrapKind::Trap, user: None };
        Self { start, len, entry }
    }
}

/// All entry points of a kernel whose trap frames are known, by address.
pub fn entry_points(kernel: &Kernel) -> Vec<EntryCode> {
    let symbols = || kernel.symbols().iter().filter(|symbol| !symbol.absolute);
    let entries: BTreeMap<u64, Entry> = symbols()
        .filter_map(|symbol| {
            Some((symbol.address.get(), Entry::named(kernel.arch(), symbol.name)?))
        })
        .collect();
    // Most of these labels have no size.
    let mut ends: BTreeMap<u64, u64> = entries.keys().map(|start| (*start, u64::MAX)).collect();
    for symbol in symbols() {
        let at = symbol.address.get();
        if let Some((_, end)) = ends.range_mut(..at).next_back() {
            *end = at.min(*end);
        }
    }
    let code = entries.into_iter().zip(ends).filter_map(|((start, entry), (_, end))| {
        let len = u32::try_from((end - start).min(LONGEST_ROUTINE)).ok()?;
        Some(EntryCode { start: VirtAddr::new(start), len, entry })
    });
    code.collect()
}

/// Appends the rules of all `entries` to the contents of a `.debug_frame`, which may be empty.
/// `None` if the kernel's debug information or the architecture does not say where the
/// registers are.
///
/// # Errors
/// The kernel's types are damaged, or have no `struct trapframe`.
pub fn append(
    types: &Types,
    entries: &[EntryCode],
    frames: &[u8],
) -> Result<Option<Vec<u8>>, TypeError> {
    let trapframe = types.find("struct trapframe")?;
    let size = types.size_of(trapframe)?;
    let layout = Layout { arch: types.arch(), size, places: general::places(types, trapframe) };
    let mut table = FrameTable::default();
    for code in entries {
        let Some(rules) = layout.rules(code.entry) else { continue };
        let cie = table.add_cie(rules);
        let start = Address::Constant(code.start.get());
        table.add_fde(cie, FrameDescriptionEntry::new(start, code.len));
    }
    let mut section = DebugFrame::from(EndianVec::new(RunTimeEndian::from(layout.arch.endian())));
    // Entries name others by their distance from the start of the section.
    let written = section.write(frames).and_then(|()| table.write_debug_frame(&mut section));
    Ok((written.is_ok() && table.fde_count() > 0).then(|| section.take()))
}

/// `struct trapframe` (`sys/*/include/frame.h`, 10 to main).
struct Layout {
    arch: Arch,
    size: u64,
    places: Vec<general::Place>,
}

impl Layout {
    /// The rules of an entry point: its caller is what was interrupted.
    fn rules(&self, entry: Entry) -> Option<CommonInformationEntry> {
        let word = self.arch.pointer_size();
        let encoding = Encoding {
            format: Format::Dwarf32,
            version: 1,
            address_size: u8::try_from(word).ok()?,
        };
        let (_, counter) = counter(self.arch)?;
        let mut all = CommonInformationEntry::new(encoding, 1, 1, Register(counter));
        all.signal_trampoline = true;
        // How far the canonical frame address lies above the trap frame. A debugger takes it
        // for the stack pointer of what was interrupted where nothing else says that.
        let above = match self.arch {
            Arch::I386 => i32::try_from(self.offset_of("esp")?).ok()?,
            _ => i32::try_from(self.size).ok()?,
        };
        let place = entry.place(self.arch)?;
        all.add_instruction(self.frame_address(place, above)?);
        for register in &self.places {
            let number = number(self.arch, &register.name);
            let (Some(number), true) = (number, register.size == word) else { continue };
            let offset = i32::try_from(register.offset).ok()?.checked_sub(above)?;
            all.add_instruction(Rule::Offset(Register(number), offset));
        }
        if self.arch == Arch::I386 {
            all.add_instruction(self.stack_pointer_of_i386()?);
        }
        self.offset_of(self::counter(self.arch)?.0)?;
        Some(all)
    }

    fn offset_of(&self, name: &str) -> Option<u64> {
        self.places.iter().find(|place| place.name == name).map(|place| place.offset)
    }

    fn frame_address(&self, place: Place, above: i32) -> Option<Rule> {
        let stack = Register(general::stack_pointer(self.arch));
        let frame = Register(general::frame_pointer(self.arch));
        Some(match place {
            Place::AboveStack(past) => {
                Rule::Cfa(stack, above.checked_add(i32::try_from(past).ok()?)?)
            }
            Place::BelowFrame => {
                Rule::Cfa(frame, above.checked_sub(i32::try_from(self.size).ok()?)?)
            }
            Place::AtFrameNearStack(most) => {
                let mut either = Expression::new();
                either.op_breg(frame, 0);
                either.op_breg(stack, 0);
                either.op(DW_OP_minus);
                // Debuggers compute with more bits than the machine has, so nothing is compared.
                either.op_constu(u64::from(u32::MAX) & most.wrapping_neg());
                either.op(DW_OP_and);
                either.op_constu(0);
                either.op(DW_OP_eq);
                let near = either.op_bra();
                either.op_breg(stack, 0);
                let far = either.op_skip();
                either.set_target(near, either.next_index());
                either.op_breg(frame, 0);
                either.set_target(far, either.next_index());
                either.op_plus_uconst(u64::try_from(above).ok()?);
                Rule::CfaExpression(either)
            }
        })
    }

    /// Within the kernel the processor pushes no stack pointer: the stack goes on there.
    fn stack_pointer_of_i386(&self) -> Option<Rule> {
        const RING: u64 = 3;
        let selector = self.offset_of("esp")?.checked_sub(self.offset_of("cs")?)?;
        let mut pointer = Expression::new();
        // The canonical frame address is there already.
        pointer.op(DW_OP_dup);
        pointer.op_constu(selector);
        pointer.op(DW_OP_minus);
        pointer.op(DW_OP_deref);
        pointer.op_constu(RING);
        pointer.op(DW_OP_and);
        pointer.op_constu(0);
        pointer.op(DW_OP_eq);
        let kernel = pointer.op_bra();
        pointer.op(DW_OP_deref);
        pointer.set_target(kernel, pointer.next_index());
        // lldb 14 takes no branch to the end.
        pointer.op(DW_OP_nop);
        Some(Rule::ValExpression(Register(general::stack_pointer(self.arch)), pointer))
    }
}

/// What `struct trapframe` calls the program counter, and the number under which debuggers look for
/// it. On riscv64 that is the alternate frame return column.
fn counter(arch: Arch) -> Option<(&'static str, u16)> {
    match arch {
        Arch::Amd64 => Some(("rip", 16)),
        Arch::I386 => Some(("eip", 8)),
        Arch::Arm64 => Some(("elr", 32)),
        Arch::Riscv64 => Some(("sepc", 64)),
        Arch::Arm | Arch::Powerpc64 | Arch::Powerpc64le => None,
    }
}

/// The number in DWARF of a register of `struct trapframe`.
fn number(arch: Arch, name: &str) -> Option<u16> {
    match (arch, name) {
        (Arch::I386, "esp") => None,
        (Arch::Amd64, "rflags") => Some(49),
        (Arch::Amd64, "cs") => Some(51),
        (Arch::Amd64, "ss") => Some(52),
        (Arch::I386, "eflags") => Some(9),
        (Arch::I386, "cs") => Some(41),
        _ => counter(arch)
            .filter(|(counter, _)| *counter == name)
            .map(|(_, number)| number)
            .or_else(|| general::number(arch, name)),
    }
}
