//! Physical memory as the processor sees it: sparse, byte-addressed.

use std::collections::BTreeMap;

use crate::addr::PhysAddr;

/// The unit of simulated memory, in bytes.
const FRAME: u64 = 4096;

/// The bytes of the machine's physical memory.
///
/// A frame that was never written reads as zeros and takes no memory.
#[derive(Debug, Default)]
pub struct Ram {
    frames: BTreeMap<u64, Box<[u8; FRAME as usize]>>,
}

impl Ram {
    /// Copies the bytes at `at` into `buf`.
    pub fn read(&self, at: PhysAddr, buf: &mut [u8]) {
        for (frame, within, part) in pieces(at, buf.len()) {
            match self.frames.get(&frame) {
                Some(bytes) => {
                    let len = part.len();
                    buf[part].copy_from_slice(&bytes[within..within + len]);
                }
                None => buf[part].fill(0),
            }
        }
    }

    /// Stores `bytes` at `at`.
    pub fn write(&mut self, at: PhysAddr, bytes: &[u8]) {
        for (frame, within, part) in pieces(at, bytes.len()) {
            let len = part.len();
            let to = self.frames.entry(frame).or_insert_with(|| Box::new([0; FRAME as usize]));
            to[within..within + len].copy_from_slice(&bytes[part]);
        }
    }

    /// Was any byte of the frames under the `len` bytes at `at` written? If not, all are zeros.
    pub fn is_touched(&self, at: PhysAddr, len: u64) -> bool {
        let end = at.get().saturating_add(len).div_ceil(FRAME);
        self.frames.range(at.get() / FRAME..end.max(at.get() / FRAME)).next().is_some()
    }
}

/// Splits `len` bytes at `at` at frame boundaries: frame number, offset in the frame, offset in the
/// buffer.
fn pieces(at: PhysAddr, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let here = at.wrapping_add(done as u64);
        let within = here.page_offset(FRAME) as usize;
        let part = done..len.min(done + FRAME as usize - within);
        done = part.end;
        Some((here.get() / FRAME, within, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_cross_frames_and_the_rest_is_zero() {
        let mut ram = Ram::default();
        ram.write(PhysAddr::new(0x1ffe), &[1, 2, 3, 4]);
        let mut back = [9; 6];
        ram.read(PhysAddr::new(0x1ffd), &mut back);
        assert_eq!(back, [0, 1, 2, 3, 4, 0]);
        assert!(ram.is_touched(PhysAddr::new(0x2000), FRAME));
        assert!(!ram.is_touched(PhysAddr::new(0x3000), 1 << 40));
    }
}
