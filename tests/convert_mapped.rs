//! A dump without the pages that the kernel itself would not write into a minidump.

#![cfg(all(feature = "image", feature = "cli"))]

mod converted;

use std::collections::BTreeSet;
use std::io::Cursor;
use std::process::Command;

use converted::json;
use serde_json::Value;
use vnetkvm::Session;
use vnetkvm::addr::{PhysAddr, VirtAddr};
use vnetkvm::answers;
use vnetkvm::convert::{ConvertError, Form, System};
use vnetkvm::dump::PhysFaultKind;
use vnetkvm::error::Error;
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::Selector;
use vnetkvm::source::Source;

const MACHINES: [(&str, &str); 7] = [
    ("classic-clang-dwarf4", ""),
    ("newer-clang-dwarf4", "load_address = \"6M\""),
    ("arm64", ""),
    ("arm64-newer", "paging = \"16k\""),
    ("riscv64", ""),
    ("i386", ""),
    ("powerpc64", ""),
];

/// Variables of every kernel, and what they are called in the kernel that is opened.
const POINTER: (&str, &str) = ("if_clone_create_op", "vm_page_dump");
const SIZE: (&str, &str) = ("taskqueue_run_locked_op", "vm_page_dump_size");
const PAGES: (&str, &str) = ("taskqueue_run_locked_op", "vm_page_dump_pages");
const MEMORY: (&str, &str) = ("elf_freebsd_sysvec", "dump_avail");

/// How the kernel numbers its bits.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Numbering {
    FromZero,
    ByMemory,
}

/// A dump, and what is in its bitmap.
struct Scene {
    kernel: &'static str,
    image: Image,
    numbering: Numbering,
    bitmap: VirtAddr,
    /// Pages in use that have no bit, but that the kernel's map leads to.
    only_mapped: BTreeSet<PhysAddr>,
    /// Pages with a bit, among them a free one.
    with_bit: BTreeSet<PhysAddr>,
    free_with_bit: PhysAddr,
}

impl Scene {
    fn new(kernel: &'static str, machine: &str, numbering: Numbering) -> Self {
        let text = std::fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
        let scenario = Scenario::parse(&format!("{text}\n[machine]\n{machine}\n")).unwrap();
        let file = Kernel::open(Source::open(path(kernel)).unwrap(), None).unwrap();
        let mut image = build(&scenario, file).unwrap();
        let loaded = image.runtime_mut().kernel_mut();
        let machine = loaded.machine_mut();
        let (page, word) = (machine.page_size(), machine.arch().pointer_size());
        let memory = machine.memory_ranges().next().unwrap().start
            ..machine.memory_ranges().last().unwrap().end;
        let first = match numbering {
            Numbering::FromZero => 0,
            Numbering::ByMemory => memory.start.get() / page,
        };
        let pages = memory.end.get() / page - first;
        let bytes = pages.next_multiple_of(8 * word) / 8;
        let bitmap = machine.malloc("bitmap", bytes).unwrap();
        let mut only_mapped = BTreeSet::from([machine.root()]);
        let mut at = machine.image().start.page_start(page);
        while at < machine.image().end {
            only_mapped.extend(machine.physical(at));
            at = at.wrapping_add(page);
        }
        let in_use: BTreeSet<_> = machine.frames_in_use().collect();
        let mut with_bit = &in_use - &only_mapped;
        let last = machine.memory_ranges().last().unwrap();
        let free = (1..).map(|number| PhysAddr::new(last.end.get() - number * page));
        let free_with_bit = { free }.find(|at| !in_use.contains(at)).unwrap();
        with_bit.insert(free_with_bit);
        let mut words = vec![0_u64; (bytes / word) as usize];
        for at in &with_bit {
            let bit = at.get() / page - first;
            words[(bit / (8 * word)) as usize] |= 1 << (bit % (8 * word));
        }
        for (number, value) in words.into_iter().enumerate() {
            machine.set_uint(bitmap.wrapping_add(number as u64 * word), word, value).unwrap();
        }
        let list = loaded.address_of(MEMORY.0).unwrap();
        loaded.set_symbol(POINTER.0, bitmap.get()).unwrap();
        if numbering == Numbering::FromZero {
            let size = loaded.address_of(SIZE.0).unwrap();
            loaded.machine_mut().set_uint(size, 4, bytes).unwrap();
        } else {
            loaded.set_symbol(PAGES.0, pages).unwrap();
            for (number, value) in [memory.start.get(), memory.end.get(), 0, 0].iter().enumerate() {
                let at = list.wrapping_add(number as u64 * word);
                loaded.machine_mut().set_uint(at, word, *value).unwrap();
            }
        }
        Self { kernel, image, numbering, bitmap, only_mapped, with_bit, free_with_bit }
    }

    fn set(&mut self, variable: (&str, &str), value: u64) {
        assert!(self.image.runtime_mut().kernel_mut().set_symbol(variable.0, value).unwrap());
    }

    fn open(&self, format: Format) -> Session {
        let mut core = Cursor::new(Vec::new());
        self.image.write(format, &mut core).unwrap();
        self.open_core(core.into_inner())
    }

    fn open_core(&self, core: Vec<u8>) -> Session {
        let mut kernel = std::fs::read(path(self.kernel)).unwrap();
        rename(&mut kernel, POINTER);
        match self.numbering {
            Numbering::FromZero => rename(&mut kernel, SIZE),
            Numbering::ByMemory => {
                rename(&mut kernel, PAGES);
                rename(&mut kernel, MEMORY);
            }
        }
        let kernel = Source::from_vec("kernel", kernel);
        Session::from_sources(kernel, Source::from_vec("vmcore", core)).unwrap()
    }

    /// Why nothing is written.
    fn refusal(&self) -> String {
        match convert(&self.open(Format::Full), Form::Full).unwrap_err() {
            Error::Convert(ConvertError::NoBitmap { why }) => why,
            other => panic!("{other}"),
        }
    }
}

fn path(kernel: &str) -> String {
    format!("fixtures/kernel/{kernel}")
}

fn rename(kernel: &mut [u8], (old, name): (&str, &str)) {
    let whole = format!("\0{old}\0");
    let mut new = format!("\0{name}").into_bytes();
    new.resize(whole.len(), 0);
    let places: Vec<usize> = memchr::memmem::find_iter(kernel, &whole).collect();
    assert!(!places.is_empty(), "{old}");
    for place in places {
        kernel[place..place + new.len()].copy_from_slice(&new);
    }
}

fn convert(session: &Session, form: Form) -> Result<(Vec<u8>, Value), Error> {
    converted::convert(session, form, true)
}

fn told(session: &Session) -> [Value; 3] {
    [
        json(&answers::vnets(session, None, true).unwrap()),
        json(&answers::jails(session, &Selector::Default).unwrap()),
        json(&answers::threads(session, &Selector::Default, true).unwrap()),
    ]
}

/// Pages with a bit stay, and so do the kernel's image and the page tables without one. All other
/// memory is gone, and every question has the same answer.
#[test]
fn free_memory_is_left_out() {
    for (kernel, machine) in MACHINES {
        for numbering in [Numbering::FromZero, Numbering::ByMemory] {
            let what = format!("{kernel} {machine} {numbering:?}");
            let scene = Scene::new(kernel, machine, numbering);
            let old = scene.open(Format::Full);
            let expected: BTreeSet<_> = &scene.with_bit | &scene.only_mapped;
            for form in [Form::Full, Form::Minidump] {
                let (new, said) = convert(&old, form).unwrap_or_else(|why| panic!("{what}: {why}"));
                let all = old.core().facts.pages;
                assert_eq!(said["pages"], expected.len(), "{what}");
                assert_eq!(said["pages_left_out"], all - expected.len() as u64, "{what}");
                assert_eq!(said["unreachable"], 0, "{what}");
                let new = scene.open_core(new);
                assert_eq!(told(&new), told(&old), "{what} as {}", form.name());
                let read = |at| new.core().memory().read(at, &mut [0]).map_err(|why| why.kind);
                for page in &expected {
                    assert_eq!(read(*page), Ok(()), "{what}: {page}");
                }
                let free = PhysAddr::new(scene.free_with_bit.get() - old.memory().page_size());
                assert_eq!(read(free), Err(PhysFaultKind::NotDumped), "{what}");
            }
        }
    }
}

#[test]
fn a_core_for_debuggers_has_less_too() {
    let scene = Scene::new("classic-clang-dwarf4", "", Numbering::FromZero);
    let (_, said) = convert(&scene.open(Format::Qemu), Form::Elf(System::Linux)).unwrap();
    // Those that the kernel has mapped, in the direct map or elsewhere.
    assert_eq!(said["pages"], (&scene.with_bit | &scene.only_mapped).len());
}

/// All pages of a minidump are such pages, whatever is in the bitmap.
#[test]
fn a_minidump_loses_nothing() {
    let mut scene = Scene::new("classic-clang-dwarf4", "", Numbering::FromZero);
    scene.set(POINTER, 0);
    let old = scene.open(Format::MinidumpV2);
    let (_, said) = convert(&old, Form::Full).unwrap();
    assert_eq!(
        (&said["pages"], &said["pages_left_out"]),
        (&old.core().facts.pages.into(), &0.into())
    );
}

#[test]
fn raw_memory_leaves_nothing_out() {
    let scene = Scene::new("classic-clang-dwarf4", "", Numbering::FromZero);
    for format in [Format::Full, Format::MinidumpV2] {
        let why = convert(&scene.open(format), Form::Raw).unwrap_err();
        assert!(matches!(why, Error::Convert(ConvertError::ZerosForMissing)), "{why}");
    }
}

/// A bitmap that cannot be read, or is described wrongly, is never taken for an empty one.
#[test]
fn a_damaged_bitmap_is_refused() {
    let mut scene = Scene::new("classic-clang-dwarf4", "", Numbering::FromZero);
    scene.set(POINTER, 0);
    assert_eq!(scene.refusal(), "vm_page_dump is a null pointer");
    scene.set(POINTER, 0xffff_ffff_ffff_fff8);
    let why = scene.refusal();
    assert!(why.starts_with("its word at 0xfffffffffffffff8 cannot be read: "), "{why}");
    let bitmap = scene.bitmap.get();
    scene.set(POINTER, bitmap);
    scene.set(SIZE, 0);
    assert_eq!(scene.refusal(), "vm_page_dump_size is 0");
    // Only the bits of memory that the dump holds are looked at.
    scene.set(SIZE, 0xffff_ffff);
    let (_, said) = convert(&scene.open(Format::Full), Form::Full).unwrap();
    assert_eq!(said["pages"], (&scene.with_bit | &scene.only_mapped).len());

    let loaded = scene.image.runtime_mut().kernel_mut();
    let zeros = loaded.machine_mut().malloc("zeros", 64).unwrap();
    scene.set(POINTER, zeros.get());
    scene.set(SIZE, 64);
    assert_eq!(scene.refusal(), "no bit of vm_page_dump is set");

    let mut scene = Scene::new("classic-clang-dwarf4", "", Numbering::ByMemory);
    scene.set(PAGES, 1 << 40);
    let why = "vm_page_dump_pages is 1099511627776, which is not what dump_avail has";
    assert_eq!(scene.refusal(), why);
    let loaded = scene.image.runtime_mut().kernel_mut();
    let list = loaded.address_of(MEMORY.0).unwrap();
    loaded.machine_mut().set_uint(list, 8, u64::MAX).unwrap();
    assert_eq!(scene.refusal(), "dump_avail makes no sense");
}

/// The kernel of the demo has no such bitmap.
#[test]
fn the_command_says_how_to_write_all_pages() {
    let directory = tempfile::tempdir().unwrap();
    let scene = Scene::new("classic-clang-dwarf4", "", Numbering::FromZero);
    let core = scene.image.save(Format::Full, directory.path()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .args(["-N", &path(scene.kernel), "-M"])
        .arg(core)
        .args(["convert", "--to", "full", "--only-mapped", "-o"])
        .arg(directory.path().join("new"))
        .output()
        .unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(2), &b""[..]), "{err}");
    assert!(err.contains("is not known: it has no vm_page_dump"), "{err}");
    assert!(err.contains("leave out --only-mapped to write all pages"), "{err}");
    assert!(!directory.path().join("new").exists());
}
