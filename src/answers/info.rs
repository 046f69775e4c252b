//! `info`: what a dump is, which kernel wrote it, and whether the two match.

mod core;
mod crashed;
mod kernel;
mod rows;

use std::io;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::chosen::title_of_default;
use super::{Answer, Cell, Column, Elements, Medium, Page, Row};
use crate::dump::Core;
use crate::error::Error;
use crate::session::{Messages, SavecoreInfo, Selector, Session};
use crate::target::KernelMatch;
use crate::views::machine::Machine;
use crate::vnet::{VnetError, VnetRef};
use crate::walk::Problems;

pub use self::core::{
    CompressedInfo, CoreInfo, DirectMapInfo, InfoFileInfo, LiveInfo, MinidumpInfo, PhysicalRange,
};
pub use self::crashed::{CrashedInfo, CrashedJail};
pub use self::kernel::{Belongs, KernelInfo, SetVnet, Unused, Verdict};

/// A description of a dump and its kernel.
#[derive(Debug, Clone, Serialize)]
pub struct Info {
    /// What is known.
    #[serde(rename = "info")]
    pub overview: Overview,
    /// What could not be read, and what is unknown as a result.
    #[serde(skip)]
    pub problems: Problems,
}

/// A dump, its kernel and their machine; `None` means unknown.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The dump.
    pub core: CoreInfo,
    /// What savecore(8) wrote beside the dump.
    pub info_file: Option<InfoFileInfo>,
    /// `None` if no kernel matches the dump.
    pub kernel: Option<KernelInfo>,
    /// The text in place of a kernel.
    #[serde(skip)]
    pub no_kernel: &'static str,
    /// The machine's name.
    pub host: Option<String>,
    /// Why the kernel panicked.
    pub panic: Option<String>,
    /// CPUs in use.
    pub cpus: Option<u64>,
    /// The number of vnets.
    pub vnets: Count,
    /// The number of virtualized variables.
    pub variables: Count,
    /// The number of jails, including the host, without those that are on no list any more.
    pub jails: Count,
    /// How many others are being removed.
    #[serde(skip)]
    pub removed_jails: usize,
    /// The crashing thread's vnet, or else the host's.
    pub default_vnet: Option<VnetRef>,
    /// The same in words, with the reason.
    #[serde(skip)]
    pub default_vnet_title: Option<String>,
    /// The thread that wrote the dump; `None` if none did or the kernel does not record it.
    pub crashed: Option<CrashedInfo>,
    /// What is odd about the files.
    pub warnings: Vec<String>,
}

/// A number of things; null in JSON if it is not exactly known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Exactly this many.
    Exactly(usize),
    /// This many are known; there may be others.
    AtLeast(usize),
    /// What holds them cannot be read at all.
    Unknown,
}

/// What a session's files and memory show.
pub fn info(session: &Session) -> Info {
    let mut overview = of_core(session.core_path(), session.core(), session.warnings());
    overview.core.recount(session.memory().page_size());
    overview.kernel = Some(KernelInfo::of(session));
    let mut problems = Problems::default();
    // Another kernel's symbols point to the wrong places.
    if !matches!(session.target().kernel_match(), KernelMatch::Different(_)) {
        overview.add_machine(Machine::read(session.target()));
        overview.add_counts(session, &mut problems);
        overview.add_vnets(session, &mut problems);
    }
    Info { overview, problems }
}

/// What a dump alone shows, at this path, with what is odd about it; `why` says why there is no
/// session of it and a kernel.
pub fn info_of_dump(core: &Core, path: &Path, warnings: Vec<String>, why: &Error) -> Info {
    let no_kernel = match why {
        Error::NoKernel { .. } => "none found",
        _ => "none that matches the dump",
    };
    let overview = Overview { no_kernel, ..of_core(path, core, warnings) };
    Info { overview, problems: Problems::default() }
}

fn of_core(path: &Path, core: &Core, warnings: Vec<String>) -> Overview {
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
    let host = header.and_then(|header| text(&header.host)).or(told.host);
    Overview {
        core: CoreInfo::of(path, core, version.map(|version| version.trim_end().to_owned())),
        info_file: saved.map(InfoFileInfo::from),
        kernel: None,
        no_kernel: "",
        host,
        panic,
        cpus: None,
        vnets: Count::AtLeast(0),
        variables: Count::AtLeast(0),
        jails: Count::AtLeast(0),
        removed_jails: 0,
        default_vnet: None,
        default_vnet_title: None,
        crashed: None,
        warnings,
    }
}

impl Overview {
    /// The same with the kernel's own time of a crash, if the dump has no header that tells when it
    /// was written, as minidumps have none.
    pub(crate) fn with_time(mut self, session: &Session) -> Self {
        if self.crashed.is_some() {
            self.core.time = self.core.time.or_else(|| session.time());
        }
        self
    }

    /// What the machine recorded itself, which is more reliable than what was written beside the
    /// dump.
    fn add_machine(&mut self, machine: Machine) {
        self.core.version = machine.version.or(self.core.version.take());
        self.host = machine.hostname.or(self.host.take());
        self.panic = machine.panic.or(self.panic.take());
        self.cpus = machine.cpus;
        self.core.memory_pages = self.core.memory_pages.or(machine.physical_pages);
        if let Some(kernel) = &mut self.kernel {
            (kernel.ident, kernel.osreldate) = (machine.ident, machine.osreldate);
        }
    }

    fn add_counts(&mut self, session: &Session, problems: &mut Problems) {
        match session.vnets() {
            Ok(vnets) => {
                problems.extend(vnets.problems.clone());
                self.vnets = Count::new(vnets.all.len(), vnets.problems.is_empty());
            }
            Err(Error::Vnet(VnetError::NoList { because })) => {
                problems.add(*because);
                self.vnets = Count::Unknown;
            }
            // Other reasons are on other lines: no VIMAGE, no types.
            Err(_) => {}
        }
        if let Ok(found) = session.matches(&[]) {
            self.variables = Count::new(found.variables.len(), found.problems.is_empty());
            problems.extend(found.problems);
        }
        if let Ok(jails) = session.jails() {
            self.jails = Count::new(jails.all().len(), jails.count().is_ok());
            let all = session.all_jails().map_or(0, |all| all.all().len());
            self.removed_jails = all.saturating_sub(jails.all().len());
        }
    }

    fn add_vnets(&mut self, session: &Session, problems: &mut Problems) {
        if let Ok(Some(crashed)) = session.crashed_thread() {
            self.crashed = Some(CrashedInfo::new(session, crashed));
            problems.extend(crashed.problems.clone());
        }
        let default = session.select(&Selector::Default).ok();
        if let Some(vnet) = default.and_then(|found| found.stacks.first()?.vnet()) {
            self.default_vnet = Some(vnet.into());
            self.default_vnet_title = Some(title_of_default(session, vnet));
        }
    }
}

impl Count {
    fn new(known: usize, whole: bool) -> Self {
        if whole { Self::Exactly(known) } else { Self::AtLeast(known) }
    }

    /// In words; `None` if nothing is known.
    fn shown(self) -> Option<String> {
        match self {
            Self::Exactly(count) => Some(count.to_string()),
            Self::AtLeast(0) => None,
            Self::Unknown => Some("unknown".to_owned()),
            Self::AtLeast(known) => Some(format!("unknown, at least {known}")),
        }
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let exactly = match self {
            Self::Exactly(count) => Some(count),
            Self::AtLeast(_) | Self::Unknown => None,
        };
        exactly.serialize(serializer)
    }
}

impl Answer for Info {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() == Medium::People {
            let mut rows = self.overview.key_values().into_iter();
            return rows.try_for_each(|(key, value)| {
                page.entry(&format!("{key:<16}"), &value.into(), None)
            });
        }
        let columns = [Column::left("KEY"), Column::left("VALUE")];
        page.table(&columns, &Elements::from(vec![&self.overview]))
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }
}

impl Row for Overview {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let rows = self.key_values().into_iter();
        rows.map(|(key, value)| vec![key.into(), value.into()]).collect()
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::answers::testing::{assert_keys, demo, json, laid_out};

    #[test]
    fn it_tells_of_the_files_and_of_what_is_in_them() {
        let info = info(demo());
        let json = json(&info);
        assert_keys(&json, &["info"]);
        assert_keys(
            &json["info"],
            &[
                "core",
                "info_file",
                "kernel",
                "host",
                "panic",
                "cpus",
                "vnets",
                "variables",
                "jails",
                "default_vnet",
                "crashed",
                "warnings",
            ],
        );
        assert_keys(
            &json["info"]["core"],
            &[
                "path",
                "format",
                "arch",
                "size",
                "compressed",
                "page_size",
                "pages",
                "memory_pages",
                "pages_cut_off",
                "minidump",
                "live",
                "time",
                "version",
            ],
        );
        assert_eq!(json["info"]["vnets"], 3);
        assert_eq!(json["info"]["kernel"]["belongs"]["verdict"], "yes");

        let people = laid_out(&info, Medium::People);
        assert!(people.contains("\nvnets           3\n"), "{people}");
        let columns = laid_out(&info, Medium::Columns);
        assert!(columns.contains("\nvnets\t3\n"), "{columns}");
        let lines = laid_out(&info, Medium::Lines);
        assert!(lines.starts_with(r#"{"core":{"path":"#) && lines.lines().count() == 1, "{lines}");
    }

    #[test]
    fn a_dump_without_a_kernel_says_so() {
        let (session, warnings) = (demo(), vec!["odd".to_owned()]);
        let why = Error::NoKernel { refused: 0, cut_off: 0 };
        let info = info_of_dump(session.core(), Path::new("vmcore.0"), warnings, &why);
        let json = json(&info);
        assert!(json["info"]["kernel"].is_null() && json["info"]["vnets"].is_null(), "{json}");
        assert_eq!(json["info"]["warnings"][0], "odd");
        let columns = laid_out(&info, Medium::Columns);
        assert!(columns.contains("\nkernel\tnone found\n"), "{columns}");
    }

    #[test]
    fn a_count_that_is_not_known_is_null() {
        let json = |count| serde_json::to_string(&count).unwrap();
        assert_eq!((json(Count::Exactly(0)), json(Count::AtLeast(2))), ("0".into(), "null".into()));
        assert_eq!(Count::AtLeast(2).shown().as_deref(), Some("unknown, at least 2"));
        assert_eq!(Count::AtLeast(0).shown(), None);
    }
}
