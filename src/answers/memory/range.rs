//! Ranges of memory that can be read, or that cannot for one reason.

use std::ops::ControlFlow;

use serde::Serialize;

use super::block::{Memory, Run};
use super::stretch::Stretch;
use crate::addr::VirtAddr;
use crate::answers::{Cell, Column, Elements, Medium, Row};
use crate::fault::FaultKind;
use crate::memory::KernelMemory;
use crate::value::model::ValueError;

/// Adjacent memory that can be read, or that cannot for one reason.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Range<'m> {
    /// The first byte.
    pub address: VirtAddr,
    /// Bytes.
    pub length: u64,
    /// The contents.
    #[serde(flatten)]
    pub content: Content<'m>,
}

/// What a range of memory holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Content<'m> {
    /// It can be read.
    Readable {
        /// All of it.
        bytes: Stretch<'m>,
    },
    /// It cannot be read.
    Unreadable(ValueError),
}

/// Adjacent memory that can be read, or that cannot for one reason: one range after the
/// other, each found when its turn comes.
pub fn ranges<'a, 'm>(memory: &'a Memory<'m>) -> Elements<'a, Range<'m>> {
    Elements::made(|f| each(memory, f), |_| ())
}

/// Calls `f` with one range after the other, until that returns false.
fn each<'m>(memory: &Memory<'m>, f: &mut dyn FnMut(&Range<'m>) -> bool) {
    let mut ranges = Ranges { memory: memory.memory, open: None };
    let mut emit = |range: Option<Range<'m>>| match range.is_none_or(|range| f(&range)) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    };
    let flow = memory.try_for_each_run(|address, run| emit(ranges.add(address, run)));
    if flow.is_continue() {
        let _ = emit(ranges.take());
    }
}

/// Joins runs to ranges.
struct Ranges<'m> {
    memory: &'m KernelMemory,
    /// The range that further runs may belong to.
    open: Option<Open>,
}

struct Open {
    address: VirtAddr,
    length: u64,
    /// Why it cannot be read, if it cannot.
    error: Option<(FaultKind, ValueError)>,
}

impl<'m> Ranges<'m> {
    /// Adds a run; the range before it, if that ends here.
    fn add(&mut self, address: VirtAddr, run: Run<'_>) -> Option<Range<'m>> {
        let (length, fault) = match run {
            Run::Bytes(bytes) => (bytes.len() as u64, None),
            Run::Gap(fault, length) => (length, Some(fault)),
        };
        let kind = fault.map(|fault| fault.kind);
        match &mut self.open {
            Some(open) if open.error.as_ref().map(|(kind, _)| *kind) == kind => {
                open.length += length;
                None
            }
            _ => {
                let ended = self.take();
                let error = fault.map(|fault| (fault.kind, fault.clone().into()));
                self.open = Some(Open { address, length, error });
                ended
            }
        }
    }

    fn take(&mut self) -> Option<Range<'m>> {
        let Open { address, length, error } = self.open.take()?;
        let memory = self.memory;
        let content = match error {
            Some((_, why)) => Content::Unreadable(why),
            None => Content::Readable { bytes: Stretch { memory, address, length } },
        };
        Some(Range { address, length, content })
    }
}

pub(super) fn columns() -> [Column; 3] {
    [Column::left("ADDRESS"), Column::right("LENGTH"), Column::left("BYTES")]
}

impl Row for Range<'_> {
    const VARIED: bool = true;

    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let content = match &self.content {
            Content::Readable { bytes } => Cell::Bytes(*bytes),
            Content::Unreadable(why) => Cell::Error(why),
        };
        vec![vec![self.address.into(), self.length.into(), content]]
    }
}
