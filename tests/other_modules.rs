//! A module's file is believed if it is the one that was loaded, whatever its name says.

#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use vnetkvm::kernel::ElfFile;
use vnetkvm::source::Source;

/// A kernel, the directory of its modules, and the file of if_gif.ko that has its types.
const MACHINES: [(&str, &str, &str); 5] = [
    ("classic-clang-dwarf4", "amd64", "if_gif.ko.debug"),
    ("arm64", "arm64", "if_gif.ko.debug"),
    ("i386", "i386", "if_gif.ko"),
    ("riscv64", "riscv64", "if_gif.ko"),
    ("powerpc64", "powerpc64", "if_gif.ko"),
];

/// A dump of a kernel with if_gif.ko, and the files of both beside it.
struct Place {
    directory: TempDir,
}

struct Said {
    out: String,
    err: String,
    status: i32,
}

impl Place {
    fn of(kernel: &str, arch: &str, module: &str) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel");
        let module = fixtures.join("modules").join(arch).join(module);
        let scenario = format!(
            "kernel = {:?}\nmemory = \"64M\"\n[[step]]\ndo = \"module\"\n\
             file = {module:?}\n[[step]]\ndo = \"jail\"\nname = \"a\"\n",
            fixtures.join(kernel)
        );
        fs::write(place.at("s.toml"), scenario).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .args(["image", "build"])
            .arg(place.at("s.toml"))
            .arg("-o")
            .arg(place.at("o"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        place
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.at("o").join(name)
    }

    fn core(&self) -> PathBuf {
        let mut files = fs::read_dir(self.at("o")).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.to_string_lossy().contains("vmcore")).unwrap()
    }

    fn ask(&self, words: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .arg("-N")
            .arg(self.file("kernel"))
            .arg("-M")
            .arg(self.core())
            .args(words)
            .output()
            .unwrap();
        Said {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap(),
        }
    }

    /// Changes a file by `change`, asks what the module's types are, and puts the file back.
    fn changed(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Said {
        let path = self.file(name);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        change(&mut bytes);
        assert!(bytes != whole, "{name} is as it was");
        fs::write(&path, bytes).unwrap();
        let said = self.ask(&["--vnet", "1", "vars", "*@if_gif.ko"]);
        fs::write(&path, whole).unwrap();
        said
    }
}

impl Said {
    fn is_typed(&self) -> bool {
        self.out.contains("struct if_clone *")
    }

    /// No value, but bytes; and one warning with the file and `why`.
    #[track_caller]
    fn refuses(&self, file: &str, why: &str) {
        assert_eq!(self.status, 0, "{}", self.err);
        assert!(self.out.contains("if_gif.ko") && !self.is_typed(), "{}", self.out);
        let told = |line: &&str| line.contains(file) && line.contains(why);
        let line = self.err.lines().find(told).unwrap_or_else(|| panic!("{why}: {}", self.err));
        let shown = line.ends_with("if_gif.ko's variables are shown as bytes");
        assert!(line.starts_with("warning: ") && shown, "{line}");
    }
}

fn module(bytes: &[u8]) -> ElfFile {
    ElfFile::parse_module(Source::from_vec("module", bytes.to_vec())).unwrap()
}

/// Where a section's bytes are in the file.
fn place_of(bytes: &[u8], name: &str) -> usize {
    let elf = module(bytes);
    let found = elf.raw_bytes(elf.section(name).unwrap()).unwrap();
    found.as_ptr() as usize - elf.source().bytes().as_ptr() as usize
}

/// Bytes of code that loading changes, or does not.
fn code(bytes: &[u8], relocated: bool) -> Vec<usize> {
    let (elf, start) = (module(bytes), place_of(bytes, ".text"));
    let section = elf.section(".text").unwrap();
    let places = elf.relocated_places(section);
    let is_changed = |at: &usize| places.iter().any(|place| place.contains(at));
    let all = 0..section.size() as usize;
    all.filter(|at| is_changed(at) == relocated).map(|at| start + at).collect()
}

#[test]
fn one_byte_of_other_code_is_another_build() {
    for (kernel, arch, typed) in MACHINES {
        let place = Place::of(kernel, arch, "if_gif.ko");
        let right = place.ask(&["--vnet", "1", "vars", "*@if_gif.ko"]);
        assert!(right.is_typed(), "{kernel}: {}{}", right.out, right.err);
        assert_eq!(right.err, "", "{kernel}");
        let whole = fs::read(place.file("if_gif.ko")).unwrap();
        let still = code(&whole, false);
        for at in [still[0], still[still.len() / 2], still[still.len() - 1]] {
            let said = place.changed("if_gif.ko", |bytes| bytes[at] ^= 1);
            said.refuses(typed, "is of another build of if_gif.ko: ");
            said.refuses(typed, "pieces of its .text differ from memory");
        }
        // What a relocation puts there says nothing of the file.
        for at in code(&whole, true).into_iter().take(1) {
            let said = place.changed("if_gif.ko", |bytes| bytes[at] ^= 1);
            // A debug file knows its module's by the CRC or the build-id.
            assert!(said.is_typed(), "{kernel}: {}", said.err);
        }
    }
}

/// A module that the same sources give with another compiler, or with another struct.
#[test]
fn other_sections_and_symbols_are_another_build() {
    let place = Place::of("classic-clang-dwarf4", "amd64", "if_gif.ko");
    fs::remove_file(place.file("if_gif.ko")).unwrap();
    let debug = "if_gif.ko.debug";
    let headers = |bytes: &[u8]| {
        let elf = goblin::elf::Elf::parse(bytes).unwrap();
        let name = |s: &goblin::elf::SectionHeader| {
            elf.shdr_strtab.get_at(s.sh_name).unwrap_or_default().to_owned()
        };
        let found = elf.section_headers.iter().map(|s| (name(s), s.sh_offset as usize));
        (elf.header.e_shoff as usize, found.collect::<Vec<_>>())
    };
    // The debug file alone is enough, and refused by the sizes of its sections.
    for section in [".text", ".data", "set_vnet"] {
        let said = place.changed(debug, |bytes| {
            let (table, sections) = headers(bytes);
            let Some(index) = sections.iter().position(|(name, _)| name == section) else {
                panic!("{section}: {sections:?}")
            };
            bytes[table + index * 64 + 32] ^= 8;
        });
        said.refuses(debug, &format!("its section {section} has "));
    }
    // By the size of a variable, its place, and its name.
    for (offset, why) in [(16, "has another place or size"), (8, "has another place"), (0, "")] {
        let said = place.changed(debug, |bytes| {
            let elf = goblin::elf::Elf::parse(bytes).unwrap();
            let named = |s: &goblin::elf::Sym| {
                elf.strtab.get_at(s.st_name) == Some("vnet_entry_gif_softc_list")
            };
            let index = elf.syms.iter().position(|symbol| named(&symbol));
            let index = index.expect("it is a variable of if_gif.ko");
            let table = place_of(bytes, ".symtab");
            bytes[table + index * 24 + offset] ^= 4;
        });
        said.refuses(debug, if why.is_empty() { "vnet_entry_gif_softc_list" } else { why });
    }
    let said = place.ask(&["--vnet", "1", "vars", "*@if_gif.ko"]);
    assert!(said.is_typed(), "and it is taken as it is: {}", said.err);
}

/// A debug file that is not of the module which the dump proves right.
#[test]
fn the_right_module_tells_a_wrong_debug_file() {
    let place = Place::of("classic-clang-dwarf4", "amd64", "if_gif.ko");
    let said = place.changed("if_gif.ko.debug", |bytes| {
        let at = place_of(bytes, ".debug_str");
        bytes[at] ^= 1;
    });
    said.refuses("if_gif.ko.debug", "is of another build of if_gif.ko: unlike ");
    said.refuses("if_gif.ko.debug", "by the .gnu_debuglink of ");
    for (foreign, why) in [
        (&b"no file of any kind"[..], "cannot be used: "),
        (
            &fs::read(
                Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("fixtures/kernel/modules/arm64/if_gif.ko.debug"),
            )
            .unwrap(),
            "is for aarch64, not for amd64",
        ),
    ] {
        let said = place.changed("if_gif.ko.debug", |bytes| *bytes = foreign.to_vec());
        said.refuses("if_gif.ko.debug", why);
    }
    // Every command that shows a variable of the module says so, and `modules` itself.
    let path = place.file("if_gif.ko.debug");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, b"nothing").unwrap();
    let name = path.to_str().unwrap();
    for words in [
        &["modules"][..],
        &["--vnet", "1", "print", "max_gif_nesting"],
        &["--vnet", "1", "print", "V_gif_softc_list.lh_first"],
        &["--vnet", "1", "print", "sizeof(int)", "max_gif_nesting"],
        &["--vnet", "1", "vars", "max_gif_nesting"],
    ] {
        let said = place.ask(words);
        assert!(said.err.contains(name), "{words:?}: {}", said.err);
    }
    let said = place.ask(&["--vnet", "1", "print", "ip_defttl"]);
    assert!(!said.err.contains(name), "{}", said.err);
    fs::write(&path, whole).unwrap();
    // Without a debug file nothing is wrong but that there are no types.
    fs::remove_file(&path).unwrap();
    let said = place.ask(&["--vnet", "1", "vars", "*@if_gif.ko"]);
    assert!(said.err.contains("no file has the types of if_gif.ko's variables"), "{}", said.err);
}

/// Breakpoints in memory, and pages that a sparse dump has as zeros, are no difference.
#[test]
fn what_memory_lost_is_no_other_build() {
    let place = Place::of("classic-clang-dwarf4", "amd64", "if_gif.ko");
    let core = place.core();
    let whole = fs::read(&core).unwrap();
    let file = fs::read(place.file("if_gif.ko")).unwrap();
    let elf = module(&file);
    let text = elf.raw_bytes(elf.section(".text").unwrap()).unwrap();
    let still = code(&file, false);
    let start = place_of(&file, ".text");
    // A stretch of code that loading leaves alone, and that is nowhere else, leads to where it
    // lies in the dump.
    let runs = (16..text.len()).map(|end| end - 16..end);
    let mut runs = runs.filter(|run| run.clone().all(|at| still.contains(&(start + at))));
    let found = runs.find_map(|run| {
        let found: Vec<usize> = memchr::memmem::find_iter(&whole, &text[run.clone()]).collect();
        let [at] = found[..] else { return None };
        Some((run, at))
    });
    let (run, at) = found.unwrap();
    let ask = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = whole.clone();
        change(&mut bytes[at - run.start..][..text.len()]);
        fs::write(&core, bytes).unwrap();
        place.ask(&["--vnet", "1", "vars", "*@if_gif.ko"])
    };
    for harmless in [
        &(|code: &mut [u8]| code[0] = 0xcc) as &dyn Fn(&mut [u8]),
        &(|code: &mut [u8]| code[8] = 0xf0),
        &(|code: &mut [u8]| code.fill(0)),
    ] {
        let said = ask(harmless);
        assert!(said.is_typed(), "{}", said.err);
    }
    ask(&|code: &mut [u8]| code[run.start] ^= 0x10)
        .refuses("if_gif.ko.debug", "of its .text differ");
}

/// What lies in module space is the module's, and no address in one variable of the kernel.
#[test]
fn pointers_into_module_space_name_the_modules_variable() {
    let place = Place::of("classic-clang-dwarf4", "amd64", "if_gif.ko");
    let modules = place.ask(&["--json", "modules"]).out;
    let (_, set) = modules.split_once("\"set_vnet\":{\"address\":\"").unwrap();
    let set = set.split('"').next().unwrap();
    for (offset, label) in [(0, "if_gif.ko:max_gif_nesting"), (2, "if_gif.ko:max_gif_nesting+2")] {
        let text = format!("(char *){set} + {offset}");
        let said = place.ask(&["--vnet", "1", "print", &text]);
        assert!(said.out.contains(&format!("<{label}>")), "{}{}", said.out, said.err);
    }
    // Behind the last variable module space is the kernel's own again.
    let said = place.ask(&["--vnet", "1", "print", &format!("(char *){set} + 0x800")]);
    assert!(said.out.contains("<vnet_entry_modspace+"), "{}", said.out);
}

/// gdb is told what gives it the types that it does not have.
#[test]
fn the_script_names_the_types_of_modules() {
    for (kernel, arch, typed) in MACHINES {
        let place = Place::of(kernel, arch, "if_gif.ko");
        let said = place.ask(&["--vnet", "1", "gdb", "gif_softc_list"]);
        let file = place.file(typed);
        let line = format!("# add-symbol-file {} 0x", file.display());
        let line = said.out.lines().find(|text| text.starts_with(&line));
        let line = line.unwrap_or_else(|| panic!("{kernel}: {}", said.out));
        assert!(line.contains(" -s set_vnet 0x"), "{line}");
        let told = "# Its type is struct {...} *; once gdb has the module's types:\n\
                    # set $V_gif_softc_list = &{__typeof__(vnet_entry_gif_softc_list)}0x";
        assert!(said.out.contains(told), "{kernel}: {}", said.out);
    }
}
