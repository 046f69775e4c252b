//! The kernel's bitmap of pages for a minidump.
//!
//! `vm_page_dump` points to it. In 12 and before bit n is page n, and `vm_page_dump_size` is its
//! length in bytes (`sys/amd64/amd64/minidump_machdep.c`). Since 13 the bits are numbered through
//! `dump_avail`, and `vm_page_dump_pages` is how many there are (`sys/vm/vm_dumpset.h`).

use std::ops::Range;

use super::super::ConvertError;
use super::super::ranges::add;
use crate::addr::{PhysAddr, VirtAddr};
use crate::target::{Target, TargetError, available};

/// The bitmap in memory, and what its bits stand for.
pub(super) struct Bitmap<'t> {
    target: &'t Target,
    start: VirtAddr,
    /// What a bit stands for, in bytes.
    unit: u64,
    numbered: Numbered,
}

/// Memory by number of its units, and the bit of the first of each range.
type Numbered = Vec<(Range<u64>, u64)>;

impl<'t> Bitmap<'t> {
    /// The bitmap of the kernel of `target`.
    ///
    /// # Errors
    /// The kernel has none, or what describes it cannot be read or makes no sense.
    pub(super) fn read(target: &'t Target) -> Result<Self, ConvertError> {
        let start = number(target, "vm_page_dump", target.arch().pointer_size())?;
        if start == 0 {
            return Err(none("vm_page_dump is a null pointer"));
        }
        let (unit, numbered) = match target.kernel().symbol("vm_page_dump_pages") {
            Some(_) => by_dump_avail(target)?,
            None => {
                let bytes = number(target, "vm_page_dump_size", 4)?;
                if bytes == 0 {
                    return Err(none("vm_page_dump_size is 0"));
                }
                (target.memory().page_size(), vec![(0..bytes * 8, 0)])
            }
        };
        Ok(Self { target, start: VirtAddr::new(start), unit, numbered })
    }

    /// Adds the pages in `memory` of which a bit is set to `kept`. Returns whether there are any.
    ///
    /// # Errors
    /// A word of the bitmap cannot be read.
    pub(super) fn pages_of(
        &self,
        memory: Range<PhysAddr>,
        kept: &mut Vec<Range<PhysAddr>>,
    ) -> Result<bool, ConvertError> {
        let mut is_any = false;
        let of_memory = memory.start.get() / self.unit..memory.end.get().div_ceil(self.unit);
        let first = self.numbered.partition_point(|(units, _)| units.end <= of_memory.start);
        let numbered = self.numbered.iter().skip(first);
        for (units, first) in numbered.take_while(|(units, _)| units.start < of_memory.end) {
            let both = of_memory.start.max(units.start)..of_memory.end.min(units.end);
            let bits = both.clone().map(|unit| unit - units.start + first);
            let (mut word, mut of_word) = (0, None);
            for (unit, bit) in both.zip(bits) {
                if of_word != Some(bit / self.word_bits()) {
                    of_word = Some(bit / self.word_bits());
                    word = self.word(bit / self.word_bits())?;
                }
                if word >> (bit % self.word_bits()) & 1 == 1 {
                    is_any = true;
                    let page = self.target.memory().page_size();
                    let at = PhysAddr::new(unit * self.unit).page_start(page);
                    if kept.last().is_none_or(|last| last.end <= at || at < last.start) {
                        add(kept, at..at.wrapping_add(page), self.target.budget())?;
                    }
                }
            }
        }
        Ok(is_any)
    }

    fn word_bits(&self) -> u64 {
        8 * self.target.arch().pointer_size()
    }

    /// A word, which is a long of the kernel. Little-endian words of other sizes are
    /// numbered the same.
    fn word(&self, number: u64) -> Result<u64, ConvertError> {
        self.target.budget().work(1)?;
        let size = self.target.arch().pointer_size();
        let at = self.start.wrapping_add(number.wrapping_mul(size));
        let word = self.target.memory().uint(at, size as usize);
        word.map_err(|fault| none(format!("its word at {at} cannot be read: {fault}")))
    }
}

/// The size of a unit, and the numbers: those for which the kernel has as many bits as it says.
fn by_dump_avail(target: &Target) -> Result<(u64, Numbered), ConvertError> {
    /// A bit may stand for less than a page: 4 KB where pages have 16 KB (arm64).
    const SMALLEST: u64 = 4096;
    let said = number(target, "vm_page_dump_pages", target.arch().pointer_size())?;
    let slide = target.kernel().slide();
    let read = |at: VirtAddr, bytes: &mut [u8]| {
        target.memory().read(at.wrapping_add(slide), bytes).is_ok()
    };
    let memory = available(target.kernel().linked(), &["dump_avail"], read);
    let memory = memory.map_err(|why| match why {
        TargetError::NoMemoryList { why } => none(why),
        other => none(other.to_string()),
    })?;
    for unit in [target.memory().page_size(), SMALLEST] {
        let mut bits = 0;
        let mut numbered = Vec::with_capacity(memory.len());
        for range in &memory {
            let units = range.start.get() / unit..range.end.get().div_ceil(unit);
            numbered.push((units.clone(), bits));
            bits += units.end - units.start;
        }
        if bits == said {
            return Ok((unit, numbered));
        }
    }
    Err(none(format!("vm_page_dump_pages is {said}, which is not what dump_avail has")))
}

/// The value of a variable of `size` bytes.
fn number(target: &Target, name: &str, size: u64) -> Result<u64, ConvertError> {
    let symbol = target.kernel().symbol(name);
    let at = symbol.ok_or_else(|| none(format!("it has no {name}")))?.address;
    let value = target.memory().uint(at, size as usize);
    value.map_err(|fault| none(format!("{name} cannot be read: {fault}")))
}

pub(super) fn none(why: impl Into<String>) -> ConvertError {
    ConvertError::NoBitmap { why: why.into() }
}
