//! `convert`: a dump's memory, written in another form.

use std::io::{Seek, Write};

use super::{Cell, Chosen, Column, Element, List, Medium, Remark, Row};
use crate::convert::{Blocks, Conversion, Form, Progress, Redacted, RedactedZone, Written};
use crate::error::Error;
use crate::session::Session;
use crate::walk::Problems;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The form of the new dump.
    pub form: Form,
    /// The vnets whose blocks it has; `None` for all.
    pub wanted: Option<&'a Chosen<'a>>,
    /// Whether it has only the pages that the kernel would write into a minidump.
    pub only_mapped: bool,
    /// Whether packets, users' data and free memory are zeroed.
    pub redact: bool,
}

/// Writes the session's dump to `out` in another form. `progress` is called while that goes on.
///
/// # Errors
/// The kernel is not the dump's, the form cannot hold the memory, or `out` fails.
pub fn convert(
    session: &Session,
    question: Question<'_>,
    out: &mut (impl Write + Seek),
    progress: &mut dyn FnMut(Progress),
) -> Result<List<'static, Written>, Error> {
    let target = session.matching_target()?;
    let mut conversion = Conversion::new(target, question.form)?;
    if question.only_mapped {
        conversion = conversion.only_mapped()?;
    }
    let mut problems = Problems::default();
    let mut filtered = Vec::new();
    if let Some(wanted) = question.wanted.filter(|wanted| !wanted.all) {
        let vnets = session.vnets()?;
        let kept: Vec<_> = wanted.stacks.iter().filter_map(|stack| stack.vnet()).collect();
        let blocks = Blocks::of_others(target, &vnets.all, &kept);
        problems.extend(vnets.problems.clone());
        filtered = remarks_of(&blocks);
        conversion = conversion.without(blocks.pages)?;
    }
    if question.redact {
        conversion = conversion.redacted()?;
    }
    let mut written = conversion.write(out, progress)?;
    let columns = vec![
        Column::left("FORM"),
        Column::right("PAGES"),
        Column::right("PAGE-SIZE"),
        Column::right("LEFT-OUT"),
        Column::right("UNREACHABLE"),
    ];
    let remarks = filtered.into_iter().chain(remarks(&written)).collect();
    problems.extend(std::mem::take(&mut written.problems));
    if let Some(redacted) = &mut written.redacted {
        problems.extend(std::mem::take(&mut redacted.problems));
    }
    Ok(List { remarks, ..List::new(columns, vec![written]).with_problems(problems) })
}

/// What is left out of other vnets, and what is not.
fn remarks_of(blocks: &Blocks) -> Vec<Remark> {
    let left_out = Remark::Note(format!(
        "the variables of {} other vnets are left out; their jails, interfaces, sockets and \
         routes are not",
        blocks.vnets
    ));
    let kept = blocks.kept.iter().map(|why| {
        Remark::Warning(format!("the variables of another vnet are not left out: {why}"))
    });
    std::iter::once(left_out).chain(kept).collect()
}

fn remarks(written: &Written) -> Vec<Remark> {
    let mut remarks = Vec::new();
    if let Some(start) = written.start {
        remarks.push(Remark::Note(format!(
            "the file begins with physical address {start}; what the dump does not hold is a \
             hole, which reads as zeros"
        )));
    }
    if let Some(threads) = written.threads {
        remarks.push(Remark::Note(format!(
            "the core has {threads} threads; registers that nothing saved are zero in it, and \
             physical addresses and what the dump's header says are lost"
        )));
    }
    if let Some(redacted) = &written.redacted {
        remarks.push(Remark::Note(format!(
            "zeroed: {}, and {} pages that are free or of processes and files",
            zones_of(redacted),
            redacted.pages
        )));
        let rest = "names, addresses and keys that the kernel itself keeps are still in the dump";
        remarks.push(Remark::Note(rest.to_owned()));
    }
    if written.unreachable > 0 {
        remarks.push(Remark::Warning(format!(
            "{} bytes that the kernel had mapped cannot be found in the new dump: a {} dump has no \
             page map, and this one lacks the page tables that lead to them",
            written.unreachable,
            written.form.name()
        )));
    }
    remarks
}

/// `8192 bytes of mbuf_cluster, 4096 of mbuf`.
fn zones_of(redacted: &Redacted) -> String {
    let of = |zone: &RedactedZone| format!("{} bytes of {}", zone.bytes, zone.name);
    let zones: Vec<_> = redacted.zones.iter().filter(|zone| zone.bytes > 0).map(of).collect();
    if zones.is_empty() { "no packets".to_owned() } else { zones.join(", ") }
}

impl Element for Written {
    const ARRAY: &'static str = "converted";
}

impl Row for Written {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        vec![vec![
            self.form.name().into(),
            self.pages.into(),
            self.page_size.into(),
            self.pages_left_out.into(),
            self.unreachable.into(),
        ]]
    }
}
