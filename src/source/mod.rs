//! From paths to bytes.
//!
//! A regular file is mapped, never read as a whole: a vmcore may be larger than the
//! machine's memory. `map.rs` says what happens to a map whose file shrinks; [`lost`]
//! reports it. The memory in a dump is read without touching the map (`blocks.rs`). A compressed file is unpacked first ([`unpack`]). A device is read piece by piece
//! (`device.rs`). This layer does not know what the bytes mean.

mod blocks;
pub mod crash;
mod device;
mod error;
mod holes;
pub mod locate;
mod map;
pub mod other;
pub mod unpack;

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use map::Map;

use crate::addr::FileOffset;

pub use device::Device;
pub use error::{Access, SourceError, UnpackError};
pub use map::lost;

/// The bytes of one file, or of a buffer in its place. Clones share the bytes.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    bytes: Arc<Bytes>,
    /// The part of the bytes that is used.
    shown: Range<usize>,
    /// Where these have data, once that was asked for.
    data: Arc<OnceLock<Vec<Range<usize>>>>,
}

#[derive(Debug)]
enum Bytes {
    Mapped(Map),
    Owned(Vec<u8>),
    /// It has no length, and may change between two reads.
    Device(Box<dyn Device>),
}

impl Source {
    /// Opens and maps the file at `path`.
    ///
    /// # Errors
    /// The file cannot be opened or mapped. A directory is an error too.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let path = path.as_ref();
        let failed = |access| move |cause| SourceError { access, path: path.to_owned(), cause };
        // Checked before opening, because opening a pipe waits for a writer.
        let kind = fs::metadata(path).map_err(failed(Access::open(path)))?.file_type();
        if kind.is_dir() {
            // Why it cannot be read comes before that it is no file.
            let why = fs::read_dir(path).err();
            return Err(failed(Access::Read)(why.unwrap_or(io::ErrorKind::IsADirectory.into())));
        }
        if kind.is_fifo() || kind.is_socket() {
            let why = "it is a pipe or socket";
            return Err(failed(Access::Read)(io::Error::new(io::ErrorKind::Unsupported, why)));
        }
        let file = File::open(path).map_err(failed(Access::open(path)))?;
        let meta = file.metadata().map_err(failed(Access::Read))?;
        let has_no_length = meta.is_file() && meta.len() == 0 && device::has_bytes(&file);
        if meta.file_type().is_char_device() || has_no_length {
            // A terminal has only a next byte.
            return match (&file).stream_position() {
                Ok(_) => Ok(Self::from_device(path, file)),
                Err(_) => {
                    let why = "it cannot be read at an offset";
                    Err(failed(Access::Read)(io::Error::new(io::ErrorKind::Unsupported, why)))
                }
            };
        }
        if meta.len() == 0 {
            return Ok(Self::from_vec(path, Vec::new()));
        }
        Self::mapped(path, file).map_err(failed(Access::Map))
    }

    /// A source that is read from `device` each time. A name of `kmem` says that offsets in it are
    /// virtual addresses; see [`Source::is_by_virtual_address`].
    pub fn from_device(path: impl Into<PathBuf>, device: impl Device + 'static) -> Self {
        Self::new(path.into(), Bytes::Device(Box::new(device)), 0)
    }

    /// A source whose bytes are already in memory. `path` is only its name in messages.
    pub fn from_vec(path: impl Into<PathBuf>, bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self::new(path.into(), Bytes::Owned(bytes), len)
    }

    fn mapped(path: &Path, file: File) -> io::Result<Self> {
        let map = Map::new(path, file)?;
        let len = map.len();
        Ok(Self::new(path.to_owned(), Bytes::Mapped(map), len))
    }

    fn new(path: PathBuf, bytes: Bytes, len: usize) -> Self {
        Self { path, bytes: Arc::new(bytes), shown: 0..len, data: Arc::default() }
    }

    /// The `len` bytes at `offset` as a separate source with the same path;
    /// `None` if the file ends before them.
    pub fn cut(mut self, offset: FileOffset, len: u64) -> Option<Self> {
        let part = self.range(offset, len)?;
        let at = self.shown.start;
        self.shown = at.checked_add(part.start)?..at.checked_add(part.end)?;
        self.data = Arc::default();
        Some(self)
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes of the file; empty for a device.
    pub fn bytes(&self) -> &[u8] {
        let all: &[u8] = match &*self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
            Bytes::Device(_) => &[],
        };
        all.get(self.shown.clone()).unwrap_or_default()
    }

    /// Reads the same bytes from first to last through a buffer of its own. Unlike pages of a
    /// map, they do not stay in memory.
    ///
    /// # Errors
    /// Seeking in the file fails.
    pub fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        match &*self.bytes {
            Bytes::Mapped(map) => {
                let mut file: &File = map.file();
                file.seek(SeekFrom::Start(self.shown.start as u64))?;
                Ok(Box::new(file.take(self.len())))
            }
            Bytes::Owned(_) | Bytes::Device(_) => Ok(Box::new(self.bytes())),
        }
    }

    /// Has it no length, as a character device such as `/dev/mem`? Then it can only be read in
    /// pieces, and may change between two reads.
    pub fn is_device(&self) -> bool {
        matches!(*self.bytes, Bytes::Device(_))
    }

    /// Is it a device whose offsets are virtual addresses, as `/dev/kmem`? Its name says so, or
    /// that of the file that the path leads to.
    pub fn is_by_virtual_address(&self) -> bool {
        self.is_device() && device::is_kernel_memory(&self.path)
    }

    /// The device of virtual memory that belongs to this one of physical memory: `kmem` beside
    /// `mem`. `None` if there is none or it cannot be opened.
    pub fn kernel_memory_beside(&self) -> Option<Self> {
        let is_mem = self.is_device() && self.path.file_name().is_some_and(|name| name == "mem");
        let beside = is_mem.then(|| self.path.with_file_name("kmem"))?;
        Self::open(beside).ok().filter(Self::is_device)
    }

    /// Reads at `offset` into `buf` and returns the number of bytes read. That is 0 at the
    /// file's end, which may be nearer than when the file was opened.
    ///
    /// # Errors
    /// A device cannot be read there.
    pub fn read_at(&self, offset: FileOffset, buf: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset.get()).unwrap_or(usize::MAX);
        match &*self.bytes {
            Bytes::Device(device) => device.read_at(offset.get(), buf),
            Bytes::Owned(_) => {
                let rest = self.bytes().get(start..).unwrap_or_default();
                let len = rest.len().min(buf.len());
                buf[..len].copy_from_slice(&rest[..len]);
                Ok(len)
            }
            Bytes::Mapped(map) => {
                let len = self.shown.len().saturating_sub(start).min(buf.len());
                let into = buf.get_mut(..len).unwrap_or_default();
                Ok(map.read(self.shown.start.saturating_add(start), into))
            }
        }
    }

    /// The length of the file in bytes; 0 for a device.
    pub fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// Is the length 0, as it is for a device?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The `len` bytes at `offset`, or `None` if the file ends before them.
    pub fn slice(&self, offset: FileOffset, len: u64) -> Option<&[u8]> {
        self.bytes().get(self.range(offset, len)?)
    }

    /// The `len` bytes at `offset` as a range of the bytes; `None` if the file ends before them.
    fn range(&self, offset: FileOffset, len: u64) -> Option<Range<usize>> {
        let start = usize::try_from(offset.get()).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= self.bytes().len()).then_some(start..end)
    }
}

/// A part of a shared [`Source`]. It is checked once and can be kept without a borrow.
#[derive(Debug, Clone)]
pub struct Region {
    source: Arc<Source>,
    range: Range<usize>,
}

impl Region {
    /// The `len` bytes at `offset` of `source`, or `None` if the file ends before them.
    pub fn new(source: &Arc<Source>, offset: FileOffset, len: u64) -> Option<Self> {
        source.slice(offset, len)?;
        let start = usize::try_from(offset.get()).ok()?;
        Some(Self { source: Arc::clone(source), range: start..start + usize::try_from(len).ok()? })
    }

    /// The bytes of this part.
    pub fn bytes(&self) -> &[u8] {
        self.source.bytes().get(self.range.clone()).unwrap_or_default()
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.range.len() as u64
    }

    /// Has it no bytes?
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_checked() {
        let source = Source::from_vec("test", vec![1, 2, 3]);
        assert_eq!(source.slice(FileOffset::new(1), 2), Some(&[2, 3][..]));
        assert_eq!(source.slice(FileOffset::new(2), 2), None);
        assert_eq!(source.slice(FileOffset::new(u64::MAX), 2), None);
    }

    #[test]
    fn a_device_is_read_piece_by_piece() {
        let source = Source::open("/dev/zero").unwrap();
        assert!(source.is_device() && source.bytes().is_empty());
        let mut bytes = [1; 4];
        assert_eq!(source.read_at(FileOffset::new(1 << 40), &mut bytes).unwrap(), 4);
        assert_eq!(bytes, [0; 4]);
    }

    #[test]
    fn what_has_only_a_next_byte_is_no_source() {
        let error = Source::open("/dev/ptmx").unwrap_err();
        assert_eq!(error.to_string(), "cannot read /dev/ptmx");
        assert_eq!(error.cause.to_string(), "it cannot be read at an offset");
    }

    #[test]
    fn a_read_ends_with_the_file() {
        let source = Source::from_vec("test", vec![1, 2, 3]);
        let mut bytes = [0; 4];
        assert_eq!(source.read_at(FileOffset::new(1), &mut bytes).unwrap(), 2);
        assert_eq!(bytes, [2, 3, 0, 0]);
        assert_eq!(source.read_at(FileOffset::new(u64::MAX), &mut bytes).unwrap(), 0);
    }

    #[test]
    fn a_region_is_checked_once() {
        let source = Arc::new(Source::from_vec("test", vec![1, 2, 3]));
        let region = Region::new(&source, FileOffset::new(1), 2).unwrap();
        assert_eq!(region.bytes(), &[2, 3]);
        assert!(Region::new(&source, FileOffset::new(2), 2).is_none());
        assert!(Region::new(&source, FileOffset::new(u64::MAX), u64::MAX).is_none());
    }

    #[test]
    fn a_part_can_stand_for_the_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &[0, 1, 2, 3, 4, 5]).unwrap();
        let in_memory = || Source::from_vec("test", vec![0, 1, 2, 3, 4, 5]);
        let mapped = || Source::open(file.path()).unwrap();
        for whole in [&in_memory as &dyn Fn() -> Source, &mapped] {
            let part = whole().cut(FileOffset::new(1), 4).unwrap();
            let part = part.cut(FileOffset::new(1), 2).unwrap();
            assert_eq!(part.bytes(), &[2, 3]);
            assert_eq!(part.slice(FileOffset::new(1), 2), None);
            let mut read = Vec::new();
            part.reader().unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, &[2, 3]);
            assert!(whole().cut(FileOffset::new(5), 2).is_none());
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Source::open("no/such/file").unwrap_err();
        assert_eq!(error.to_string(), "cannot open no/such/file");
    }

    #[test]
    fn a_directory_is_no_source() {
        assert!(Source::open("src").is_err());
    }
}
