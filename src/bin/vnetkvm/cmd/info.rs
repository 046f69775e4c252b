//! `info`: what this dump is, whose kernel wrote it, and whether both belong together.

mod date;
mod messages;
mod subject;

use std::path::Path;

use serde::Serialize;
use vnetkvm::addr::VirtAddr;
use vnetkvm::dump::{self, Core};
use vnetkvm::render::json::{Hex, JsonVnetRef};
use vnetkvm::render::table::{Align, Table};
use vnetkvm::session::{Messages, SavecoreInfo, Selector, Session};
use vnetkvm::target::KernelMatch;
use vnetkvm::views::crashed_thread::CrashedThread;
use vnetkvm::views::machine::Machine;

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::hints;
use crate::output::Output;
use crate::say::{hint, warning};
use subject::Subject;

pub fn run(cli: &Cli, dmesg: bool) -> anyhow::Result<Outcome> {
    let subject = Subject::open(cli)?;
    let doubts = match &subject {
        Subject::Session(session) => session.warnings(),
        Subject::Dump(core, path, _) => {
            let doubts = context::dump_warnings(core, path);
            doubts.iter().for_each(|why| warning(why));
            doubts
        }
    };
    if dmesg {
        return messages::write(cli, &subject);
    }
    let mut output = Output::new(&cli.output);
    let info = match &subject {
        Subject::Session(session) => Info::of(session, doubts, &mut output),
        Subject::Dump(core, path, why) => {
            warning(&story(why));
            hints::of_library(why).iter().for_each(|text| hint(text));
            let searched = matches!(why, vnetkvm::Error::NoKernel { .. });
            let no_kernel = if searched { "none found" } else { "none that goes with the dump" };
            Info { no_kernel, ..Info::of_dump(path, core, doubts) }
        }
    };
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body {
                info: Info,
            }
            output.document(Body { info })?;
        }
        Format::Jsonl => output.json_line(&info)?,
        Format::Table => {
            for (key, value) in lines(&info) {
                output.line(&format!("{key:<16}{value}"))?;
            }
        }
        Format::Plain => {
            let mut table = Table::new(&[("KEY", Align::Left), ("VALUE", Align::Left)]);
            lines(&info).into_iter().for_each(|(key, value)| table.row([key.to_owned(), value]));
            output.table(table)?;
        }
    }
    output.finish(Outcome::Answered)
}

/// An error with its cause in one sentence.
fn story(error: &vnetkvm::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[derive(Debug, Serialize)]
struct Info {
    core: CoreInfo,
    /// What savecore(8) wrote beside the dump.
    info_file: Option<InfoFileInfo>,
    /// Null where only a core was given.
    kernel: Option<KernelInfo>,
    /// What is said in the place of a kernel.
    #[serde(skip)]
    no_kernel: &'static str,
    host: Option<String>,
    panic: Option<String>,
    cpus: Option<u64>,
    vnets: Option<usize>,
    /// Of how many it is known where their number is not.
    #[serde(skip)]
    vnets_known: usize,
    #[serde(skip)]
    jails_known: usize,
    #[serde(skip)]
    variables_known: usize,
    variables: Option<usize>,
    jails: Option<usize>,
    /// The vnet in which the crashed thread worked, or else vnet0.
    default_vnet: Option<JsonVnetRef>,
    /// The thread that wrote the dump; null where none did or the kernel does not tell.
    crashed: Option<CrashedInfo>,
    #[serde(skip)]
    default_vnet_title: Option<String>,
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct CoreInfo {
    path: String,
    format: String,
    arch: &'static str,
    size: u64,
    /// Null for a dump that is not compressed.
    compressed: Option<CompressedInfo>,
    page_size: u64,
    pages: u64,
    /// Pages of memory that the machine had.
    memory_pages: Option<u64>,
    pages_cut_off: u64,
    /// What only a minidump tells.
    minidump: Option<MinidumpInfo>,
    /// Seconds since 1970, from the kernel dump header.
    time: Option<u64>,
    /// The version of the kernel that wrote it, as far as the dump alone tells.
    version: Option<String>,
}

#[derive(Debug, Serialize)]
struct MinidumpInfo {
    version: u32,
    kernbase: VirtAddr,
    /// Null on architectures without one.
    direct_map: Option<DirectMapInfo>,
    message_buffer_size: u64,
    bitmap_size: u64,
    page_map_size: u64,
}

#[derive(Debug, Serialize)]
struct DirectMapInfo {
    start: VirtAddr,
    end: VirtAddr,
    /// The physical address at its start.
    physical: String,
}

#[derive(Debug, Serialize)]
struct InfoFileInfo {
    path: String,
    time: Option<String>,
    status: Option<String>,
    dump_size: Option<u64>,
}

#[derive(Debug, Serialize)]
struct CompressedInfo {
    form: &'static str,
    size: u64,
}

#[derive(Debug, Serialize)]
struct CrashedInfo {
    tid: i64,
    name: Option<String>,
    pid: Option<i64>,
    command: Option<String>,
    jail: Option<CrashedJail>,
    /// Null outside of the network stack.
    curvnet: Option<JsonVnetRef>,
    /// Its jail's.
    vnet: Option<JsonVnetRef>,
    #[serde(skip)]
    title: String,
}

#[derive(Debug, Serialize)]
struct CrashedJail {
    jid: i64,
    name: String,
}

#[derive(Debug, Serialize)]
struct KernelInfo {
    path: String,
    debug_file: Option<String>,
    build_id: Option<String>,
    /// Units of debug information; null without any.
    units: Option<usize>,
    ident: Option<String>,
    osreldate: Option<u64>,
    /// Null for a file that may be no kernel.
    vimage: Option<bool>,
    set_vnet: Option<SetVnet>,
    belongs: Belongs,
}

#[derive(Debug, Serialize)]
struct SetVnet {
    start: VirtAddr,
    stop: VirtAddr,
    size: u64,
}

/// Whether the kernel is the one that wrote the dump.
#[derive(Debug, Serialize)]
struct Belongs {
    verdict: &'static str,
    why: String,
}

impl Info {
    fn of_dump(path: &Path, core: &Core, warnings: Vec<String>) -> Self {
        let header = core.header.as_ref();
        let saved = SavecoreInfo::find(path);
        let told = saved.as_ref().map(|saved| saved.info.clone()).unwrap_or_default();
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        let messages = Messages::saved(core);
        let said = |what: fn(&Messages) -> Option<&str>| Some(what(messages.as_ref()?)?.to_owned());
        let version = header.and_then(|header| text(&header.kernel_version));
        let version = version.or_else(|| said(Messages::version)).or(told.version);
        let panic = header.and_then(|header| text(&header.panic));
        let panic = panic.or_else(|| said(Messages::panic)).or(told.panic);
        Self {
            info_file: saved.map(|SavecoreInfo { path, .. }| InfoFileInfo {
                path: path.display().to_string(),
                time: told.time,
                status: told.status,
                dump_size: told.dump_len,
            }),
            core: CoreInfo {
                path: path.display().to_string(),
                format: core.format.to_string(),
                arch: core.arch.name(),
                size: core.facts.file_len,
                compressed: core
                    .packed
                    .map(|packed| CompressedInfo { form: packed.packing.name(), size: packed.len }),
                page_size: core.facts.page_size,
                pages: core.facts.pages,
                memory_pages: core.facts.memory_pages,
                pages_cut_off: core.facts.pages_cut_off,
                minidump: MinidumpInfo::of(core),
                time: header.map(|header| header.time),
                version: version.map(|version| version.trim_end().to_owned()),
            },
            kernel: None,
            no_kernel: "",
            host: header.and_then(|header| text(&header.host)).or(told.host),
            panic,
            cpus: None,
            vnets: None,
            vnets_known: 0,
            jails_known: 0,
            variables_known: 0,
            variables: None,
            jails: None,
            default_vnet: None,
            crashed: None,
            default_vnet_title: None,
            warnings,
        }
    }

    fn of(session: &Session, warnings: Vec<String>, output: &mut Output) -> Self {
        let mut info = Self::of_dump(session.core_path(), session.core(), warnings);
        info.core.recount(session.memory().page_size());
        info.kernel = Some(KernelInfo::of(session));
        if matches!(session.target().kernel_match(), KernelMatch::Different(_)) {
            // What another kernel's symbols point at is no answer to anything.
            return info;
        }
        let machine = Machine::read(session.target());
        info.core.version = machine.version.or(info.core.version);
        info.host = machine.hostname.or(info.host);
        info.panic = machine.panic.or(info.panic);
        info.cpus = machine.cpus;
        info.core.memory_pages = info.core.memory_pages.or(machine.physical_pages);
        if let Some(kernel) = &mut info.kernel {
            (kernel.ident, kernel.osreldate) = (machine.ident, machine.osreldate);
        }
        if let Ok(vnets) = session.vnets() {
            output.problems(&vnets.problems);
            info.vnets = vnets.problems.none().ok().map(|()| vnets.all.len());
            info.vnets_known = vnets.all.len();
        }
        if let Ok(found) = session.matches(&[]) {
            output.problems(&found.problems);
            info.variables = found.problems.none().ok().map(|()| found.variables.len());
            info.variables_known = found.variables.len();
        }
        if let Ok(jails) = session.jails() {
            info.jails = jails.count().ok();
            info.jails_known = jails.jails.len();
        }
        if let Ok(Some(crashed)) = session.crashed_thread() {
            output.problems(&crashed.problems);
            info.crashed = Some(CrashedInfo::new(session, &crashed));
        }
        let default = session.select(&Selector::Default).ok();
        if let Some(vnet) =
            default.and_then(|found| found.stacks.first().and_then(|stack| stack.vnet()))
        {
            info.default_vnet = Some(vnet.into());
            info.default_vnet_title = Some(context::title_of_default(session, vnet));
        }
        info
    }
}

impl CrashedInfo {
    fn new(session: &Session, crashed: &CrashedThread) -> Self {
        let vnet = |at: Option<VirtAddr>| session.vnet(at?);
        let jail_vnet = vnet(crashed.jail_vnet);
        let title = match (crashed.curvnet, jail_vnet) {
            (None, Some(jail_vnet)) => format!("{crashed}; its jail's is {}", jail_vnet.title()),
            _ => crashed.to_string(),
        };
        let thread = crashed.thread.as_ref();
        Self {
            tid: crashed.tid,
            name: thread.and_then(|thread| thread.name.as_deref().map(str::to_owned)),
            pid: thread.and_then(|thread| thread.pid),
            command: thread.and_then(|thread| thread.command.as_deref().map(str::to_owned)),
            jail: crashed
                .jail
                .as_ref()
                .map(|jail| CrashedJail { jid: jail.jid, name: jail.name.to_string() }),
            curvnet: vnet(crashed.curvnet).map(JsonVnetRef::from),
            vnet: jail_vnet.map(JsonVnetRef::from),
            title,
        }
    }
}

impl MinidumpInfo {
    fn of(core: &Core) -> Option<Self> {
        let dump::Format::Minidump { version } = core.format else { return None };
        let facts = core.facts.minidump.as_ref()?;
        let direct_map = facts.direct_map.as_ref().map(|map| DirectMapInfo {
            start: map.range.start,
            end: map.range.end,
            physical: map.phys.to_string(),
        });
        Some(Self {
            version,
            kernbase: facts.kernbase,
            direct_map,
            message_buffer_size: facts.message_buffer.len(),
            bitmap_size: facts.bitmap_len,
            page_map_size: facts.page_map_len,
        })
    }
}

impl CoreInfo {
    /// Counts in pages of this size: a core that does not tell it is counted in small ones.
    fn recount(&mut self, page_size: u64) {
        let all =
            [Some(&mut self.pages), Some(&mut self.pages_cut_off), self.memory_pages.as_mut()];
        for pages in all.into_iter().flatten() {
            *pages = pages.saturating_mul(self.page_size) / page_size.max(1);
        }
        self.page_size = page_size;
    }
}

impl KernelInfo {
    fn of(session: &Session) -> Self {
        let (kernel, file) = (session.kernel(), session.kernel().linked());
        let path = |elf: &vnetkvm::kernel::ElfFile| elf.source().path().display().to_string();
        let set_vnet = kernel.set_vnet().map(|set| SetVnet {
            start: set.start,
            stop: set.end,
            size: set.end.offset_from(set.start).unwrap_or(0),
        });
        let (verdict, why) = match session.target().kernel_match() {
            KernelMatch::Same(why) => ("yes", why),
            KernelMatch::Different(why) => ("no", why),
            KernelMatch::Unknown(why) => ("unknown", why),
        };
        Self {
            path: path(file.main()),
            debug_file: file.debug_file().map(path),
            build_id: file.build_id().map(|id| Hex(id).to_string()),
            units: session.types().ok().map(|types| types.unit_count()),
            ident: None,
            osreldate: None,
            vimage: (set_vnet.is_some() || file.has_kernel_symbols()).then_some(set_vnet.is_some()),
            set_vnet,
            belongs: Belongs { verdict, why: why.clone() },
        }
    }
}

/// How many there are; where that is unknown, how many are known.
fn counted(count: Option<usize>, known: usize) -> Option<String> {
    match count {
        Some(count) => Some(count.to_string()),
        None if known > 0 => Some(format!("unknown, at least {known}")),
        None => None,
    }
}

fn lines(info: &Info) -> Vec<(&'static str, String)> {
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    let core = &info.core;
    lines.push(("core", core.path.clone()));
    let pages = format!("{} pages of {} bytes", core.pages, core.page_size);
    lines.push(("format", format!("{}, {}, {pages}", core.format, core.arch)));
    let mut optional = |key, value: Option<String>| lines.extend(value.map(|value| (key, value)));
    let compressed = core.compressed.as_ref();
    optional(
        "compressed",
        compressed.map(|it| format!("{}, {} bytes of {}", it.form, it.size, core.size)),
    );
    let memory = core.memory_pages.map(|pages| {
        format!(
            "{pages} pages ({} MB) of physical memory",
            pages.saturating_mul(core.page_size) >> 20
        )
    });
    optional("memory", memory);
    if let Some(minidump) = &core.minidump {
        optional("kernbase", Some(minidump.kernbase.to_string()));
        let map = minidump.direct_map.as_ref();
        let map = map.map(|map| format!("{}..{}, physical {}", map.start, map.end, map.physical));
        optional("direct map", Some(map.unwrap_or("none".to_owned())));
        optional("messages", Some(format!("{} bytes", minidump.message_buffer_size)));
    }
    optional("dumped at", core.time.map(date::utc));
    if let Some(saved) = &info.info_file {
        let parts =
            [saved.status.as_ref().map(|status| format!("status {status}")), saved.time.clone()];
        let told: Vec<String> = parts.into_iter().flatten().collect();
        optional("info file", Some(format!("{}: {}", saved.path, told.join(", "))));
    }
    let cut_off = (core.pages_cut_off > 0).then(|| format!("{} pages", core.pages_cut_off));
    optional("cut off", cut_off);
    // The lines that follow tell who built it.
    let first_line = |text: &String| text.lines().next().unwrap_or_default().to_owned();
    optional("version", core.version.as_ref().map(first_line));
    optional("host", info.host.clone());
    optional("panic", info.panic.clone());
    optional("cpus", info.cpus.map(|cpus| cpus.to_string()));
    if info.kernel.is_none() {
        optional("kernel", Some(info.no_kernel.to_owned()));
    }
    if let Some(kernel) = &info.kernel {
        optional("kernel", Some(kernel.path.clone()));
        optional("ident", kernel.ident.clone());
        optional("osreldate", kernel.osreldate.map(|date| date.to_string()));
        optional("build id", kernel.build_id.clone());
        let none = "none: types and jails are unknown, and values are shown as bytes".to_owned();
        let units = kernel.units.map_or(none, |units| format!("{units} units"));
        let file = kernel.debug_file.as_ref().filter(|file| **file != kernel.path);
        let file = file.map_or(String::new(), |file| format!(" in {file}"));
        optional("debug info", Some(format!("{units}{file}")));
        let belongs = &kernel.belongs;
        optional("belongs", Some(format!("{}: {}", belongs.verdict, belongs.why)));
        let set = kernel
            .set_vnet
            .as_ref()
            .map(|set| format!("{}..{} ({} bytes)", set.start, set.stop, set.size));
        let vimage = match kernel.vimage {
            Some(true) => "yes",
            Some(false) => "no: one network stack, whose variables are ordinary globals",
            None => "unknown: the file has none of a kernel's symbols",
        };
        optional("VIMAGE", Some(vimage.to_owned()));
        optional("set_vnet", set);
    }
    optional("variables", counted(info.variables, info.variables_known));
    optional("vnets", counted(info.vnets, info.vnets_known));
    optional("jails", counted(info.jails, info.jails_known));
    optional("crashed", info.crashed.as_ref().map(|crashed| crashed.title.clone()));
    optional("default vnet", info.default_vnet_title.clone());
    lines
}
