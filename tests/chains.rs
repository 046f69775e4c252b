//! Lists that lead into each other: what is reached on many ways is looked at once.

#![cfg(feature = "image")]

use std::io::Cursor;

use vnetkvm::addr::VirtAddr;
use vnetkvm::image::kernel::LoadedKernel;
use vnetkvm::image::machine::MachineOptions;
use vnetkvm::image::object::Object;
use vnetkvm::image::runtime::{ProcessOptions, Runtime};
use vnetkvm::image::{Format, Image};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;

const KERNEL: &str = "fixtures/kernel/newer-clang-dwarf4";

fn open() -> Source {
    Source::open(KERNEL).unwrap()
}

/// A machine with so many processes. With `chained`, the threads of all are one chain,
/// which the list of each process leads to the head of.
fn session(processes: usize, chained: bool) -> Session {
    let kernel = Kernel::open(open(), None).unwrap();
    let mut runtime =
        Runtime::boot(LoadedKernel::load(kernel, MachineOptions::default()).unwrap(), &[0])
            .unwrap();
    let threads: Vec<Object> = (0..processes)
        .map(|at| runtime.create_process(&ProcessOptions::new(format!("p{at}"))).unwrap())
        .collect();
    if chained {
        let kernel = runtime.kernel_mut();
        let head = threads[0].address;
        for pair in threads.windows(2) {
            kernel.set_pointer(pair[0], "td_plist.tqe_next", pair[1].address).unwrap();
        }
        for thread in threads {
            let process = VirtAddr::new(kernel.get(thread, "td_proc").unwrap());
            let process = kernel.object(process, "struct proc").unwrap();
            kernel.set_pointer(process, "p_threads.tqh_first", head).unwrap();
        }
    }
    let mut dump = Cursor::new(Vec::new());
    Image::of(runtime).unwrap().write(Format::MinidumpV2, &mut dump).unwrap();
    Session::from_sources(open(), Source::from_vec("vmcore", dump.into_inner())).unwrap()
}

/// Steps of work that the questions about threads take.
fn work(session: &Session) -> u64 {
    let before = session.budget().work_done();
    let vnets = session.vnets().unwrap();
    assert_eq!(vnets.all.len(), 1);
    let _ = session.select(&Selector::Tid(i64::MAX));
    let _ = session.select(&Selector::Pid(i64::MAX));
    let _ = session.crashed_thread();
    session.budget().work_done() - before
}

#[test]
fn threads_of_one_chain_cost_what_those_of_many_lists_do() {
    const PROCESSES: usize = 600;
    let healthy = work(&session(PROCESSES, false));
    let chained = session(PROCESSES, true);
    let cost = work(&chained);
    assert!(cost < healthy + 20 * PROCESSES as u64, "{cost} steps, and {healthy} without it");
    assert!(!chained.vnets().unwrap().problems.is_empty(), "the chain is told of");
}
