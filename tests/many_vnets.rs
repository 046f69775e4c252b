//! What a question about all network stacks costs grows with their number, and no faster. Counted
//! in steps of work and in allocated bytes, never in time.

#![cfg(all(feature = "image", feature = "cli"))]

mod counting;
#[path = "../benches/files/vnets.rs"]
mod vnets;

use std::fmt::Write as _;
use std::io::{self, Cursor};
use std::sync::{Mutex, MutexGuard, PoisonError};

use counting::counted;
use vnetkvm::Session;
use vnetkvm::answers::{self, Answer, Chosen, Medium, counters, interfaces, routes, sockets};
use vnetkvm::image::{Format, Scenario, build};
use vnetkvm::kernel::{Kernel, LinkerSet};
use vnetkvm::render::json::{Document, write_document};
use vnetkvm::render::page::TextPage;
use vnetkvm::render::table::Style;
use vnetkvm::session::{Names, Selector};
use vnetkvm::source::Source;
use vnetkvm::value::Limits;

const KERNEL: &str = "fixtures/kernel/classic-clang-dwarf4";

/// Each is as much more than the one before. The host has an interface for each of them. If there were more,
/// they would be read again for each form.
const COUNTS: [usize; 3] = [10, 35, 60];

/// A question that is answered in every form.
type Question = (&'static str, fn(&Session));

const QUESTIONS: [Question; 17] = [
    ("vnets", |session| answer(answers::vnets(session, None, true).unwrap())),
    ("scan", |session| answer(answers::vnets(session, Some(&mut |_| ()), true).unwrap())),
    ("jails", |session| answer(answers::jails(session, &Selector::All).unwrap())),
    ("threads", |session| answer(answers::threads(session, &Selector::All, true).unwrap())),
    ("vars", |session| {
        let patterns = ["ip_defttl".to_owned()];
        let limits = Limits::default();
        answer(answers::variables(session, all(session), &patterns, &limits).unwrap());
    }),
    ("print", |session| {
        let (limits, names) = (Limits::default(), Names::default());
        let expressions = ["V_ip_defttl".to_owned()];
        let all = all(session);
        let evaluated = answers::expressions(session, all, names, &expressions).unwrap();
        answer(evaluated.read(&limits));
    }),
    ("sysctl", |session| {
        let (names, limits) = (["net.inet.ip.ttl".to_owned()], Limits::default());
        let show = answers::sysctls::Show::default();
        answer(answers::sysctls(session, &Selector::All, &names, show, &limits).unwrap());
    }),
    ("counters", |session| {
        let patterns = ["ipstat".to_owned()];
        let question = counters::Question { patterns: &patterns, types: &[], per_cpu: false };
        answer(answers::counters(session, all(session), question).unwrap());
    }),
    ("interfaces", |session| {
        let question = interfaces::Question::default();
        answer(answers::interfaces(session, all(session), question).unwrap());
    }),
    ("sockets", |session| {
        let question = sockets::Question::default();
        answer(answers::sockets(session, all(session), question).unwrap());
    }),
    ("routes", |session| {
        let question = routes::Question::default();
        answer(answers::routes(session, all(session), question).unwrap());
    }),
    ("neighbors", |session| answer(answers::neighbors(session, all(session), None).unwrap())),
    ("topology", |session| answer(answers::topology(session, None).unwrap())),
    ("locks", |session| answer(answers::locks(session).unwrap())),
    ("modspace", |session| answer(answers::modspace(session, LinkerSet::Vnet).unwrap())),
    ("check", |session| answer(answers::checks(session, &Selector::All, &[]).unwrap())),
    ("whatis", |session| drop(session.whatis(2).unwrap())),
];

#[test]
fn costs_grow_as_the_vnets_do() {
    let _alone = alone();
    let cores = COUNTS.map(|vnets| core(&vnets::scenario(vnets)));
    for (name, question) in QUESTIONS {
        costs_grow_as_the_counts_do(name, question, &cores);
    }
}

/// Each is being built by a thread of its own, in which a constructor hangs.
#[test]
fn costs_grow_as_the_vnets_do_that_are_being_built() {
    let _alone = alone();
    let cores = COUNTS.map(|vnets| core(&being_built(vnets)));
    let questions: [Question; 3] = [
        ("vnets", |session| answer(answers::vnets(session, None, true).unwrap())),
        ("sysinit", |session| answer(answers::construction(session, all(session)).unwrap())),
        ("check", |session| drop(answers::checks(session, &Selector::All, &[]).unwrap())),
    ];
    for (name, question) in questions {
        costs_grow_as_the_counts_do(name, question, &cores);
    }
}

fn costs_grow_as_the_counts_do(name: &str, question: fn(&Session), cores: &[Vec<u8>; 3]) {
    let [few, more, many] = cores.each_ref().map(|core| cost(core, question));
    // What is the same for any number cancels out, but for what threads look up at once that
    // one of them would have kept for the others.
    let grows = |what: &str, few: u64, more: u64, many: u64| {
        let (first, second) = (more.saturating_sub(few), many.saturating_sub(more));
        assert!(
            second * 10 <= first * 11 + few * 2,
            "{name}: {few}, {more} and {many} {what} for {COUNTS:?} vnets"
        );
    };
    grows("steps", few.steps, more.steps, many.steps);
    grows("bytes", few.bytes, more.bytes, many.bytes);
}

/// An interface with its ties takes some 7,000 bytes, of which there are three for each vnet, one of
/// them the host's. They are read when their turn comes. What is held is where they are, some 300 bytes
/// for each vnet.
#[test]
fn interfaces_are_not_kept() {
    const FEW: usize = 80;
    const MANY: usize = 240;
    let _alone = alone();
    let (_, question) = QUESTIONS.into_iter().find(|(name, _)| *name == "interfaces").unwrap();
    // The pages that threads keep are not made again once all have them.
    let least = |core: &[u8]| [(); 3].map(|()| most_held(core, question)).into_iter().min();
    let [few, many] = [FEW, MANY].map(|vnets| least(&core(&vnets::scenario(vnets))).unwrap());
    let each = many.saturating_sub(few) / (MANY - FEW);
    assert!(each < 3000, "{each} bytes for each of {MANY} vnets");
}

/// What the other test allocates must not be counted.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most bytes at one time, besides what the session keeps of the vnets.
fn most_held(core: &[u8], question: fn(&Session)) -> usize {
    let session = open(core);
    session.vnets().unwrap();
    counted(|| question(&session)).2
}

#[derive(Debug, Clone, Copy)]
struct Cost {
    steps: u64,
    /// Allocated in all.
    bytes: u64,
}

/// The least of three: threads that look up the same thing at once both count it, and pages that threads
/// keep are made once.
fn cost(core: &[u8], question: fn(&Session)) -> Cost {
    let costs = [(); 3].map(|()| {
        let session = open(core);
        let before = session.budget().work_done();
        let ((), bytes, _) = counted(|| question(&session));
        Cost { steps: session.budget().work_done() - before, bytes: bytes as u64 }
    });
    let least = |of: fn(&Cost) -> u64| costs.iter().map(of).min().unwrap();
    Cost { steps: least(|cost| cost.steps), bytes: least(|cost| cost.bytes) }
}

fn open(core: &[u8]) -> Session {
    let kernel = Source::open(KERNEL).unwrap();
    let core = Source::from_vec("vmcore", core.to_vec());
    Session::from_sources(kernel, core).unwrap()
}

fn answer(answer: impl Answer) {
    write_document(&mut io::sink(), &Document::new(&answer)).unwrap();
    for medium in [Medium::People, Medium::Columns, Medium::Lines] {
        let mut out = io::sink();
        let mut page = TextPage::new(&mut out, medium, Style::default());
        answer.lay_out(&mut page).unwrap();
        page.finish().unwrap();
    }
    let problems = answer.problems();
    assert!(problems.is_empty(), "{problems:?}");
    let _ = (answer.remarks(), answer.nothing(), answer.found());
}

fn all(session: &Session) -> Chosen<'_> {
    Chosen::ask(session, &Selector::All).unwrap()
}

fn being_built(vnets: usize) -> String {
    let mut scenario = "cpus = 2\nmemory = \"64M\"\n".to_owned();
    for number in 1..=vnets {
        let _ = write!(
            scenario,
            "[[step]]\ndo = \"process\"\nname = \"p{number}\"\n\
             [[step]]\ndo = \"jail\"\nname = \"j{number}\"\njid = {number}\n\
             stop = \"vnet_pf_init\"\nprocess = \"p{number}\"\n"
        );
    }
    scenario
}

fn core(scenario: &str) -> Vec<u8> {
    let scenario = Scenario::parse(scenario).unwrap();
    let kernel = Kernel::open(Source::open(KERNEL).unwrap(), None).unwrap();
    let mut core = Cursor::new(Vec::new());
    build(&scenario, kernel).unwrap().write(Format::MinidumpV2, &mut core).unwrap();
    core.into_inner()
}
