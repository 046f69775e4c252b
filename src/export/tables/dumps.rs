//! `dumps`: the dump, its kernel and its crash, in one row.

use crate::answers::info::{Count, Overview};
use crate::answers::triage::Crash;
use crate::answers::{info, info_of_dump, modspace};
use crate::export::column::Kind::{Name, Signed, Text, Time, Unsigned};
use crate::export::column::{Cell, Column, column};
use crate::export::rows::Rows;
use crate::export::subject::Subject;
use crate::export::table::{Fill, Stop, Table};
use crate::kernel::LinkerSet;
use crate::session::Session;

pub(super) const TABLE: Table = Table {
    name: "dumps",
    meaning: "the dump, its kernel and its crash: always one row",
    columns: COLUMNS,
    fill: Fill::Dump(fill),
};

const COLUMNS: &[Column] = &[
    column("path", Text, "the file of the dump, as it was named"),
    column("size", Unsigned, "bytes of the dump, uncompressed"),
    column("format", Name, "the format of the dump, in words"),
    column("architecture", Name, "as FreeBSD calls it: amd64, aarch64, …"),
    column("time", Time, "when the machine crashed"),
    column("panic", Text, "the panic message"),
    column("version", Text, "the version of the kernel, its first line"),
    column("ident", Name, "the name of the kernel's configuration: GENERIC"),
    column("osreldate", Unsigned, "__FreeBSD_version: 1201000 is 12.1"),
    column("build_id", Name, "the build-id of the kernel's file, in hexadecimal"),
    column("belongs", Name, "whether that kernel wrote the dump: yes, no or unknown"),
    column("cpus", Unsigned, "CPUs in use"),
    column("vnets", Unsigned, "the number of vnets"),
    column("jails", Unsigned, "the number of jails, including the host"),
    column("variables", Unsigned, "the number of virtualized variables"),
    column("modspace_size", Unsigned, "bytes of module space, for modules' virtualized variables"),
    column("modspace_used", Unsigned, "how many of them modules hold"),
    column("modspace_free", Unsigned, "how many of them are free"),
    column("signature", Name, "what equal crashes have in common, in hexadecimal"),
    column("crash_function", Name, "the function that crashed or panicked"),
    column("crash_stack", Text, "up to three functions that ran, innermost first, with commas"),
    column("crash_tid", Signed, "the number of the thread that crashed"),
    column("crash_process", Name, "the name of its process"),
    column("crash_vnet", Unsigned, "the vnet that it worked in, by its number"),
    column(
        "crash_vnet_address",
        Unsigned,
        "the same by its address; null outside of the network stack",
    ),
    column("crash_jail", Name, "the name of its jail"),
];

fn fill(subject: Subject<'_>, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    match subject {
        Subject::Session(session) => of_session(session, rows)?,
        Subject::Dump { core, path, why } => {
            let overview = info_of_dump(core, path, Vec::new(), why).overview;
            let crash = Crash::of_message(overview.panic.as_deref());
            add(rows, &overview, crash, [const { Cell::Null }; 3])?;
        }
        Subject::Unreadable { path, .. } => {
            let unknown = (1..COLUMNS.len()).map(|_| Cell::Null);
            rows.row(&|| path.display().to_string())
                .add(path.display().to_string())
                .add_all(unknown)
                .end()?;
        }
    }
    Ok(())
}

fn of_session(session: &Session, rows: &mut Rows<'_, '_>) -> Result<(), Stop> {
    let info = info(session);
    let overview = info.overview.with_time(session);
    let mut problems = info.problems.clone();
    let mut crash = Crash::of_message(overview.panic.as_deref());
    match Crash::of_session(session, overview.panic.as_deref(), &mut problems) {
        Ok(found) => crash = found,
        Err(why) => rows.failed(&why.story())?,
    }
    rows.problems(&problems)?;
    let mut space = [const { Cell::Null }; 3];
    // A kernel without VIMAGE has none, and that is no error.
    if session.kernel().set_vnet().is_some() {
        match modspace(session, LinkerSet::Vnet) {
            Ok(map) => {
                let arena = map.modspace;
                space = [arena.size.into(), arena.used.into(), arena.free.into()];
            }
            Err(why) => rows.failed(&why.story())?,
        }
    }
    Ok(add(rows, &overview, crash, space)?)
}

fn add(
    rows: &mut Rows<'_, '_>,
    overview: &Overview,
    crash: Crash,
    space: [Cell<'_>; 3],
) -> std::io::Result<()> {
    let (core, kernel) = (&overview.core, overview.kernel.as_ref());
    let crashed = overview.crashed.as_ref();
    let version = core.version.as_ref().and_then(|version| version.lines().next());
    let stack = (!crash.stack.is_empty()).then(|| crash.stack.join(","));
    rows.row(&|| core.path.clone())
        .add(&*core.path)
        .add(core.size)
        .add(&*core.format)
        .add(core.arch)
        .add(core.time.map(Cell::Time))
        .add(overview.panic.as_deref())
        .add(version)
        .add(kernel.and_then(|kernel| kernel.ident.as_deref()))
        .add(kernel.and_then(|kernel| kernel.osreldate))
        .add(kernel.and_then(|kernel| kernel.build_id.as_deref()))
        .add(kernel.map(|kernel| kernel.belongs.verdict.to_string()))
        .add(overview.cpus)
        .add(exactly(overview.vnets))
        .add(exactly(overview.jails))
        .add(exactly(overview.variables))
        .add_all(space)
        .add(crash.signature)
        .add(crash.stack.first().map(String::as_str))
        .add(stack)
        .add(crashed.map(|thread| thread.tid))
        .add(crashed.and_then(|thread| thread.command.as_deref()))
        .vnet(crashed.and_then(|thread| thread.curvnet))
        .add(crashed.and_then(|thread| Some(&*thread.jail.as_ref()?.name)))
        .end()
}

/// Without a session, nothing is counted.
fn exactly(count: Count) -> Option<usize> {
    match count {
        Count::Exactly(count) => Some(count),
        Count::AtLeast(_) | Count::Unknown => None,
    }
}
