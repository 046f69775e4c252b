//! Seeds of debug information: of each version of DWARF a small unit that gimli writes, with types, a
//! variable, a function and its lines, and the sections of small files of a compiler's.

use std::fs;

use gimli::write::{
    Address, AttributeValue, CallFrameInstruction, CommonInformationEntry, Dwarf, EndianVec,
    Expression, FrameDescriptionEntry, FrameTable, LineProgram, LineString, Location, LocationList,
    Range, RangeList, Sections, Unit, UnitEntryId,
};
use gimli::{Encoding, Format, LineEncoding, LittleEndian, Register, SectionId};
use object::{Object, ObjectSection};

use crate::types::{DebugInfo, X};

/// The sections of each seed, in the form that the door takes.
pub fn inputs() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (2..=5).map(written).collect();
    let mut info = DebugInfo::new();
    let (int, array) = (info.int(), info.promise());
    info.array(array, int, &[2, 3]);
    all.push(of_file(&info.kernel(array)));
    for name in ["arm64/if_gif.ko.debug", "i386/if_gif.ko", "riscv64/if_gif.ko"] {
        all.push(of_file(&fs::read(format!("fixtures/kernel/modules/{name}")).unwrap()));
    }
    all
}

/// The names of the door, in its order.
const NAMES: [&str; 16] = [
    ".debug_info",
    ".debug_abbrev",
    ".debug_str",
    ".debug_line",
    ".debug_line_str",
    ".debug_str_offsets",
    ".debug_addr",
    ".debug_rnglists",
    ".debug_loclists",
    ".debug_ranges",
    ".debug_loc",
    ".debug_frame",
    ".eh_frame",
    ".debug_aranges",
    ".debug_types",
    ".debug_names",
];

fn add(input: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    let place = NAMES.iter().position(|known| *known == name);
    if let (Some(which), Ok(len @ 1..)) = (place, u16::try_from(bytes.len())) {
        input.push(which as u8);
        input.extend(len.to_le_bytes());
        input.extend(bytes);
    }
}

fn of_file(file: &[u8]) -> Vec<u8> {
    let file = object::File::parse(file).unwrap();
    let mut input = Vec::new();
    for section in file.sections() {
        add(&mut input, section.name().unwrap(), &section.uncompressed_data().unwrap());
    }
    input
}

fn written(version: u16) -> Vec<u8> {
    let encoding = Encoding { format: Format::Dwarf32, version, address_size: 8 };
    let mut dwarf = Dwarf::new();
    let (mut unit, lines) = (Unit::new(encoding, LineProgram::none()), lines(encoding));
    unit.line_program = lines;
    let ranges = unit.ranges.add(RangeList(vec![range(0, 64), range(128, 16)]));
    let root = unit.root();
    let at = unit.get_mut(root);
    at.set(gimli::DW_AT_name, AttributeValue::String(b"sys/net/x.c".to_vec()));
    at.set(gimli::DW_AT_comp_dir, AttributeValue::String(b"/usr/obj".to_vec()));
    at.set(gimli::DW_AT_low_pc, AttributeValue::Address(Address::Constant(0)));
    at.set(gimli::DW_AT_ranges, AttributeValue::RangeListRef(ranges));
    at.set(gimli::DW_AT_stmt_list, AttributeValue::LineProgramRef);
    let record = types(&mut unit);
    variable(&mut unit, record);
    function(&mut unit, record);
    dwarf.units.add(unit);
    let mut sections = Sections::new(EndianVec::new(LittleEndian));
    dwarf.write(&mut sections).unwrap();
    frames(encoding).write_debug_frame(&mut sections.debug_frame).unwrap();
    let mut input = Vec::new();
    let each = |id: SectionId, bytes: &EndianVec<LittleEndian>| -> Result<(), ()> {
        add(&mut input, id.name(), bytes.slice());
        Ok(())
    };
    sections.for_each(each).unwrap();
    input
}

fn range(at: u64, length: u64) -> Range {
    Range::StartLength { begin: Address::Constant(X + at), length }
}

fn child(unit: &mut Unit, parent: UnitEntryId, tag: gimli::DwTag, name: &str) -> UnitEntryId {
    let id = unit.add(parent, tag);
    unit.get_mut(id).set(gimli::DW_AT_name, AttributeValue::String(name.as_bytes().to_vec()));
    id
}

/// A struct with a number, a pointer to itself, a bit-field and an array; returns it.
fn types(unit: &mut Unit) -> UnitEntryId {
    let root = unit.root();
    let int = child(unit, root, gimli::DW_TAG_base_type, "int");
    let at = unit.get_mut(int);
    at.set(gimli::DW_AT_byte_size, AttributeValue::Udata(4));
    at.set(gimli::DW_AT_encoding, AttributeValue::Encoding(gimli::DW_ATE_signed));
    let record = child(unit, root, gimli::DW_TAG_structure_type, "s");
    unit.get_mut(record).set(gimli::DW_AT_byte_size, AttributeValue::Udata(48));
    let pointer = unit.add(root, gimli::DW_TAG_pointer_type);
    unit.get_mut(pointer).set(gimli::DW_AT_type, AttributeValue::UnitRef(record));
    let array = unit.add(root, gimli::DW_TAG_array_type);
    unit.get_mut(array).set(gimli::DW_AT_type, AttributeValue::UnitRef(int));
    let bound = unit.add(array, gimli::DW_TAG_subrange_type);
    unit.get_mut(bound).set(gimli::DW_AT_count, AttributeValue::Udata(6));
    for (name, of, offset) in [("a", int, 0), ("next", pointer, 8), ("c", array, 16)] {
        let member = child(unit, record, gimli::DW_TAG_member, name);
        let at = unit.get_mut(member);
        at.set(gimli::DW_AT_type, AttributeValue::UnitRef(of));
        at.set(gimli::DW_AT_data_member_location, AttributeValue::Udata(offset));
    }
    let bits = child(unit, record, gimli::DW_TAG_member, "flag");
    let at = unit.get_mut(bits);
    at.set(gimli::DW_AT_type, AttributeValue::UnitRef(int));
    at.set(gimli::DW_AT_bit_size, AttributeValue::Udata(3));
    at.set(gimli::DW_AT_data_bit_offset, AttributeValue::Udata(325));
    let kind = child(unit, root, gimli::DW_TAG_enumeration_type, "e");
    unit.get_mut(kind).set(gimli::DW_AT_byte_size, AttributeValue::Udata(4));
    let one = child(unit, kind, gimli::DW_TAG_enumerator, "ONE");
    unit.get_mut(one).set(gimli::DW_AT_const_value, AttributeValue::Sdata(-1));
    record
}

fn variable(unit: &mut Unit, of: UnitEntryId) {
    let root = unit.root();
    let variable = child(unit, root, gimli::DW_TAG_variable, "x");
    let mut place = Expression::new();
    place.op_addr(Address::Constant(X));
    let at = unit.get_mut(variable);
    at.set(gimli::DW_AT_type, AttributeValue::UnitRef(of));
    at.set(gimli::DW_AT_location, AttributeValue::Exprloc(place));
}

/// A function with a parameter that is first in a register and then on the stack, and another function
/// within it.
fn function(unit: &mut Unit, of: UnitEntryId) {
    let root = unit.root();
    let within = child(unit, root, gimli::DW_TAG_subprogram, "g");
    unit.get_mut(within).set(gimli::DW_AT_inline, AttributeValue::Inline(gimli::DW_INL_inlined));
    let function = child(unit, root, gimli::DW_TAG_subprogram, "f");
    let at = unit.get_mut(function);
    at.set(gimli::DW_AT_low_pc, AttributeValue::Address(Address::Constant(X)));
    at.set(gimli::DW_AT_high_pc, AttributeValue::Udata(64));
    let (mut register, mut stack) = (Expression::new(), Expression::new());
    register.op_reg(Register(5));
    stack.op_breg(Register(6), -16);
    let location = |at: u64, data| Location::StartLength {
        begin: Address::Constant(X + at),
        length: 32,
        data,
    };
    let places = LocationList(vec![location(0, register), location(32, stack)]);
    let places = unit.locations.add(places);
    let parameter = child(unit, function, gimli::DW_TAG_formal_parameter, "p");
    let at = unit.get_mut(parameter);
    at.set(gimli::DW_AT_type, AttributeValue::UnitRef(of));
    at.set(gimli::DW_AT_location, AttributeValue::LocationListRef(places));
    let inlined = unit.add(function, gimli::DW_TAG_inlined_subroutine);
    let at = unit.get_mut(inlined);
    at.set(gimli::DW_AT_abstract_origin, AttributeValue::UnitRef(within));
    at.set(gimli::DW_AT_low_pc, AttributeValue::Address(Address::Constant(X + 16)));
    at.set(gimli::DW_AT_high_pc, AttributeValue::Udata(16));
    at.set(gimli::DW_AT_call_line, AttributeValue::Udata(12));
}

fn lines(encoding: Encoding) -> LineProgram {
    let text = |text: &str| LineString::String(text.as_bytes().to_vec());
    let (directory, name) = (text("/usr/obj"), text("sys/net/x.c"));
    let mut lines =
        LineProgram::new(encoding, LineEncoding::default(), directory, None, name.clone(), None);
    let directory = lines.default_directory();
    let file = lines.add_file(name, directory, None);
    lines.begin_sequence(Some(Address::Constant(X)));
    for (offset, line) in [(0, 10), (16, 12), (32, 13)] {
        lines.row().file = file;
        (lines.row().address_offset, lines.row().line) = (offset, line);
        lines.generate_row();
    }
    lines.end_sequence(64);
    lines
}

fn frames(encoding: Encoding) -> FrameTable {
    let mut frames = FrameTable::default();
    let encoding = Encoding { version: 4, ..encoding };
    let mut common = CommonInformationEntry::new(encoding, 1, -8, Register(16));
    common.add_instruction(CallFrameInstruction::Cfa(Register(7), 8));
    common.add_instruction(CallFrameInstruction::Offset(Register(16), -8));
    let common = frames.add_cie(common);
    let mut entry = FrameDescriptionEntry::new(Address::Constant(X), 64);
    entry.add_instruction(1, CallFrameInstruction::CfaOffset(16));
    entry.add_instruction(1, CallFrameInstruction::Offset(Register(6), -16));
    frames.add_fde(common, entry);
    frames
}
