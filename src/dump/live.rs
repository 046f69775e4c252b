//! The memory of a machine that is running, read from a device.
//!
//! A device has registers of hardware too, and reading some of them changes them. So nothing is
//! read but what the caller names as memory, by pieces of a page that lie within it. Nothing is
//! kept: each read asks the device anew. A page that the device refuses is a fault of its own.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::segment::Segment;
use super::{Clues, Core, Facts, Format, Hints, PhysFault, PhysFaultKind, PhysicalMemory};
use crate::addr::{FileOffset, PhysAddr};
use crate::arch::Arch;
use crate::source::Source;

/// No machine has smaller pages. What is read at once is never of two times.
const PAGE: u64 = 4096;

/// Opens the device `source` as the memory of a running machine by the virtual addresses of its
/// kernel (`/dev/kmem`). The device knows what is mapped; nothing else is asked of it.
pub fn open_kernel_memory(source: Arc<Source>, arch: Arch) -> Core {
    Core {
        format: Format::LiveVirtual,
        arch,
        hints: Hints::Virtual,
        clues: Clues::default(),
        header: None,
        packed: None,
        facts: Facts {
            file_len: 0,
            page_size: PAGE,
            pages: 0,
            memory_pages: None,
            pages_cut_off: 0,
            minidump: None,
        },
        warnings: Vec::new(),
        memory: Box::new(ByVirtualAddress(source)),
    }
}

/// A device whose offsets are addresses of the kernel. Where it has memory is not known, so its
/// memory cannot be listed or searched.
struct ByVirtualAddress(Arc<Source>);

impl PhysicalMemory for ByVirtualAddress {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        let all = Segment { start: 0, len: u64::MAX, offset: 0 };
        read(&self.0, all, at, buf)
    }

    fn next(&self, _: PhysAddr) -> Option<Range<PhysAddr>> {
        None
    }
}

/// Fills `buf` with the memory at `at`, all of it in `segment`, page by page.
pub(super) fn read(
    source: &Source,
    segment: Segment,
    at: PhysAddr,
    buf: &mut [u8],
) -> Result<(), PhysFault> {
    let (mut at, mut rest) = (at, buf);
    while !rest.is_empty() {
        let within = at.get().wrapping_sub(segment.start);
        let offset = segment.offset.wrapping_add(within);
        let first = (offset - offset % PAGE).max(segment.offset);
        let left = PAGE - first % PAGE;
        let len = left.min(segment.len - (first - segment.offset));
        let before = (offset - first) as usize;
        let wanted = rest.len().min((len as usize).saturating_sub(before));
        let (part, further) = rest.split_at_mut(wanted);
        let mut page = [0; PAGE as usize];
        let (read, end) = fill(source, first, page.get_mut(..len as usize).unwrap_or_default());
        let held = page.get(before..read.max(before)).unwrap_or_default();
        let held = &held[..held.len().min(part.len())];
        part[..held.len()].copy_from_slice(held);
        if held.len() < part.len() || part.is_empty() {
            return Err(PhysFault { at: at.wrapping_add(held.len() as u64), kind: end });
        }
        at = at.wrapping_add(part.len() as u64);
        rest = further;
    }
    Ok(())
}

/// Reads at `offset` as far as the device lets: how many bytes, and what ended it.
fn fill(source: &Source, offset: u64, page: &mut [u8]) -> (usize, PhysFaultKind) {
    let mut len = 0;
    while len < page.len() {
        let at = FileOffset::new(offset.wrapping_add(len as u64));
        match source.read_at(at, &mut page[len..]) {
            Ok(0) => break,
            // A device of another program may say that it read more than there is room for.
            Ok(read) => len = (len + read).min(page.len()),
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => {
                let refused = why.raw_os_error().map(PhysFaultKind::Refused);
                return (len, refused.unwrap_or(PhysFaultKind::NotMemory));
            }
        }
    }
    (len, PhysFaultKind::NotMemory)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::source::Device;

    /// Bytes that are the low bytes of their page numbers, without the pages 3 and 5, and what was
    /// asked for.
    #[derive(Debug, Default)]
    struct Pages(Asked);

    /// The offset and length of each read.
    type Asked = Arc<Mutex<Vec<(u64, usize)>>>;

    const EFAULT: i32 = 14;

    impl Device for Pages {
        fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push((offset, buf.len()));
            match offset / PAGE {
                3 => Err(io::Error::from_raw_os_error(EFAULT)),
                5 => Ok(0),
                page => {
                    // A short read, unless few bytes are asked for.
                    let len = buf.len().min(3000);
                    buf[..len].fill(page as u8);
                    Ok(len)
                }
            }
        }
    }

    fn pages() -> (Source, Asked) {
        let asked = Asked::default();
        (Source::from_device("mem", Pages(Arc::clone(&asked))), asked)
    }

    #[test]
    fn whole_pages_are_read_and_no_byte_around_a_segment() {
        let (source, asked) = pages();
        let segment = Segment { start: 0x10_0800, len: 0x1f00, offset: 0x1800 };
        let mut buf = [0; 0x1000];
        read(&source, segment, PhysAddr::new(0x10_0c00), &mut buf).unwrap();
        assert_eq!((buf[0x3ff], buf[0x400]), (1, 2), "{:?}", asked.lock().unwrap());
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked, [(0x1800, 0x800), (0x2000, 0x1000), (0x2000 + 3000, 0x1000 - 3000)]);
    }

    #[test]
    fn a_page_that_cannot_be_read_is_a_fault_of_its_own() {
        let (source, _) = pages();
        let all = Segment { start: 0, len: 0x10_0000, offset: 0 };
        let mut buf = [0xff; 0x2000];
        let fault = read(&source, all, PhysAddr::new(0x2800), &mut buf).unwrap_err();
        assert_eq!(
            fault,
            PhysFault { at: PhysAddr::new(0x3000), kind: PhysFaultKind::Refused(14) }
        );
        assert_eq!((buf[0x7ff], buf[0x800]), (2, 0xff), "what comes before it is there");
        let fault = read(&source, all, PhysAddr::new(0x5008), &mut buf[..8]).unwrap_err();
        assert_eq!(fault, PhysFault { at: PhysAddr::new(0x5008), kind: PhysFaultKind::NotMemory });
        assert_eq!(read(&source, all, PhysAddr::new(0x6ff8), &mut buf[..16]), Ok(()));
        assert_eq!((buf[7], buf[8]), (6, 7));
    }

    #[test]
    fn addresses_of_the_upper_half_are_offsets() {
        let (source, asked) = pages();
        let core = open_kernel_memory(Arc::new(source), Arch::Amd64);
        let at = PhysAddr::new(0xffff_ffff_8020_0010);
        core.memory().read(at, &mut [0; 8]).unwrap();
        assert_eq!(asked.lock().unwrap()[0], (0xffff_ffff_8020_0000, 0x1000));
        let last = PhysAddr::new(u64::MAX - 3);
        assert!(core.memory().read(last, &mut [0; 8]).is_err(), "no address follows the last");
    }
}
