//! `threads`: all threads, what each was doing, in which jail and in which vnet.

use super::common::{text, told};
use crate::answers::threads::Thread;
use crate::answers::{Answer, threads};
use crate::export::column::Kind::{Boolean, Name, Signed, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::{Selector, Session};
use crate::value::Limits;

pub(super) const TABLE: Table = Table {
    name: "threads",
    meaning: "all threads: what each was doing, in which jail and in which vnet",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("tid", Signed, "the number of the thread"),
    column("name", Text, "the thread's own name"),
    column("pid", Signed, "the number of its process"),
    column("command", Name, "the name of its process"),
    column("address", Unsigned, "the address of its struct thread"),
    column("process", Unsigned, "the address of its struct proc"),
    column("jid", Signed, "the jail of its credential, by its number; 0 is the host"),
    column("jail", Text, "the same by its name"),
    column("state", Name, "whether it runs, and if not, why"),
    column("wchan", Name, "what it waits for, as ps(1) shows it"),
    column("cpu", Unsigned, "the processor that it runs on"),
    column("last_cpu", Unsigned, "the processor that it ran on last"),
    column("curvnet", Unsigned, "the vnet that it works in, by its number"),
    column(
        "curvnet_address",
        Unsigned,
        "the same by its address; null outside of the network stack",
    ),
    column("curvnet_condition", Name, "what that vnet is if it is not on the list"),
    column("vnet", Unsigned, "its jail's vnet, by its number"),
    column("vnet_address", Unsigned, "the same by its address"),
    column("compared", Name, "how its curvnet compares with that: same, other or none"),
    column("set_by", Name, "the function that set its curvnet; only with VNET_DEBUG"),
    column("dumping", Boolean, "whether it wrote the dump"),
    column("problems", Text, "what is wrong with it"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let all = threads(session, &Selector::Default, true)?;
    rows.problems(&all.problems())?;
    all.threads.iter().try_for_each(|thread| add(rows, thread))?;
    Ok(())
}

fn add(rows: &mut Rows<'_, '_>, thread: &Thread) -> std::io::Result<()> {
    let jail = thread.jail.as_ref().ok().and_then(Option::as_ref);
    rows.row(&|| thread.thread.to_string())
        .add(thread.thread.tid)
        .add(thread.thread.name.as_deref())
        .add(thread.thread.pid)
        .add(thread.thread.command.as_deref())
        .add(thread.thread.address)
        .add(thread.process)
        .read(&thread.jail, |jail| jail.as_ref().map(|jail| jail.jid).into())
        .add(jail.map(|jail| &*jail.name))
        .read(&thread.state, |state| (*state).into())
        .read(&thread.wchan, text)
        .add(thread.cpu)
        .add(thread.last_cpu)
        .read_vnet(&thread.curvnet)
        .add(thread.curvnet_condition)
        .read_vnet(&thread.vnet)
        .add(thread.compared)
        .read(&thread.set_by, text)
        .add(thread.dumping)
        .add(told(&thread.problems))
        .end()
}
