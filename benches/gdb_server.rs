//! What the remote stub costs: until a debugger's first packet is answered, with 5,000 threads, the
//! list of these, and reading memory.
//!
//! Measures the checked-in kernel, or that which VNETKVM_BENCH_KERNEL names. `docs/performance.md`
//! keeps the numbers.

mod files;

use std::fmt::Write as _;
use std::io;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vnetkvm::gdbserver::{Monitor, Server};
use vnetkvm::session::{Options, Session};

/// Answers no commands.
struct Silent;

impl Monitor for Silent {
    fn start(&mut self) {}

    fn run(&mut self, _: &str) -> String {
        String::new()
    }
}

/// What is written, as a number of bytes.
#[derive(Default)]
struct Counted(u64);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A machine with 5,000 threads in 100 processes.
fn scenario() -> String {
    let mut toml = "memory = \"512M\"\n".to_owned();
    for process in 0..100 {
        // Writing to a String cannot fail.
        let _ =
            writeln!(toml, "[[step]]\ndo = \"process\"\nname = \"p{process}\"\nwait = \"kqread\"");
        let thread =
            format!("[[step]]\ndo = \"thread\"\nprocess = \"p{process}\"\nname = \"worker\"\n");
        toml.push_str(&thread.repeat(49));
    }
    toml
}

/// Packets, with their checksums.
fn packets(contents: impl Iterator<Item = String>) -> Vec<u8> {
    let packet = |contents: String| {
        let sum = contents.bytes().fold(0_u8, u8::wrapping_add);
        format!("${contents}#{sum:02x}")
    };
    contents.map(packet).collect::<String>().into_bytes()
}

/// How many bytes the answers have.
fn serve(session: &Session, asked: &[u8]) -> u64 {
    let (mut monitor, mut answers) = (Silent, Counted::default());
    Server::new(session, &mut monitor).serve(asked, &mut answers).expect("memory does not fail");
    answers.0
}

fn bench(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let core = files::build(&scenario(), directory.path());
    let options = Options { kernel: Some(files::kernel_path()), core, ..Options::default() };
    let session = Session::open(&options).expect("it opens");
    let ask = |text: &str| packets(std::iter::once(text.to_owned()));

    let mut group = criterion.benchmark_group("gdb-server");
    let hello = ask("qSupported:multiprocess+");
    group.bench_function("start", |bencher| {
        bencher.iter(|| {
            let session = Session::open(&options).expect("it opens");
            serve(&session, &hello)
        });
    });
    let threads = ask("qXfer:threads:read::0,ffff");
    group.bench_function("threads", |bencher| bencher.iter(|| serve(&session, &threads)));

    let image = session.kernel().symbol("btext").expect("a symbol of every kernel").address.get();
    // gdb's pieces.
    let reads = packets((0..512).map(|n| format!("m{:x},1fff", image + n * 0x1000)));
    let quiet = [packets(std::iter::once("QStartNoAckMode".to_owned())), reads].concat();
    group.throughput(Throughput::Bytes(512 * 0x1fff));
    group.bench_function("memory", |bencher| bencher.iter(|| serve(&session, &quiet)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
