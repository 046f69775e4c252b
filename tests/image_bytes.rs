//! The bytes that the builder writes, at the offsets where FreeBSD has them. The
//! offsets stand here as numbers, and nothing of the reader is used: what both
//! got wrong in the same way would be found.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const TEXT: &str = "memory = \"32M\"\nmessages = [\"the first line\"]\n";

fn image(kernel: &str, paging: &str) -> Image {
    let machine = match paging {
        "" => String::new(),
        paging => format!("[machine]\npaging = \"{paging}\"\n"),
    };
    let kernel = Source::open(format!("fixtures/kernel/{kernel}")).unwrap();
    let kernel = Kernel::open(kernel, None).unwrap();
    build(&Scenario::parse(&format!("{TEXT}{machine}")).unwrap(), kernel).unwrap()
}

fn written(image: &Image, format: Format) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write(format, &mut file).unwrap();
    file.into_inner()
}

/// A minidump, and where its header has what.
struct Layout {
    kernel: &'static str,
    paging: &'static str,
    format: Format,
    version: u64,
    big_endian: bool,
    magic: &'static [u8],
    page: usize,
    /// Where the version is; the sizes of message buffer, bitmap and page map follow it.
    sizes_at: usize,
    dump_avail_at: Option<usize>,
    /// Offset, size and value.
    fields: &'static [(usize, usize, u64)],
    /// Bytes of an entry of the page map.
    entry: usize,
    /// The frame in a valid entry.
    frame: fn(u64) -> Option<u64>,
    /// Bytes of a word of the bitmap.
    word: usize,
}

fn armv8(entry: u64) -> Option<u64> {
    (entry & 3 == 3).then_some(entry & 0x0000_ffff_ffff_f000)
}

fn riscv(entry: u64) -> Option<u64> {
    (entry & 1 == 1 && entry & 0xe != 0).then_some((entry >> 10) << 12)
}

fn x86(entry: u64) -> Option<u64> {
    (entry & 1 == 1).then_some(entry & 0x000f_ffff_ffff_f000)
}

fn armv7_short(entry: u64) -> Option<u64> {
    (entry & 2 == 2).then_some(entry & 0xffff_f000)
}

fn armv7_long(entry: u64) -> Option<u64> {
    (entry & 3 == 3).then_some(entry & 0x0000_00ff_ffff_f000)
}

/// A radix table leads to tables, not to pages.
fn radix(_: u64) -> Option<u64> {
    None
}

const ARM64: &[(usize, usize, u64)] = &[
    (40, 8, 0xffff_0000_0000_0000),
    (48, 8, 0x4000_0000),
    (56, 8, 0xffff_fd00_0000_0000),
    (64, 8, 0xffff_ff00_0000_0000),
];
const ARM64_V3: &[(usize, usize, u64)] =
    &[(40, 8, 0xffff_0000_0000_0000), (56, 8, 0xffff_fd00_0000_0000), (76, 4, 0)];
const ARM64_16K: &[(usize, usize, u64)] =
    &[(40, 8, 0xffff_0000_0000_0000), (56, 8, 0xffff_a000_0000_0000), (76, 4, 1)];
const RISCV: &[(usize, usize, u64)] =
    &[(40, 8, 0xffff_ffc0_0000_0000), (48, 8, 0x8000_0000), (56, 8, 0xffff_ffd0_0000_0000)];
const I386: &[(usize, usize, u64)] = &[(40, 4, 0x80_0000), (44, 4, 0)];
const I386_PAE: &[(usize, usize, u64)] = &[(40, 4, 0x40_0000), (44, 4, 1)];
const ARM: &[(usize, usize, u64)] = &[(40, 4, 0xc000_0000), (44, 4, 7), (48, 4, 2)];
const ARM_LPAE: &[(usize, usize, u64)] = &[(40, 4, 0xc000_0000), (44, 4, 7), (48, 4, 3)];
const POWERPC64: &[(usize, usize, u64)] = &[
    (80, 8, 0xc008_0000_0000_0000),
    (88, 8, 0xc008_0007_ffff_ffff),
    (96, 8, 0xc000_0000_0000_0000),
    (104, 8, 0xc007_ffff_ffff_ffff),
    (112, 4, 1),
];

fn layouts() -> Vec<Layout> {
    let base = || Layout {
        kernel: "arm64",
        paging: "",
        format: Format::MinidumpV1,
        version: 1,
        big_endian: false,
        magic: b"minidump FreeBSD/arm64\0\0",
        page: 4096,
        sizes_at: 24,
        dump_avail_at: None,
        fields: ARM64,
        entry: 8,
        frame: armv8,
        word: 8,
    };
    let second = |layout: Layout, at| Layout {
        format: Format::MinidumpV2,
        version: 2,
        dump_avail_at: Some(at),
        ..layout
    };
    let riscv64 = || Layout {
        kernel: "riscv64",
        magic: b"minidump FreeBSD/riscv\0\0",
        fields: RISCV,
        frame: riscv,
        ..base()
    };
    let i386 = || Layout {
        kernel: "i386",
        magic: b"minidump FreeBSD/i386\0\0\0",
        fields: I386,
        entry: 4,
        frame: x86,
        word: 4,
        ..base()
    };
    let arm = || Layout {
        kernel: "armv7",
        magic: b"minidump FreeBSD/arm\0\0\0\0",
        fields: ARM,
        entry: 4,
        frame: armv7_short,
        word: 4,
        ..base()
    };
    let powerpc64 = || Layout {
        kernel: "powerpc64",
        big_endian: true,
        magic: b"minidump FreeBSD/powerpc64\0\0\0\0\0\0mmu_radix\0\0\0",
        sizes_at: 64,
        fields: POWERPC64,
        frame: radix,
        ..base()
    };
    let version_3 =
        |layout| Layout { format: Format::MinidumpV3, version: 3, ..second(layout, 72) };
    let newer = || Layout { kernel: "arm64-newer", fields: ARM64_V3, ..base() };
    vec![
        base(),
        second(base(), 72),
        version_3(newer()),
        version_3(Layout { paging: "16k", page: 16384, fields: ARM64_16K, ..newer() }),
        riscv64(),
        second(Layout { paging: "sv48", ..riscv64() }, 72),
        i386(),
        Layout { kernel: "i386-pae", fields: I386_PAE, entry: 8, ..i386() },
        second(i386(), 48),
        arm(),
        second(
            Layout { paging: "lpae", fields: ARM_LPAE, entry: 8, frame: armv7_long, ..arm() },
            52,
        ),
        powerpc64(),
        second(powerpc64(), 136),
        Layout { kernel: "powerpc64le", big_endian: false, ..second(powerpc64(), 136) },
    ]
}

/// A minidump taken apart by the numbers of its layout.
struct Parts<'a> {
    layout: &'a Layout,
    bytes: &'a [u8],
    messages: usize,
    dump_avail: usize,
    bitmap: (usize, usize),
    page_map: (usize, usize),
    pages: usize,
}

impl<'a> Parts<'a> {
    fn new(layout: &'a Layout, bytes: &'a [u8]) -> Self {
        let page = layout.page;
        let size = |index: usize| number(layout, bytes, layout.sizes_at + 4 * index, 4) as usize;
        let avail = layout.dump_avail_at.map_or(0, |at| number(layout, bytes, at, 4) as usize);
        let messages = page;
        let dump_avail = messages + size(1).next_multiple_of(page);
        let bitmap = dump_avail + avail.next_multiple_of(page);
        let page_map = bitmap + size(2).next_multiple_of(page);
        let pages = page_map + size(3).next_multiple_of(page);
        let (bitmap, page_map) = ((bitmap, size(2)), (page_map, size(3)));
        Self { layout, bytes, messages, dump_avail, bitmap, page_map, pages }
    }

    fn number(&self, at: usize, size: usize) -> u64 {
        number(self.layout, self.bytes, at, size)
    }

    fn is_set(&self, bit: u64) -> bool {
        let bits = 8 * self.layout.word as u64;
        let at = self.bitmap.0 + (bit / bits) as usize * self.layout.word;
        self.number(at, self.layout.word) >> (bit % bits) & 1 == 1
    }

    /// Number of the bit of the page at `phys`.
    fn bit(&self, phys: u64) -> u64 {
        let page = self.layout.page as u64;
        if self.layout.dump_avail_at.is_none() {
            return phys / page;
        }
        let (mut bit, mut at) = (0, self.dump_avail);
        loop {
            let (start, end) = (self.number(at, 8), self.number(at + 8, 8));
            assert_ne!(end, 0, "{phys:#x} is in no range");
            if (start..end).contains(&phys) {
                return bit + (phys - start) / page;
            }
            bit += end.div_ceil(page) - start / page;
            at += 16;
        }
    }

    /// Where in the file the page at `phys` is.
    fn place(&self, phys: u64) -> usize {
        let bit = self.bit(phys);
        assert!(self.is_set(bit), "{phys:#x} was not dumped");
        let before = (0..bit).filter(|bit| self.is_set(*bit)).count();
        self.pages + before * self.layout.page
    }
}

fn number(layout: &Layout, bytes: &[u8], at: usize, size: usize) -> u64 {
    let bytes = &bytes[at..at + size];
    let add = |sum, byte: &u8| sum << 8 | u64::from(*byte);
    match layout.big_endian {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    }
}

#[test]
fn minidumps_have_their_fields_where_freebsd_has_them() {
    for layout in layouts() {
        let what = format!("{} {} {}", layout.kernel, layout.paging, layout.format.name());
        let bytes = written(&image(layout.kernel, layout.paging), layout.format);
        let parts = Parts::new(&layout, &bytes);
        assert!(bytes.starts_with(layout.magic), "{what}");
        assert_eq!(parts.number(layout.sizes_at, 4), layout.version, "{what}");
        for (at, size, value) in layout.fields {
            let found = parts.number(*at, *size);
            assert_eq!(found, *value, "{what}: {found:#x} at {at}");
        }
        let text = &bytes[parts.messages..parts.dump_avail];
        assert!(text.starts_with(b"the first line\n"), "{what}");
        // As many pages as bits, to the end of the file.
        let ones = bytes[parts.bitmap.0..][..parts.bitmap.1].iter().map(|byte| byte.count_ones());
        let pages = ones.sum::<u32>() as usize;
        assert_eq!(bytes.len(), parts.pages + pages * layout.page, "{what}");
    }
}

#[test]
fn a_variable_is_found_through_page_map_and_bitmap() {
    for layout in layouts() {
        let what = format!("{} {} {}", layout.kernel, layout.paging, layout.format.name());
        let image = image(layout.kernel, layout.paging);
        let kernel = image.runtime().kernel();
        let bytes = written(&image, layout.format);
        let parts = Parts::new(&layout, &bytes);
        let at = kernel.address_of("version").unwrap();
        let page = layout.page as u64;
        let phys = match layout.fields[0] {
            // The radix tree is walked by the reader's tests; the machine knows the page.
            (80, ..) => kernel.machine().physical(at).unwrap().get(),
            (_, _, kernbase) => {
                let index = ((at.get() - kernbase) / page) as usize;
                assert!((index + 1) * layout.entry <= parts.page_map.1, "{what}");
                let entry = parts.number(parts.page_map.0 + index * layout.entry, layout.entry);
                let frame = (layout.frame)(entry).unwrap_or_else(|| panic!("{what}: {entry:#x}"));
                frame + at.get() % page
            }
        };
        assert_eq!(kernel.machine().physical(at), Some(PhysAddr::new(phys)), "{what}");
        let place = parts.place(phys) + (phys % page) as usize;
        assert!(bytes[place..].starts_with(b"FreeBSD "), "{what}");
    }
}

/// An ELF core: kernel, class, byte order, e_machine; where e_phnum is, the size of both headers,
/// and where a program header has p_offset, p_paddr and p_filesz.
struct Elf {
    kernel: &'static str,
    class: u8,
    data: u8,
    machine: u64,
    phnum_at: usize,
    header: usize,
    entry: usize,
    places: [usize; 3],
}

const ELF_64: Elf = Elf {
    kernel: "arm64",
    class: 2,
    data: 1,
    machine: 183,
    phnum_at: 56,
    header: 64,
    entry: 56,
    places: [8, 24, 32],
};
const ELF_32: Elf = Elf {
    kernel: "i386",
    class: 1,
    data: 1,
    machine: 3,
    phnum_at: 44,
    header: 52,
    entry: 32,
    places: [4, 12, 16],
};

#[test]
fn full_dumps_have_their_segments_where_elf_has_them() {
    for elf in [
        ELF_64,
        Elf { kernel: "riscv64", machine: 243, ..ELF_64 },
        ELF_32,
        Elf { kernel: "i386-pae", ..ELF_32 },
        Elf { kernel: "armv7", machine: 40, ..ELF_32 },
        Elf { kernel: "powerpc64", data: 2, machine: 21, ..ELF_64 },
        Elf { kernel: "powerpc64le", machine: 21, ..ELF_64 },
    ] {
        let image = image(elf.kernel, "");
        let bytes = written(&image, Format::Full);
        let number = |at: usize, size: usize| {
            let bytes = &bytes[at..at + size];
            let add = |sum, byte: &u8| sum << 8 | u64::from(*byte);
            match elf.data {
                2 => bytes.iter().fold(0, add),
                _ => bytes.iter().rev().fold(0, add),
            }
        };
        assert_eq!(&bytes[..8], [0x7f, b'E', b'L', b'F', elf.class, elf.data, 1, 255]);
        assert_eq!((number(16, 2), number(18, 2)), (4, elf.machine), "{}", elf.kernel);
        let kernel = image.runtime().kernel();
        let at: VirtAddr = kernel.address_of("version").unwrap();
        let phys = kernel.machine().physical(at).unwrap().get();
        let word = if elf.class == 2 { 8 } else { 4 };
        let found = (0..number(elf.phnum_at, 2) as usize).find_map(|index| {
            let at = elf.header + index * elf.entry;
            let [offset, start, len] = elf.places.map(|place| number(at + place, word));
            let within = phys.checked_sub(start).filter(|within| *within < len)?;
            (number(at, 4) == 1).then_some((offset + within) as usize)
        });
        let place = found.unwrap_or_else(|| panic!("{}: {phys:#x}", elf.kernel));
        assert!(bytes[place..].starts_with(b"FreeBSD "), "{}", elf.kernel);
    }
}
