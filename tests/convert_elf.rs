//! A dump as an ELF core by the kernel's addresses: every command has the same answer.

#![cfg(all(feature = "image", feature = "cli"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, Object, elf};
use vnetkvm::image::{Format, Image, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const COMMANDS: [&str; 12] = [
    "vnets",
    "jails",
    "threads --all",
    "bt --all",
    "interfaces",
    "routes",
    "sockets",
    "neighbors",
    "locks",
    "check",
    "vars ip_defttl",
    "print V_ip_defttl",
];

/// Kernels in `fixtures/kernel/`, and what is special about their machines.
const MACHINES: [(&str, &str); 9] = [
    ("classic-clang-dwarf4", ""),
    ("newer-clang-dwarf4", "load_address = \"6M\""),
    ("i386", ""),
    ("i386-newer", ""),
    ("arm64-newer", "paging = \"16k\""),
    ("riscv64", ""),
    ("armv7", ""),
    ("powerpc64", ""),
    ("powerpc64le", ""),
];

fn kernel(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(name)
}

fn image(name: &str, machine: &str) -> Image {
    let text = std::fs::read_to_string("fixtures/scenarios/demo.toml").unwrap();
    let kernel = Kernel::open(Source::open(kernel(name)).unwrap(), None).unwrap();
    build(&Scenario::parse(&format!("{text}\n[machine]\n{machine}\n")).unwrap(), kernel).unwrap()
}

fn run(kernel: &Path, core: &Path, words: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
    command.arg("-N").arg(kernel).arg("-M").arg(core).args(words.split(' '));
    command.output().unwrap()
}

fn convert(kernel: &Path, core: &Path, to: &str) -> PathBuf {
    let new = core.with_extension(to);
    let words = format!("--json convert --to {to} -o {}", new.display());
    let said = run(kernel, core, &words);
    assert_eq!(said.status.code(), Some(0), "{}", String::from_utf8_lossy(&said.stderr));
    new
}

fn answer(kernel: &Path, core: &Path, words: &str) -> (Option<i32>, serde_json::Value) {
    let said = run(kernel, core, &format!("--json {words}"));
    let told = serde_json::from_slice(&said.stdout);
    let told =
        told.unwrap_or_else(|_| panic!("{words}: {}", String::from_utf8_lossy(&said.stderr)));
    (said.status.code(), told)
}

#[test]
fn every_command_has_the_same_answer() {
    let directory = tempfile::tempdir().unwrap();
    for (name, machine) in MACHINES {
        let image = image(name, machine);
        let minidump = [Format::MinidumpV3, Format::MinidumpV2, Format::MinidumpV1];
        let old = minidump.into_iter().find_map(|form| image.save(form, directory.path()).ok());
        let (kernel, old) = (kernel(name), old.unwrap());
        for to in ["elf", "elf-freebsd"] {
            let new = convert(&kernel, &old, to);
            for words in COMMANDS {
                let expected = answer(&kernel, &old, words);
                assert_eq!(answer(&kernel, &new, words), expected, "{name} {machine} {to} {words}");
            }
        }
        // A core by virtual addresses becomes another, although nothing says which pages are alike.
        let again = convert(&kernel, &old.with_extension("elf"), "elf-freebsd");
        let expected = answer(&kernel, &old, "bt --all");
        assert_eq!(answer(&kernel, &again, "bt --all"), expected, "{name}");
    }
}

/// What only a hypervisor noted of the processors is in the core too.
#[test]
fn the_registers_of_processors_that_ran_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["classic-clang-dwarf4", "arm64"] {
        let image = image(name, "");
        let old = image.save(Format::Qemu, directory.path()).unwrap();
        let kernel = kernel(name);
        let new = convert(&kernel, &old, "elf");
        for words in ["bt --all", "threads --all"] {
            let expected = answer(&kernel, &old, words);
            assert_eq!(answer(&kernel, &new, words), expected, "{name} {words}");
        }
        let processors = |path: &Path| {
            vnetkvm::dump::open(Source::open(path).unwrap()).unwrap().clues.processors
        };
        let (was, is) = (processors(&old), processors(&new));
        assert_eq!(was.len(), is.len());
        for (was, is) in was.iter().zip(&is) {
            assert_eq!((was.counter, was.stack, was.frame), (is.counter, is.stack, is.frame));
        }
    }
}

/// The direct map and the kernel map name the same bytes of the file, and nothing is lost by it.
#[test]
fn a_page_with_two_addresses_is_written_once() {
    let directory = tempfile::tempdir().unwrap();
    let name = "classic-clang-dwarf4";
    let old = image(name, "").save(Format::MinidumpV2, directory.path()).unwrap();
    let new = convert(&kernel(name), &old, "elf");
    let data = std::fs::read(&new).unwrap();
    let header = elf::FileHeader64::<Endianness>::parse(&*data).unwrap();
    let endian = header.endian().unwrap();
    let loads: Vec<_> = header
        .program_headers(endian, &*data)
        .unwrap()
        .iter()
        .filter(|load| load.p_type(endian) == elf::PT_LOAD)
        .collect();
    let bytes: u64 = loads.iter().map(|load| load.p_filesz(endian)).sum();
    let pages = vnetkvm::dump::open(Source::open(&old).unwrap()).unwrap().facts.pages;
    assert!(bytes > pages * 4096 * 3 / 2, "{bytes}");
    assert!((data.len() as u64) < pages * 4096 + 128 * 1024, "{}", data.len());
    assert!(loads.iter().all(|load| load.p_paddr(endian) == 0));
    assert!(loads.is_sorted_by_key(|load| load.p_vaddr(endian)));
    assert_eq!(object::File::parse(&*data).unwrap().kind(), object::ObjectKind::Core);
}

/// Nothing lists what a hashed page table maps, so a core would lack most of the kernel.
#[test]
fn a_hashed_page_table_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let image = image("powerpc64", "paging = \"hashed\"");
    let old = image.save(Format::MinidumpV2, directory.path()).unwrap();
    let new = directory.path().join("new");
    let words = format!("convert --to elf -o {}", new.display());
    let said = run(&kernel("powerpc64"), &old, &words);
    let err = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(2), "{err}");
    assert!(err.contains("does not list what is mapped"), "{err}");
    assert!(!new.exists());
}

/// Page tables that map everything to one page give an error and no file.
#[test]
fn a_page_map_of_one_page_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let name = "classic-clang-dwarf4";
    let old = image(name, "").save(Format::MinidumpV2, directory.path()).unwrap();
    let mut data = std::fs::read(&old).unwrap();
    let field = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap()) as usize;
    // struct minidumphdr: version, msgbufsize, bitmapsize, pmapsize.
    let (messages, bitmap, map) = (field(28), field(32), field(36));
    let page = |len: usize| len.next_multiple_of(4096);
    let start = 4096 + page(messages) + page(bitmap);
    let (_, directories) = data.split_at_mut(start);
    let entries = directories[..map].chunks_exact_mut(8);
    // A page of 2 MB.
    let first = 0x20_0083_u64.to_le_bytes();
    entries.filter(|entry| **entry == [0; 8]).for_each(|entry| entry.copy_from_slice(&first));
    std::fs::write(&old, &data).unwrap();
    let new = directory.path().join("new");
    let words = format!("--max-work 100000 convert --to elf -o {}", new.display());
    let said = run(&kernel(name), &old, &words);
    let err = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(2), "{err}");
    assert!(!new.exists(), "{err}");
}
