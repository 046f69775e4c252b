//! Full dumps: the machine's physical memory, as an ELF core.

use std::io::{Seek, Write};

use super::contents::Contents;
use crate::image::ImageError;
use crate::writing;

/// Writes all physical memory. Memory that was never written becomes holes in the file.
///
/// An omitted page splits its segment in two.
///
/// # Errors
/// Too many pages are omitted for ELF to count the segments, or `out` fails.
pub fn write(contents: &Contents<'_>, out: &mut (impl Write + Seek)) -> Result<(), ImageError> {
    let machine = contents.machine;
    let start = machine.image().start;
    let image = machine.physical(start).map(|phys| (start, phys));
    let (arch, page) = (machine.arch(), machine.page_size());
    Ok(writing::full::write(&contents.memory(), arch, page, image, out)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::Cursor;

    use super::*;
    use crate::addr::PhysAddr;
    use crate::arch::Arch;
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
        let contents =
            Contents { machine, message_buffer: &[], message_size: 0, cpus: 1, left_out };
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
