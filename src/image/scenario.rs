//! Scenarios: a TOML file that says what happened to a kernel before it was dumped.
//!
//! Steps are carried out in the order of the file, because order matters: it
//! decides indices, addresses and what is left behind. docs/scenarios.md
//! explains every key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::image::ImageError;
use crate::image::dump::{DumpFile, Format, HeaderVersion};
use crate::image::literal::{Literal, PerCpu};
use crate::image::machine::Paging;
use crate::image::steps::jails::{DamageStep, ProcessStep, ThreadStep};
use crate::image::steps::network::{BreakStep, EpairStep, InterfaceStep};
use crate::image::steps::overwrite::OverwriteStep;
use crate::image::steps::packets::{ClusterStep, MbufStep, PageStep};
use crate::image::steps::routes::{
    BreakNeighborStep, BreakRouteStep, BringUpStep, NeighborStep, RouteStep,
};
use crate::image::steps::sockets::{HalfOpenStep, SocketEventStep, SocketStep};
use crate::image::steps::stacks::StackStep;
use crate::image::vnet_steps::{
    CountersStep, CurvnetStep, HandlerStep, LockStep, SysctlStep, SysinitStep,
};
use crate::source::Source;

/// A whole scenario. docs/scenarios.md explains its keys.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// The path of the kernel file; `None` if the caller provides one.
    pub kernel: Option<PathBuf>,
    /// The path of the other half of a split kernel: its debug file, or the stripped kernel.
    pub debug: Option<PathBuf>,
    /// The host name of the machine.
    pub hostname: Option<String>,
    /// The ids or the number of the CPUs.
    pub(super) cpus: Cpus,
    /// The size of the physical memory.
    pub(super) memory: Option<Size>,
    /// The dump files to write.
    pub formats: Vec<DumpFile>,
    /// The version of the `info.N` beside each dump; `None` writes none.
    pub info: Option<HeaderVersion>,
    /// The machine, if it is not an ordinary one.
    pub(super) machine: MachineTable,
    /// Lines for the message buffer.
    pub(super) messages: Vec<String>,
    /// The panic message; `None` if the machine was dumped while it ran.
    pub(super) panic: Option<String>,
    /// Values of variables that are not virtualized.
    pub(super) globals: BTreeMap<String, Literal>,
    /// Values for the host's own stack, vnet0.
    pub host: Settings,
    /// What happens, in order.
    #[serde(rename = "step")]
    pub(super) steps: Vec<Step>,
}

/// The machine, if it is not an ordinary one.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MachineTable {
    /// Physical address of the kernel's text, a multiple of 2M (default 2M).
    pub(super) load_address: Option<Size>,
    /// Start of the kernel map.
    pub(super) kernel_map: Option<Size>,
    /// The kind of page tables, where the architecture has several.
    pub(super) paging: Option<Paging>,
    /// 2M and 1G pages (default true).
    pub(super) superpages: Option<bool>,
    /// Overwrite freed memory with 0xdeadc0de.
    pub(super) trash_freed: bool,
}

/// Values of one stack's variables.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// By variable and member path: `"tcbinfo.ipi_count" = 3`.
    pub values: BTreeMap<String, Literal>,
    /// Per-CPU statistics, by the name of the array.
    pub(super) statistics: BTreeMap<String, Statistics>,
}

/// The counters of one statistics array, by the member names of its struct.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub(super) struct Statistics {
    /// The struct that names the counters; default: `struct` and the array's name.
    #[serde(rename = "type")]
    pub(super) type_name: Option<String>,
    #[serde(flatten)]
    pub(super) members: BTreeMap<String, PerCpu>,
}

/// The number of CPUs, or their ids.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    expecting = "CPUs are a number from 1 to 256, or a list of ascending ids below 256: 4, [0, 2]"
)]
pub(super) enum Cpus {
    Count(u32),
    Ids(Vec<u32>),
}

impl Default for Cpus {
    fn default() -> Self {
        Self::Count(1)
    }
}

impl Cpus {
    /// The ids, ascending.
    pub fn ids(&self) -> Vec<u32> {
        match self {
            // Whatever the number, boot refuses more CPUs than kernels support.
            Self::Count(count) => (0..(*count).min(1024)).collect(),
            Self::Ids(ids) => ids.clone(),
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Step {
    /// A jail is created.
    Jail(JailStep),
    /// A jail is removed, and its stack with it.
    Destroy {
        jail: String,
        /// The destructor, or SI_SUB_…, in which it hangs.
        stop: Option<String>,
        /// The process that does it; default: a new one.
        process: Option<String>,
    },
    /// Variables are set, of a jail's stack or (without `jail`) the host's.
    Set {
        jail: Option<String>,
        #[serde(default)]
        values: BTreeMap<String, Literal>,
        #[serde(default)]
        statistics: BTreeMap<String, Statistics>,
    },
    /// A jail is removed, but something may still hold it.
    RemoveJail {
        jail: String,
    },
    /// DPCPU variables of a CPU are set.
    SetCpu {
        cpu: u32,
        values: BTreeMap<String, Literal>,
    },
    /// Something that is no process keeps a credential of a jail.
    Credential {
        jail: String,
    },
    /// A jail becomes what no sound kernel has.
    DamageJail(DamageStep),
    /// A process with one thread starts.
    Process(ProcessStep),
    /// A process gets another thread.
    Thread(ThreadStep),
    /// A process ends.
    Exit {
        process: String,
        /// Its parent has asked for its status.
        #[serde(default)]
        reaped: bool,
    },
    /// An interface is attached.
    Interface(Box<InterfaceStep>),
    /// Both ends of an epair are attached.
    Epair(Box<EpairStep>),
    /// An interface is destroyed, and the other end of an epair with it.
    DestroyInterface {
        interface: String,
    },
    /// A bug of the kernel does something to an interface.
    BreakInterface(BreakStep),
    /// An interface moves to another stack.
    Move {
        interface: String,
        jail: Option<String>,
    },
    /// A constructor of stacks is registered, or deregistered.
    Sysinit(SysinitStep),
    RemoveSysinit {
        name: String,
    },
    /// The same for a destructor.
    Sysuninit(SysinitStep),
    RemoveSysuninit {
        name: String,
    },
    Lock(LockStep),
    Counters(CountersStep),
    EventHandler(HandlerStep),
    RemoveEventHandler {
        tag: String,
    },
    /// An event happens, in a process's thread.
    Event {
        event: String,
        process: String,
    },
    /// A sysctl on a virtualized variable is declared.
    Sysctl(SysctlStep),
    /// A process sets a sysctl.
    SysctlWrite {
        name: String,
        value: Literal,
        process: String,
    },
    /// A process creates a socket.
    Socket(SocketStep),
    /// Something happens to a socket.
    SocketEvent(SocketEventStep),
    /// A connection is half open.
    HalfOpen(HalfOpenStep),
    /// CURVNET_SET and CURVNET_RESTORE.
    Curvnet(CurvnetStep),
    RestoreCurvnet {
        process: String,
    },
    /// A module is loaded.
    Module(ModuleStep),
    /// A module is unloaded, or its place given back.
    Unload {
        module: String,
    },
    /// A route is added.
    Route(RouteStep),
    /// The addresses of an interface come up: their routes, and its own neighbours.
    BringUp(BringUpStep),
    /// A neighbour is added.
    Neighbor(NeighborStep),
    /// A route or a routing table is broken.
    BreakRoute(BreakRouteStep),
    /// A neighbour or a table of neighbours is broken.
    BreakNeighbor(BreakNeighborStep),
    /// A thread gets a kernel stack.
    Stack(StackStep),
    /// Bytes of packets, and memory of processes and files.
    Cluster(ClusterStep),
    Mbuf(MbufStep),
    Page(PageStep),
    /// Memory is overwritten.
    Overwrite(OverwriteStep),
    /// The pages that hold a variable will not be dumped.
    LeaveOut {
        jail: Option<String>,
        variable: String,
    },
}

/// A jail and what its stack is to hold.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JailStep {
    pub(super) name: String,
    pub(super) jid: Option<u64>,
    pub(super) parent: Option<String>,
    /// Its own network stack (default true).
    pub(super) vnet: Option<bool>,
    pub hostname: Option<String>,
    pub(super) path: Option<String>,
    /// What it may do beside what every jail may.
    #[serde(default)]
    pub(super) allow: Vec<String>,
    /// The constructor, or SI_SUB_…, in which the creation of its stack hangs.
    pub(super) stop: Option<String>,
    /// The process that hangs there; default: a new one.
    pub(super) process: Option<String>,
    #[serde(default)]
    pub values: BTreeMap<String, Literal>,
    #[serde(default)]
    pub(super) statistics: BTreeMap<String, Statistics>,
}

/// A module from its file, or only its place in module space.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModuleStep {
    /// Relative to the scenario's own file.
    pub(super) file: Option<PathBuf>,
    /// A boot loader brought it, without the symbols that only a debugger needs.
    #[serde(default)]
    pub(super) preloaded: bool,
    pub(super) name: Option<String>,
    pub(super) size: Option<u64>,
    /// The initial bytes of its variables; the rest is 0.
    #[serde(default)]
    pub(super) initial: Vec<u8>,
}

impl ModuleStep {
    fn describe(&self) -> String {
        let file = self.file.as_deref().and_then(Path::file_name);
        let name = self.name.clone().or_else(|| Some(file?.to_string_lossy().into_owned()));
        format!("module {}", name.unwrap_or_default())
    }
}

impl Step {
    /// A description for messages.
    pub fn describe(&self) -> String {
        match self {
            Self::Jail(jail) => format!("jail {}", jail.name),
            Self::Destroy { jail, .. } => format!("destroy {jail}"),
            Self::Set { jail, .. } => format!("set in {}", jail.as_deref().unwrap_or("the host")),
            Self::SetCpu { cpu, .. } => format!("set on CPU {cpu}"),
            Self::RemoveJail { jail } => format!("remove jail {jail}"),
            Self::Credential { jail } => format!("credential of {jail}"),
            Self::DamageJail(step) => format!("damage jail {}", step.jail),
            Self::Process(step) => format!("process {}", step.name),
            Self::Thread(step) => format!("thread {} of {}", step.name, step.process),
            Self::Exit { process, .. } => format!("exit of {process}"),
            Self::Interface(interface) => format!("interface {}", interface.name),
            Self::Epair(step) => format!("epair {}", step.name),
            Self::DestroyInterface { interface } => format!("destroy {interface}"),
            Self::BreakInterface(step) => format!("break {}", step.interface),
            Self::Module(module) => module.describe(),
            Self::Unload { module } => format!("unload {module}"),
            Self::Move { interface, .. } => format!("move {interface}"),
            Self::Sysinit(step) => format!("sysinit {}", step.name),
            Self::RemoveSysinit { name } => format!("remove sysinit {name}"),
            Self::Sysuninit(step) => format!("sysuninit {}", step.name),
            Self::RemoveSysuninit { name } => format!("remove sysuninit {name}"),
            Self::Lock(step) => format!("lock {}", step.lock),
            Self::Counters(step) => format!("counters {}", step.name),
            Self::EventHandler(step) => format!("event handler {}", step.function),
            Self::RemoveEventHandler { tag } => format!("remove event handler {tag}"),
            Self::Event { event, .. } => format!("event {event}"),
            Self::Sysctl(step) => format!("sysctl {}", step.name),
            Self::SysctlWrite { name, .. } => format!("set sysctl {name}"),
            Self::Socket(step) => format!("socket of {}", step.process),
            Self::SocketEvent(step) => format!("socket event of {}", step.socket),
            Self::HalfOpen(step) => format!("half-open connection of {}", step.process),
            Self::Curvnet(step) => format!("curvnet of {}", step.process),
            Self::RestoreCurvnet { process } => format!("restore curvnet of {process}"),
            Self::Route(step) => format!("route {}", step.to),
            Self::BringUp(step) => format!("bring up {}", step.interface),
            Self::Neighbor(step) => format!("neighbor {}", step.address),
            Self::BreakRoute(step) => format!("break route {}", step.to),
            Self::BreakNeighbor(step) => format!("break neighbor {}", step.address),
            Self::Stack(step) => format!("stack of {}", step.process),
            Self::Cluster(step) => {
                format!("cluster of {}", step.zone.as_deref().unwrap_or("mbuf_cluster"))
            }
            Self::Mbuf(_) => "mbuf".to_owned(),
            Self::Page(_) => "page".to_owned(),
            Self::Overwrite(step) => format!("overwrite {}", step.what),
            Self::LeaveOut { variable, .. } => format!("leave out {variable}"),
        }
    }
}

impl Scenario {
    /// Parses the text of a TOML file.
    ///
    /// # Errors
    /// It is not TOML, or has an unknown key or an invalid value.
    pub fn parse(text: &str) -> Result<Self, ImageError> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let mut scenario = parsed.map_err(|error| ImageError::Scenario(error.to_string()))?;
        if scenario.formats.is_empty() {
            scenario.formats.push(Format::MinidumpV2.into());
        }
        Ok(scenario)
    }

    /// Reads the scenario file at `path`. Relative paths in it are relative to its directory.
    ///
    /// # Errors
    /// The file cannot be read, or is not a scenario.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ImageError> {
        let path = path.as_ref();
        let source = Source::open(path)?;
        let text = std::str::from_utf8(source.bytes())
            .map_err(|error| ImageError::Scenario(format!("it is no text: {error}")))?;
        let mut scenario = Self::parse(text)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let modules = scenario.steps.iter_mut().filter_map(|step| match step {
            Step::Module(module) => module.file.as_mut(),
            _ => None,
        });
        let kernel = [&mut scenario.kernel, &mut scenario.debug].into_iter().flatten();
        kernel.chain(modules).for_each(|file| *file = directory.join(&*file));
        Ok(scenario)
    }
}

/// A size in bytes: a number, or text such as `"64M"` or `"0xfffffe0000000000"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a size is a whole number of bytes, or text: \"64M\", \"2G\""
        )]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => parse_size(&text).map(Self).ok_or_else(|| {
                D::Error::custom(format!("\"{text}\" is no size; write 64M, 2G or 0x200000"))
            }),
        }
    }
}

fn parse_size(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(&hex.replace('_', ""), 16).ok();
    }
    let (digits, shift) = match text.chars().last()? {
        'K' | 'k' => (text.get(..text.len() - 1)?, 10),
        'M' | 'm' => (text.get(..text.len() - 1)?, 20),
        'G' | 'g' => (text.get(..text.len() - 1)?, 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_keep_their_order() {
        let scenario = Scenario::parse(
            r#"
            memory = "64M"
            cpus = [0, 2]
            formats = ["minidump-v1", "full"]
            [[step]]
            do = "jail"
            name = "web01"
            values = { ip_defttl = 42, "tcbinfo.ipi_count" = 3 }
            [step.statistics.ipstat]
            ips_total = [60, 5]
            [[step]]
            do = "destroy"
            jail = "web01"
            "#,
        )
        .unwrap();
        assert_eq!(scenario.memory, Some(Size(64 << 20)));
        assert_eq!(scenario.cpus.ids(), [0, 2]);
        let formats = [Format::MinidumpV1, Format::Full].map(DumpFile::from);
        assert_eq!(scenario.formats, formats);
        let done: Vec<_> = scenario.steps.iter().map(Step::describe).collect();
        assert_eq!(done, ["jail web01", "destroy web01"]);
        let Step::Jail(jail) = &scenario.steps[0] else { panic!() };
        assert_eq!(jail.values["tcbinfo.ipi_count"], Literal::Int(3));
        assert_eq!(jail.statistics["ipstat"].members["ips_total"].values(), [60, 5]);
    }

    #[test]
    fn a_wrong_key_is_named() {
        for (text, wanted) in [
            ("hostnam = \"x\"", "hostnam"),
            ("[[step]]\ndo = \"jail\"\nname = \"x\"\nvalue = {}", "value"),
            ("[[step]]\ndo = \"jial\"", "jial"),
            ("memory = \"many\"", "many"),
            ("memory = -5", "64M"),
            ("cpus = -1", "from 1 to 256"),
        ] {
            let error = Scenario::parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("0xffff_fe00_0000_0000"), Some(0xffff_fe00_0000_0000));
        assert_eq!(parse_size("2g"), Some(2 << 30));
        assert_eq!(parse_size("4096"), Some(4096));
        assert_eq!(parse_size("99999999999999999999"), None);
        assert_eq!(parse_size("18446744073709551615K"), None);
        assert_eq!(parse_size("é"), None);
    }
}
