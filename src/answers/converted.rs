//! `convert`: a dump's memory, written in another form.

use std::io::{Seek, Write};

use serde::{Serialize, Serializer};

use super::{Cell, Chosen, Column, Element, List, Medium, Remark, Row};
use crate::addr::PhysAddr;
use crate::convert::{Blocks, Conversion, Form, Progress, Written};
use crate::error::Error;
use crate::session::Session;
use crate::walk::Problems;

/// What was written.
#[derive(Debug, Clone, Serialize)]
pub struct Converted {
    /// Its form: `full`.
    #[serde(serialize_with = "name")]
    pub form: Form,
    /// The size of a page, in bytes.
    pub page_size: u64,
    /// How many pages of memory it holds.
    pub pages: u64,
    /// How many pages of the old dump it does not hold.
    pub pages_left_out: u64,
    /// The physical address of the first byte of a file that does not say it.
    pub start: Option<PhysAddr>,
    /// Bytes that the kernel has mapped and that nobody finds in the new dump.
    pub unreachable: u64,
    /// How many segments an ELF core by virtual addresses has.
    pub segments: Option<u64>,
    /// How many threads a debugger finds in it.
    pub threads: Option<u64>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The form of the new dump.
    pub form: Form,
    /// The vnets whose blocks it has; `None` for all.
    pub wanted: Option<&'a Chosen<'a>>,
    /// Whether it has only the pages that the kernel would write into a minidump.
    pub only_mapped: bool,
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
) -> Result<List<'static, Converted>, Error> {
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
    let written = conversion.write(out, progress)?;
    let columns = vec![
        Column::left("FORM"),
        Column::right("PAGES"),
        Column::right("PAGE-SIZE"),
        Column::right("LEFT-OUT"),
        Column::right("UNREACHABLE"),
    ];
    let remarks = filtered.into_iter().chain(remarks(&written)).collect();
    problems.extend(written.problems);
    let converted = Converted {
        form: written.form,
        page_size: written.page_size,
        pages: written.pages,
        pages_left_out: written.pages_left_out,
        start: written.start,
        unreachable: written.unreachable,
        segments: written.segments,
        threads: written.threads,
    };
    Ok(List { remarks, ..List::new(columns, vec![converted]).with_problems(problems) })
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

fn name<S: Serializer>(form: &Form, serializer: S) -> Result<S::Ok, S::Error> {
    form.name().serialize(serializer)
}

impl Element for Converted {
    const ARRAY: &'static str = "converted";
}

impl Row for Converted {
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
