//! `info`: what this dump is, whose kernel wrote it, and whether both belong together.

use std::io::Write;

use serde::Serialize;
use vnetkvm::dump::{self, Core};
use vnetkvm::render::json::{Address, Hex, JsonVnetRef};
use vnetkvm::render::sanitize;
use vnetkvm::session::{Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::target::Kinship;
use vnetkvm::views::jails::Jails;
use vnetkvm::views::machine::Machine;

use crate::args::{Cli, Format};
use crate::context;
use crate::exit::Outcome;
use crate::output::{Output, note};
use crate::progress::Bar;

pub fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    let info = match (&cli.input.kernel, &cli.input.core, cli.input.demo) {
        // A dump alone can say which kernel to look for.
        (None, Some(path), false) => {
            let failed = |source| vnetkvm::Error::Dump { path: path.clone(), source };
            let source = Source::open(path).map_err(vnetkvm::Error::from)?;
            let mut bar = Bar::new();
            let core = dump::open_with(source, &mut |progress| bar.show(progress));
            drop(bar);
            let core = core.map_err(failed)?;
            core.warnings.iter().for_each(|warning| note(&format!("warning: {warning}")));
            Info::of_dump(path.display().to_string(), &core)
        }
        _ => Info::of(&context::open(cli)?),
    };
    let mut output = Output::new(&cli.output);
    match output.format() {
        Format::Json => {
            #[derive(Serialize)]
            struct Body {
                info: Info,
            }
            output.document(Body { info })?;
        }
        Format::Jsonl => output.json_line(&info)?,
        Format::Table => write_lines(&mut output, &info, |key, value| format!("{key:<16}{value}"))?,
        Format::Plain => write_lines(&mut output, &info, |key, value| format!("{key}\t{value}"))?,
    }
    output.finish(Outcome::Answered)
}

#[derive(Debug, Serialize)]
struct Info {
    core: CoreInfo,
    /// Null where only a core was given.
    kernel: Option<KernelInfo>,
    host: Option<String>,
    panic: Option<String>,
    cpus: Option<u64>,
    vnets: Option<usize>,
    variables: Option<usize>,
    jails: Option<usize>,
    /// The vnet in which the crashed thread worked, or else vnet0.
    default_vnet: Option<JsonVnetRef>,
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
    pages_cut_off: u64,
    /// Seconds since 1970, from the kernel dump header.
    time: Option<u64>,
    /// The version of the kernel that wrote it, as far as the dump alone tells.
    version: Option<String>,
}

#[derive(Debug, Serialize)]
struct CompressedInfo {
    form: &'static str,
    size: u64,
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
    vimage: bool,
    set_vnet: Option<SetVnet>,
    belongs: Belongs,
}

#[derive(Debug, Serialize)]
struct SetVnet {
    start: Address,
    stop: Address,
    size: u64,
}

/// Whether the kernel is the one that wrote the dump.
#[derive(Debug, Serialize)]
struct Belongs {
    verdict: &'static str,
    why: String,
}

impl Info {
    fn of_dump(path: String, core: &Core) -> Self {
        let header = core.header.as_ref();
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        let version = header.and_then(|header| text(&header.kernel_version));
        Self {
            core: CoreInfo {
                path,
                format: core.format.to_string(),
                arch: core.arch.name(),
                size: core.facts.file_len,
                compressed: core
                    .packed
                    .map(|packed| CompressedInfo { form: packed.packing.name(), size: packed.len }),
                page_size: core.facts.page_size,
                pages: core.facts.pages,
                pages_cut_off: core.facts.pages_cut_off,
                time: header.map(|header| header.time),
                version: version.map(|version| version.trim_end().to_owned()),
            },
            kernel: None,
            host: header.and_then(|header| text(&header.host)),
            panic: header.and_then(|header| text(&header.panic)),
            cpus: None,
            vnets: None,
            variables: None,
            jails: None,
            default_vnet: None,
            default_vnet_title: None,
            warnings: core.warnings.clone(),
        }
    }

    fn of(session: &Session) -> Self {
        let path = session.core_path().display().to_string();
        let mut info = Self::of_dump(path, session.core());
        info.kernel = Some(KernelInfo::of(session));
        info.warnings = session.warnings();
        if matches!(session.target().kinship(), Kinship::Different(_)) {
            // What another kernel's symbols point at is no answer to anything.
            return info;
        }
        let machine = Machine::read(session.target());
        info.core.version = machine.version.or(info.core.version);
        info.host = machine.hostname.or(info.host);
        info.panic = machine.panic.or(info.panic);
        info.cpus = machine.cpus;
        if let Some(kernel) = &mut info.kernel {
            (kernel.ident, kernel.osreldate) = (machine.ident, machine.osreldate);
        }
        info.vnets = session.vnets().ok().map(<[_]>::len);
        info.variables = session.variables(&[]).ok().map(|variables| variables.len());
        info.jails = Jails::read(session.target()).ok().map(|jails| jails.jails.len());
        let default = session.select(&Selector::Default).ok();
        if let Some(vnet) = default.and_then(|vnets| vnets.first().copied().flatten()) {
            info.default_vnet = Some(vnet.into());
            info.default_vnet_title =
                Some(format!("{}, {}", context::title(vnet), context::why_default(vnet)));
        }
        let problems = session.list_problems();
        problems.iter().for_each(|problem| note(&format!("warning: {problem}")));
        info.warnings.extend(problems);
        info
    }
}

impl KernelInfo {
    fn of(session: &Session) -> Self {
        let kernel = session.kernel();
        let path = |elf: &vnetkvm::kernel::ElfFile| elf.source().path().display().to_string();
        let set_vnet = kernel.set_vnet().map(|set| SetVnet {
            start: Address(set.start),
            stop: Address(set.end),
            size: set.end.offset_from(set.start).unwrap_or(0),
        });
        let (verdict, why) = match session.target().kinship() {
            Kinship::Same(why) => ("yes", why),
            Kinship::Different(why) => ("no", why),
            Kinship::Unknown(why) => ("unknown", why),
        };
        Self {
            path: path(kernel.main()),
            debug_file: kernel.debug_file().map(path),
            build_id: kernel.build_id().map(|id| Hex(id).to_string()),
            units: session.types().ok().map(|types| types.unit_count()),
            ident: None,
            osreldate: None,
            vimage: set_vnet.is_some(),
            set_vnet,
            belongs: Belongs { verdict, why: why.clone() },
        }
    }
}

fn write_lines(
    output: &mut Output,
    info: &Info,
    shape: impl Fn(&str, &str) -> String,
) -> anyhow::Result<()> {
    let mut lines: Vec<(&str, String)> = Vec::new();
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
    let cut_off = (core.pages_cut_off > 0).then(|| format!("{} pages", core.pages_cut_off));
    optional("cut off", cut_off);
    optional("version", core.version.clone());
    optional("host", info.host.clone());
    optional("panic", info.panic.clone());
    optional("cpus", info.cpus.map(|cpus| cpus.to_string()));
    if let Some(kernel) = &info.kernel {
        optional("kernel", Some(kernel.path.clone()));
        optional("ident", kernel.ident.clone());
        optional("osreldate", kernel.osreldate.map(|date| date.to_string()));
        optional("build id", kernel.build_id.clone());
        let units = kernel.units.map_or("none".to_owned(), |units| format!("{units} units"));
        let file = kernel.debug_file.as_ref().filter(|file| **file != kernel.path);
        let file = file.map_or(String::new(), |file| format!(" in {file}"));
        optional("debug info", Some(format!("{units}{file}")));
        let belongs = &kernel.belongs;
        optional("belongs", Some(format!("{}: {}", belongs.verdict, belongs.why)));
        let set = kernel
            .set_vnet
            .as_ref()
            .map(|set| format!("{}..{} ({} bytes)", set.start.0, set.stop.0, set.size));
        let none = "no: one network stack, whose variables are ordinary globals".to_owned();
        optional("VIMAGE", Some(if kernel.vimage { "yes".to_owned() } else { none }));
        optional("set_vnet", set);
    }
    optional("variables", info.variables.map(|count| count.to_string()));
    optional("vnets", info.vnets.map(|count| count.to_string()));
    optional("jails", info.jails.map(|count| count.to_string()));
    optional("default vnet", info.default_vnet_title.clone());
    for (key, value) in lines {
        writeln!(output.text(), "{}", shape(key, &sanitize::line(&value)))?;
    }
    Ok(())
}
