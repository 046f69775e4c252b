//! What is known of a dump, as a row.

use serde::{Serialize, Serializer};

use crate::answers::date::utc;
use crate::answers::info::CrashedInfo;
use crate::answers::{Cell, Column, Element, Medium, Row};
use crate::views::checks::Verdict;
use crate::walk::Problems;

/// One dump; `None` means unknown.
#[derive(Debug, Clone, Serialize)]
pub struct Triaged {
    /// The path of the dump.
    pub dump: String,
    /// The machine's name.
    pub host: Option<String>,
    /// When it was written, in seconds since 1970-01-01 UTC.
    pub time: Option<u64>,
    /// The kernel's version.
    pub version: Option<String>,
    /// Why the kernel panicked.
    pub panic: Option<String>,
    /// The thread that wrote the dump, with its jail and vnets.
    pub thread: Option<CrashedInfo>,
    /// The functions that were running outside of the panic, innermost first, at most three.
    pub stack: Vec<String>,
    /// What the checks say.
    pub check: Option<Checked>,
    /// What the crash has in common with equal ones.
    pub signature: Option<String>,
    /// What is odd about the dump and its kernel, as sentences.
    pub warnings: Vec<String>,
    /// What could not be read of it, and is unknown as a result.
    pub problems: Problems,
    /// Why the dump, or a part of it, could not be read.
    pub error: Option<String>,
}

/// The result of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The worst verdict.
    #[serde(serialize_with = "verdict")]
    pub verdict: Verdict,
    /// The first check with that verdict, if it is not ok.
    pub name: Option<&'static str>,
    /// The number of faults.
    pub faults: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// How many findings cannot tell.
    pub unknown: usize,
    /// How many checks found nothing else than that all is well.
    pub ok: usize,
}

fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    verdict.name().serialize(serializer)
}

impl Triaged {
    /// The function that crashed or panicked.
    #[must_use]
    pub fn function(&self) -> Option<&str> {
        self.stack.first().map(String::as_str)
    }

    /// The vnet that the crashing thread worked in, or else its jail's.
    fn vnet(&self) -> Option<String> {
        let thread = self.thread.as_ref()?;
        Some(thread.curvnet.or(thread.vnet)?.to_string())
    }

    fn jail(&self) -> Option<&str> {
        let jail = self.thread.as_ref()?.jail.as_ref()?;
        // Prison 0 is not a jail but the host.
        Some(&*jail.name).filter(|_| jail.jid != 0)
    }

    /// The verdict, and the check that found it.
    fn checked(&self, medium: Medium) -> Option<String> {
        let check = self.check.as_ref()?;
        let verdict = match medium {
            Medium::People => check.verdict.title(),
            Medium::Columns | Medium::Lines => check.verdict.name(),
        };
        Some(match check.name {
            Some(name) => format!("{verdict}: {name}"),
            None => verdict.to_owned(),
        })
    }

    /// The panic message, and what keeps the line from being the whole truth.
    fn told(&self) -> Option<String> {
        let doubt = match (&self.error, self.warnings.first()) {
            (Some(error), _) => Some(format!("error: {error}")),
            (None, warning) => warning.map(|warning| format!("warning: {warning}")),
        };
        match (&self.panic, doubt) {
            (Some(panic), Some(doubt)) => Some(format!("{panic} ({doubt})")),
            (None, doubt) => doubt,
            (panic, None) => panic.clone(),
        }
    }
}

pub(super) fn columns() -> Vec<Column> {
    let titles =
        ["DUMP", "HOST", "TIME", "CHECK", "VNET", "JAIL", "FUNCTION", "SIGNATURE", "PANIC"];
    titles.map(Column::left).into()
}

impl Row for Triaged {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![vec![
            (&*self.dump).into(),
            self.host.as_deref().into(),
            self.time.map(utc).into(),
            self.checked(medium).into(),
            self.vnet().into(),
            self.jail().into(),
            self.function().into(),
            self.signature.as_deref().into(),
            self.told().into(),
        ]]
    }
}

impl Element for Triaged {
    const ARRAY: &'static str = "dumps";

    fn unreadable(&self) -> usize {
        usize::from(self.error.is_some())
    }
}
