//! What it costs to open bytes from outside is a multiple of how many they are, whatever they say. For each door
//! there is an input that grows by what could multiply: headers, notes, symbols, types, lines. docs/security.md has the
//! table.

#![cfg(all(feature = "cli", feature = "gdb-server"))]

mod counting;
#[path = "synth/ctf.rs"]
mod ctf;
#[path = "synth/mod.rs"]
mod synth;
#[path = "synth/types.rs"]
mod types;

use std::hint::black_box;
use std::io::{self, Write};
use std::sync::LazyLock;

use counting::counted;
use flate2::Compression;
use flate2::write::GzEncoder;
use vnetkvm::budget::Allowance;
use vnetkvm::dump::{self, InfoFile};
use vnetkvm::expr;
use vnetkvm::gdbserver::{Monitor, Server};
use vnetkvm::image::{self, Scenario};
use vnetkvm::kernel::{ElfFile, Kernel, relocate};
use vnetkvm::session::Session;
use vnetkvm::source::Source;
use vnetkvm::types::Types;
use vnetkvm::value::Limits;
use vnetkvm::vnet::Stack;

/// A door: an input that grows with a number, what is done with it, and what that may allocate.
struct Door {
    name: &'static str,
    input: fn(usize) -> Vec<u8>,
    open: fn(&[u8]),
    /// Bytes that may be allocated in all for each byte of the input, and besides.
    most: (usize, usize),
}

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;

const DOORS: [Door; 15] = [
    Door { name: "minidump", input: scattered_pages, open: open_dump, most: (2, 64 * KB) },
    Door { name: "ELF core, segments", input: segments, open: open_dump, most: (8, 64 * KB) },
    Door { name: "ELF core, notes", input: notes, open: open_dump, most: (8, 64 * KB) },
    Door { name: "ELF core, memory", input: pages, open: open_dump, most: (2, 64 * KB) },
    Door { name: "kernel dump headers", input: headers, open: open_dump, most: (2, 64 * KB) },
    Door { name: "compressed dump", input: zeros, open: open_dump, most: (2, 4 * MB) },
    Door { name: "kernel, symbols", input: symbols, open: open_kernel, most: (8, 64 * KB) },
    Door { name: "DWARF, units", input: units, open: open_types, most: (64, MB) },
    Door { name: "DWARF, types", input: entries, open: open_types, most: (64, MB) },
    Door { name: "CTF", input: records, open: open_types, most: (64, MB) },
    Door { name: "module, relocations", input: relocations, open: open_module, most: (2, 64 * KB) },
    Door { name: "expression", input: brackets, open: evaluate, most: (64, MB) },
    Door { name: "scenario", input: steps, open: parse_scenario, most: (128, 64 * KB) },
    Door { name: "packets", input: packets, open: serve, most: (256, MB) },
    Door { name: "info.N", input: lines, open: parse_info, most: (1, 64 * KB) },
];

#[test]
fn opening_costs_a_multiple_of_the_bytes() {
    LazyLock::force(&DEMO);
    let mut wrong = Vec::new();
    for Door { name, input, open, most: (each, besides) } in DOORS {
        // What is made once for all inputs is not counted.
        open(&input(1));
        for size in [16, 256, 2048] {
            let bytes = input(size);
            let ((), total, _) = counted(|| open(&bytes));
            let most = each * bytes.len() + besides;
            if total > most {
                wrong.push(format!("{name}: {total} bytes for {}, not {most}", bytes.len()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn open_dump(bytes: &[u8]) {
    black_box(dump::open(Source::from_vec("vmcore", bytes.to_vec())).is_ok());
}

/// Every other page of a growing memory.
fn scattered_pages(count: usize) -> Vec<u8> {
    let mut dump = synth::Minidump::sample(3);
    let end = 0x100_0000 + count as u64 * 2 * synth::PAGE;
    dump.dump_avail = vec![(0x1000, 0x9_f000), (0x10_0000, end)];
    for page in 0..count.min(2000) as u64 {
        dump.memory.page(0x100_0000 + page * 2 * synth::PAGE);
    }
    dump.write().0
}

/// An ELF core with these program headers.
fn core(headers: &[(u32, u64, u64, u64, u64)], tail: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
    bytes.resize(64, 0);
    (bytes[16], bytes[18], bytes[20], bytes[32], bytes[54]) = (4, 62, 1, 64, 56);
    bytes[56..58].copy_from_slice(&u16::try_from(headers.len()).unwrap().to_le_bytes());
    for (kind, offset, virt, phys, len) in headers {
        bytes.extend([*kind, 7].map(u32::to_le_bytes).concat());
        let words = [*offset, *virt, *phys, *len, *len, 4096];
        bytes.extend(words.map(u64::to_le_bytes).concat());
    }
    bytes.extend(tail);
    bytes
}

/// Each byte of memory is a segment of its own.
fn segments(count: usize) -> Vec<u8> {
    let at = 64 + 56 * count as u64;
    let segment = |n: u64| (1, at + n, 0xffff_8000_0000_0000 + n, (n + 1) << 30, 1);
    let headers: Vec<_> = (0..count as u64).map(segment).collect();
    core(&headers, &vec![7; count])
}

/// One segment, which is all of the memory.
fn pages(count: usize) -> Vec<u8> {
    types::dump(count * 4 * KB)
}

/// The same notes, named again and again.
fn notes(count: usize) -> Vec<u8> {
    let note = synth::physical::qemu_notes(&[0x1000, 0x2000]);
    let at = 64 + 56 * (count as u64 + 1);
    let len = note.len() as u64;
    let mut headers = vec![(4, at, 0, 0, len); count];
    headers.push((1, at + len, 0xffff_ffff_8000_0000, 0x10_0000, 4096));
    core(&headers, &[note, vec![1; 4096]].concat())
}

/// A device that has a kernel dump header in every sector, none of which belongs to a dump.
fn headers(count: usize) -> Vec<u8> {
    let len = 512 * count as u64;
    let header =
        synth::DumpHeader { version: 4, block: 512, key_len: 0, compression: 0, len, extent: len };
    header.write().repeat(count)
}

/// A little that unpacks to a lot.
fn zeros(count: usize) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    for _ in 0..count {
        gzip.write_all(&[0; 16 * KB]).unwrap();
    }
    gzip.finish().unwrap()
}

fn open_kernel(bytes: &[u8]) {
    if let Ok(kernel) = Kernel::open(Source::from_vec("kernel", bytes.to_vec()), None) {
        black_box(kernel.symbols().iter().count());
        black_box((kernel.symbol("nothing").is_some(), kernel.version()));
    }
}

/// Symbols without end: the table's section says that it is as long as the file.
fn symbols(count: usize) -> Vec<u8> {
    let mut info = types::DebugInfo::new();
    let int = info.int();
    let kernel = info.kernel(int);
    // The headers of the sections come last, each of 64 bytes; that of .symtab is the fifth of seven.
    let mut kernel = kernel;
    let headers_at = kernel.len() - 7 * 64;
    let table_at = kernel.len() as u64;
    for number in 0..count as u64 {
        kernel.extend(1_u32.to_le_bytes());
        kernel.extend([0x11, 0, 1, 0]);
        kernel.extend([types::X + number, 8].map(u64::to_le_bytes).concat());
    }
    let place = [table_at, 24 * count as u64].map(u64::to_le_bytes).concat();
    kernel[headers_at + 4 * 64 + 24..headers_at + 4 * 64 + 40].copy_from_slice(&place);
    kernel
}

fn open_types(bytes: &[u8]) {
    let Ok(kernel) = Kernel::open(Source::from_vec("kernel", bytes.to_vec()), None) else { return };
    let Ok(types) = Types::load(&kernel) else { return };
    let allowance = types.budget().allowance();
    black_box((types.find("struct nothing").is_ok(), types.statics("x").len()));
    let variable = types.variable_linked_at(vnetkvm::addr::VirtAddr::new(types::X));
    black_box(
        variable.map(|variable| (types.size_of(variable.type_id), types.name(variable.type_id))),
    );
    assert!(types.budget().work_done() <= allowance.work);
}

fn units(count: usize) -> Vec<u8> {
    let mut info = types::DebugInfo::new();
    let int = info.int();
    info.kernel_beside(int, count, &[types::ROOT, 0x11, 0, 0, 0, 0])
}

fn entries(count: usize) -> Vec<u8> {
    let mut info = types::DebugInfo::new();
    let mut inner = info.int();
    let (kind, record, row) = (info.promise(), info.promise(), info.promise());
    let name = info.string("m");
    info.enumeration(kind, "e", 4);
    info.enumerator(name, 1);
    info.end();
    info.array(row, kind, &[2]);
    info.record(record, "struct", "s", 8);
    info.member(Some(name), row, 0);
    info.bits(name, inner);
    info.end();
    for number in 0..count {
        let (pointer, function, named) = (info.promise(), info.promise(), info.promise());
        info.function(function, inner, &[record]);
        info.derived(pointer, "pointer", function);
        info.typedef(named, &types::numbered("t", number), pointer);
        inner = named;
    }
    info.kernel(inner)
}

fn records(count: usize) -> Vec<u8> {
    let elf = std::fs::read("fixtures/kernel/ctf/stable14-ctf3").unwrap();
    let mut types = ctf::Types::new(3);
    let mut inner = types.int();
    for _ in 0..count {
        inner = types.record("s", 8, &[("a", inner, 0), ("b", inner, 0)]);
    }
    ctf::with_section(&elf, &types.container(&[inner]).section())
}

fn open_module(bytes: &[u8]) {
    let Ok(elf) = ElfFile::parse_module(Source::from_vec("m.ko", bytes.to_vec())) else { return };
    for section in elf.sections() {
        black_box(relocate::relocated(&elf, section, &|_| Some(0x1000)).is_ok());
    }
}

/// The relocations of a section, many times.
fn relocations(count: usize) -> Vec<u8> {
    use object::{Object, ObjectSection};
    let mut bytes = std::fs::read("fixtures/kernel/modules/amd64/if_gif.ko.debug").unwrap();
    let file = object::File::parse(&bytes[..]).unwrap();
    let section = file.section_by_name(".rela.debug_info").expect("it has relocations");
    let (at, len) = section.file_range().unwrap();
    let table = bytes[at as usize..(at + len) as usize].to_vec();
    let place = [at, len].map(u64::to_le_bytes).concat();
    let header = bytes.windows(16).rposition(|window| window == place).unwrap();
    let grown = table.repeat(count.div_ceil(16));
    let place = [bytes.len() as u64, grown.len() as u64].map(u64::to_le_bytes).concat();
    bytes[header..header + 16].copy_from_slice(&place);
    bytes.extend(grown);
    bytes
}

static DEMO: LazyLock<Session> = LazyLock::new(|| {
    let demo = image::demo().unwrap();
    let session = Session::from_sources(demo.kernel, demo.core).unwrap();
    session.types().unwrap().find("struct ifnet").unwrap();
    session.variables(&[]).unwrap();
    session
});

fn evaluate(bytes: &[u8]) {
    const ENOUGH: Allowance = Allowance { work: 200_000, bytes: 16 << 20 };
    let text = std::str::from_utf8(bytes).unwrap();
    DEMO.budget().renew(ENOUGH);
    black_box(expr::parse(text).is_ok());
    black_box(DEMO.print(Stack::Unchosen, text, &Limits::default()).is_ok());
    assert!(DEMO.budget().work_done() <= ENOUGH.work);
}

fn brackets(count: usize) -> Vec<u8> {
    [b"1+(".repeat(count), b"ticks".to_vec(), b")".repeat(count)].concat()
}

fn parse_scenario(bytes: &[u8]) {
    black_box(Scenario::parse(std::str::from_utf8(bytes).unwrap()).is_ok());
}

fn steps(count: usize) -> Vec<u8> {
    b"[[step]]\ndo = \"jail\"\nname = \"a\"\nvalues = { ip_defttl = 1 }\n".repeat(count)
}

fn parse_info(bytes: &[u8]) {
    black_box(InfoFile::parse(bytes).is_some());
}

fn lines(count: usize) -> Vec<u8> {
    [&b"Dump header from device: /dev/da0\n"[..], &b"  Panic String: page\n".repeat(count)].concat()
}

fn packets(count: usize) -> Vec<u8> {
    b"$qSymbol::#5b$p0#a0$mffffffff80403000,8#00junk".repeat(count)
}

fn serve(bytes: &[u8]) {
    DEMO.budget().renew(Allowance::default());
    Server::new(&DEMO, &mut Silent).serve(bytes, io::sink()).unwrap();
}

/// Answers nothing.
struct Silent;

impl Monitor for Silent {
    fn start(&mut self) {}

    fn run(&mut self, _: &str) -> String {
        String::new()
    }
}
