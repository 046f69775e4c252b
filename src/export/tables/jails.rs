//! `jails`: the jails, including the host.

use super::common::{joined, told};
use crate::answers::jails::Jail;
use crate::answers::{Answer, jails};
use crate::export::column::Kind::{Boolean, Name, Signed, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::{Selector, Session};
use crate::value::Limits;

pub(super) const TABLE: Table = Table {
    name: "jails",
    meaning: "the jails, including the host and those that are being removed",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("jid", Signed, "its number; 0 is the host"),
    column("name", Text, "its full name, with those of its parents"),
    column("address", Unsigned, "the address of its struct prison"),
    column("parent", Signed, "the number of its parent"),
    column("vnet", Unsigned, "the vnet that it lives in, by its number"),
    column("vnet_address", Unsigned, "the same by its address"),
    column("own_vnet", Boolean, "whether that vnet is its own"),
    column("state", Name, "alive, starting, dying or being-removed"),
    column("path", Text, "its root directory"),
    column("hostname", Text, "its host name"),
    column("own_hostname", Boolean, "whether the host name is its own, not its parent's"),
    column("flags", Text, "names of the bits of pr_flags, with commas"),
    column("allow", Text, "what it may do: names of the bits of pr_allow, with commas"),
    column("refs", Signed, "how many things hold it"),
    column("user_refs", Signed, "how many of them keep it alive"),
    column("processes", Unsigned, "the number of its processes"),
    column("held_by", Text, "what keeps a jail that has been removed"),
    column("problems", Text, "what is wrong with it"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let all = jails(session, &Selector::Default)?;
    rows.problems(&all.problems())?;
    all.jails.iter().try_for_each(|jail| add(rows, jail))?;
    Ok(())
}

fn add(rows: &mut Rows<'_, '_>, jail: &Jail) -> std::io::Result<()> {
    rows.row(&|| format!("jail {} ({})", jail.jid, jail.name))
        .add(jail.jid)
        .add(&*jail.name)
        .add(jail.address)
        .add(jail.parent)
        .vnet(jail.vnet)
        .add(jail.own_vnet)
        .add(jail.state)
        .read(&jail.path, |text| (&**text).into())
        .read(&jail.hostname, |text| (&**text).into())
        .read(&jail.own_hostname, |own| (*own).into())
        .read(&jail.flags, |names| joined(",", names).into())
        .read(&jail.allow, |names| joined(",", names).into())
        .read(&jail.references, |count| (*count).into())
        .read(&jail.user_references, |count| (*count).into())
        .add(jail.processes)
        .add(jail.held_by.as_ref().and_then(|held| joined("; ", held.parts())))
        .add(told(&jail.problems))
        .end()
}
