//! `modules`: the kernel file and the loaded modules.

use super::common::joined;
use crate::answers::modules::LoadedFile;
use crate::answers::{Answer, modules};
use crate::export::column::Kind::{Name, Signed, Text, Unsigned};
use crate::export::column::{Column, column};
use crate::export::rows::Rows;
use crate::export::table::{Fill, Stop, Table};
use crate::session::Session;
use crate::value::Limits;

pub(super) const TABLE: Table = Table {
    name: "modules",
    meaning: "the kernel file and the loaded modules",
    columns: COLUMNS,
    fill: Fill::Session(fill),
};

const COLUMNS: &[Column] = &[
    column("id", Signed, "the number that kldstat(8) shows"),
    column("name", Name, "the name of the file: if_gif.ko"),
    column("path", Text, "where it was loaded from"),
    column("address", Unsigned, "where its image was loaded"),
    column("size", Unsigned, "bytes of its image"),
    column("refs", Signed, "how many modules and users hold it"),
    column("class", Name, "the class of the kernel's linker that loaded it"),
    column(
        "set_vnet_address",
        Unsigned,
        "where its virtualized variables lie, in module space for a module",
    ),
    column("set_vnet_size", Unsigned, "bytes of them"),
    column("set_pcpu_address", Unsigned, "where the masters of its DPCPU variables lie"),
    column("set_pcpu_size", Unsigned, "bytes of them"),
    column("variables", Unsigned, "the number of its virtualized variables"),
    column("types_from", Text, "the file that has their types"),
    column("problems", Text, "what is wrong with it"),
];

fn fill(session: &Session, _: &Limits, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let list = modules(session)?;
    rows.problems(&list.problems())?;
    list.elements.try_for_each(|file| add(rows, file))?;
    Ok(())
}

fn add(rows: &mut Rows<'_, '_>, file: &LoadedFile) -> std::io::Result<()> {
    let (vnet, pcpu) = (file.set_vnet, file.set_pcpu);
    rows.row(&|| file.name.to_string())
        .add(file.id)
        .add(&*file.name)
        .add(&*file.path)
        .add(file.address)
        .add(file.size)
        .add(file.refs)
        .add(file.class.as_deref())
        .add(vnet.map(|set| set.address))
        .add(vnet.map(|set| set.size))
        .add(pcpu.map(|set| set.address))
        .add(pcpu.map(|set| set.size))
        .add(file.variables)
        .add(file.types_from.as_deref())
        .add(joined("; ", &file.problems))
        .end()
}
