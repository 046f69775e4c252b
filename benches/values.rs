//! What it costs to read the values of every virtualized variable of a vnet, all elements of
//! all arrays, from an opened session.
//!
//! Measures the checked-in kernel; a real one, with its own vmcore or with an image that is
//! built for it, by setting VNETKVM_BENCH_KERNEL and VNETKVM_BENCH_CORE. With `--once` it
//! reads the values of all vnets a single time, for tools that count instructions.
//! `docs/performance.md` keeps the numbers.

use std::env;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group};
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Session};
use vnetkvm::source::Source;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::{Stack, Vnet, VnetVariable};

const SCENARIO: &str = r#"
memory = "128M"
cpus = 2
[[step]]
do = "jail"
name = "web01"
jid = 1
"#;

fn main() {
    if env::args().any(|argument| argument == "--once") {
        return once();
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}

/// Reads all vnets' values. With VNETKVM_BENCH_VNETS=0 it only opens the session: what that
/// costs is to be taken off.
fn once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let session = Session::open(&files(directory.path())).expect("it opens");
    let variables = session.variables(&[]).expect("variables");
    let vnets = &session.vnets().expect("vnets").all;
    let count = env::var("VNETKVM_BENCH_VNETS").ok().and_then(|count| count.parse().ok());
    for vnet in vnets.iter().take(count.unwrap_or(usize::MAX)) {
        black_box(values(&session, vnet, &variables));
    }
}

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let session = Session::open(&files(directory.path())).expect("it opens");
    let variables = session.variables(&[]).expect("variables");
    let vnet = &session.vnets().expect("vnets").all[1];
    criterion.bench_function("values", |bencher| {
        bencher.iter(|| black_box(values(&session, vnet, &variables)));
    });
}

fn values(session: &Session, vnet: &Vnet, variables: &[VnetVariable]) -> usize {
    let reader = session.reader(&Limits::unlimited());
    let values = variables.iter().map(|of| session.value_by(&reader, Stack::Vnet(vnet), of));
    values.filter(|(_, value)| !matches!(black_box(value), Value::Error(_))).count()
}

fn files(directory: &Path) -> Options {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel/classic-clang-dwarf4");
    let kernel_path = env::var_os("VNETKVM_BENCH_KERNEL").map_or(fixture, PathBuf::from);
    let core = env::var_os("VNETKVM_BENCH_CORE").map(PathBuf::from);
    let core = core.unwrap_or_else(|| {
        let scenario = Scenario::parse(SCENARIO).expect("a scenario");
        let source = Source::open(&kernel_path).expect("a kernel");
        let kernel = Kernel::open(source, None).expect("a kernel");
        let image = image::build(&scenario, kernel).expect("an image");
        image.save(Format::MinidumpV2, directory).expect("a dump")
    });
    Options { kernel: Some(kernel_path), core, ..Options::default() }
}

criterion_group!(benches, bench);
