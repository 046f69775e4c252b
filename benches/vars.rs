//! What `vars --vnet 1` costs: the whole way from two file names to the values
//! of every virtualized variable, and its stages.
//!
//! Measures the checked-in kernel; a real one, with its own vmcore or with an
//! image that is built for it, by setting VNETKVM_BENCH_KERNEL and
//! VNETKVM_BENCH_CORE. `docs/performance.md` keeps the numbers.

mod files;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vnetkvm::answers::{self, Chosen, Element};
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::types::Types;
use vnetkvm::value::Limits;

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = files::options(directory.path());
    let mut group = criterion.benchmark_group("vars");
    group.sample_size(20);
    group.bench_function("all", |bencher| bencher.iter(|| black_box(vars(&options))));
    group.bench_function("open", |bencher| {
        bencher.iter(|| black_box(Session::open(&options).expect("it opens")))
    });
    group.bench_function("symbols", |bencher| {
        bencher.iter(|| {
            let kernel = files::open_kernel(options.kernel.as_deref().expect("a kernel"));
            kernel.symbols().prepare();
            black_box(kernel)
        })
    });
    group.bench_function("types", |bencher| {
        let kernel = files::open_kernel(options.kernel.as_deref().expect("a kernel"));
        let set = kernel.set_vnet().expect("a kernel with VIMAGE");
        bencher.iter(|| black_box(Types::load(&kernel).expect("types").variables_linked_in(&set)))
    });
    group.bench_function("name-index", |bencher| {
        let kernel = files::open_kernel(options.kernel.as_deref().expect("a kernel"));
        bencher.iter(|| black_box(Types::load(&kernel).expect("types").find("struct vnet")))
    });
    group.finish();
}

/// Everything that `vars --vnet 1` does, but for the printing.
fn vars(options: &Options) -> usize {
    let session = Session::open(options).expect("it opens");
    let chosen = Chosen::ask(&session, &Selector::Index(1)).expect("vnet 1");
    let answer = answers::variables(&session, chosen, &[], &Limits::default());
    let mut count = 0;
    answer.expect("variables").for_each(|_, list| {
        list.elements.for_each(|variable| count += black_box(variable).unreadable());
    });
    count
}

criterion_group!(benches, bench);
criterion_main!(benches);
