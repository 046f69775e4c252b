//! Full dumps: an ELF core whose segments are the machine's physical memory.
//!
//! `sys/kern/kern_dump.c`, `dumpsys_generic`: EI_OSABI 255 (standalone),
//! e_version left 0, no sections and no notes, one PT_LOAD per range of memory
//! with p_vaddr = p_paddr = the physical address, contents from the first page
//! boundary after the headers.

use std::io::{Seek, Write};
use std::ops::Range;

use super::{Contents, Sparse};
use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::image::ImageError;

const FILE_HEADER: u64 = 64;
const PROGRAM_HEADER: u64 = 56;
const SECTION_HEADER: u16 = 64;
const ET_CORE: u16 = 4;
const EM_X86_64: u16 = 62;
const PT_LOAD: u32 = 1;
const PF_R: u32 = 4;
/// e_phnum values from here on mean something else (PN_XNUM).
const MOST_SEGMENTS: usize = 0xffff;

/// Writes all physical memory; what was never touched becomes holes in the file.
///
/// A frame that is left out splits its segment in two.
///
/// # Errors
/// So many frames are left out that ELF cannot count the segments, or `out` fails.
pub fn write(contents: &Contents<'_>, out: &mut (impl Write + Seek)) -> Result<(), ImageError> {
    if contents.machine.arch() != Arch::Amd64 {
        return Err(ImageError::Format("full dumps are of amd64 machines".into()));
    }
    let segments = segments(contents);
    if segments.len() >= MOST_SEGMENTS {
        let why = format!("{} left-out pages make too many segments", contents.left_out.len());
        return Err(ImageError::Scenario(why));
    }
    let headers = FILE_HEADER + segments.len() as u64 * PROGRAM_HEADER;
    let page = contents.machine.page_size();
    let mut offset = headers.next_multiple_of(page);
    let mut bytes = file_header(segments.len() as u16);
    for segment in &segments {
        bytes.extend(program_header(segment, offset, page));
        offset += size(segment);
    }
    let mut out = Sparse::new(out, page);
    out.padded(&bytes)?;
    for segment in &segments {
        for done in (0..size(segment)).step_by(page as usize) {
            out.page(contents.machine, segment.start.wrapping_add(done))?;
        }
    }
    Ok(out.finish()?)
}

/// The installed memory, less what is left out.
fn segments(contents: &Contents<'_>) -> Vec<Range<PhysAddr>> {
    let mut segments = Vec::new();
    for range in contents.machine.memory_ranges() {
        let mut start = range.start;
        for gone in contents.left_out.range(range.clone()) {
            segments.push(start..*gone);
            start = gone.wrapping_add(contents.machine.page_size());
        }
        segments.push(start..range.end);
    }
    segments.retain(|segment| segment.start < segment.end);
    segments
}

fn size(segment: &Range<PhysAddr>) -> u64 {
    segment.end.get() - segment.start.get()
}

fn file_header(segments: u16) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01\xff".to_vec();
    bytes.resize(16, 0);
    bytes.extend(ET_CORE.to_le_bytes());
    bytes.extend(EM_X86_64.to_le_bytes());
    bytes.extend([0; 4]);
    for field in [0, FILE_HEADER, 0] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend([0; 4]);
    let sizes = [FILE_HEADER as u16, PROGRAM_HEADER as u16, segments, SECTION_HEADER, 0, 0];
    bytes.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
    bytes
}

fn program_header(segment: &Range<PhysAddr>, offset: u64, page: u64) -> Vec<u8> {
    let mut bytes = PT_LOAD.to_le_bytes().to_vec();
    bytes.extend(PF_R.to_le_bytes());
    let (start, size) = (segment.start.get(), size(segment));
    bytes.extend([offset, start, start, size, size, page].iter().flat_map(|w| w.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Cursor;

    use super::*;
    use crate::image::machine::{Machine, MachineOptions};

    fn machine() -> Machine {
        let options = MachineOptions { memory: 8 << 20, ..Default::default() };
        let mut machine = Machine::new(Arch::Amd64, options, &[], None).unwrap();
        let block = machine.malloc("test", 64).unwrap();
        machine.write(block, b"found by physical address").unwrap();
        machine
    }

    fn dump(machine: &Machine, left_out: &BTreeSet<PhysAddr>) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let contents = Contents { machine, message_buffer: &[], message_size: 0, left_out };
        write(&contents, &mut file).unwrap();
        file.into_inner()
    }

    #[test]
    fn the_header_is_as_freebsd_writes_it() {
        let machine = machine();
        let file = dump(&machine, &BTreeSet::new());
        assert_eq!(&file[..16], b"\x7fELF\x02\x01\x01\xff\0\0\0\0\0\0\0\0");
        assert_eq!(&file[16..24], &[4, 0, 62, 0, 0, 0, 0, 0], "ET_CORE, EM_X86_64, e_version 0");
        assert_eq!(file.len(), 4096 + 0x9f000 + (7 << 20));
    }

    #[test]
    fn another_elf_reader_finds_memory_by_physical_address() {
        use object::Endianness::Little;
        use object::read::elf::{FileHeader, ProgramHeader};
        let mut machine = machine();
        let at = machine.malloc("test", 32).unwrap();
        machine.write(at, b"second").unwrap();
        let phys = machine.physical(at).unwrap().get();
        let gone = PhysAddr::new(0x50_0000);
        let file = dump(&machine, &BTreeSet::from([gone]));
        let header = object::elf::FileHeader64::<object::Endianness>::parse(&*file).unwrap();
        let segments = header.program_headers(Little, &*file).unwrap();
        let ranges: Vec<_> =
            segments.iter().map(|s| (s.p_paddr(Little), s.p_filesz(Little))).collect();
        assert_eq!(
            ranges,
            [(0, 0x9f000), (0x10_0000, 0x40_0000), (0x50_1000, 0x2f_f000)],
            "the page left out splits a segment"
        );
        let holds = |s: &&object::elf::ProgramHeader64<_>| {
            (s.p_paddr(Little)..s.p_paddr(Little) + s.p_memsz(Little)).contains(&phys)
        };
        let segment = segments.iter().find(holds).unwrap();
        assert_eq!(segment.p_vaddr(Little), segment.p_paddr(Little));
        let data = segment.data(Little, &*file).unwrap();
        assert!(data[(phys - segment.p_paddr(Little)) as usize..].starts_with(b"second"));
    }
}
