//! A dump without packets and without what belongs to processes and files.
//!
//! What is zeroed is where packets are kept, the pages of processes and files, and all pages
//! that the kernel itself would not write into a minidump. The pages stay in the dump. If one of
//! the places is not known for certain, nothing is written.

mod zeros;

use std::ops::Range;

use serde::Serialize;

pub(super) use self::zeros::{Zeroed, Zeros};
use super::ranges::add;
use super::{ConvertError, mapped};
use crate::addr::{PhysAddr, VirtAddr};
use crate::dump::Hints;
use crate::target::Target;
use crate::views::{packets, pages_in_use};
use crate::walk::{Problem, Problems};
use crate::writing::Memory;

/// What a conversion zeroed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Redacted {
    /// The zones that packets are in. Those that the kernel does not use have 0 bytes.
    pub zones: Vec<RedactedZone>,
    /// How many pages are zeroed because they are of processes or files, or free. Those that are left
    /// out are not counted.
    pub pages: u64,
    /// Why kernel stacks or modules may be among these pages.
    #[serde(skip)]
    pub problems: Problems,
}

/// A zone of UMA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedactedZone {
    /// Its name: `mbuf_cluster`.
    pub name: &'static str,
    /// How many bytes of it are zeroed, where items are in use and where they are free.
    pub bytes: u64,
}

/// What is zeroed of `pages`, and what that is.
///
/// # Errors
/// It is not known for certain.
pub(super) fn zeros(
    target: &Target,
    pages: &dyn Memory,
) -> Result<(Zeros, Redacted), ConvertError> {
    if matches!(target.memory().core().hints, Hints::Virtual) {
        let why = "the dump is by virtual addresses, and may have a page several times";
        return Err(ConvertError::Unredacted { why: why.to_owned() });
    }
    let mut said = Redacted::default();
    let mut all = Vec::new();
    for zone in packets::storage(target)? {
        let mut ranges = Vec::new();
        zone.contents(|memory| physical(target, memory, &mut ranges))?;
        let ranges = Zeros::of(ranges);
        said.zones.push(RedactedZone { name: zone.name, bytes: ranges.count(pages) });
        all.extend(ranges.into_ranges());
    }
    let (users, problems) = of_users(target, pages)?;
    let users = Zeros::of(users);
    said.problems = problems;
    said.pages = users.count(pages) / target.memory().page_size();
    all.extend(users.into_ranges());
    Ok((Zeros::of(all), said))
}

/// Adds where `memory` lies in physical memory.
fn physical(
    target: &Target,
    memory: Range<VirtAddr>,
    ranges: &mut Vec<Range<PhysAddr>>,
) -> Result<(), ConvertError> {
    let page = target.memory().page_size();
    let mut at = memory.start;
    while at < memory.end {
        target.budget().work(1)?;
        let phys = target.memory().translate(at);
        let phys = phys.map_err(|why| Problem::unreadable("packets", why.into()))?;
        let len = page - at.page_offset(page);
        let len = len.min(memory.end.offset_from(at).unwrap_or(0));
        add(ranges, phys..phys.wrapping_add(len), target.budget())?;
        at = at.wrapping_add(len);
    }
    Ok(())
}

/// The pages of processes and files, and those that a minidump would not have; and why others may
/// be among them.
fn of_users(
    target: &Target,
    pages: &dyn Memory,
) -> Result<(Vec<Range<PhysAddr>>, Problems), ConvertError> {
    let page = target.memory().page_size();
    let mut ranges = match target.memory().core().hints {
        Hints::PageMap(_) => Vec::new(),
        _ => mapped::others(target, pages).map_err(|why| match why {
            ConvertError::NoBitmap { .. } => ConvertError::Unredacted { why: why.to_string() },
            other => other,
        })?,
    };
    let problems = pages_in_use::of_others(target, |at| -> Result<(), ConvertError> {
        add(&mut ranges, at..at.wrapping_add(page), target.budget())?;
        Ok(())
    })?;
    Ok((ranges, problems))
}

impl From<Problem> for ConvertError {
    fn from(why: Problem) -> Self {
        Self::Unredacted { why: why.to_string() }
    }
}
