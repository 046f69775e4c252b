//! Which physical memory exists, and which of it is in use.
//!
//! Frames are allocated from both ends: page tables and objects in the direct map
//! from the bottom, pages of the kernel map from the top downwards. So
//! memory that is contiguous in the kernel map is never contiguous in physical memory,
//! and a reader that forgets to translate every page is caught.
//! A freed frame is not allocated again. A frame is a page of the
//! machine, 4 KB or more.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::addr::PhysAddr;
use crate::image::{ImageError, Memory};

/// The machine's physical memory, as frames.
#[derive(Debug)]
pub struct Frames {
    /// The size of a frame, in bytes.
    size: u64,
    ranges: Vec<Range<u64>>,
    taken: BTreeSet<u64>,
    bottom: u64,
    top: u64,
}

impl Frames {
    /// Memory in `ranges`: byte addresses, ascending, aligned to frames of `size` bytes.
    pub fn new(ranges: &[Range<PhysAddr>], size: u64) -> Self {
        let ranges: Vec<_> =
            ranges.iter().map(|r| r.start.get() / size..r.end.get() / size).collect();
        let bottom = ranges.first().map_or(0, |range| range.start);
        let top = ranges.last().map_or(0, |range| range.end);
        Self { size, ranges, taken: BTreeSet::new(), bottom, top }
    }

    /// The installed memory, ascending: what the kernel calls `dump_avail`.
    pub fn ranges(&self) -> impl Iterator<Item = Range<PhysAddr>> {
        self.ranges.iter().map(|r| self.address(r.start)..self.address(r.end))
    }

    /// Takes all frames that `range` touches, and starts allocations from the bottom above them.
    ///
    /// # Errors
    /// Some of `range` is not installed memory.
    pub fn reserve(&mut self, range: Range<PhysAddr>) -> Result<(), ImageError> {
        let frames = range.start.get() / self.size..range.end.get().div_ceil(self.size);
        if !self.ranges.iter().any(|r| r.start <= frames.start && frames.end <= r.end) {
            let wanted = range.end.get().saturating_sub(range.start.get());
            return Err(ImageError::OutOfMemory { wanted, what: Memory::Physical });
        }
        self.bottom = self.bottom.max(frames.end);
        self.taken.extend(frames);
        Ok(())
    }

    /// Takes the lowest free frame above the reserved ones.
    pub fn take_low(&mut self) -> Result<PhysAddr, ImageError> {
        while self.bottom < self.top {
            let frame = self.bottom;
            self.bottom += 1;
            if self.is_free(frame) {
                return Ok(self.take(frame));
            }
        }
        Err(ImageError::OutOfMemory { wanted: self.size, what: Memory::Physical })
    }

    /// Takes consecutive frames for `bytes` bytes, as low as possible, the first one at a
    /// multiple of `align` bytes.
    pub fn take_low_run(&mut self, bytes: u64, align: u64) -> Result<PhysAddr, ImageError> {
        let none = || ImageError::OutOfMemory { wanted: bytes, what: Memory::Contiguous };
        let count = bytes.div_ceil(self.size).max(1);
        let step = (align / self.size).max(1);
        let mut first = self.bottom.next_multiple_of(step);
        while count <= self.top.saturating_sub(first) {
            match (first..first + count).rev().find(|frame| !self.is_free(*frame)) {
                Some(taken) => first = (taken + 1).next_multiple_of(step),
                None => {
                    self.bottom = first + count;
                    self.taken.extend(first..first + count);
                    return Ok(self.address(first));
                }
            }
        }
        Err(none())
    }

    /// Takes the highest free frame.
    pub fn take_high(&mut self) -> Result<PhysAddr, ImageError> {
        while self.bottom < self.top {
            self.top -= 1;
            let frame = self.top;
            if self.is_free(frame) {
                return Ok(self.take(frame));
            }
        }
        Err(ImageError::OutOfMemory { wanted: self.size, what: Memory::Physical })
    }

    /// Frees a frame. It is no longer in use, so a minidump omits it.
    pub fn give_back(&mut self, at: PhysAddr) {
        self.taken.remove(&(at.get() / self.size));
    }

    /// The frames in use, ascending.
    pub fn taken(&self) -> impl Iterator<Item = PhysAddr> {
        self.taken.iter().map(|frame| self.address(*frame))
    }

    fn take(&mut self, frame: u64) -> PhysAddr {
        self.taken.insert(frame);
        self.address(frame)
    }

    fn address(&self, frame: u64) -> PhysAddr {
        PhysAddr::new(frame * self.size)
    }

    fn is_free(&self, frame: u64) -> bool {
        self.ranges.iter().any(|range| range.contains(&frame)) && !self.taken.contains(&frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: u64 = 4096;

    fn range(frames: Range<u64>) -> Range<PhysAddr> {
        PhysAddr::new(frames.start * FRAME)..PhysAddr::new(frames.end * FRAME)
    }

    #[test]
    fn both_ends_meet_and_holes_are_skipped() {
        let mut frames = Frames::new(&[range(0..2), range(4..6)], FRAME);
        frames.reserve(range(0..1)).unwrap();
        let mut got = vec![frames.take_low().unwrap(), frames.take_low().unwrap()];
        got.push(frames.take_high().unwrap());
        let numbers: Vec<_> = got.iter().map(|at| at.get() / FRAME).collect();
        assert_eq!(numbers, [1, 4, 5]);
        assert!(frames.take_low().is_err() && frames.take_high().is_err());
        assert_eq!(frames.taken().count(), 4);
    }

    #[test]
    fn a_run_of_frames_skips_holes() {
        let mut frames = Frames::new(&[range(0..2), range(4..8)], FRAME);
        assert_eq!(frames.take_low_run(3 * FRAME, 1).unwrap().get(), 4 * FRAME);
        assert!(frames.take_low_run(2 * FRAME, 1).is_err());
        assert_eq!(frames.take_low().unwrap().get(), 7 * FRAME);
    }

    #[test]
    fn a_run_can_be_aligned() {
        let mut frames = Frames::new(&[range(1..16)], FRAME);
        assert_eq!(frames.take_low_run(FRAME, 4 * FRAME).unwrap().get(), 4 * FRAME);
        assert_eq!(frames.take_low_run(2 * FRAME, 1024).unwrap().get(), 5 * FRAME);
    }

    #[test]
    fn a_hole_cannot_be_reserved() {
        let mut frames = Frames::new(&[range(0..2), range(4..6)], FRAME);
        assert!(frames.reserve(range(1..5)).is_err());
    }
}
