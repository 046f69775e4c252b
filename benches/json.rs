//! What it costs to write values as JSON: all variables of a vnet, read before.
//!
//! Measures the checked-in kernel, or that which VNETKVM_BENCH_KERNEL names. `docs/performance.md`
//! keeps the numbers.

mod files;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vnetkvm::answers::variables::Variable;
use vnetkvm::answers::{self, Chosen};
use vnetkvm::render::json;
use vnetkvm::session::{Selector, Session};
use vnetkvm::value::{Limits, Value};

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let session = Session::open(&files::options(directory.path())).expect("it opens");
    let chosen = Chosen::ask(&session, &Selector::Index(1)).expect("vnet 1");
    let answer = answers::variables(&session, chosen, &[], &Limits::unlimited());
    let mut values: Vec<Value> = Vec::new();
    answer.expect("variables").for_each(|_, list| {
        values.extend(list.elements.to_vec().iter().map(Variable::value));
    });
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

criterion_group!(benches, bench);
criterion_main!(benches);
