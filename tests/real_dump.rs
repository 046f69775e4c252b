//! A dump that a real FreeBSD machine wrote reads back what LLDB found in it.
//!
//! The dump is no part of the project: it is looked for beside the checkout.

use std::fs;
use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::dump::{self, Format, PhysFaultKind};
use vnetkvm::error::{FaultKind, Stage};
use vnetkvm::memory::KernelMemory;
use vnetkvm::source::Source;
use vnetkvm::writing::Memory;
use vnetkvm::writing::minidump::Copied;

/// The folder with the dump, beside this checkout or beside a worktree's parent.
fn folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut candidates = root.ancestors().skip(1).take(2).map(|up| up.join("shared/real"));
    candidates.find(|folder| folder.is_dir()).expect("shared/real lies beside the checkout")
}

/// The dump, unpacked and opened once for all tests.
fn memory() -> &'static KernelMemory {
    static MEMORY: OnceLock<KernelMemory> = OnceLock::new();
    MEMORY.get_or_init(|| {
        let packed = fs::File::open(folder().join("vmcore-amd64-minidump.bz2")).unwrap();
        let mut bytes = Vec::new();
        bzip2::read::BzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
        let core = dump::open(Source::from_vec("vmcore", bytes)).unwrap();
        KernelMemory::without_kernel(core).expect("a minidump has its own page map")
    })
}

#[test]
#[ignore = "needs shared/real beside the checkout"]
fn every_expected_value_reads_back() {
    let memory = memory();
    let expected = fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let mut rows = 0;
    for line in expected.lines().filter(|line| !line.starts_with('#')) {
        let [address, len, kind, value, what] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let number = |text: &str| match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
            None => text.parse().unwrap(),
        };
        let at = VirtAddr::new(number(address));
        let len = len.parse::<usize>().unwrap();
        if kind == "text" {
            assert_eq!(value.len(), len, "{what}");
            assert_eq!(memory.c_string(at, 20).unwrap(), value.as_bytes(), "{what}");
        } else {
            assert_eq!(memory.uint(at, len).unwrap(), number(value), "{what}");
        }
        rows += 1;
    }
    assert_eq!(rows, 42);
}

#[test]
#[ignore = "needs shared/real beside the checkout"]
fn its_counts_agree_with_each_other() {
    let memory = memory();
    let core = memory.core();
    assert_eq!(core.format, Format::Minidump { version: 3 });
    let facts = &core.facts;
    let minidump = facts.minidump.as_ref().unwrap();
    assert_eq!(minidump.kernbase, VirtAddr::new(0xffff_fe00_0000_0000));
    let direct_map = minidump.direct_map.as_ref().unwrap();
    assert_eq!(direct_map.range.start, VirtAddr::new(0xffff_f800_0000_0000));
    assert_eq!(direct_map.range.end, VirtAddr::new(0xffff_fc00_0000_0000));
    assert_eq!(minidump.message_buffer.len(), 0x17fb8);
    assert_eq!((minidump.bitmap_len, minidump.page_map_len), (0x1000, 0x7f_f000));
    // Header, message buffer, dump_avail, bitmap and page map stand before the pages.
    let parts = 0x1000 + 0x18000 + 0x1000 + 0x1000 + 0x7f_f000;
    assert_eq!(facts.pages, 24_144);
    // Its makers cut it short where their test needed no more: the last page that
    // is there is half a page.
    let present = (facts.file_len - parts) / facts.page_size;
    assert_eq!(facts.pages_cut_off, facts.pages - present);
    assert_eq!(core.warnings.len(), 1);
    assert!(core.warnings[0].contains("1393 of 24144 pages are cut off"), "{:?}", core.warnings);
}

#[test]
#[ignore = "needs shared/real beside the checkout"]
fn every_page_is_read_not_dumped_or_cut_off() {
    let memory = memory();
    let core = memory.core();
    let (mut whole, mut not_dumped, mut cut_off) = (0, 0, 0);
    let mut page = [0; 4096];
    let memory_end = 0x7fd_f000;
    for at in (0..memory_end + 0x10_0000).step_by(page.len()).map(PhysAddr::new) {
        match core.memory().read(at, &mut page).map_err(|fault| fault.kind) {
            Ok(()) => whole += 1,
            Err(PhysFaultKind::NotDumped) => not_dumped += 1,
            Err(why @ (PhysFaultKind::Refused(_) | PhysFaultKind::NotMemory)) => panic!("{why:?}"),
            Err(PhysFaultKind::Truncated(end)) => {
                assert!(end.get() >= core.facts.file_len);
                cut_off += 1;
            }
        }
    }
    assert_eq!(whole + cut_off, core.facts.pages);
    assert_eq!(cut_off, core.facts.pages_cut_off);
    assert!(not_dumped >= 0x100);
}

#[test]
#[ignore = "needs shared/real beside the checkout"]
fn what_cannot_be_read_says_why() {
    let memory = memory();
    let fault = |at| memory.u64(VirtAddr::new(at)).unwrap_err();
    // The hole at the VGA window is in the direct map, and in no dump.
    let vga = fault(0xffff_f800_000a_0000);
    assert_eq!(vga.kind, FaultKind::NotDumped);
    assert_eq!(vga.stage, Stage::Page(PhysAddr::new(0xa_0000)));
    assert_eq!(fault(0xffff_fe00_0000_0000 - 8).stage, Stage::Range);
    assert_eq!(fault(0).kind, FaultKind::BadAddress);
    // Past the kernel image the page directory has no entry.
    let beyond = fault(0xffff_ffff_bfff_f000);
    assert_eq!(beyond.kind, FaultKind::NotMapped);
    assert!(matches!(beyond.stage, Stage::Pmap { index: 0xf_fdff, value: 0 }), "{beyond:?}");
}

/// The pages that the file has whole.
struct WholePages(&'static KernelMemory);

impl Memory for WholePages {
    fn next(&self, at: PhysAddr) -> Option<Range<PhysAddr>> {
        let range = self.0.core().memory().next(at)?;
        let pages = (range.start.get()..range.end.get()).step_by(4096);
        let is_whole = |at: &u64| self.page(PhysAddr::new(*at), &mut [0; 4096]).is_ok();
        let len = pages.take_while(is_whole).count() as u64 * 4096;
        (len > 0).then(|| range.start..range.start.wrapping_add(len))
    }

    fn page(&self, at: PhysAddr, buf: &mut [u8]) -> io::Result<bool> {
        let read = self.0.core().memory().read(at, buf);
        read.map_err(|fault| io::Error::other(format!("{fault:?}")))?;
        Ok(buf.iter().any(|byte| *byte != 0))
    }
}

#[test]
#[ignore = "needs shared/real beside the checkout"]
fn its_pages_are_numbered_as_the_kernel_did() {
    let old = memory().core();
    let facts = old.facts.minidump.as_ref().unwrap();
    let copied = Copied {
        arch: old.arch,
        page: 4096,
        before_bitmap: facts.before_bitmap.bytes(),
        bitmap_len: facts.bitmap_len,
        ranges: facts.ranges.clone(),
        after_bitmap: facts.after_bitmap.bytes(),
    };
    let mut file = Cursor::new(Vec::new());
    copied.write(&WholePages(memory()), &mut file).unwrap();
    let new = dump::open(Source::from_vec("vmcore", file.into_inner())).unwrap();
    assert_eq!(new.warnings, [""; 0]);
    assert_eq!(new.facts.pages, old.facts.pages - old.facts.pages_cut_off);
    let (mut was, mut is) = ([0; 4096], [0; 4096]);
    for at in (0..0x7fd_f000).step_by(4096).map(PhysAddr::new) {
        match old.memory().read(at, &mut was) {
            Ok(()) => {
                new.memory().read(at, &mut is).unwrap();
                assert!(was == is, "{at}");
            }
            Err(_) => {
                let why = new.memory().read(at, &mut is).unwrap_err().kind;
                assert_eq!(why, PhysFaultKind::NotDumped, "{at}");
            }
        }
    }
}
