//! Nothing of another build is believed: kernels, debug files and descriptions of dumps
//! that lie where the right ones should.

#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const SCENARIO: &str = r#"
memory = "64M"
cpus = 2
hostname = "gw.example.org"
panic = "page fault"
formats = ["minidump-v2", "full"]
[[step]]
do = "jail"
name = "web01"
values = { ip_defttl = 42 }
"#;

/// A directory with a dump of some fixture kernel.
struct Place {
    directory: TempDir,
}

struct Said {
    out: String,
    err: String,
    status: i32,
}

impl Place {
    /// The dumps are `image/vmcore.minidump-v2` and `image/vmcore.full`.
    fn of(kernel: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(place.at("s.toml"), SCENARIO).unwrap();
        let kernel = fixture(kernel);
        let words = ["image", "build", "{s.toml}", "-o", "{image}", "-N", &kernel];
        let said = place.run(&words);
        assert_eq!(said.status, 0, "{}", said.err);
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Writes a file, and the directory that it is in.
    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs vnetkvm; `{x}` is the file x of this place.
    fn run(&self, words: &[&str]) -> Said {
        let place = |word: &&str| match word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
            Some(path) => self.at(path).to_str().unwrap().to_owned(),
            None => (*word).to_owned(),
        };
        let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .args(words.iter().map(place))
            .env_remove("VNETKVM_KERNEL")
            .env_remove("VNETKVM_CORE")
            .env_remove("VNETKVM_CRASH_DIR")
            .output()
            .unwrap();
        Said {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap(),
        }
    }

    /// The same about the minidump.
    fn ask(&self, kernel: &str, words: &[&str]) -> Said {
        self.run(&[&["-N", kernel, "-M", "{image/vmcore.minidump-v2}"], words].concat())
    }
}

fn fixture(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("fixtures/kernel").join(name).to_str().unwrap().to_owned()
}

fn read(name: &str) -> Vec<u8> {
    fs::read(fixture(name)).unwrap()
}

/// `bytes` with every `from` made `to`, which is as long.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, from).collect();
    assert!(!places.is_empty(), "{:?} is not there", String::from_utf8_lossy(from));
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

fn build_id(file: &[u8]) -> Vec<u8> {
    let source = vnetkvm::source::Source::from_vec("kernel", file.to_vec());
    let kernel = vnetkvm::kernel::Kernel::open(source, None).unwrap();
    kernel.build_id().unwrap().to_vec()
}

/// All that reads memory by a kernel's names, types or addresses.
const QUESTIONS: [&[&str]; 19] = [
    &["vnets"],
    &["vnets", "--scan"],
    &["vars"],
    &["vars", "ip_defttl"],
    &["print", "ip_defttl"],
    &["print", "1 + 1"],
    &["modules"],
    &["modspace"],
    &["sysinit"],
    &["jails"],
    &["threads"],
    &["locks"],
    &["eventhandlers"],
    &["counters"],
    &["sysctl", "net.inet.ip"],
    &["gdb"],
    &["read", "0xffffffff80400000", "16"],
    &["recursions"],
    &["sockets"],
];

/// Of the same version string, and even without a build-id to tell it by.
#[test]
fn with_a_kernel_of_another_build_no_question_is_answered() {
    let place = Place::of("classic-clang-dwarf4");
    let mut others = vec![];
    for name in ["small-zlib-dwarf5", "plain-clang-dwarf4"] {
        let file = read(name);
        let id = build_id(&file);
        // A note of another kind in the place of the build-id.
        let note = [b"GNU\0", &id[..]].concat();
        let none = replaced(&file, &note, &[b"XYZ\0", &id[..]].concat());
        others.push(fixture(name));
        others.push(place.put(&format!("{name}-without-id"), none));
    }
    for kernel in &others {
        for question in QUESTIONS {
            let said = place.ask(kernel, question);
            assert_eq!(said.status, 2, "{kernel} {question:?}: {}", said.out);
            assert_eq!(said.out, "", "{kernel} {question:?}");
            assert!(said.err.contains(" pieces of .rodata differ"), "{question:?}: {}", said.err);
        }
        let said = place.ask(kernel, &["info"]);
        assert_eq!(said.status, 0, "{}", said.err);
        assert!(said.out.contains("belongs         no: "), "{}", said.out);
        for nothing in ["jails ", "vnets ", "variables ", "default vnet", "cpus", "host"] {
            assert!(!said.out.lines().any(|line| line.starts_with(nothing)), "{}", said.out);
        }
        let json = place.ask(kernel, &["info", "--json"]).out;
        for null in [r#""jails":null"#, r#""vnets":null"#, r#""variables":null"#] {
            assert!(json.contains(null), "{json}");
        }
    }
}

/// A rebuilt kernel of the same code: only its build-id tells that it is another one.
#[test]
fn the_same_code_with_another_build_id_leaves_it_unknown() {
    let place = Place::of("classic-clang-dwarf4");
    let said = place.ask(&fixture("classic-clang-dwarf5"), &["info"]);
    assert!(said.out.contains("belongs         unknown: same version[], "), "{}", said.out);
    assert!(
        said.out.contains("same constants, same code, but the file's build-id"),
        "{}",
        said.out
    );
    assert!(said.err.contains("it is unknown whether kernel and dump match: "), "{}", said.err);
    // Without the page of its build-id in the dump, the rest is all there is.
    let core = fs::read(place.at("image/vmcore.minidump-v2")).unwrap();
    let id = build_id(&read("classic-clang-dwarf4"));
    fs::write(place.at("image/vmcore.minidump-v2"), replaced(&core, &id, &[0; 20])).unwrap();
    let said = place.ask(&fixture("classic-clang-dwarf5"), &["info"]);
    let verdict = "belongs         yes: same version[], same constants, same code";
    assert!(said.out.contains(verdict), "{}", said.out);
    let said = place.ask(&fixture("small-zlib-dwarf5"), &["vnets"]);
    assert!(said.status == 2 && said.err.contains("pieces of .rodata differ"), "{}", said.err);
}

/// What `objcopy --only-keep-debug` leaves of a kernel.
fn debug_only(file: &[u8]) -> Vec<u8> {
    const PROGBITS: u32 = 1;
    const NOBITS: u32 = 8;
    let elf = goblin::elf::Elf::parse(file).unwrap();
    let mut bytes = file.to_vec();
    for (index, section) in elf.section_headers.iter().enumerate() {
        if section.is_alloc() && section.sh_type == PROGBITS {
            let at = elf.header.e_shoff as usize + index * 64 + 4;
            bytes[at..at + 4].copy_from_slice(&NOBITS.to_le_bytes());
        }
    }
    bytes
}

/// A debug file has nothing of the kernel's memory but the build-id and the places of things.
#[test]
fn a_debug_file_alone_of_another_build_is_refused() {
    let place = Place::of("small-split/kernel");
    let debug = read("small-split/kernel.debug");
    let id = build_id(&debug);
    let right = place.put("right/kernel.debug", &debug);
    let said = place.ask(&right, &["--vnet", "1", "print", "ip_defttl"]);
    assert!(said.out == "ip_defttl = (int) 42\n" && said.err.is_empty(), "{}", said.err);
    let other = place.put("other/kernel.debug", replaced(&debug, &id, &[1; 20]));
    let said = place.ask(&other, &["--vnet", "1", "print", "ip_defttl"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""));
    assert!(said.err.contains("the file's build-id is 01010101"), "{}", said.err);
    // Without any build-id, by where things are.
    let place = Place::of("classic-clang-dwarf4");
    let without = replaced(&debug_only(&read("classic-gcc-dwarf4")), b"GNU\0", b"XYZ\0");
    let without = place.put("without/kernel.debug", without);
    let said = place.ask(&without, &["vnets"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""), "{}", said.err);
    assert!(said.err.contains("no text of FreeBSD at the address of version[]"), "{}", said.err);
}

/// The time of the build is a part of version[].
#[test]
fn a_kernel_that_was_built_at_another_time_is_another() {
    let place = Place::of("classic-clang-dwarf4");
    let file = read("classic-clang-dwarf4");
    let id = build_id(&file);
    let later = replaced(&file, b"12.1-RELEASE-p10 r0+fixture", b"12.1-RELEASE-p10 r1+fixture");
    let kernel = place.put("later", replaced(&later, &id, &[7; 20]));
    let said = place.ask(&kernel, &["vnets"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""), "{}", said.err);
    assert!(said.err.contains("r1+fixture"), "{}", said.err);
}

#[test]
fn a_kernel_of_another_machine_is_refused() {
    let place = Place::of("small-zlib-dwarf5");
    let said = place.ask(&fixture("arm64"), &["vnets"]);
    assert!(said.status == 2 && said.err.contains("aarch64"), "{}", said.err);
    let said = place.ask(&fixture("arm64"), &["info"]);
    assert!(said.status == 0 && !said.out.contains("jails"), "{}", said.out);
}

/// Whatever is wrong with the file that lies in the debug file's place, it is named with why.
#[test]
fn a_debug_file_that_is_not_the_kernels_is_named() {
    let place = Place::of("small-split/kernel");
    let kernel = place.put("k/kernel", read("small-split/kernel"));
    let debug = read("small-split/kernel.debug");
    let id = build_id(&debug);
    let mut without_id = replaced(&debug, b"GNU\0", b"XYZ\0");
    without_id.push(0);
    for (bytes, why) in [
        (read("newer-clang-dwarf4"), "is of another build: its build-id is "),
        (read("arm64"), "is for aarch64, not for amd64"),
        (replaced(&debug, &id, &[1; 20]), "is of another build: its build-id is 01010101"),
        (without_id, "by the .gnu_debuglink of "),
        (debug[..debug.len() / 2].to_vec(), "cannot be used: "),
        (b"not at all".to_vec(), "cannot be used: "),
    ] {
        let refused = place.put("k/kernel.debug", &bytes);
        let said = place.ask(&kernel, &["--vnet", "1", "vars", "ip_defttl"]);
        assert!(said.out.contains("2a 00 00 00"), "bytes, no value: {}", said.out);
        let named = said.err.lines().find(|line| line.contains(&refused) && line.contains(why));
        assert!(named.is_some_and(|line| line.starts_with("warning: ")), "{why}: {}", said.err);
        // The same in a directory that is named, and for a question about types alone.
        let alone = place.put("alone/kernel", read("small-split/kernel"));
        fs::rename(place.at("k/kernel.debug"), place.at("alone/elsewhere")).unwrap();
        let refused = place.put("d/boot/kernel/kernel.debug", &bytes);
        let said = place.run(&["-N", &alone, "--debug-dir", "{d}", "type", "struct vnet"]);
        assert_eq!(said.status, 2);
        assert!(said.err.contains(&refused) && said.err.contains(why), "{}", said.err);
    }
    // A refused file is nobody's concern once the right one is found.
    place.put("alone/kernel.debug", debug);
    let said =
        place.ask("{alone/kernel}", &["--debug-dir", "{d}", "--vnet", "1", "vars", "ip_defttl"]);
    assert!(said.out.contains(" 42") && !said.err.contains("warning"), "{}", said.err);
}

fn info_file(len: u64, host: &str, panic: &str, version: &str, status: &str) -> String {
    format!(
        "Dump header from device: /dev/ada0p3\n  Architecture: amd64\n  Architecture Version: 2\n  \
         Dump Length: {len}\n  Blocksize: 512\n  Compression: none\n  \
         Dumptime: 2024-07-28 20:58:52 -0400\n  Hostname: {host}\n  Magic: FreeBSD Kernel Dump\n  \
         Version String: {version}\n  Panic String: {panic}\n  Dump Parity: 1\n  Bounds: 0\n  \
         Dump Status: {status}\n"
    )
}

/// Every command that opens the dump says so.
#[test]
fn the_description_of_another_dump_is_told() {
    const VERSION: &str = "FreeBSD 12.1-RELEASE-p10 r0+fixture VNET amd64";
    let place = Place::of("small-zlib-dwarf5");
    fs::rename(place.at("image/vmcore.minidump-v2"), place.at("image/vmcore.0")).unwrap();
    let len = fs::metadata(place.at("image/vmcore.0")).unwrap().len();
    let (host, panic) = ("gw.example.org", "page fault");
    let all = [&QUESTIONS[..], &[&["info"]]].concat();
    for (text, why) in [
        (info_file(len, host, panic, VERSION, "good"), None),
        (info_file(len, host, panic, VERSION, "unknown"), None),
        (info_file(len, "", "", "", "good"), None),
        (info_file(len, host, panic, VERSION, "bad"), Some("the dump is bad (Dump Status)")),
        (info_file(len, "db", panic, VERSION, "good"), Some("whose host is \"db\", and here")),
        (info_file(len, host, "a panic", VERSION, "good"), Some("whose panic is \"a panic\"")),
        (info_file(len, host, panic, "FreeBSD 13", "good"), Some("whose kernel is \"FreeBSD 13\"")),
        (info_file(len / 2, host, panic, VERSION, "good"), Some("(Dump Length)")),
    ] {
        let info = place.put("image/info.0", text);
        let with_kernel = ["-N", &fixture("small-zlib-dwarf5"), "-M", "{image/vmcore.0}"];
        let questions = if why.is_some() { &all[..] } else { &all[..1] };
        for question in questions {
            let said = place.run(&[&with_kernel, *question].concat());
            let told: Vec<&str> = said.err.lines().filter(|line| line.contains(&info)).collect();
            match why {
                Some(why) => {
                    let once = matches!(told[..], [line] if line.contains(why));
                    assert!(once, "{question:?}, {why}: {}", said.err);
                }
                None => assert_eq!(told, [""; 0], "{question:?}"),
            }
        }
        let json = place.run(&[&with_kernel[..], &["info", "--json"]].concat()).out;
        assert_eq!(json.contains(&info) && json.contains("info.0 "), why.is_some(), "{json}");
    }
}

/// Of several files of the kernel that wrote the dump, the one with types.
#[test]
fn a_kernel_with_types_is_found_behind_one_without() {
    let place = Place::of("small-split/kernel");
    fs::create_dir(place.at("c")).unwrap();
    fs::copy(place.at("image/vmcore.minidump-v2"), place.at("c/vmcore.0")).unwrap();
    place.put("c/kernel", read("small-split/kernel"));
    let types = |words: &[&str]| {
        let said = place.run(&[&["-M", "{c/vmcore.0}"], words].concat());
        assert_eq!(said.status, 0, "{}", said.err);
        said.out
    };
    let question = &["--vnet", "1", "print", "ip_defttl"][..];
    assert!(types(&["--vnet", "1", "vars", "ip_defttl"]).contains("2a 00 00 00"));
    for debug in ["c/kernel.full", "c/kernel.debug", "c/kernel.symbols", "c/.debug/kernel.debug"] {
        place.put(debug, read("small-split/kernel.debug"));
        assert_eq!(types(question), "ip_defttl = (int) 42\n", "{debug}");
        fs::remove_file(place.at(debug)).unwrap();
    }
    // A debug file in a directory that is no place beside the kernel; another kernel before it.
    place.put("d/a/kernel", read("newer-clang-dwarf4"));
    place.put("d/b/kernel.debug", read("small-split/kernel.debug"));
    let elsewhere = [&["--debug-dir", "{d}"], question].concat();
    assert_eq!(types(&elsewhere), "ip_defttl = (int) 42\n");
    // With the stripped kernel's contents: the initial values.
    let initial = ["--debug-dir", "{d}", "--json", "info"];
    assert!(types(&initial).contains("c/kernel\",\"debug_file\""), "{}", types(&initial));
}

/// `strip`ped of its program headers: nothing needs them but to know where the image lies.
fn without_program_headers(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    bytes[32..40].fill(0); // e_phoff
    bytes[56..58].fill(0); // e_phnum
    bytes
}

/// Gives all but a few symbols of .symtab a name that says nothing.
fn with_symbols(file: &[u8], kept: &[&str]) -> Vec<u8> {
    let elf = goblin::elf::Elf::parse(file).unwrap();
    let is_table = |s: &&goblin::elf::SectionHeader| s.sh_type == 2;
    let table = elf.section_headers.iter().find(is_table).unwrap();
    let mut bytes = file.to_vec();
    for (index, symbol) in elf.syms.iter().enumerate() {
        let name = elf.strtab.get_at(symbol.st_name).unwrap_or_default();
        if !kept.contains(&name) {
            let at = table.sh_offset as usize + index * 24;
            bytes[at..at + 4].fill(0);
        }
    }
    // A stripped table would not be replaced by the dynamic one.
    bytes
}

#[test]
fn a_kernel_is_what_the_question_needs() {
    let place = Place::of("small-zlib-dwarf5");
    let whole = read("small-zlib-dwarf5");
    let types = ["type", "struct", "vnet"];
    let expected = place.run(&[&["-N", &fixture("small-zlib-dwarf5")], &types[..]].concat()).out;

    // Without program headers it is read as ever, in both kinds of dump.
    let headless = place.put("headless", without_program_headers(&whole));
    for core in ["{image/vmcore.minidump-v2}", "{image/vmcore.full}"] {
        let print = |expression: &str| {
            let said =
                place.run(&["-N", &headless, "-M", core, "--vnet", "1", "print", expression]);
            assert_eq!((said.status, said.err.as_str()), (0, ""), "{core}");
            said.out
        };
        assert_eq!(print("ip_defttl"), "ip_defttl = (int) 42\n");
        assert!(print("tcp_input").contains("<tcp_input at "));
    }
    // Types need debug information, and nothing else.
    for (bytes, warned) in [
        (without_program_headers(&whole), false),
        (with_symbols(&whole, &[]), true),
        (without_program_headers(&with_symbols(&whole, &[])), true),
    ] {
        let file = place.put("few", bytes);
        let said = place.run(&[&["-N", &file], &types[..]].concat());
        assert_eq!((said.status, &said.out), (0, &expected), "{}", said.err);
        assert_eq!(said.err.contains("none of the symbols"), warned, "{}", said.err);
    }
    // A module's debug file is an object file with types.
    for module in ["modules/amd64/if_gif.ko.debug", "modules/amd64/if_gif.ko"] {
        let said = place.run(&["-N", &fixture(module), "type", "struct", "gif_softc"]);
        assert!(said.status == 0 && said.out.starts_with("struct gif_softc {"), "{}", said.err);
    }
}

/// By the address that the image has above kernbase, and the root in KPML4phys.
#[test]
fn a_full_dump_is_read_by_two_symbols() {
    let place = Place::of("small-zlib-dwarf5");
    let whole = read("small-zlib-dwarf5");
    let kept = ["KPML4phys", "kernbase", "prison0", "vnet_head", "vnet0"];
    for bytes in
        [with_symbols(&whole, &kept), without_program_headers(&with_symbols(&whole, &kept))]
    {
        let few = place.put("few", bytes);
        let with = ["-N", &few, "-M", "{image/vmcore.full}"];
        let said = place.run(&[&with[..], &["print", "prison0.pr_hostname"]].concat());
        assert_eq!(
            said.out, "prison0.pr_hostname = (char [256]) \"gw.example.org\"\n",
            "{}",
            said.err
        );
        assert!(said.err.contains("has none of the symbols that every kernel has"), "{}", said.err);
    }
    // What is no kernel at all has no answers, and is not called one without VIMAGE.
    let none = place.put("none", with_symbols(&read("plain-clang-dwarf4"), &[]));
    let said = place.ask(&none, &["vnets"]);
    assert_eq!((said.status, said.out.as_str()), (2, ""));
    assert!(!said.err.contains("VIMAGE"), "{}", said.err);
    let said = place.ask(&none, &["info"]);
    assert!(said.out.contains("VIMAGE          unknown"), "{}", said.out);
}
