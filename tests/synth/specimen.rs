//! Dumps of every format with the places of every field of their headers and of
//! every boundary between their parts: what the tests of damaged files go through.

use super::flat::{self, FlatDump};
use super::physical::{self, Image, Machine};
use super::{Boundaries, DMAP, DumpHeader, FullDump, KERNBASE, LOAD, Minidump, word_at};

/// A field of a header.
#[derive(Clone)]
pub struct Field {
    pub name: String,
    pub at: usize,
    /// 1 to 8 bytes.
    pub size: usize,
    pub big_endian: bool,
    /// Nothing else in the file bears this field out: what it says is believed.
    pub blind: bool,
}

/// Words that must be read from a dump, or not at all.
#[derive(Clone)]
pub enum Truth {
    /// By kernel address, through the page map or the segments.
    Kernel(Vec<(u64, u64)>),
    /// By physical address.
    Physical(Vec<(u64, u64)>),
}

#[derive(Clone)]
pub struct Specimen {
    pub name: String,
    pub bytes: Vec<u8>,
    pub fields: Vec<Field>,
    pub boundaries: Boundaries,
    pub truth: Truth,
    /// Makes what covers the damaged field agree with it again: a parity is to be
    /// tested for itself, and not to keep all others from being tested.
    pub seal: fn(&mut [u8], usize),
}

impl Specimen {
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        all.extend((1..=3).map(amd64));
        all.extend(FlatDump::all().iter().map(minidump));
        all.push(full_amd64());
        all.extend(Machine::all().iter().map(elf));
        let mut arm = Machine::arm(false);
        arm.delta = Some((0xc000_0000, 0x1000_0000));
        all.push(Self { name: "armv7 with PT_DUMP_DELTA".to_owned(), ..elf(&arm) });
        all.extend([true, false].map(full_powerpc64));
        all.extend(Machine::all().into_iter().map(qemu));
        all.push(virtual_core());
        let inner = amd64(3);
        for version in [1, 4] {
            all.push(device(&inner, version));
            all.push(behind_its_header(&inner, version));
        }
        all.push(live(&inner));
        all.push(gzip(&inner));
        all.push(zstd(&inner));
        all
    }
}

fn unsealed(_: &mut [u8], _: usize) {}

fn fields(list: &[(&str, usize, usize)], start: usize, big_endian: bool) -> Vec<Field> {
    let field = |(name, at, size): &(&str, usize, usize)| Field {
        name: (*name).to_owned(),
        at: start + at,
        size: *size,
        big_endian,
        blind: false,
    };
    list.iter().map(field).collect()
}

fn amd64(version: u32) -> Specimen {
    let (bytes, boundaries) = Minidump::sample(version).write();
    let mut places = vec![
        ("magic", 0, 8),
        ("architecture", 17, 5),
        ("version", 24, 4),
        ("msgbufsize", 28, 4),
        ("bitmapsize", 32, 4),
        ("pmapsize", 36, 4),
        ("kernbase", 40, 8),
        ("dmapbase", 48, 8),
        ("dmapend", 56, 8),
    ];
    places.extend((version == 3).then_some(("dumpavailsize", 64, 4)));
    let mut words = vec![(DMAP + 0x9_e000, 0x9_e000), (DMAP + LOAD, LOAD), (KERNBASE, 0x11_1000)];
    words.push(match version {
        1 => (KERNBASE + 0x3000, 0x9_e000),
        _ => (KERNBASE + 0x20_1000, 0x20_1000),
    });
    Specimen {
        name: format!("amd64 minidump version {version}"),
        bytes,
        fields: fields(&places, 0, false),
        boundaries,
        truth: Truth::Kernel(words.into_iter().map(|(at, phys)| (at, word_at(phys))).collect()),
        seal: unsealed,
    }
}

fn minidump(dump: &FlatDump) -> Specimen {
    let (bytes, boundaries) = dump.write();
    let mut places = vec![("magic", 0, 8), ("architecture", 17, 3)];
    places.extend(dump.header_fields().iter().map(|(name, at, size, _)| (*name, *at, *size)));
    let word = |(virt, phys): &(u64, u64)| (*virt, flat::word_at(*phys));
    Specimen {
        name: format!("minidump of {}", dump.name),
        bytes,
        fields: fields(&places, 0, dump.big_endian),
        boundaries,
        truth: Truth::Kernel(dump.truth.iter().map(word).collect()),
        seal: unsealed,
    }
}

const ELF_64: &[(&str, usize, usize)] = &[
    ("magic", 0, 4),
    ("EI_CLASS", 4, 1),
    ("EI_DATA", 5, 1),
    ("EI_VERSION", 6, 1),
    ("EI_OSABI", 7, 1),
    ("e_type", 16, 2),
    ("e_machine", 18, 2),
    ("e_version", 20, 4),
    ("e_entry", 24, 8),
    ("e_phoff", 32, 8),
    ("e_shoff", 40, 8),
    ("e_flags", 48, 4),
    ("e_ehsize", 52, 2),
    ("e_phentsize", 54, 2),
    ("e_phnum", 56, 2),
    ("e_shentsize", 58, 2),
    ("e_shnum", 60, 2),
    ("e_shstrndx", 62, 2),
];

const ELF_32: &[(&str, usize, usize)] = &[
    ("magic", 0, 4),
    ("EI_CLASS", 4, 1),
    ("EI_DATA", 5, 1),
    ("EI_VERSION", 6, 1),
    ("EI_OSABI", 7, 1),
    ("e_type", 16, 2),
    ("e_machine", 18, 2),
    ("e_version", 20, 4),
    ("e_entry", 24, 4),
    ("e_phoff", 28, 4),
    ("e_shoff", 32, 4),
    ("e_flags", 36, 4),
    ("e_ehsize", 40, 2),
    ("e_phentsize", 42, 2),
    ("e_phnum", 44, 2),
    ("e_shentsize", 46, 2),
    ("e_shnum", 48, 2),
    ("e_shstrndx", 50, 2),
];

const SEGMENT_64: &[(&str, usize, usize)] = &[
    ("p_type", 0, 4),
    ("p_flags", 4, 4),
    ("p_offset", 8, 8),
    ("p_vaddr", 16, 8),
    ("p_paddr", 24, 8),
    ("p_filesz", 32, 8),
    ("p_memsz", 40, 8),
    ("p_align", 48, 8),
];

const SEGMENT_32: &[(&str, usize, usize)] = &[
    ("p_type", 0, 4),
    ("p_offset", 4, 4),
    ("p_vaddr", 8, 4),
    ("p_paddr", 12, 4),
    ("p_filesz", 16, 4),
    ("p_memsz", 20, 4),
    ("p_flags", 24, 4),
    ("p_align", 28, 4),
];

/// The ELF core `bytes`.
fn core(name: String, bytes: Vec<u8>, truth: Truth) -> Specimen {
    let (class_64, big_endian) = (bytes[4] == 2, bytes[5] == 2);
    let number = |at: usize, size: usize| {
        let bytes = &bytes[at..at + size];
        let add = |sum: usize, byte: &u8| sum << 8 | *byte as usize;
        match big_endian {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        }
    };
    let (count, table, entry) = match class_64 {
        true => (number(56, 2), 64, 56),
        false => (number(44, 2), 52, 32),
    };
    let mut all = fields(if class_64 { ELF_64 } else { ELF_32 }, 0, big_endian);
    let mut boundaries = vec![("ELF header", 0), ("program headers", table)];
    for index in 0..count {
        let at = table + index * entry;
        all.extend(fields(if class_64 { SEGMENT_64 } else { SEGMENT_32 }, at, big_endian));
        let offset = if class_64 { number(at + 8, 8) } else { number(at + 4, 4) };
        boundaries.push(("segment", offset));
    }
    Specimen { name, bytes, fields: all, boundaries, truth, seal: unsealed }
}

/// A full dump of powerpc64 or powerpc64le: two pieces of memory.
fn full_powerpc64(big_endian: bool) -> Specimen {
    const PIECES: [(u64, u64); 2] = [(0x10_0000, 0x2000), (0x40_0000, 0x3000)];
    let number = |value: u64, size: usize| match big_endian {
        true => value.to_be_bytes()[8 - size..].to_vec(),
        false => value.to_le_bytes()[..size].to_vec(),
    };
    let mut bytes = b"\x7fELF\x02\x01\x01\xff\0\0\0\0\0\0\0\0".to_vec();
    bytes[5] = if big_endian { 2 } else { 1 };
    let header = [(4, 2), (21, 2), (0, 4), (0, 8), (64, 8), (0, 8), (0, 4)];
    let sizes = [(64, 2), (56, 2), (PIECES.len() as u64, 2), (64, 2), (0, 2), (0, 2)];
    bytes.extend(header.into_iter().chain(sizes).flat_map(|(value, size)| number(value, size)));
    let mut offset = 0x1000;
    for (start, len) in PIECES {
        bytes.extend([1, 4].into_iter().flat_map(|value| number(value, 4)));
        let places = [offset, start, start, len, len, 0x1000];
        bytes.extend(places.into_iter().flat_map(|value| number(value, 8)));
        offset += len;
    }
    bytes.resize(0x1000, 0);
    for (start, len) in PIECES {
        let words = (start..start + len).step_by(8).map(flat::word_at);
        bytes.extend(words.flat_map(u64::to_le_bytes));
    }
    let words = [0x10_0008, 0x10_1ff8, 0x40_2010].map(|phys| (phys, flat::word_at(phys)));
    let name = format!("full dump of powerpc64{}", if big_endian { "" } else { "le" });
    core(name, bytes, Truth::Physical(words.to_vec()))
}

fn full_amd64() -> Specimen {
    let words = [0x9_d000, 0x9_e008, LOAD, LOAD + 0x1010].map(|phys| (phys, word_at(phys)));
    core("full dump".to_owned(), FullDump::sample().write().0, Truth::Physical(words.to_vec()))
}

fn physical_words(machine: &Machine) -> Truth {
    let word = |(_, phys): &(u64, u64)| (*phys, flat::word_at(*phys));
    Truth::Physical(machine.truth.iter().map(word).collect())
}

fn elf(machine: &Machine) -> Specimen {
    let name = format!("full dump of {}", machine.name);
    core(name, machine.full_dump(), physical_words(machine))
}

/// The guest's memory as QEMU writes it; guests of x86 with their control registers.
fn qemu(mut machine: Machine) -> Specimen {
    machine.os = 0;
    if machine.name.contains("i386") {
        machine.class_64 = true;
    }
    if machine.name.contains("i386") || machine.name == "amd64" {
        machine.notes = physical::qemu_notes(&[machine.root, 0x1234_5000]);
    }
    // Guests of 32 bits have only what 32 bits can count, but for those of x86.
    if !machine.class_64 {
        machine.pages.retain(|phys, _| *phys < 1 << 32);
        machine.truth.retain(|(_, phys)| *phys < 1 << 32);
    }
    let name = format!("QEMU, {}", machine.name);
    let mut specimen = core(name, machine.full_dump(), physical_words(&machine));
    let notes_at = specimen.boundaries[2].1;
    let mut at = notes_at;
    while at < notes_at + machine.notes.len() {
        let word =
            |at: usize| u32::from_le_bytes(specimen.bytes[at..at + 4].try_into().unwrap()) as usize;
        let (name_len, len) = (word(at).next_multiple_of(4), word(at + 4).next_multiple_of(4));
        let places = [("namesz", 0, 4), ("descsz", 4, 4), ("type", 8, 4), ("name", 12, 4)];
        specimen.fields.extend(fields(&places, at, false));
        let desc = at + 12 + name_len;
        if len == 440 {
            let places = [("state version", 0, 4), ("state size", 4, 4), ("CR3", 416, 8)];
            specimen.fields.extend(fields(&places, desc, false));
        }
        specimen.boundaries.push(("note", at));
        at = desc + len;
    }
    // QEMU says each address once; whether the kernel is there is for the target to find out.
    for field in &mut specimen.fields {
        field.blind = ["p_paddr", "p_offset", "p_type"].contains(&field.name.as_str());
    }
    specimen
}

fn virtual_core() -> Specimen {
    let base = 0xffff_fe00_0000_0000;
    let bytes = Image { virt: base, pages: vec![0x1000, 0x5000] }.virtual_core();
    let words = [base + 0x1008, base + 0x5010].map(|at| (at, flat::word_at(at)));
    let mut specimen = core("virtual core".to_owned(), bytes, Truth::Kernel(words.to_vec()));
    for field in &mut specimen.fields {
        let blind = ["p_vaddr", "p_paddr", "p_offset", "p_type"];
        field.blind = blind.contains(&field.name.as_str());
    }
    specimen
}

/// The fields of a kernel dump header.
fn header_fields(version: u32, start: usize) -> Vec<Field> {
    let mut places = vec![
        ("magic", 0, 8),
        ("architecture", 20, 8),
        ("version", 32, 4),
        ("architectureversion", 36, 4),
        ("dumplength", 40, 8),
        ("dumptime", 48, 8),
        ("parity", 508, 4),
    ];
    places.extend_from_slice(match version {
        1 => &[("blocksize", 56, 4), ("hostname", 60, 8), ("panicstring", 316, 8)][..],
        _ => &[
            ("dumpkeysize", 56, 4),
            ("blocksize", 60, 4),
            ("hostname", 64, 8),
            ("versionstring", 128, 8),
            ("panicstring", 320, 8),
            ("compression", 495, 1),
            ("dumpextent", 496, 8),
        ],
    });
    fields(&places, start, true)
}

/// Puts the parity of the header that `field` is in right, unless that is the field.
fn seal_header(bytes: &mut [u8], field: usize, starts: &[usize]) {
    let start = starts.iter().copied().find(|start| (*start..start + 508).contains(&field));
    let Some(start) = start else { return };
    let header = &mut bytes[start..start + 512];
    header[508..].fill(0);
    let mut sum = [0; 4];
    header.iter().enumerate().for_each(|(at, byte)| sum[at % 4] ^= byte);
    header[508..].copy_from_slice(&sum);
}

fn dump_header(version: u32, dump: &[u8]) -> DumpHeader {
    let len = dump.len() as u64;
    DumpHeader { version, block: 512, key_len: 0, compression: 0, len, extent: len }
}

const DEVICE_START: usize = 64 << 10;

fn device(inner: &Specimen, version: u32) -> Specimen {
    let bytes = dump_header(version, &inner.bytes).device(&inner.bytes);
    let last = bytes.len() - 512;
    let mut all = header_fields(version, DEVICE_START);
    all.extend(header_fields(version, last));
    let boundaries =
        vec![("first header", DEVICE_START), ("dump", DEVICE_START + 512), ("last header", last)];
    Specimen {
        name: format!("device, header version {version}"),
        bytes,
        fields: all,
        boundaries,
        truth: inner.truth.clone(),
        seal: |bytes, field| seal_header(bytes, field, &[DEVICE_START, bytes.len() - 512]),
    }
}

fn behind_its_header(inner: &Specimen, version: u32) -> Specimen {
    let mut bytes = dump_header(version, &inner.bytes).write();
    bytes.extend(&inner.bytes);
    let mut boundaries = vec![("header", 0)];
    boundaries.extend(inner.boundaries.iter().map(|(name, at)| (*name, at + 512)));
    Specimen {
        name: format!("behind a header of version {version}"),
        bytes,
        fields: header_fields(version, 0),
        boundaries,
        truth: inner.truth.clone(),
        seal: |bytes, field| seal_header(bytes, field, &[0]),
    }
}

fn live(inner: &Specimen) -> Specimen {
    let mut bytes = inner.bytes.clone();
    let end = bytes.len();
    bytes.extend(dump_header(4, &inner.bytes).write());
    let mut boundaries = inner.boundaries.clone();
    boundaries.push(("header", end));
    Specimen {
        name: "live".to_owned(),
        fields: header_fields(4, end),
        bytes,
        boundaries,
        truth: inner.truth.clone(),
        seal: |bytes, field| seal_header(bytes, field, &[bytes.len() - 512]),
    }
}

fn gzip(inner: &Specimen) -> Specimen {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&inner.bytes).unwrap();
    let bytes = encoder.finish().unwrap();
    let end = bytes.len();
    let places = [
        ("magic", 0, 2),
        ("method", 2, 1),
        ("flags", 3, 1),
        ("mtime", 4, 4),
        ("xfl", 8, 1),
        ("os", 9, 1),
        ("block header", 10, 1),
        ("crc32", end - 8, 4),
        ("isize", end - 4, 4),
    ];
    let boundaries = vec![("header", 0), ("stream", 10), ("trailer", end - 8)];
    packed("gzip", bytes, fields(&places, 0, false), boundaries, inner)
}

fn zstd(inner: &Specimen) -> Specimen {
    use std::io::Write;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&inner.bytes).unwrap();
    let bytes = encoder.finish().unwrap();
    let end = bytes.len();
    let places = [
        ("magic", 0, 4),
        ("descriptor", 4, 1),
        ("window", 5, 1),
        ("block header", 6, 3),
        ("checksum", end - 4, 4),
    ];
    let boundaries = vec![("header", 0), ("block", 6), ("checksum", end - 4)];
    packed("zstd", bytes, fields(&places, 0, false), boundaries, inner)
}

fn packed(
    name: &str,
    bytes: Vec<u8>,
    fields: Vec<Field>,
    boundaries: Boundaries,
    inner: &Specimen,
) -> Specimen {
    let (name, truth) = (name.to_owned(), inner.truth.clone());
    Specimen { name, bytes, fields, boundaries, truth, seal: unsealed }
}
