//! Where a file has data. The rest of a sparse file is holes, which read as zeros and
//! need not be examined.

use std::ops::Range;

use super::{Bytes, Source};
use crate::addr::FileOffset;

impl Source {
    /// The parts that are not holes, in order, as offsets in bytes. The whole file if the file
    /// system does not know its holes; empty for a device.
    pub fn data(&self) -> &[Range<usize>] {
        self.data.get_or_init(|| self.find_data())
    }

    fn find_data(&self) -> Vec<Range<usize>> {
        let (start, end) = (self.shown.start, self.shown.end);
        let whole = 0..self.bytes().len();
        let Bytes::Mapped(map) = &*self.bytes else { return vec![whole] };
        let Some(parts) = parts(map.file(), start, end) else { return vec![whole] };
        parts.into_iter().map(|part| part.start - start..part.end - start).collect()
    }

    /// Whether the `len` bytes at `offset` are a hole, and so are zeros. False if the file does not have
    /// them all, or its file system does not say.
    pub fn is_hole(&self, offset: FileOffset, len: u64) -> bool {
        let Some(range) = self.range(offset, len) else { return false };
        let data = self.data();
        let after = data.partition_point(|part| part.end <= range.start);
        data.get(after).is_none_or(|part| part.start >= range.end)
    }
}

/// The parts of `file` between `start` and `end` that have data.
#[cfg(any(target_os = "linux", target_os = "freebsd", target_os = "macos"))]
fn parts(file: &std::fs::File, start: usize, end: usize) -> Option<Vec<Range<usize>>> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;

    /// If a file has more pieces than this, the rest is treated as one piece.
    const MOST: usize = 1 << 16;
    let mut parts = Vec::new();
    let mut at = start;
    while at < end {
        let data = match seek(file, SeekFrom::Data(at as u64)) {
            Ok(data) => usize::try_from(data).ok()?,
            // The rest is a hole.
            Err(Errno::NXIO) => break,
            Err(_) => return None,
        };
        if data < at {
            return None;
        }
        if data >= end {
            break;
        }
        let hole = seek(file, SeekFrom::Hole(data as u64)).ok()?;
        let hole = usize::try_from(hole).ok()?.min(end);
        if hole <= data {
            return None;
        }
        if parts.len() == MOST {
            parts.push(data..end);
            break;
        }
        parts.push(data..hole);
        at = hole;
    }
    Some(parts)
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd", target_os = "macos")))]
fn parts(_: &std::fs::File, _: usize, _: usize) -> Option<Vec<Range<usize>>> {
    None
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use super::*;
    use crate::addr::FileOffset;

    #[test]
    fn no_data_is_left_out() {
        const MB: usize = 1 << 20;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for at in [3 * MB, 8 * MB] {
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[1; 100]).unwrap();
        }
        file.as_file().set_len(16 << 20).unwrap();
        let source = Source::open(file.path()).unwrap();
        let has = |source: &Source, at: usize| source.data().iter().any(|part| part.contains(&at));
        assert!(has(&source, 3 * MB) && has(&source, 8 * MB + 99));
        let part = source.clone().cut(FileOffset::new(2 << 20), 2 << 20).unwrap();
        assert!(has(&part, MB) && part.data().iter().all(|part| part.end <= 2 * MB));
        assert_eq!(Source::from_vec("test", vec![0; 3]).data().first(), Some(&(0..3)));

        let is_hole = |at: usize, len| source.is_hole(FileOffset::new(at as u64), len);
        // Blocks of data are not larger than this.
        assert!(is_hole(0, 2 << 20) && is_hole(5 * MB, 2 << 20) && is_hole(12 * MB, 4 << 20));
        assert!(!is_hole(0, 4 << 20) && !is_hole(8 * MB + 50, 1) && !is_hole(5 * MB, 4 << 20));
        assert!(!is_hole(12 * MB, 5 << 20) && !is_hole(usize::MAX, 2), "past the end");
        assert!(part.is_hole(FileOffset::new(0), 512 << 10));
        assert!(!part.is_hole(FileOffset::new(0), 2 << 20));
    }
}
