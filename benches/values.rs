//! What it costs to read the values of every virtualized variable of a vnet, all elements of
//! all arrays, from an opened session.
//!
//! Measures the checked-in kernel; a real one, with its own vmcore or with an image that is
//! built for it, by setting VNETKVM_BENCH_KERNEL and VNETKVM_BENCH_CORE. With `--once` it
//! reads the values of all vnets a single time, for tools that count instructions.
//! `docs/performance.md` keeps the numbers.

mod files;

use std::env;
use std::hint::black_box;

use criterion::{Criterion, criterion_group};
use vnetkvm::session::Session;
use vnetkvm::value::{Limits, Value};
use vnetkvm::vnet::{SetVariable, Stack, Vnet};

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
    let session = Session::open(&files::options(directory.path())).expect("it opens");
    let variables = session.variables(&[]).expect("variables");
    let vnets = &session.vnets().expect("vnets").all;
    let count = env::var("VNETKVM_BENCH_VNETS").ok().and_then(|count| count.parse().ok());
    for vnet in vnets.iter().take(count.unwrap_or(usize::MAX)) {
        black_box(values(&session, vnet, &variables));
    }
}

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let session = Session::open(&files::options(directory.path())).expect("it opens");
    let variables = session.variables(&[]).expect("variables");
    let vnet = &session.vnets().expect("vnets").all[1];
    criterion.bench_function("values", |bencher| {
        bencher.iter(|| black_box(values(&session, vnet, &variables)));
    });
}

fn values(session: &Session, vnet: &Vnet, variables: &[SetVariable]) -> usize {
    let reader = session.reader(&Limits::unlimited());
    let values = variables.iter().map(|of| session.value_by(&reader, Stack::Vnet(vnet), of));
    values.filter(|(_, value)| !matches!(black_box(value), Value::Error(_))).count()
}

criterion_group!(benches, bench);
