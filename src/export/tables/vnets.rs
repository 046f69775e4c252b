//! `vnets`: the virtual network stacks, on the kernel's list and off it.

use super::common::joined;
use crate::answers::{Answer, Progress, vnets};
use crate::export::column::Kind::{Boolean, Name, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::Session;
use crate::value::Limits;
use crate::vnet::{Condition, Vnet, VnetRef};

pub(super) const TABLE: Table = Table {
    name: "vnets",
    meaning: "the virtual network stacks; also those off the kernel's list that something points to",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("vnet", Unsigned, "its number in order of creation; null off the list"),
    column("vnet_address", Unsigned, "the address of its struct vnet"),
    column("is_default", Boolean, "whether it is vnet0, the host's"),
    column("listed", Boolean, "whether it is on the kernel's list"),
    column("condition", Name, "what it is if it is not: under-construction, being-destroyed, …"),
    column("progress", Text, "how far its creation or destruction has come"),
    column("magic", Unsigned, "vnet_magic_n"),
    column("state", Unsigned, "vnet_state; null before 11.0"),
    column("state_name", Name, "its name in the kernel"),
    column("state_meaning", Name, "what it means"),
    column("shutdown", Boolean, "whether vnet_destroy has marked it, in kernels that do"),
    column("ifcnt", Unsigned, "its interfaces, as the kernel counts them"),
    column("sockcnt", Unsigned, "its sockets, as the kernel counts them"),
    column("data_mem", Unsigned, "the address of the block with its variables"),
    column("data_base", Unsigned, "what is added to a master's address to get its copy's"),
    column("problems", Text, "what is wrong with it"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    // One network stack is not virtual, and its absence here is no error.
    if session.kernel().set_vnet().is_none() {
        session.require_match()?;
        return Ok(());
    }
    let all = vnets(session, None, false)?;
    rows.problems(&all.problems())?;
    for found in &all.vnets {
        add(rows, &found.vnet, found.progress.as_ref())?;
    }
    Ok(())
}

fn add(rows: &mut Rows<'_, '_>, vnet: &Vnet, progress: Option<&Progress>) -> std::io::Result<()> {
    let state = vnet.state.as_ref();
    rows.row(&|| vnet.title())
        .vnet(Some(VnetRef::from(vnet)))
        .add(vnet.default)
        .add(vnet.is_listed())
        .add(vnet.condition.map(Condition::name))
        .add(progress.map(Progress::title))
        .add(u64::from(vnet.magic))
        .add(state.map(|state| state.value))
        .add(state.and_then(|state| state.name.as_deref()))
        .add(state.map(|state| &*state.meaning))
        .add(vnet.shutdown)
        .add(vnet.ifcnt)
        .add(vnet.sockcnt)
        .add(vnet.data_mem)
        .add(vnet.data_base)
        .add(joined("; ", &vnet.problems))
        .end()
}
