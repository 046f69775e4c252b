//! Cores whose headers multiply: many segments over the same bytes, segments that promise
//! what the file does not have. What is done about them is counted, not timed.

#![cfg(feature = "cli")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU64, Ordering};

use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Core, PhysFault, PhysicalMemory};
use vnetkvm::error::DumpError;
use vnetkvm::paging::{KernelImage, Sample};
use vnetkvm::source::Source;

/// Counts all bytes that are ever asked for.
struct Counting;

static ALLOCATED: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as u64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A program header: type, offset, virtual and physical address, length.
type Header = (u32, u64, u64, u64, u64);

const LOAD: u32 = 1;
const NOTE: u32 = 4;

/// An ELF64 core of `machine` with these headers, and then `tail`.
fn core(machine: u8, os_abi: u8, headers: &[Header], tail: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, os_abi];
    bytes.resize(64, 0);
    (bytes[16], bytes[18], bytes[20]) = (4, machine, 1);
    bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
    bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
    bytes[56..58].copy_from_slice(&u16::try_from(headers.len()).unwrap().to_le_bytes());
    for (kind, offset, virt, phys, len) in headers {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(7_u32.to_le_bytes());
        let words = [offset, virt, phys, len, len, &4096];
        bytes.extend(words.into_iter().flat_map(|word| word.to_le_bytes()));
    }
    bytes.extend(tail);
    bytes
}

const AMD64: u8 = 62;
const I386: u8 = 3;

/// Where the tail begins behind so many headers.
fn tail_at(headers: usize) -> u64 {
    64 + 56 * headers as u64
}

fn open(bytes: Vec<u8>) -> Result<Core, String> {
    dump::open(Source::from_vec("core", bytes)).map_err(|why| why.to_string())
}

/// A note of QEMU's about a processor whose CR3 is `root`.
fn note(root: u64) -> Vec<u8> {
    const STATE: u32 = 440;
    let mut note = Vec::new();
    note.extend([5, STATE, 0].into_iter().flat_map(u32::to_le_bytes));
    note.extend(b"QEMU\0\0\0\0");
    let mut state = vec![0; STATE as usize];
    state[416..424].copy_from_slice(&root.to_le_bytes());
    note.extend(state);
    note
}

#[test]
fn notes_that_are_named_many_times_are_read_once() {
    const TIMES: usize = 60_000;
    let notes: Vec<u8> = (1..=3).flat_map(|cpu| note(cpu << 12)).collect();
    let at = tail_at(TIMES + 1);
    let len = notes.len() as u64;
    let mut headers = vec![(NOTE, at, 0, 0, len); TIMES];
    // The others begin within the first.
    headers
        .iter_mut()
        .skip(1)
        .step_by(2)
        .for_each(|header| (header.1, header.4) = (at + 4, len - 4));
    headers.push((LOAD, at + len, 0xffff_ffff_8000_0000, 0x10_0000, 4096));
    let mut tail = notes;
    tail.extend([1; 4096]);
    let bytes = core(AMD64, 0, &headers, &tail);
    let worth = bytes.len() as u64;

    let before = ALLOCATED.load(Ordering::Relaxed);
    let core = open(bytes).unwrap();
    let roots: Vec<u64> = core.clues.roots.iter().map(|root| root.get()).collect();
    assert_eq!(roots, [0x1000, 0x2000, 0x3000]);
    // Each test of this file counts what the others allocate meanwhile, too.
    let allocated = ALLOCATED.load(Ordering::Relaxed) - before;
    assert!(allocated < 64 * worth, "{allocated} bytes for a file of {worth}");
}

/// Memory that counts how often it is read.
struct Counted<'a>(&'a dyn PhysicalMemory, AtomicU64);

impl PhysicalMemory for Counted<'_> {
    fn read(&self, at: PhysAddr, buf: &mut [u8]) -> Result<(), PhysFault> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read(at, buf)
    }

    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        self.0.next(at)
    }

    fn ranges(&self) -> Vec<Range<PhysAddr>> {
        self.0.ranges()
    }
}

#[test]
fn a_kernel_is_not_searched_in_memory_that_the_file_does_not_have() {
    const SEGMENTS: u64 = 60_000;
    const LEN: u64 = 64 << 30;
    let at = tail_at(SEGMENTS as usize) + (1 << 20);
    let segment = |n| (LOAD, at + n * LEN, 0xffff_ffff_8000_0000 + n, 0x10_0000 + n * LEN, LEN);
    let headers: Vec<Header> = (0..SEGMENTS).map(segment).collect();
    let core = open(core(AMD64, 0, &headers, &[])).unwrap();
    assert_eq!(core.facts.pages_cut_off, SEGMENTS * LEN / 4096);
    assert_eq!(core.memory().next(PhysAddr::new(0)), None);
    assert_eq!(tries(core.memory()), 0);
}

#[test]
fn a_kernel_is_searched_at_so_many_places_in_all() {
    // Each byte of memory is a range of its own, at the beginning of a page.
    const SEGMENTS: u64 = 60_000;
    let at = tail_at(SEGMENTS as usize);
    let segment = |n| (LOAD, at + n, 0, (n + 1) << 40, 1);
    let headers: Vec<Header> = (0..SEGMENTS).map(segment).collect();
    let core = open(core(AMD64, 0, &headers, &vec![7; SEGMENTS as usize])).unwrap();
    assert_eq!(core.memory().ranges().len() as u64, SEGMENTS);
    // Boundaries of 2 MB in 64 GB, of 64 KB in 4 GB and of 4 KB in 256 MB; 16 samples at each.
    const PLACES: u64 = (1 << 15) + (1 << 16) + (1 << 16);
    let reads = tries(core.memory());
    assert!(reads <= 16 * PLACES, "{reads} reads");
}

/// How often memory is read in search of a kernel that is not in it.
fn tries(memory: &dyn PhysicalMemory) -> u64 {
    let counted = Counted(memory, AtomicU64::new(0));
    let start = VirtAddr::new(0xffff_ffff_8020_0000);
    let samples: Vec<Sample> = (0..16)
        .map(|n| Sample { at: start.wrapping_add(n * 4096), bytes: [n as u8; 64] })
        .collect();
    assert_eq!(KernelImage::search(&counted, start, &samples).count(), 0);
    counted.1.into_inner()
}

#[test]
fn addresses_of_64_bits_have_lost_nothing_that_could_be_restored() {
    let at = tail_at(2).next_multiple_of(4096);
    let headers = [(LOAD, at, 0x1000, 0x1000, 4096), (LOAD, at + 4096, u64::MAX, 1, 4096)];
    let mut tail = vec![0; (at - tail_at(2)) as usize];
    tail.extend([1; 8192]);
    let why = open(core(I386, 255, &headers, &tail)).unwrap_err();
    assert!(why.contains("p_vaddr is 0xffffffffffffffff"), "{why}");
}

#[test]
fn segments_over_the_same_memory_or_the_same_bytes_are_refused() {
    let at = tail_at(50_000);
    for by_address in [true, false] {
        let segment = |n: u64| match by_address {
            true => (LOAD, at + 16 * n, n + 1, 0x1000 + n, 16),
            false => (LOAD, at + n, n + 1, 0x1000 + 16 * n, 16),
        };
        let headers: Vec<Header> = (0..50_000).map(segment).collect();
        let why = open(core(AMD64, 0, &headers, &vec![1; 900_000])).unwrap_err();
        let field = if by_address { "p_paddr" } else { "p_offset" };
        assert!(why.contains(field), "{why}");
    }
}

/// A file of `len` bytes that begins with `bytes`, ends with `tail` and has a hole between.
fn sparse(bytes: &[u8], len: u64, tail: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(len).unwrap();
    file.as_file().write_all_at(bytes, 0).unwrap();
    file.as_file().write_all_at(tail, len - tail.len() as u64).unwrap();
    file
}

fn info(core: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
    command.env_clear().arg("-M").arg(core).arg("info").output().unwrap()
}

#[test]
fn a_hole_where_notes_should_be_is_not_read_to_its_end() {
    const HOLE: u64 = 1 << 36;
    let notes = note(0x5000);
    let at = tail_at(2) + 4096;
    let headers =
        [(LOAD, tail_at(2), 0xffff_ffff_8000_0000, 0x10_0000, 4096), (NOTE, at, 0, 0, HOLE)];
    let mut tail = vec![1; 4096];
    tail.extend(notes);
    let file = sparse(&core(AMD64, 0, &headers, &tail), at + HOLE, &[]);
    let core = dump::open(Source::open(file.path()).unwrap()).unwrap();
    assert_eq!(core.clues.roots, [PhysAddr::new(0x5000)], "what comes first is read");
    let cut = "the notes are not read to their end: \
               the list of notes has more than 1048576 parts, the limit";
    assert_eq!(core.warnings, [cut]);
    let said = info(file.path());
    let said = String::from_utf8([said.stdout, said.stderr].concat()).unwrap();
    assert!(said.contains(cut), "{said}");
}

#[test]
fn of_notes_that_begin_together_the_longest_counts() {
    let notes: Vec<u8> = (1..=3).flat_map(|cpu| note(cpu << 12)).collect();
    let (at, len) = (tail_at(3), notes.len() as u64);
    let load = (LOAD, at + len, 0xffff_ffff_8000_0000, 0x10_0000, 4096);
    let headers = [(NOTE, at, 0, 0, 16), (NOTE, at, 0, 0, len), load];
    let mut tail = notes;
    tail.extend([1; 4096]);
    let core = open(core(AMD64, 0, &headers, &tail)).unwrap();
    assert_eq!(core.clues.roots, [0x1000, 0x2000, 0x3000].map(PhysAddr::new));
    assert_eq!(core.clues.processors.len(), 3);
}

#[test]
fn headers_without_end_in_a_sparse_file_take_no_memory() {
    const COUNT: u32 = 100_000_000;
    let mut start = core(AMD64, 0, &[], &[]);
    let sections = 64 + 56 * u64::from(COUNT);
    start[40..48].copy_from_slice(&sections.to_le_bytes());
    start[56..58].copy_from_slice(&u16::MAX.to_le_bytes());
    start[58..62].copy_from_slice(&[64, 0, 1, 0]);
    // sh_info of section 0 counts the segments.
    let mut section = vec![0; 64];
    section[44..48].copy_from_slice(&COUNT.to_le_bytes());
    let file = sparse(&start, sections + 64, &section);
    let before = ALLOCATED.load(Ordering::Relaxed);
    let why = dump::open(Source::open(file.path()).unwrap()).unwrap_err();
    let allocated = ALLOCATED.load(Ordering::Relaxed) - before;
    assert!(allocated < 1 << 30, "{allocated} bytes allocated");
    assert!(matches!(why, DumpError::Limit(_)), "{why}");
    let said = info(file.path());
    let (code, said) = (said.status.code(), String::from_utf8(said.stderr).unwrap());
    assert_eq!(said.matches("the memory limit").count(), 1, "{code:?}: {said}");
    assert_eq!(code, Some(2));
    assert!(said.contains("hint: the file is damaged"), "{said}");
}

/// Memory may end where addresses do.
#[test]
fn a_kernel_is_searched_in_the_last_page_of_all() {
    let at = tail_at(1);
    let last = 0_u64.wrapping_sub(4096);
    let headers = [(LOAD, at, 0xffff_ffff_8000_0000, last, 4095)];
    let core = open(core(AMD64, 0, &headers, &[7; 4095])).unwrap();
    assert!((1..100).contains(&tries(core.memory())));
}
