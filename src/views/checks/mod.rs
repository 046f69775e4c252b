//! Checks: every invariant of the network stacks that a dump can be held to.
//!
//! Each check has a name, and gives a verdict about the kernel, or one about each vnet. What a view
//! already calls out is not worked out again: checks turn call-outs and problems into findings.
//!
//! What they refuse to do: what a dump hides is unknown, never a fault; and what a sound kernel of
//! any release may have is neither a fault nor a warning.

mod evidence;
mod finding;
mod vnet_list;

use crate::walk::Problems;

pub use evidence::{Evidence, Known};
pub use finding::{Finding, Findings, Verdict, judge, judge_value};

/// One invariant.
#[derive(Debug)]
pub struct Check {
    /// What users and scripts call it: `vnet-magic`.
    pub name: &'static str,
    /// What holds in a sound kernel, a sentence without a full stop.
    pub summary: &'static str,
    /// It is about vnets: a kernel without VIMAGE has nothing that it could check.
    needs_vnets: bool,
    run: Run,
}

/// What a check does.
///
/// # Errors
/// What keeps it from finding out anything.
type Run = fn(&Evidence<'_>) -> Result<Findings, crate::walk::Problem>;

/// All checks, in the order in which they are reported.
pub static CHECKS: &[Check] = &[
    Check {
        name: "vnet-list",
        summary: "the links of the list of vnets agree in both directions",
        needs_vnets: true,
        run: vnet_list::links,
    },
    Check {
        name: "vnet-magic",
        summary: "every vnet has the magic of a vnet",
        needs_vnets: true,
        run: vnet_list::magic,
    },
    Check {
        name: "vnet-data-base",
        summary: "vnet_data_base is vnet_data_mem minus the start of the set",
        needs_vnets: true,
        run: vnet_list::data_base,
    },
];

impl Check {
    /// The check of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        CHECKS.iter().find(|check| check.name == name)
    }

    /// What it finds, never nothing, and what could not be read.
    pub fn run(&self, evidence: &Evidence<'_>) -> (Vec<Finding>, Problems) {
        if self.needs_vnets && !evidence.has_vnets() {
            return (vec![Finding::ok("the kernel has no VIMAGE")], Problems::default());
        }
        let (mut found, problems) = match (self.run)(evidence) {
            Ok(findings) => findings.take(),
            Err(problem) => (vec![Finding::unknown(problem.to_string())], problem.into()),
        };
        if found.is_empty() {
            found.push(Finding::ok("there is nothing to check"));
        }
        (found, problems)
    }
}
