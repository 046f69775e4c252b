//! A question that nobody waits for any more ends before it has asked all network stacks. Counted in
//! steps of work and in allocated bytes, never in time: Ctrl-C in the shell ends an answer this way.

#![cfg(feature = "image")]

mod counting;
#[path = "../benches/files/vnets.rs"]
mod vnets;

use std::io::Cursor;

use counting::counted;
use vnetkvm::answers::{self, Answer, Chosen, PerVnet, interfaces, routes, sockets};
use vnetkvm::image::{Format, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Names, Selector};
use vnetkvm::source::Source;
use vnetkvm::{Error, Session};

const KERNEL: &str = "fixtures/kernel/classic-clang-dwarf4";

const COUNTS: [usize; 2] = [10, 70];

type Question = (&'static str, fn(&Session));

/// These ask every vnet.
const QUESTIONS: [Question; 7] = [
    ("interfaces", |session| {
        ask(answers::interfaces(session, all(session), interfaces::Question::default()));
    }),
    ("sockets", |session| {
        ask(answers::sockets(session, all(session), sockets::Question::default()));
    }),
    ("routes", |session| {
        ask(answers::routes(session, all(session), routes::Question::default()));
    }),
    ("neighbors", |session| ask(answers::neighbors(session, all(session), None))),
    ("print", |session| {
        let expressions = ["count(V_ifnet[*])".to_owned()];
        drop(answers::expressions(session, all(session), Names::default(), &expressions));
    }),
    ("topology", |session| drop(answers::topology(session, None))),
    ("check", |session| drop(answers::checks(session, &Selector::All, &[]))),
];

/// What a vnet costs then is no more than its place in lists.
#[test]
fn a_question_that_was_stopped_asks_no_vnet_any_more() {
    let cores = COUNTS.map(core);
    for (name, question) in QUESTIONS {
        let [few, many] = cores.each_ref().map(|core| cost(name, core, question));
        let (whole, stopped) = (many.whole - few.whole, many.stopped.saturating_sub(few.stopped));
        assert!(stopped * 10 < whole, "{name}: {stopped} bytes in place of {whole}");
    }
}

/// Bytes allocated in all.
struct Cost {
    whole: usize,
    stopped: usize,
}

fn cost(name: &str, core: &[u8], question: fn(&Session)) -> Cost {
    let core = Source::from_vec("vmcore", core.to_vec());
    let session = Session::from_sources(Source::open(KERNEL).unwrap(), core).unwrap();
    // What is kept of the first question is no cost of the others.
    question(&session);
    let ((), whole, _) = counted(|| question(&session));
    session.budget().stop();
    let before = session.budget().work_done();
    let ((), stopped, _) = counted(|| question(&session));
    assert_eq!(session.budget().work_done(), before, "{name}");
    assert!(session.budget().exhausted().is_some(), "{name}");
    Cost { whole, stopped }
}

/// Makes the answers of all vnets.
fn ask<A: Answer>(answer: Result<PerVnet<'_, A>, Error>) {
    if let Ok(answer) = answer {
        answer.for_each(|_, _| ());
    }
}

fn all(session: &Session) -> Chosen<'_> {
    Chosen::ask(session, &Selector::All).unwrap()
}

fn core(vnets: usize) -> Vec<u8> {
    let scenario = Scenario::parse(&vnets::scenario(vnets)).unwrap();
    let kernel = Kernel::open(Source::open(KERNEL).unwrap(), None).unwrap();
    let mut core = Cursor::new(Vec::new());
    build(&scenario, kernel).unwrap().write(Format::MinidumpV2, &mut core).unwrap();
    core.into_inner()
}
