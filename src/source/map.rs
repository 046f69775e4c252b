//! Files mapped into memory, and what happens when a part can no longer be read.
//!
//! Touching a page of a map whose file has become shorter, or whose disk fails, raises
//! SIGBUS, which ends the program silently. So the first map that is made
//! installs a handler for that signal. It replaces that page and all
//! that follow it in the map with zeros, and records where that was. The program goes on, and
//! [`lost`] says that its results cannot be trusted. A reader of dumps checks
//! each read ([`Map::lost`]), before it can mistake the zeros for memory.
//!
//! A signal has one handler in a process. The handler of a program that uses the library is
//! called for all addresses outside our maps. If it is installed after the
//! first map, it replaces ours, and that program alone handles SIGBUS.
//!
//! This is the only file with `unsafe`.

use std::ffi::c_int;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use libc::{c_void, sigaction, siginfo_t};
use memmap2::Mmap;

use super::blocks::Blocks;
use crate::addr::FileOffset;
use crate::source::{Access, SourceError};

/// All bytes of a file, as they were when it was mapped or as they are now.
#[derive(Debug)]
pub(super) struct Map {
    map: Mmap,
    blocks: Blocks,
    entry: &'static Entry,
}

impl Map {
    /// Maps `file`, which is at `path` and not empty.
    pub(super) fn new(path: &Path, file: File) -> io::Result<Self> {
        static HANDLER: OnceLock<Result<(), i32>> = OnceLock::new();
        HANDLER.get_or_init(install).map_err(io::Error::from_raw_os_error)?;
        // SAFETY: the map is read-only, and every read of it is checked against the
        // length that the file had when it was mapped. Another process may still
        // change the file meanwhile. If it writes, the bytes may
        // differ between two reads; no code here relies on that for memory safety. If it
        // truncates the file, a page of the map has nothing behind it, and the handler
        // puts zeros there, which is such a change too. A slice of the map stays valid as
        // long as the map: the handler replaces pages and never removes any.
        let map = unsafe { Mmap::map(&file)? };
        let note = Note { path: path.to_owned(), len: map.len() as u64, file: file.try_clone()? };
        let entry = Entry::claim(map.as_ptr() as usize, map.len(), note);
        Ok(Self { map, blocks: Blocks::new(file), entry })
    }

    pub(super) fn file(&self) -> &File {
        self.blocks.file()
    }

    /// Reads at `start` into `buf` without touching the map. Returns the number of bytes read, which is smaller
    /// than asked for at the end, or where the file is lost.
    pub(super) fn read(&self, start: usize, buf: &mut [u8]) -> usize {
        let len = self.map.len().saturating_sub(start).min(buf.len());
        let buf = buf.get_mut(..len).unwrap_or_default();
        let read = self.blocks.read(start as u64, buf).unwrap_or(0);
        if read < len {
            let first = start.saturating_add(read);
            self.entry.lose(first - first % page_size());
        }
        let left = self.lost().map_or(usize::MAX, |lost| lost.saturating_sub(start));
        read.min(left)
    }

    /// The first position that could not be read when it was needed. From there on the map reads
    /// as zeros.
    pub(super) fn lost(&self) -> Option<usize> {
        self.entry.lost()
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        self.entry.release();
    }
}

/// A file of which a part could not be read when it was needed: an open one, or one
/// that was closed since the last call. Results since then may rest
/// on zeros. `None` if there is no such file.
///
/// Call this before you trust an answer or an error. It is not needed for reads of a dump's
/// memory, which report each address that cannot be read.
pub fn lost() -> Option<SourceError> {
    let closed = CLOSED.lock().unwrap_or_else(PoisonError::into_inner).take();
    closed.or_else(|| all().find_map(Entry::to_error))
}

/// The first of the closed files that was lost.
static CLOSED: Mutex<Option<SourceError>> = Mutex::new(None);

/// A map, as the signal handler sees it. Entries are never freed, only reused.
#[derive(Debug)]
struct Entry {
    used: AtomicBool,
    /// The map's address; 0 while there is none.
    start: AtomicUsize,
    len: AtomicUsize,
    /// Offset of the first page that was lost; `usize::MAX` if none was.
    lost: AtomicUsize,
    /// For messages. The handler does not use it.
    note: Mutex<Option<Note>>,
    next: OnceLock<&'static Entry>,
}

#[derive(Debug)]
struct Note {
    path: PathBuf,
    /// The file's length when it was mapped.
    len: u64,
    file: File,
}

static FIRST: Entry = Entry::new();

fn all() -> impl Iterator<Item = &'static Entry> {
    std::iter::successors(Some(&FIRST), |entry| entry.next.get().copied())
}

impl Entry {
    const fn new() -> Self {
        Self {
            used: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            lost: AtomicUsize::new(usize::MAX),
            note: Mutex::new(None),
            next: OnceLock::new(),
        }
    }

    /// An entry for `len` bytes at `start`.
    fn claim(start: usize, len: usize, note: Note) -> &'static Self {
        let mut entry = &FIRST;
        while entry.used.swap(true, Ordering::Acquire) {
            entry = entry.next.get_or_init(|| Box::leak(Box::new(Self::new())));
        }
        *entry.note.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
        entry.lost.store(usize::MAX, Ordering::Relaxed);
        entry.len.store(len, Ordering::Relaxed);
        entry.start.store(start, Ordering::Release);
        entry
    }

    /// Nobody reads this map any longer.
    fn release(&self) {
        if let Some(lost) = self.to_error() {
            CLOSED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(lost);
        }
        self.start.store(0, Ordering::Release);
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.used.store(false, Ordering::Release);
    }

    fn lost(&self) -> Option<usize> {
        Some(self.lost.load(Ordering::Acquire)).filter(|lost| *lost != usize::MAX)
    }

    /// Records that nothing can be read from there on.
    fn lose(&self, first: usize) {
        self.lost.fetch_min(first, Ordering::AcqRel);
    }

    /// The offset of `address` from the start of the map, if it lies in the map.
    fn holds(&self, address: usize) -> Option<usize> {
        let start = self.start.load(Ordering::Acquire);
        let distance = address.checked_sub(start).filter(|_| start != 0)?;
        // The last page extends past the file's end.
        let len = self.len.load(Ordering::Relaxed).checked_next_multiple_of(page_size())?;
        (distance < len).then_some(distance)
    }

    /// What happened to the file, if a part of it was lost.
    fn to_error(&self) -> Option<SourceError> {
        let lost = self.lost()?;
        let note = self.note.lock().unwrap_or_else(PoisonError::into_inner);
        let note = note.as_ref()?;
        let at = FileOffset::new(lost as u64);
        let len = note.file.metadata().map(|meta| meta.len()).unwrap_or(note.len);
        let cause = if len < note.len {
            let why = format!(
                "there is nothing at offset {at} any more: the file had {:#x} bytes when it was \
                 opened, and has {len:#x} now",
                note.len
            );
            io::Error::new(io::ErrorKind::UnexpectedEof, why)
        } else {
            io::Error::other(format!("its disk fails at offset {at}"))
        };
        Some(SourceError { access: Access::ReadMapped, path: note.path.clone(), cause })
    }
}

/// The previous handler of SIGBUS.
static BEFORE: OnceLock<sigaction> = OnceLock::new();

fn install() -> Result<(), i32> {
    let failed = || Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL));
    page_size();
    // SAFETY: a sigaction of zeros is a valid value of this C struct. Both calls get
    // pointers to such structs that live longer than the calls. The handler does only
    // what a signal handler may do: see there.
    unsafe {
        let mut before: sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGBUS, ptr::null(), &mut before) != 0 {
            return failed();
        }
        BEFORE.get_or_init(|| before);
        let mut ours: sigaction = std::mem::zeroed();
        ours.sa_sigaction = on_bus_error as extern "C" fn(_, _, _) as usize;
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
        if libc::sigaction(libc::SIGBUS, &ours, ptr::null_mut()) != 0 {
            return failed();
        }
    }
    Ok(())
}

extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    /// Codes from hardware faults are small and positive; those from kill(2) are not.
    const LARGEST_CODE: c_int = 0x100;
    // SAFETY: the kernel passes a siginfo_t, whose address field is set for faults.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    let is_fault = code > 0 && code < LARGEST_CODE;
    if !(is_fault && put_zeros(address)) {
        pass_on(signal, info, context);
    }
}

/// Replaces the page of `address` and all that follow it in its map with zeros.
/// It takes no lock and allocates nothing, because it runs in a signal handler.
fn put_zeros(address: usize) -> bool {
    let Some((entry, distance)) = all().find_map(|entry| Some((entry, entry.holds(address)?)))
    else {
        return false;
    };
    let first = distance - distance % page_size();
    let start = entry.start.load(Ordering::Relaxed);
    let len = entry.len.load(Ordering::Relaxed).next_multiple_of(page_size()) - first;
    // Recorded before the zeros can be read.
    entry.lose(first);
    // SAFETY: the range is a part of one of our maps, from a page in it to the end of its
    // last page, so no other memory is replaced. The interrupted thread
    // is reading from the map, so the map is not being removed.
    // The new pages can be read like the old ones. mmap(2) is a plain system call.
    let zeros = unsafe {
        libc::mmap(
            (start + first) as *mut c_void,
            len,
            libc::PROT_READ,
            libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED,
            -1,
            0,
        )
    };
    zeros != libc::MAP_FAILED
}

/// Passes the signal on to the previous handler, or to the system, which ends the program.
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    type Handler = extern "C" fn(c_int);
    type InfoHandler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
    let before = BEFORE.get().filter(|before| {
        before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN
    });
    // SAFETY: a value other than SIG_DFL and SIG_IGN is the address of a function of the type
    // that SA_SIGINFO specifies; whoever installed it promised so. A sigaction of zeros
    // is SIG_DFL, with which the same fault, on return, ends the program.
    unsafe {
        match before {
            Some(before) if before.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler: InfoHandler = std::mem::transmute(before.sa_sigaction);
                handler(signal, info, context);
            }
            Some(before) => {
                let handler: Handler = std::mem::transmute(before.sa_sigaction);
                handler(signal);
            }
            None => {
                let default: sigaction = std::mem::zeroed();
                libc::sigaction(signal, &default, ptr::null_mut());
            }
        }
    }
}

/// Called once, before a handler needs it.
fn page_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    *SIZE.get_or_init(|| {
        // SAFETY: sysconf(3) accepts any number and touches no memory of ours.
        let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(size).ok().filter(|size| size.is_power_of_two()).unwrap_or(4096)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn map(len: usize) -> (tempfile::NamedTempFile, Map) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![7; len]).unwrap();
        let map = Map::new(file.path(), file.reopen().unwrap()).unwrap();
        (file, map)
    }

    #[test]
    fn what_is_lost_reads_as_zeros_and_is_told() {
        let (file, map) = map(64 << 10);
        assert_eq!((map[40_000], map.lost()), (7, None));
        file.as_file().set_len(page_size() as u64).unwrap();
        assert_eq!(map.last(), Some(&0));
        let last_page = ((64 << 10) - 1) / page_size() * page_size();
        assert_eq!(map.lost(), Some(last_page));
        // An earlier page that is lost later is told in its place.
        assert_eq!((map[page_size()], map.lost()), (0, Some(page_size())));
        assert_eq!(map[0], 7, "what is left of the file is as it was");
        let told = map.entry.to_error().unwrap();
        assert_eq!(told.path, file.path());
        assert_eq!(told.cause.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_file_of_the_same_length_has_a_disk_that_fails() {
        let (_file, map) = map(100);
        map.entry.lost.store(0, Ordering::Release);
        let told = map.entry.to_error().unwrap();
        assert_eq!(told.cause.to_string(), "its disk fails at offset 0x0");
    }

    #[test]
    fn only_addresses_of_maps_are_ours() {
        let (_file, first) = map(100);
        let start = first.as_ptr() as usize;
        assert_eq!(first.entry.holds(start + 100), Some(100));
        assert_eq!(first.entry.holds(start + page_size()), None);
        assert_eq!(first.entry.holds(start - 1), None);
        assert!(!put_zeros(0));
        let entry = first.entry;
        drop(first);
        assert_eq!(entry.holds(0), None);
    }
}
