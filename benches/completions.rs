//! What a key costs that completes an expression: the first, which collects names, and those that
//! follow.
//!
//! Measures the checked-in kernel, or one that VNETKVM_BENCH_KERNEL names.

mod files;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vnetkvm::answers::completions::{Vocabulary, completions};
use vnetkvm::session::{Selector, Session};

const TEXTS: [(&str, &str); 4] = [
    ("name", "1 + ip_"),
    ("member", "V_ifnet.cstqh_first->if_"),
    ("element", "V_ifnet[*][.if_mtu > 0].if_"),
    ("type", "(struct i"),
];

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let session = Session::open(&files::options(directory.path())).expect("it opens");
    let selection = session.select(&Selector::Index(0)).expect("vnet 0");
    let place = selection.stacks[0].into();
    let mut group = criterion.benchmark_group("completions");
    group.sample_size(20);
    let known = Vocabulary::default();
    for (name, text) in TEXTS {
        group.bench_function(format!("first {name}"), |bencher| {
            bencher.iter(|| black_box(completions(&session, &Vocabulary::default(), place, text)))
        });
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(completions(&session, &known, place, text)))
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
