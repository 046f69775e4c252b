//! A minidump whose head is that of another one.

use std::io::{Seek, Write};
use std::ops::Range;

use super::bitmap::Numbering;
use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::writing::{Memory, Sparse, WriteError, stretches};

/// The parts of an existing minidump, of which only the bitmap and the pages change.
#[derive(Debug)]
pub struct Copied<'a> {
    /// The architecture.
    pub arch: Arch,
    /// The size of a page, in bytes.
    pub page: u64,
    /// The file up to the bitmap.
    pub before_bitmap: &'a [u8],
    /// The length of the bitmap by the header, in bytes.
    pub bitmap_len: u64,
    /// The ranges of memory that it numbers, and the bit of the first page of each; `None` if bit n
    /// is page n.
    pub ranges: Option<Vec<(Range<PhysAddr>, u64)>>,
    /// From the bitmap's end to the first page.
    pub after_bitmap: &'a [u8],
}

impl Copied<'_> {
    /// Writes the dump with those pages of `memory` that the bitmap has bits for.
    ///
    /// # Errors
    /// `memory` or `out` fails.
    pub fn write(
        &self,
        memory: &dyn Memory,
        out: &mut (impl Write + Seek),
    ) -> Result<(), WriteError> {
        let every_page = || {
            let end = self.bitmap_len.saturating_mul(8).saturating_mul(self.page);
            vec![(PhysAddr::new(0)..PhysAddr::new(end), 0)]
        };
        let ranges = self.ranges.clone().unwrap_or_else(every_page);
        let numbering = Numbering::given(ranges, self.page, self.bitmap_len);
        let bitmap = numbering.bitmap(memory, self.arch);
        let mut out = Sparse::new(out, self.page);
        out.padded(self.before_bitmap)?;
        out.padded(&bitmap)?;
        out.padded(self.after_bitmap)?;
        for stretch in stretches(memory) {
            for part in numbering.within(&stretch) {
                out.pages(memory, part)?;
            }
        }
        Ok(out.finish()?)
    }
}
