//! What opening a dump of a large machine costs: time, and memory beside what is
//! mapped.
//!
//! Sparse files of 64 GB and 1 TB of physical memory, in which nearly everything is
//! a hole: minidumps of versions 2 and 3, a full dump, raw memory. The budgets are
//! 10 ms, 100 ms, and 8 MB beyond the bitmap; `docs/performance.md` keeps the numbers.
//!
//! And what a question about one vnet costs beside opening, in a small machine and in a
//! large one: the same.

mod files;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use vnetkvm::arch::Arch;
use vnetkvm::dump::{self, Core};
use vnetkvm::image::Format;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::Limits;

const GB: u64 = 1 << 30;
const PAGE: u64 = 4096;
const MACHINES: [(&str, u64); 2] = [("64 GB", 64 * GB), ("1 TB", 1024 * GB)];

/// A way to write the dump of so much memory, and one to open it.
type Form = (&'static str, fn(&Path, u64), fn(&Path) -> Core);

const FORMS: [Form; 4] = [
    ("minidump v2", |path, memory| minidump(path, 2, memory), open),
    ("minidump v3", |path, memory| minidump(path, 3, memory), open),
    ("full", full, open),
    ("raw", |path, memory| new_file(path).set_len(memory).expect("a sparse file"), open_raw),
];

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut group = criterion.benchmark_group("open");
    group.sample_size(20);
    for (machine, memory) in MACHINES {
        for (form, write, open) in FORMS {
            let path: PathBuf = directory.path().join("vmcore");
            write(&path, memory);
            tell_memory(&format!("{form}, {machine}"), &path, open);
            group.bench_function(format!("{form}/{machine}"), |bencher| {
                bencher.iter(|| black_box(open(&path)))
            });
            fs::remove_file(&path).expect("it was there");
        }
    }
    group.finish();
}

/// Dumps of one jail on small and on large machines.
const ANSWERED: [(Format, &str); 6] = [
    (Format::Full, "256M"),
    (Format::Full, "256G"),
    (Format::Raw, "256M"),
    (Format::Raw, "256G"),
    (Format::MinidumpV2, "256M"),
    (Format::MinidumpV2, "1024G"),
];

fn answers(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut group = criterion.benchmark_group("values of a vnet");
    group.sample_size(20);
    for (format, memory) in ANSWERED {
        let scenario =
            format!("memory = \"{memory}\"\n[[step]]\ndo = \"jail\"\nname = \"web01\"\n");
        let core = files::build_as(format, &scenario, directory.path());
        let kernel = Some(files::kernel_path());
        let options = Options { kernel, core: core.clone(), ..Options::default() };
        let open = || Session::open(&options).expect("it opens");
        group.bench_function(format!("{}/{memory}", format.name()), |bencher| {
            bencher.iter_batched_ref(open, |session| values(session), BatchSize::PerIteration);
        });
        fs::remove_file(&core).expect("it was there");
    }
    group.finish();
}

fn values(session: &Session) {
    let selection = session.select(&Selector::Index(1)).expect("a vnet");
    let reader = session.reader(&Limits::default());
    for variable in session.variables(&[]).expect("variables") {
        black_box(session.value_by(&reader, selection.stacks[0], &variable));
    }
}

fn open(path: &Path) -> Core {
    let core = dump::open(Source::open(path).expect("a file")).expect("a dump");
    assert!(core.warnings.is_empty(), "{:?}", core.warnings);
    core
}

fn open_raw(path: &Path) -> Core {
    let source = Arc::new(Source::open(path).expect("a file"));
    dump::open_raw(source, Arch::Amd64, &[]).expect("raw memory")
}

/// Prints what an open dump takes of memory that is not a file's.
fn tell_memory(what: &str, path: &Path, open: fn(&Path) -> Core) {
    const BUDGET: u64 = 8 << 20;
    let Some(before) = anonymous_memory() else { return };
    let core = open(path);
    let taken = anonymous_memory().unwrap_or(0).saturating_sub(before);
    let bitmap = core.facts.minidump.as_ref().map_or(0, |facts| facts.bitmap_len);
    println!("{what}: {} KB of memory, a bitmap of {} KB in the file", taken >> 10, bitmap >> 10);
    assert!(taken < BUDGET, "{what} takes {taken} bytes");
}

/// RssAnon of this process in bytes, where /proc says it.
fn anonymous_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

fn new_file(path: &Path) -> File {
    File::create(path).expect("a file")
}

/// A minidump in which every third page was dumped.
fn minidump(path: &Path, version: u32, memory: u64) {
    let bits = memory / PAGE;
    let bitmap = vec![0b0100_1001_u8; (bits / 8) as usize];
    let ones = bitmap.len() as u64 * 3;
    let page_map_len = 4 << 20;
    let mut header = b"minidump FreeBSD/amd64\0\0".to_vec();
    for word in [version, 0x1_7fb8, bitmap.len() as u32, page_map_len] {
        header.extend(word.to_le_bytes());
    }
    for quad in [0xffff_fe00_0000_0000_u64, 0xffff_f800_0000_0000, 0xffff_fc00_0000_0000] {
        header.extend(quad.to_le_bytes());
    }
    header.extend((PAGE as u32).to_le_bytes());
    let file = new_file(path);
    let write = |bytes: &[u8], at| file.write_all_at(bytes, at).expect("room on the disk");
    write(&header, 0);
    let mut at = PAGE + 0x1_8000;
    if version == 3 {
        let ranges = [0, memory, 0, 0].map(u64::to_le_bytes).concat();
        write(&ranges, at);
        at += PAGE;
    }
    write(&bitmap, at);
    at += (bitmap.len() as u64).next_multiple_of(PAGE) + u64::from(page_map_len);
    file.set_len(at + ones * PAGE).expect("a sparse file");
}

/// A full dump of memory below and above the devices.
fn full(path: &Path, memory: u64) {
    let ranges = [(0, 0x9_f000), (0x10_0000, 3 * GB), (4 * GB, memory + GB)];
    let mut bytes = b"\x7fELF\x02\x01\x01\xff\0\0\0\0\0\0\0\0\x04\0\x3e\0\0\0\0\0".to_vec();
    for quad in [0_u64, 64, 0] {
        bytes.extend(quad.to_le_bytes());
    }
    bytes.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, ranges.len() as u16, 64, 0, 0] {
        bytes.extend(half.to_le_bytes());
    }
    let mut offset = PAGE;
    for (start, end) in ranges {
        bytes.extend([1_u32, 4].map(u32::to_le_bytes).concat());
        let len = end - start;
        bytes.extend([offset, start, start, len, len, PAGE].map(u64::to_le_bytes).concat());
        offset += len;
    }
    let mut file = new_file(path);
    file.write_all(&bytes).expect("room on the disk");
    file.set_len(offset).expect("a sparse file");
}

criterion_group!(benches, bench, answers);
criterion_main!(benches);
