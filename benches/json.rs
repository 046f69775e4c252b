//! What it costs to write values as JSON: all variables of a vnet, read before.
//!
//! Measures the checked-in kernel, or that which VNETKVM_BENCH_KERNEL names. `docs/performance.md`
//! keeps the numbers.

use std::env;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vnetkvm::answers::variables::Variable;
use vnetkvm::answers::{self, Chosen};
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::render::json;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::{Limits, Value};

const SCENARIO: &str = "memory = \"128M\"\n[[step]]\ndo = \"jail\"\nname = \"web01\"\njid = 1\n";

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let session = Session::open(&files(directory.path())).expect("it opens");
    let chosen = Chosen::ask(&session, &Selector::Index(1)).expect("vnet 1");
    let answer = answers::variables(&session, chosen, &[], &Limits::unlimited());
    let (_, list) = answer.expect("variables").answers().next().expect("one vnet");
    let values: Vec<Value> = list.elements.to_vec().iter().map(Variable::value).collect();
    let mut out = Vec::new();
    let mut write = || {
        out.clear();
        let mut lines = json::Lines::new(&mut out);
        values.iter().for_each(|value| lines.write(value).expect("memory takes everything"));
        lines.finish().expect("memory takes everything");
        black_box(&out).len()
    };
    let mut group = criterion.benchmark_group("json");
    group.throughput(Throughput::Bytes(write() as u64));
    group.bench_function("lines", |bencher| bencher.iter(&mut write));
    group.finish();
}

fn files(directory: &Path) -> Options {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel/classic-clang-dwarf4");
    let path = env::var_os("VNETKVM_BENCH_KERNEL").map_or(fixture, PathBuf::from);
    let scenario = Scenario::parse(SCENARIO).expect("a scenario");
    let kernel = Kernel::open(Source::open(&path).expect("a file"), None).expect("a kernel");
    let image = image::build(&scenario, kernel).expect("an image");
    let core = image.save(Format::MinidumpV2, directory).expect("a dump");
    Options { kernel: Some(path), core, ..Options::default() }
}

criterion_group!(benches, bench);
criterion_main!(benches);
