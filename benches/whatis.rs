//! What it costs to say what addresses are: the index alone, 10,000 addresses by an index that
//! exists, and both from two file names on.
//!
//! Measures the checked-in kernel; a real one, with its own vmcore or with an image that is
//! built for it, by setting VNETKVM_BENCH_KERNEL and VNETKVM_BENCH_CORE. `docs/performance.md`
//! keeps the numbers.

mod files;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use vnetkvm::addr::VirtAddr;
use vnetkvm::session::{Options, Session};
use vnetkvm::views::whatis::Whatis;

const ADDRESSES: u64 = 10_000;

/// As deep as the program follows pointers by default.
const DEEP: usize = 2;

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let options = files::options(directory.path());
    let session = Session::open(&options).expect("it opens");
    let whatis = session.whatis(DEEP).expect("an index");
    let addresses = addresses(&session);
    let mut group = criterion.benchmark_group("whatis");
    group.sample_size(20);
    group.bench_function("all", |bencher| bencher.iter(|| black_box(all(&options))));
    group.bench_function("index", |bencher| {
        bencher.iter(|| black_box(session.whatis(DEEP).expect("an index")))
    });
    group.bench_function("addresses", |bencher| {
        bencher.iter(|| black_box(known(&whatis, &addresses)))
    });
    group.finish();
}

/// Everything that `whatis` does, but for the printing.
fn all(options: &Options) -> usize {
    let session = Session::open(options).expect("it opens");
    let addresses = addresses(&session);
    known(&session.whatis(DEEP).expect("an index"), &addresses)
}

fn known(whatis: &Whatis<'_>, addresses: &[VirtAddr]) -> usize {
    let lines = addresses.iter().map(|address| whatis.describe(*address));
    lines.filter(|found| !found.to_string().starts_with("nothing known")).count()
}

/// A quarter each of variables, of the kernel's image, of memory around structs, and of anything.
fn addresses(session: &Session) -> Vec<VirtAddr> {
    let vnets = &session.vnets().expect("vnets").all;
    let symbols: Vec<VirtAddr> = session.kernel().symbols().map(|symbol| symbol.address).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    // xorshift64
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut address = |number: u64| {
        let vnet = &vnets[(random() % vnets.len() as u64) as usize];
        match number % 4 {
            0 => vnet.data_mem.wrapping_add(random() % (256 << 10)),
            1 => symbols[(random() % symbols.len() as u64) as usize].wrapping_add(random() % 64),
            2 => vnet.address.wrapping_add(random() % (256 << 10)),
            _ => VirtAddr::new(random()),
        }
    };
    (0..ADDRESSES).map(&mut address).collect()
}

criterion_group!(benches, bench);
criterion_main!(benches);
