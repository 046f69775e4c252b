//! Every question that can be asked of a session, in every form that answers have.

use std::io::{self, Cursor};

use vnetkvm::answers::{self, Answer, Chosen, Medium};
use vnetkvm::convert::Form;
use vnetkvm::error::Error;
use vnetkvm::kernel::LinkerSet;
use vnetkvm::render::json::{self, Document};
use vnetkvm::render::page::TextPage;
use vnetkvm::render::table::Style;
use vnetkvm::render::{dot, gdb, report, svg};
use vnetkvm::session::{Names, Selector, Session};
use vnetkvm::value::Limits;

/// Asks everything. Only panics, hangs and memory without end are wrong.
pub fn all(session: &Session) {
    whole(session);
    if let Ok(chosen) = Chosen::ask(session, &Selector::All) {
        of_vnets(session, &chosen);
    }
}

/// What is asked of the dump as a whole.
fn whole(session: &Session) {
    let limits = Limits { elements: 16, ..Limits::default() };
    show(session, Ok(answers::info(session)));
    let _ = answers::messages(session).map(|messages| show(session, Ok(messages)));
    show(session, answers::vnets(session, Some(&mut |_| {}), true));
    show(session, answers::modules(session));
    for set in [LinkerSet::Vnet, LinkerSet::Pcpu] {
        show(session, answers::modspace(session, set));
    }
    show(session, answers::pcpu(session, &answers::pcpu::Which::All, &[], &limits));
    show(session, answers::sysinits(session));
    show(session, answers::jails(session, &Selector::All));
    show(session, answers::locks(session));
    show(session, answers::eventhandlers(session, &[]));
    show(session, answers::threads(session, &Selector::All, true));
    let stacks = answers::backtraces::Which::All;
    show(session, answers::backtraces(session, &stacks, true, &limits));
    if let Ok(Some(recursions)) = answers::recursions(session) {
        show(session, Ok(recursions));
    }
    let shown = answers::sysctls::Show::default();
    show(session, answers::sysctls(session, &Selector::All, &[], shown, &limits));
    show(session, answers::checks(session, &Selector::All, &[]));
    show(session, answers::topology(session, None));
    session.budget().begin_question();
    if let Ok(whatis) = session.whatis(3) {
        let asked = ["vnet0", "&vnet_head", "curvnet", "0xfffff80000001000"];
        let stack = vnetkvm::vnet::Stack::Unchosen;
        let asked = asked.map(|text| answers::whatis::Asked::new(session, stack, text));
        show(session, Ok(answers::whatis(&whatis, &asked)));
    }
}

/// What is asked of vnets.
fn of_vnets(session: &Session, chosen: &Chosen<'_>) {
    let limits = Limits { elements: 16, ..Limits::default() };
    let chosen = || chosen.clone();
    show(session, answers::variables(session, chosen(), &[], &limits));
    // What reads all variables is asked of all once.
    let some = ["if*", "tcb*", "ip_*"].map(str::to_owned);
    show(session, answers::variables_side_by_side(session, chosen(), &some, &limits));
    let some = ["ipstat", "tcpstat"].map(str::to_owned);
    let counters = answers::counters::Question { patterns: &some, types: &[], per_cpu: true };
    show(session, answers::counters(session, chosen(), counters));
    show(session, answers::construction(session, chosen()));
    let interfaces = answers::interfaces::Question { names: &[], long: true };
    show(session, answers::interfaces(session, chosen(), interfaces));
    let sockets = answers::sockets::Question { listening: false, kinds: &[] };
    show(session, answers::sockets(session, chosen(), sockets));
    show(session, answers::routes(session, chosen(), answers::routes::Question::default()));
    show(session, answers::neighbors(session, chosen(), None));
    let diff = answers::diff::Question { patterns: &[], all: false };
    show(session, answers::diff(session, chosen(), answers::diff::Against::Initial, diff));
    let printed = EXPRESSIONS.map(str::to_owned);
    let printed = answers::expressions(session, chosen(), Names::default(), &printed);
    show(session, printed.map(|printed| printed.read(&limits)));
}

const EXPRESSIONS: [&str; 7] = [
    "V_ifnet[*].if_xname",
    "*V_ifnet.cstqh_first",
    "V_ifnet.cstqh_first->if_addrhead[*].ifa_addr->sa_family",
    "tcbinfo.ipi_listhead[*]",
    "*curvnet",
    "allprison[*].pr_name",
    "sum(V_ipstat)",
];

/// What writes documents, and other dumps.
pub fn documents(session: &Session) {
    if let Ok(topology) = answers::topology(session, None) {
        let _ = dot::write(&topology, &mut io::sink());
        let _ = svg::write(&topology, &mut io::sink());
    }
    let _ = report::write(&answers::report(session), report::Style::Html, true, io::sink());
    if let Some(vnet) = session.vnets().ok().and_then(|vnets| vnets.all.first()) {
        session.budget().begin_question();
        if let Ok(script) = answers::gdb(session, vnet, &[]) {
            let _ = gdb::write_script(io::sink(), &script);
        }
    }
    let (form, wanted) = (Form::Minidump, None);
    let question = answers::converted::Question { form, wanted, only_mapped: false, redact: true };
    session.budget().begin_question();
    let _ = answers::convert(session, question, &mut Cursor::new(Vec::new()), &mut |_| {});
}

/// The next question is another one: it has the whole budget. The answer is laid out for people and for
/// programs.
fn show<A: Answer>(session: &Session, answer: Result<A, Error>) {
    match answer {
        Ok(mut answer) => {
            let missed = answer.take_missed();
            missed.iter().for_each(|why| drop(why.story()));
            let _ = json::write_document(io::sink(), &Document::new(&answer));
            let mut page = TextPage::new(io::sink(), Medium::People, Style::default());
            let _ = answer.lay_out(&mut page).and_then(|()| page.finish());
            let _ = (answer.remarks().len(), answer.nothing(), answer.found());
        }
        Err(why) => drop(why.story()),
    }
    session.budget().begin_question();
}
