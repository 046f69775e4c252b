//! Minidumps: of a minidump with other pages, or made anew of physical memory.

mod entries;
mod header;
mod version;

pub(super) use header::{image, kernel_addresses};

use std::io::{Seek, Write};
use std::ops::Range;

use super::ConvertError;
use crate::addr::PhysAddr;
use crate::dump::{Core, MinidumpFacts};
use crate::target::Target;
use crate::views::messages::MessageRing;
use crate::writing::minidump::{Copied, Minidump};
use crate::writing::{Memory, stretches};

/// Writes a minidump of `pages`.
///
/// # Errors
/// The kernel is laid out in a way that these dumps cannot say, or `out` fails.
pub(super) fn write(
    target: &Target,
    pages: &dyn Memory,
    out: &mut (impl Write + Seek),
) -> Result<(), ConvertError> {
    let core = target.memory().core();
    match &core.facts.minidump {
        Some(facts) => Ok(copied(core, facts).write(pages, out)?),
        None => anew(target, pages, out),
    }
}

/// All but the bitmap and the pages stays as it is in the file.
fn copied<'a>(core: &'a Core, facts: &'a MinidumpFacts) -> Copied<'a> {
    Copied {
        arch: core.arch,
        page: core.facts.page_size,
        before_bitmap: facts.before_bitmap.bytes(),
        bitmap_len: facts.bitmap_len,
        ranges: facts.ranges.clone(),
        after_bitmap: facts.after_bitmap.bytes(),
    }
}

fn anew(
    target: &Target,
    pages: &dyn Memory,
    out: &mut (impl Write + Seek),
) -> Result<(), ConvertError> {
    let version = version::of(target);
    let header = header::of(target, pages)?;
    let page_map = entries::page_map(target, &header)?;
    let page = target.memory().page_size();
    let messages = Messages::read(target);
    let minidump = Minidump {
        arch: target.arch(),
        page,
        version,
        header,
        message_buffer: &messages.bytes,
        message_size: messages.len,
        ranges: memory(pages),
        page_map,
    };
    let before = target.budget().exhausted();
    minidump.write(pages, out)?;
    match target.budget().exhausted().filter(|_| before.is_none()) {
        Some(why) => Err(why.into()),
        None => Ok(()),
    }
}

/// The kernel's message buffer in whole pages: its struct follows it, in the last one.
struct Messages {
    bytes: Vec<u8>,
    len: u32,
}

impl Messages {
    fn read(target: &Target) -> Self {
        let memory = target.memory();
        let ring = MessageRing::read(target).ok().flatten();
        let place = ring.map(|ring| (ring.start, ring.bytes.len() as u64));
        let Some((start, len)) = place else { return Self { bytes: Vec::new(), len: 0 } };
        let mut bytes = vec![0; len.next_multiple_of(memory.page_size()) as usize];
        memory.read_prefix(start, &mut bytes);
        Self { bytes, len: len as u32 }
    }
}

/// The ranges of memory that the bits number: those of `pages`. The list has room for a few
/// thousand; if there are more, those that are least apart count as one.
fn memory(pages: &dyn Memory) -> Vec<Range<PhysAddr>> {
    const MOST: usize = 8 << 10;
    let mut ranges: Vec<_> = stretches(pages).collect();
    let mut gap = 1_u64 << 16;
    while ranges.len() > MOST {
        ranges.dedup_by(|next, range| {
            let is_near = next.start.get() - range.end.get() <= gap;
            if is_near {
                range.end = next.end;
            }
            is_near
        });
        gap = gap.saturating_mul(2);
    }
    ranges
}
