//! `check`: the verdicts of all checks, or of some.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Answer, Cell, Chosen, Column, Element, Elements, List, Medium, Page, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::{Selector, Session};
use crate::views::checks::{CHECKS, Check, Finding, Findings, Verdict};
use crate::vnet::variables::compile_glob;
use crate::vnet::{Vnet, VnetError, VnetRef};
use crate::walk::Problems;

/// The verdicts of the checks that were made.
#[derive(Debug)]
pub struct Verdicts {
    /// The findings, by check.
    pub findings: Elements<'static, Checked>,
    /// The findings for people: vnets that are as they should be are one line for each check.
    folded: Elements<'static, Checked>,
    counts: BTreeMap<Verdict, usize>,
    /// The number of checks that were made.
    made: usize,
    /// How many have nothing to say of the vnets that were chosen.
    of_others: usize,
    /// How many are about vnets, which the kernel does not have.
    without_vnets: usize,
    problems: Problems,
    remarks: Vec<Remark>,
}

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The name of the check.
    pub name: &'static str,
    /// `ok`, `warning`, `fault` or `unknown`.
    #[serde(serialize_with = "verdict")]
    pub verdict: Verdict,
    /// The vnet that it is about; `None` if it is about none, or about several.
    pub vnet: Option<VnetRef>,
    /// What was found.
    pub message: Box<str>,
    /// The addresses that it is about.
    pub addresses: Vec<VirtAddr>,
}

/// A check that can be asked for.
#[derive(Debug, Clone, Serialize)]
pub struct Offered {
    /// Its name.
    pub name: &'static str,
    /// What holds in a sound kernel.
    pub summary: &'static str,
}

/// The checks that one of these patterns matches, or all of them. If vnets are chosen, findings
/// about other vnets are left out.
///
/// # Errors
/// The kernel is not the dump's, there is no such vnet, a pattern is none, or nobody waits for the
/// answer any more.
pub fn checks(session: &Session, which: &Selector, names: &[String]) -> Result<Verdicts, Error> {
    let wanted = matching(names)?;
    let evidence = session.evidence()?;
    let chosen = match which {
        Selector::Default | Selector::All => None,
        which => Some(Chosen::ask(session, which)?),
    };
    let vnets = chosen.as_ref().map(|chosen| {
        chosen.stacks.iter().filter_map(|stack| stack.vnet()).collect::<Vec<&Vnet>>()
    });
    let mut verdicts = Verdicts::of(chosen);
    let (mut findings, mut folded) = (Vec::new(), Vec::new());
    for check in wanted {
        if !check.applies(&evidence) {
            verdicts.without_vnets += 1;
            continue;
        }
        let (found, problems) = about(check, check.run(&evidence), vnets.as_deref());
        session.go_on()?;
        verdicts.problems.extend(problems);
        if found.is_empty() {
            verdicts.of_others += 1;
            continue;
        }
        verdicts.made += 1;
        if found.iter().all(|checked| checked.verdict == Verdict::Ok) {
            *verdicts.counts.entry(Verdict::Ok).or_default() += 1;
        }
        for checked in found.iter().filter(|checked| checked.verdict != Verdict::Ok) {
            *verdicts.counts.entry(checked.verdict).or_default() += 1;
        }
        folded.extend(fold(check, &found));
        findings.extend(found);
    }
    (verdicts.findings, verdicts.folded) = (findings.into(), folded.into());
    Ok(verdicts)
}

/// The checks that can be asked for, all or those that one of these patterns matches.
///
/// # Errors
/// A pattern is none.
pub fn offered(names: &[String]) -> Result<List<'static, Offered>, Error> {
    let wanted = matching(names)?.into_iter();
    let offered = wanted.map(|Check { name, summary, .. }| Offered { name, summary });
    let columns = vec![Column::left("CHECK"), Column::left("IN A SOUND KERNEL")];
    Ok(List::new(columns, offered.collect::<Vec<_>>()))
}

/// The checks that one of these patterns matches, in the order of all; without patterns all. The
/// wildcards are those of variables.
///
/// # Errors
/// A pattern is none.
pub fn matching(patterns: &[String]) -> Result<Vec<&'static Check>, Error> {
    let globs = patterns.iter().map(|pattern| Ok((pattern, compile_glob(pattern, pattern)?)));
    let globs = globs.collect::<Result<Vec<_>, VnetError>>()?;
    let wanted = |check: &&Check| {
        globs.is_empty()
            || globs.iter().any(|(name, glob)| {
                *name == check.name || glob.as_ref().is_some_and(|glob| glob.is_match(check.name))
            })
    };
    Ok(CHECKS.iter().filter(wanted).collect())
}

/// What was found, about these vnets and what belongs to none, and what could not be read.
fn about(check: &Check, findings: Findings, vnets: Option<&[&Vnet]>) -> (Vec<Checked>, Problems) {
    let covers_all = findings.covers_all();
    let (mut found, problems) = findings.take();
    if let Some(vnets) = vnets {
        found.retain(|finding| {
            finding.vnet.is_none_or(|of| vnets.iter().any(|vnet| vnet.address == of.address))
        });
        let sound = vnets.iter().filter(|vnet| covers_all && found.is_empty() && !vnet.is_freed());
        let sound =
            sound.map(|vnet| Finding::ok("nothing is wrong with it").of(VnetRef::from(*vnet)));
        let sound: Vec<Finding> = sound.collect();
        found.extend(sound);
        found.extend(vnets.iter().filter_map(|vnet| check.of_destroyed(vnet)));
    }
    (found.into_iter().map(|finding| Checked::new(check, finding)).collect(), problems)
}

impl Verdicts {
    fn of(chosen: Option<Chosen<'_>>) -> Self {
        let (problems, remarks) =
            chosen.map(|chosen| (chosen.problems, chosen.remarks)).unwrap_or_default();
        Self {
            findings: Vec::new().into(),
            folded: Vec::new().into(),
            counts: BTreeMap::new(),
            made: 0,
            of_others: 0,
            without_vnets: 0,
            problems,
            remarks,
        }
    }

    /// The number of faults, warnings or unknown findings; of checks that found nothing else for
    /// [`Verdict::Ok`].
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.counts.get(&verdict).copied().unwrap_or(0)
    }

    /// The findings for people that have this verdict.
    pub(super) fn of_verdict(&self, verdict: Verdict) -> Vec<&Checked> {
        let all = self.folded.kept().unwrap_or_default().iter();
        all.filter(|checked| checked.verdict == verdict).collect()
    }

    /// `27 of 30 checks are ok`
    pub(super) fn summary_of_ok(&self) -> String {
        format!("{} of {} checks are ok{}", self.count(Verdict::Ok), self.made, self.left_out())
    }

    /// Why checks were not made: `; 14 others are not about the chosen vnet`.
    fn left_out(&self) -> String {
        let told = |count: usize, one: &str, many: &str| match count {
            0 => String::new(),
            1 => format!("; 1 other {one}"),
            count => format!("; {count} others {many}"),
        };
        told(self.of_others, "is not about the chosen vnet", "are not about the chosen vnet")
            + &told(
                self.without_vnets,
                "does not apply: the kernel has no VIMAGE",
                "do not apply: the kernel has no VIMAGE",
            )
    }

    /// All in a line: `1 fault, 2 warnings, 1 cannot tell; 27 of 30 checks are ok`.
    #[must_use]
    pub fn summary(&self) -> String {
        let counted = |verdict, one: &str, many: &str| match self.count(verdict) {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {many}")),
        };
        let counts = [
            counted(Verdict::Fault, "fault", "faults"),
            counted(Verdict::Warning, "warning", "warnings"),
            counted(Verdict::Unknown, "cannot tell", "cannot tell"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        let (ok, made) = (self.count(Verdict::Ok), self.made);
        let counted = match (ok == made, counts.is_empty()) {
            (true, true) if made == 1 => "the check is ok".to_owned(),
            (true, true) => format!("all {made} checks are ok"),
            _ => format!("{}; {ok} of {made} checks are ok", counts.join(", ")),
        };
        format!("{counted}{}", self.left_out())
    }
}

impl Checked {
    fn new(check: &Check, finding: Finding) -> Self {
        let Finding { verdict, vnet, message, addresses } = finding;
        Self { name: check.name, verdict, vnet, message, addresses }
    }

    /// What was found, for people. Most messages name their addresses already.
    #[must_use]
    pub fn message_with_addresses(&self) -> String {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let others = addresses.filter(|address| !self.message.contains(address));
        let others: Vec<String> = others.collect();
        match others.is_empty() {
            true => self.message.to_string(),
            false => format!("{} ({})", self.message, others.join(", ")),
        }
    }
}

/// For people: one line for all vnets that are as they should be, and one for everything else.
fn fold(check: &Check, found: &[Checked]) -> Vec<Checked> {
    let is_ok = |it: &&Checked| it.verdict == Verdict::Ok && it.vnet.is_some();
    let ok: Vec<&Checked> = found.iter().filter(is_ok).collect();
    let [first, _, ..] = ok[..] else { return found.to_vec() };
    let alike = ok.iter().all(|it| it.message == first.message);
    let message = match alike {
        true => format!("each of {} vnets: {}", ok.len(), first.message),
        false => format!("{} vnets: {}", ok.len(), check.summary),
    };
    let message = message.into();
    let folded = Checked { vnet: None, message, addresses: Vec::new(), ..first.clone() };
    let others = found.iter().filter(|it| !is_ok(it)).cloned();
    std::iter::once(folded).chain(others).collect()
}

fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    verdict.name().serialize(serializer)
}

pub(super) fn columns() -> [Column; 4] {
    [Column::left("VERDICT"), Column::left("CHECK"), Column::left("VNET"), Column::left("FOUND")]
}

impl Answer for Verdicts {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let columns = columns();
        if page.medium() != Medium::People {
            return page.table(&columns, &self.findings);
        }
        page.table(&columns, &self.folded)?;
        page.line(&self.summary())
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn nothing(&self) -> Option<String> {
        match (self.made, self.of_others) {
            (0, 0) => Some("no check applies: the kernel has no VIMAGE".to_owned()),
            (0, 1) => Some("the check is not about the chosen vnet".to_owned()),
            (0, _) => Some("none of these checks is about the chosen vnet".to_owned()),
            _ => None,
        }
    }

    fn found(&self) -> bool {
        self.count(Verdict::Fault) > 0
    }
}

impl Serialize for Verdicts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("checks", &self.findings)?;
        map.end()
    }
}

impl Row for Checked {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        let vnet = self.vnet.map(|vnet| vnet.to_string()).into();
        if medium != Medium::People {
            let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
            let addresses = (!addresses.is_empty()).then(|| addresses.join(",")).into();
            return vec![vec![
                self.verdict.name().into(),
                self.name.into(),
                vnet,
                addresses,
                (&*self.message).into(),
            ]];
        }
        let message = self.message_with_addresses();
        vec![vec![self.verdict.title().into(), self.name.into(), vnet, message.into()]]
    }
}

impl Row for Offered {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![vec![self.name.into(), self.summary.into()]]
    }
}

impl Element for Offered {
    const ARRAY: &'static str = "checks";
}
