//! `locks`: who holds the locks of the VNET machinery.

use serde::Serialize;
use vnetkvm::render::c;
use vnetkvm::render::json::JsonLock;
use vnetkvm::render::table::{Align, Table};
use vnetkvm::views::locks::LockView;
use vnetkvm::vnet::locks::{Holder, LockKind, LockState};

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::Output;

pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let session = context::open(cli)?;
    let locks = session.locks()?;
    let mut output = Output::new(&cli.output);
    output.problems(&locks.problems);
    let locks = locks.locks;
    output.count_errors(locks.iter().filter(|view| view.lock.state.is_err()).count());
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body<'a> {
                locks: Vec<JsonLock<'a>>,
            }
            output.document(Body { locks: locks.iter().map(JsonLock::from).collect() })?;
        }
        Format::Jsonl => {
            locks.iter().try_for_each(|view| output.json_line(&JsonLock::from(view)))?;
        }
        Format::Table | Format::Plain => output.table(table(&locks))?,
    }
    output.finish(Outcome::of(!locks.is_empty(), "the kernel has none of these locks"))
}

fn table(locks: &[LockView]) -> Table {
    let mut table = Table::new(&[
        ("LOCK", Align::Left),
        ("TYPE", Align::Left),
        ("ADDRESS", Align::Left),
        ("STATE", Align::Left),
        ("WAITING", Align::Left),
        ("OWNER", Align::Left),
        ("MEANING", Align::Left),
    ]);
    for view in locks {
        let address = view.lock.address.map_or("-".to_owned(), |address| address.to_string());
        let (kind, state, waiting) = match &view.lock.state {
            Ok(state) => (kind(state.kind), holder(state), waiting(state)),
            Err(why) => ("-", c::error(why), "-".to_owned()),
        };
        table.row([
            view.lock.name.to_owned(),
            kind.to_owned(),
            address,
            state,
            waiting,
            owner(view),
            view.meaning.to_string(),
        ]);
    }
    table
}

fn kind(kind: LockKind) -> &'static str {
    match kind {
        LockKind::Rwlock => "rwlock",
        LockKind::Sx => "sx",
    }
}

fn holder(state: &LockState) -> String {
    let again = if state.recursed { ", recursed" } else { "" };
    match state.holder {
        Holder::Nobody => "unlocked".to_owned(),
        Holder::Shared { readers } => format!("shared by {readers}"),
        Holder::Exclusive { .. } => format!("exclusive{again}"),
        Holder::Destroyed => "destroyed".to_owned(),
        Holder::NotYet => "not yet".to_owned(),
        Holder::Nonsense => format!("{:#x}?", state.word),
    }
}

fn waiting(state: &LockState) -> String {
    let kinds = [
        (state.shared_waiters, "readers"),
        (state.exclusive_waiters, "writers"),
        (state.spinner, "a spinning writer"),
    ];
    let kinds = kinds.into_iter().filter_map(|(waits, who)| waits.then_some(who));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    if kinds.is_empty() { "-".to_owned() } else { kinds }
}

fn owner(view: &LockView) -> String {
    match (&view.owner, view.lock.state.as_ref().map(|state| state.holder)) {
        (Some(owner), _) => owner.to_string(),
        (None, Ok(Holder::Exclusive { thread })) => {
            format!("{thread}, {}", view.nameless.as_deref().unwrap_or_default())
        }
        _ => "-".to_owned(),
    }
}
