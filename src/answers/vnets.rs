//! `vnets`: every virtual network stack.

use std::io;

use serde::Serialize;

use super::{Answer, Cell, Column, Elements, Medium, Page, Remark, Row, progress};
use crate::convert::Progress;
use crate::error::Error;
use crate::session::{Session, Vnets};
use crate::views::hidden::MayHide;
use crate::vnet::list::JailRef;
use crate::vnet::{Condition, Vnet};
use crate::walk::Problems;

/// Every vnet that is known.
#[derive(Debug, Serialize)]
pub struct AllVnets {
    /// Those on the list in order of creation, then the others.
    pub vnets: Vec<FoundVnet>,
    #[serde(skip)]
    problems: Problems,
    /// The table for people has all columns, not only those that fit 80 characters.
    #[serde(skip)]
    wide: bool,
    /// How many bytes of memory were searched for others; `None` without a scan.
    #[serde(skip)]
    searched: Option<u64>,
    /// Why there may be vnets that nothing leads to; empty after a scan for them.
    #[serde(skip)]
    pub may_hide: Vec<MayHide>,
}

/// A vnet, and how far it has come if it is being created or destroyed.
#[derive(Debug, Clone, Serialize)]
pub struct FoundVnet {
    /// The vnet.
    #[serde(flatten)]
    pub vnet: Vnet,
    /// How far its creation or destruction has come; `None` if that is done, or unknown.
    pub progress: Option<progress::Progress>,
}

/// The vnets on the list, and those that something else points at. With `scan`, also those that
/// only a scan of all memory finds; it is told now and then how much has been searched. `wide` shows
/// people all columns.
///
/// # Errors
/// As [`Session::vnets`].
pub fn vnets(
    session: &Session,
    scan: Option<&mut dyn FnMut(Progress)>,
    wide: bool,
) -> Result<AllVnets, Error> {
    let Vnets { all, mut problems, searched, .. } = match scan {
        Some(scan) => session.scan_with(scan)?,
        None => session.vnets()?.clone(),
    };
    let may_hide = match searched {
        Some(_) => Vec::new(),
        None => MayHide::reasons(session.matching_target()?, &session.known_threads()),
    };
    let reader = progress::Reader::new(session);
    let vnets = all.into_iter().map(|vnet| {
        let progress = reader.of(&vnet, &mut problems);
        FoundVnet { vnet, progress }
    });
    Ok(AllVnets { vnets: vnets.collect(), problems, wide, may_hide, searched })
}

impl AllVnets {
    /// Details of vnets that are not on the list, which do not fit in the short table.
    fn lay_out_unlisted(&self, page: &mut impl Page) -> io::Result<()> {
        for FoundVnet { vnet, progress } in self.vnets.iter().filter(|it| !it.vnet.is_listed()) {
            page.title(&format!("{}: {}", vnet.address, state(vnet)))?;
            if let Some(progress) = progress {
                page.line(&format!("  {}", progress.title()))?;
            }
            for found in &vnet.found_by {
                page.line(&format!("  found by {found}"))?;
            }
        }
        Ok(())
    }
}

impl Answer for AllVnets {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let found_by = self.vnets.iter().any(|found| !found.vnet.is_listed());
        if page.medium() != Medium::People || self.wide {
            let wide = self.vnets.iter().map(|found| Wide { found, found_by });
            return page.table(&columns(found_by), &wide.collect::<Vec<_>>().into());
        }
        let short: Vec<Short<'_>> = self.vnets.iter().map(|found| Short(&found.vnet)).collect();
        page.table(&short_columns(), &Elements::from(short))?;
        self.lay_out_unlisted(page)
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn remarks(&self) -> Vec<Remark> {
        let damage = self.vnets.iter().flat_map(|FoundVnet { vnet, .. }| {
            vnet.problems.iter().map(|why| Remark::Warning(format!("{}: {why}", vnet.title())))
        });
        let searched = self.searched.map(|bytes| {
            let megabytes = bytes.div_ceil(1 << 20);
            Remark::Note(format!("searched {megabytes} MB of memory for vnets"))
        });
        searched.into_iter().chain(damage).collect()
    }

    fn nothing(&self) -> Option<String> {
        let none = || "no vnet was found, on the kernel's list or off it".to_owned();
        self.vnets.is_empty().then(none)
    }
}

fn columns(found_by: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::right("VNET"),
        Column::left("ADDRESS"),
        Column::left("STATE"),
        Column::left("SHUTDOWN"),
        Column::right("IFS"),
        Column::right("SOCKETS"),
        Column::left("BLOCK"),
        Column::left("BASE"),
        Column::left("JAILS"),
    ];
    if found_by {
        columns.extend([Column::left("FOUND BY"), Column::left("PROGRESS")]);
    }
    columns
}

/// A vnet by all columns.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
struct Wide<'a> {
    found: &'a FoundVnet,
    /// Whether to show how far it has come and how it was found. This is not needed if all vnets
    /// are on the list.
    #[serde(skip)]
    found_by: bool,
}

impl Row for Wide<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let FoundVnet { vnet, progress } = self.found;
        let shutdown = vnet.shutdown.map(|yes| if yes { "yes" } else { "no" });
        let found_by = Some(&vnet.found_by).filter(|found| !found.is_empty());
        let found_by = self.found_by.then(|| {
            let progress = progress.as_ref().map(progress::Progress::title);
            [found_by.map(|found| found.join("; ")).into(), progress.into()]
        });
        let cells = [
            vnet.index.into(),
            vnet.address.into(),
            state(vnet).into(),
            shutdown.into(),
            vnet.ifcnt.into(),
            vnet.sockcnt.into(),
            vnet.data_mem.into(),
            vnet.data_base.into(),
            jails(vnet).into(),
        ];
        vec![cells.into_iter().chain(found_by.into_iter().flatten()).collect()]
    }
}

/// A vnet by the columns that fit 80 characters.
#[derive(Debug, Clone, Serialize)]
struct Short<'a>(&'a Vnet);

fn short_columns() -> Vec<Column> {
    vec![
        Column::right("VNET"),
        Column::left("STATE"),
        Column::right("IFS"),
        Column::right("SOCKS"),
        Column::left("ADDRESS"),
        Column::left("JAILS"),
    ]
}

impl Row for Short<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let Self(vnet) = self;
        vec![vec![
            vnet.index.into(),
            short_state(vnet).into(),
            vnet.ifcnt.into(),
            vnet.sockcnt.into(),
            vnet.address.into(),
            jails(vnet).into(),
        ]]
    }
}

/// The state without what explains it.
fn short_state(vnet: &Vnet) -> &str {
    match (vnet.condition, &vnet.state) {
        (Some(Condition::Stray), _) => "stray",
        (Some(condition), _) => condition.meaning(),
        (None, _) if vnet.is_freed() => Condition::Freed.meaning(),
        (None, Some(state)) => {
            let short = state.meaning.split([',', '(']).next();
            short.unwrap_or_default().trim_end()
        }
        (None, None) => "-",
    }
}

fn state(vnet: &Vnet) -> String {
    let meaning = match (&vnet.state, vnet.condition) {
        (Some(state), _) => &state.meaning,
        (None, Some(condition)) => condition.meaning(),
        (None, None) if vnet.is_freed() => Condition::Freed.meaning(),
        (None, None) => "-",
    };
    // The subsystem it has reached matters most for a vnet that is not up.
    let name = vnet.state.as_ref().and_then(|state| state.name.as_deref());
    match (vnet.condition, name) {
        (Some(Condition::UnderConstruction | Condition::BeingDestroyed), Some(name)) => {
            format!("{meaning}, {name}")
        }
        _ => meaning.to_owned(),
    }
}

/// The jails by name, or `?` if they are unknown. Prison 0 is not a jail but the host.
fn jails(vnet: &Vnet) -> String {
    let name = |jail: &'_ JailRef| if jail.jid == 0 { "(host)".to_owned() } else { jail.title() };
    let Some(jails) = &vnet.jails else { return "?".to_owned() };
    let names: Vec<String> = jails.iter().map(name).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}
