//! What people meet who have not yet got everything right: a kernel without its debug
//! file, a dump that was not copied whole, an environment that says something else.
//! What needs no files of its own is a transcript in tests/cli.

#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A machine whose kernel has its debug information in a file of its own.
struct Crash {
    directory: TempDir,
}

const SCENARIO: &str = r#"
memory = "32M"
cpus = 2
formats = ["minidump-v2", "full"]
panic = "page fault"
messages = ["FreeBSD 12.1-RELEASE r0 VNET amd64", "panic: page fault"]
[[step]]
do = "jail"
name = "web01"
values = { ip_defttl = 42 }
"#;

impl Crash {
    fn new() -> Self {
        let crash = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(crash.at("crash.toml"), SCENARIO).unwrap();
        let kernel = fixture("small-split/kernel");
        crash.run(&["image", "build", "{crash.toml}", "-o", "{image}", "-N", &kernel]).succeeded();
        crash
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    /// Runs vnetkvm; `{x}` is the file x of this crash.
    fn run(&self, words: &[&str]) -> Said {
        self.run_with(words, &[])
    }

    fn run_with(&self, words: &[&str], environment: &[(&str, &str)]) -> Said {
        let place = |word: &&str| match word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) {
            Some(path) => self.at(path).to_str().unwrap().to_owned(),
            None => (*word).to_owned(),
        };
        let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
            .args(words.iter().map(place))
            .env_remove("VNETKVM_KERNEL")
            .env_remove("VNETKVM_CORE")
            .env_remove("VNETKVM_CRASH_DIR")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Said::of(output)
    }

    /// The kernel as it was found on a machine without its debug file.
    fn lone_kernel(&self) -> &'static str {
        let alone = self.at("alone");
        fs::create_dir_all(&alone).unwrap();
        fs::copy(fixture("small-split/kernel"), alone.join("kernel")).unwrap();
        "{alone/kernel}"
    }
}

struct Said {
    out: String,
    err: String,
    status: i32,
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            status: output.status.code().unwrap(),
        }
    }

    #[track_caller]
    fn succeeded(self) -> Self {
        assert_eq!(self.status, 0, "{}", self.err);
        self
    }
}

fn fixture(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("fixtures/kernel").join(name).to_str().unwrap().to_owned()
}

#[test]
fn missing_debug_information_names_the_file_to_install() {
    let crash = Crash::new();
    let kernel = crash.lone_kernel();
    let files = ["-N", kernel, "-M", "{image/vmcore.minidump-v2}"];
    let run = |words: &[&str]| crash.run(&[&files[..], words].concat());

    let said = run(&["vars", "--vnet", "1", "ip_defttl"]).succeeded();
    assert!(said.out.contains("2a 00 00 00"), "{}", said.out);
    assert_eq!(said.err.matches("warning:").count(), 1, "{}", said.err);
    let hint = said.err.lines().find(|line| line.starts_with("hint:")).unwrap();
    assert!(hint.contains("kernel.debug with build-id") && hint.contains("--debug-dir"), "{hint}");

    let verbose = run(&["-v", "vars", "--vnet", "1", "ip_defttl"]).succeeded().err;
    for place in ["alone/kernel.debug is not there", "alone/.debug/", "/usr/lib/debug/.build-id/"] {
        assert!(verbose.contains(place), "{place}: {verbose}");
    }
    let info = run(&["info"]).succeeded().out;
    assert!(info.contains("debug info      none: types"), "{info}");
    let error = run(&["type", "vnet"]);
    assert_eq!((error.status, error.out.as_str()), (2, ""));
    assert!(error.err.contains("kernel.debug with build-id"), "{}", error.err);
}

/// Bytes of unknown type are as many as elements of an array would be.
#[test]
fn bytes_of_unknown_type_obey_the_limit_of_elements() {
    let crash = Crash::new();
    let files = ["-N", crash.lone_kernel(), "-M", "{image/vmcore.minidump-v2}", "--vnet", "1"];
    let run = |words: &[&str]| crash.run(&[&files[..], words].concat()).succeeded().out;
    let size = run(&["vars", "modspace", "--format", "plain"]);
    let size: usize = size.split('\t').nth(2).unwrap().parse().unwrap();
    let value = |words: &[&str]| {
        let row = run(words);
        let row = row.lines().last().unwrap();
        row.split("kernel").last().unwrap().trim().to_owned()
    };
    let cut = |shown: usize| format!("{} <{} more>", vec!["00"; shown].join(" "), size - shown);
    assert_eq!(value(&["vars", "modspace"]), cut(32));
    assert_eq!(value(&["vars", "modspace", "--max-elements", "3"]), cut(3));
    assert_eq!(value(&["vars", "modspace", "--max-elements", "3", "--format", "plain"]), cut(3));
    assert_eq!(value(&["vars", "modspace", "--format", "plain"]), vec!["00"; size].join(" "));
    let json = run(&["vars", "modspace", "--max-elements", "3", "--json"]);
    let bytes = format!(r#""value":{{"bytes":"000000","omitted":{}}}"#, size - 3);
    assert!(json.contains(&bytes), "{json}");
    let json = run(&["vars", "modspace", "--json"]);
    assert!(json.contains(&format!(r#"{{"bytes":"{}"}}"#, "00".repeat(size))), "not all");
}

#[test]
fn unknown_jails_are_not_shown_as_none() {
    let crash = Crash::new();
    let kernel = crash.lone_kernel();
    let files = ["-N", kernel, "-M", "{image/vmcore.minidump-v2}"];
    let run = |words: &[&str]| crash.run(&[&files[..], words].concat()).succeeded().out;
    assert!(run(&["vnets", "--json"]).contains(r#""jails":null"#));
    assert!(run(&["vnets"]).lines().skip(1).all(|line| line.ends_with(" ?")));
    let whole = crash.run(&["-N", &fixture("small-split/kernel"), files[2], files[3], "vnets"]);
    assert!(whole.out.contains("web01"), "{}", whole.out);
}

#[test]
fn a_missing_debug_directory_gives_a_warning() {
    let crash = Crash::new();
    let files = ["-N", crash.lone_kernel(), "-M", "{image/vmcore.full}"];
    let said = crash.run(&[&files[..], &["--debug-dir", "/nowhere/at/all", "vnets"]].concat());
    assert!(said.err.contains("/nowhere/at/all: no such directory"), "{}", said.err);
}

/// Wherever the copy ended, the message is about that and nothing else.
#[test]
fn a_truncated_dump_is_reported() {
    let crash = Crash::new();
    let kernel = fixture("small-split/kernel");
    for name in ["vmcore.minidump-v2", "vmcore.full"] {
        let whole = fs::read(crash.at("image").join(name)).unwrap();
        let pages = [0, 1, 0x200, 0x3ff, 0x400, 0x600, 0x800].map(|page| page * 4096);
        let odd = [9, 17, 40, 100, 4000, 70_000, 1_000_000];
        let late = [2, 3, 5, 8, 100].map(|part| whole.len() - whole.len() / part);
        for cut in
            pages.iter().chain(&odd).chain(&late).filter(|cut| (1..whole.len()).contains(*cut))
        {
            fs::write(crash.at("cut"), &whole[..*cut]).unwrap();
            let said = crash.run(&["-N", &kernel, "-M", "{cut}", "vnets"]);
            let named = ["cut off", "the file ends at"].iter().any(|what| said.err.contains(what));
            assert!(named, "{name} cut at {cut}: {}", said.err);
            assert!(!said.err.contains("together"), "{name} cut at {cut}: {}", said.err);
            let counted = said.err.contains(" pages") || said.err.contains("the file ends at");
            assert!(counted || *cut < 18, "{name} cut at {cut}: {}", said.err);
        }
    }
}

#[test]
fn info_describes_a_dump_without_a_kernel() {
    let crash = Crash::new();
    fs::create_dir(crash.at("lone")).unwrap();
    fs::copy(crash.at("image/vmcore.minidump-v2"), crash.at("lone/vmcore")).unwrap();
    let said = crash.run(&["-M", "{lone/vmcore}", "info"]).succeeded();
    assert!(
        said.out.contains("version         FreeBSD 12.1-RELEASE r0 VNET amd64"),
        "{}",
        said.out
    );
    assert!(said.out.contains("panic           page fault"), "{}", said.out);

    let other = fixture("newer-clang-dwarf4");
    let said = crash.run(&["-N", &other, "-M", "{lone/vmcore}", "info"]).succeeded();
    assert!(said.out.contains("belongs         no"), "{}", said.out);
    assert!(said.out.contains("panic           page fault"), "{}", said.out);
}

#[test]
fn a_kernel_is_not_ruled_out_by_pages_that_are_missing() {
    let crash = Crash::new();
    fs::create_dir(crash.at("lone")).unwrap();
    let whole = fs::read(crash.at("image/vmcore.full")).unwrap();
    fs::write(crash.at("lone/vmcore"), &whole[..200_000]).unwrap();
    fs::copy(fixture("small-split/kernel"), crash.at("lone/kernel")).unwrap();
    let said = crash.run(&["-M", "{lone/vmcore}", "vnets"]);
    assert_eq!(said.status, 2);
    assert!(said.err.contains("cut off"), "{}", said.err);
    assert!(!said.err.contains("did not write"), "{}", said.err);
}

/// A kernel in the environment is for dumps; a scenario says which kernel it is of.
#[test]
fn the_environment_does_not_override_a_scenario() {
    let crash = Crash::new();
    let kernel = fixture("small-split/kernel");
    let debug = fixture("small-split/kernel.debug");
    let own = format!("kernel = {kernel:?}\ndebug = {debug:?}\n{SCENARIO}");
    fs::write(crash.at("own.toml"), own).unwrap();
    let other = fixture("newer-clang-dwarf4");
    let words = ["image", "build", "{own.toml}", "-o", "{own}"];
    crash.run_with(&words, &[("VNETKVM_KERNEL", &other)]).succeeded();
    assert_eq!(fs::read(crash.at("own/kernel")).unwrap(), fs::read(&kernel).unwrap());

    let words = ["image", "build", "{crash.toml}", "-o", "{own}"];
    crash.run_with(&words, &[("VNETKVM_KERNEL", &kernel)]).succeeded();
}

#[test]
fn a_packed_kernel_gives_the_command_to_unpack_it() {
    let crash = Crash::new();
    let packed = fixture("classic-demo.zst");
    let said = crash.run(&["-N", &packed, "-M", "{image/vmcore.full}", "vnets"]);
    assert!(said.err.contains(&format!("hint: unpack it first: zstd -d {packed}")), "{}", said.err);
}

/// A minidump has its own page map; the page tables of a full dump are the kernel's.
#[test]
fn addresses_are_read_without_a_kernel_where_the_dump_translates_them() {
    let crash = Crash::new();
    // In a directory of its own, so that no kernel lies beside it.
    fs::create_dir(crash.at("lone")).unwrap();
    for core in ["vmcore.minidump-v2", "vmcore.full"] {
        fs::copy(crash.at("image").join(core), crash.at("lone").join(core)).unwrap();
    }
    let kernel = fixture("small-split/kernel");
    let read = |words: &[&str]| crash.run(&[words, &["read", "0xffffffff80200000", "64"]].concat());
    let whole = read(&["-N", &kernel, "-M", "{lone/vmcore.full}"]).succeeded();
    assert!(whole.out.contains("|.ELF"), "{}", whole.out);
    assert_eq!(read(&["-M", "{lone/vmcore.minidump-v2}"]).succeeded().out, whole.out);
    let full = read(&["-M", "{lone/vmcore.full}"]);
    assert_eq!(full.status, 2);
    assert!(full.err.contains("no kernel was given"), "{}", full.err);
    let named = crash.run(&["-M", "{lone/vmcore.minidump-v2}", "read", "version", "8"]);
    assert!(named.err.contains("no kernel was given"), "{}", named.err);
}

/// Whoever writes `VNETKVM_CORE= vnetkvm` wants none.
#[test]
fn an_empty_environment_variable_counts_as_unset() {
    let crash = Crash::new();
    let kernel = fixture("small-split/kernel");
    let empty = [("VNETKVM_KERNEL", ""), ("VNETKVM_CORE", ""), ("VNETKVM_CRASH_DIR", "")];
    let files = ["-N", &kernel, "-M", "{image/vmcore.full}", "vnets"];
    crash.run_with(&files, &empty).succeeded();
    crash.run_with(&["--demo", "vnets"], &empty).succeeded();
    let none = crash.run_with(&["vnets"], &empty);
    assert!(none.err.contains("no dump was given"), "{}", none.err);
    assert!(none.err.contains(" /var/crash"), "{}", none.err);
    let named = crash.run_with(&["-N", &kernel, "-M", "", "vnets"], &empty);
    assert!(named.err.contains("--core is empty"), "{}", named.err);
}

#[test]
fn a_bad_crash_directory_is_an_error() {
    let crash = Crash::new();
    let file = crash.at("image/vmcore.full").display().to_string();
    for (dir, what) in [("/nowhere", "does not exist"), (&file, "is not a directory")] {
        let told = format!("the crash directory {dir} {what}");
        let last = crash.run(&["--crash-dir", dir, "vnets"]).err;
        assert!(last.contains(&format!("error: no dump was given, and {told}\n")), "{last}");
        let numbered = crash.run(&["--crash-dir", dir, "-n", "1", "vnets"]).err;
        assert!(numbered.contains(&format!("error: {told}\n")), "{numbered}");
    }
}

#[test]
fn verbose_shows_where_it_looked_for_a_kernel() {
    let crash = Crash::new();
    fs::create_dir_all(crash.at("lone/debug")).unwrap();
    fs::copy(crash.at("image/vmcore.minidump-v2"), crash.at("lone/vmcore")).unwrap();
    let files = ["-v", "-M", "{lone/vmcore}", "--debug-dir", "{lone/debug}"];
    let run = |words: &[&str]| crash.run(&[&files[..], words].concat());
    let here = crash.at("lone").display().to_string();
    for command in ["vnets", "info", "type vnet", "print ifnet", "modules"] {
        let said = run(&command.split(' ').collect::<Vec<_>>());
        assert!(said.err.contains(&format!("kernel.symbols in {here}, ")), "{}", said.err);
        assert!(said.err.contains(&format!("{here}/debug/*, ")), "{}", said.err);
        assert!(said.err.contains("/usr/lib/debug/boot/*"), "{}", said.err);
    }
    let info = run(&["info"]).succeeded();
    assert!(info.out.contains("kernel          none found\n"), "{}", info.out);
    assert!(info.err.contains("hint: use -N FILE"), "{}", info.err);
    fs::copy(fixture("newer-clang-dwarf4"), crash.at("lone/debug/kernel")).unwrap();
    let said = run(&["vnets"]).err;
    assert!(said.contains("debug/kernel did not write this dump:"), "{said}");
}

#[test]
fn what_was_given_is_not_asked_for() {
    let crash = Crash::new();
    let kernel = fixture("small-split/kernel");
    // The first megabyte ends before the kernel.
    let mut memory = b"memory".to_vec();
    memory.resize(1 << 20, 0);
    fs::write(crash.at("cut.raw"), memory).unwrap();
    let hint = |words: &[&str]| {
        let said = crash.run(&[&["-N", &kernel][..], words, &["vnets"]].concat());
        assert_eq!((said.status, said.out.as_str()), (2, ""), "{}", said.err);
        said.err.lines().find(|line| line.starts_with("hint:")).unwrap_or_default().to_owned()
    };
    let found = hint(&["-M", "{cut.raw}"]);
    assert!(found.contains("the file may end before the kernel"), "{found}");
    let found = hint(&["-M", "{cut.raw}", "--kernel-phys", "0x200000"]);
    assert!(found.contains("is not at the address of --kernel-phys"), "{found}");
    let found = hint(&["-M", "{no/cut.raw}"]);
    assert!(found.contains("does not exist"), "{found}");
}

/// A device of virtual memory that is not this kernel's.
#[cfg(target_os = "linux")]
#[test]
fn a_hint_about_a_device_does_not_speak_of_dumps() {
    let crash = Crash::new();
    std::os::unix::fs::symlink("/proc/self/mem", crash.at("kmem")).unwrap();
    let said = crash.run(&["-N", &fixture("small-split/kernel"), "-M", "{kmem}", "vnets"]);
    assert_eq!(said.status, 2);
    let hint = said.err.lines().find(|line| line.starts_with("hint:")).unwrap();
    assert!(hint.contains("the device is its machine's memory"), "{hint}");
}

#[test]
fn debug_information_that_is_not_used_is_not_called_missing() {
    let crash = Crash::new();
    let kernel = fixture("small-split/kernel");
    let files = ["-N", &kernel, "-M", "{image/vmcore.full}", "--types", "ctf"];
    let said = crash.run(&[&files[..], &["info"]].concat()).succeeded();
    assert!(said.out.contains("debug info      not used: types"), "{}", said.out);
    assert!(said.err.contains("hint: leave out --types"), "{}", said.err);
}

#[test]
fn a_missing_file_gives_a_hint() {
    let crash = Crash::new();
    let kernel = fixture("small-split/kernel");
    let run = |kernel: &str, core: &str| crash.run(&["-N", kernel, "-M", core, "vnets"]).err;
    let said = run(&kernel, "{vmcore.7}");
    assert!(said.contains("hint: check the name"), "{said}");
    let said = run("{nowhere/kernel}", "{image/vmcore.full}");
    assert!(said.contains("/nowhere does not exist"), "{said}");
    let made = Command::new("mkfifo").arg(crash.at("pipe")).status().unwrap();
    assert!(made.success());
    let said = run(&kernel, "{pipe}");
    assert!(said.contains("hint: write it to a file"), "{said}");
}

#[test]
fn other_expressions_are_answered_beside_a_bad_one() {
    let crash = Crash::new();
    let run = |words: &[&str]| crash.run(&[&["--demo", "print", "--vnet", "1"], words].concat());
    let said = run(&["V_ip_defttl", "no_such_thing", "1 +", "sizeof(int)"]).succeeded();
    assert_eq!(said.out, "V_ip_defttl = (int) 42\nsizeof(int) = (unsigned long) 4\n");
    for told in ["warning: cannot evaluate no_such_thing", "warning: cannot evaluate 1 +", "^"] {
        assert!(said.err.contains(told), "{told}: {}", said.err);
    }
    let said = run(&["no_such_thing", "nor_this"]);
    assert_eq!((said.status, said.out.as_str()), (1, ""));
    assert!(said.err.contains("error: cannot evaluate nor_this"), "{}", said.err);
    let said = crash.run(&["--demo", "print", "--all-vnets", "V_ip_defttl", "nothing"]).succeeded();
    assert_eq!(said.err.matches("nothing").count(), 2, "once, with its cause: {}", said.err);
}

/// Each mistake with its exit status and a part of the message.
#[test]
fn mistakes_give_a_hint() {
    let demo = |words: &str| {
        let words = shlex::split(words).unwrap();
        let words: Vec<&str> =
            ["--demo"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let output = Command::new(env!("CARGO_BIN_EXE_vnetkvm")).args(words).output().unwrap();
        Said::of(output)
    };
    for (words, status, told) in [
        ("print V_ip_deftll", 1, "hint: did you mean ip_defttl"),
        ("print TCBINFO", 1, "hint: did you mean tcbinfo?"),
        ("vars 'ip_defttl@nofile.c'", 1, "hint: did you mean ip_defttl@netinet/raw_ip.c?"),
        ("vars '[a'", 2, "its [ is not closed"),
        ("vars '{a'", 2, "its { is not closed"),
        ("vars ''", 2, "it has no name in it"),
        ("type vnett", 1, "hint: did you mean struct vnet?"),
        ("type V_tcbinfo", 1, "hint: `vnetkvm print V_tcbinfo`"),
        (
            "type gif_softc@if_gif.ko",
            2,
            "hint: name the module instead: `vnetkvm -N if_gif.ko type",
        ),
        ("print nosuch", 1, "hint: search for part of the name"),
        ("sysctl net.inet.ip.ttl=3", 2, "hint: `vnetkvm sysctl net.inet.ip.ttl` prints its value"),
        ("sysctl nosuch", 1, "hint: `vnetkvm sysctl -a --names`"),
        ("vnets --debug-dir /nope", 2, "--debug-dir does not apply with --demo"),
        ("read fffffe0000069050 4", 2, "hint: addresses begin with 0x: 0xfffffe0000069050"),
        ("read 0xfffffffffffffff0 64", 2, "hint: ask for at most 0x10 bytes"),
        ("read --raw --fill 0 0 2T", 2, "--fill writes at most 1T"),
        ("read 0 16 --strict", 2, "hint: without --strict"),
        ("print 1/0", 2, "hint: print the divisor"),
        ("print ip_defttl.foo", 2, "hint: "),
        ("vars --pid 4711", 1, "hint: choose a vnet with --vnet"),
        ("vars --pid sshd", 2, "not a process ID, such as 742"),
        ("vars --tid x", 2, "not a thread ID, such as 100742"),
        ("vars --max-elements all", 2, "not a number such as 64"),
        ("ifconfig", 2, "a similar subcommand exists: 'interfaces'"),
        ("vars --jail web01 --jail db01", 2, "'--jail <NAME|JID>' cannot be used multiple times"),
        ("vars --tid 4711", 1, "there is no thread 4711"),
    ] {
        let said = demo(words);
        assert_eq!((said.status, said.out.as_str()), (status, ""), "{words}: {}", said.err);
        assert!(said.err.contains(told), "{words}: {}", said.err);
    }
    for words in ["print no_such_thing_at_all", "vars xyzzyqq", "type qqqqqqqq"] {
        let said = demo(words).err;
        assert!(!said.contains("did you mean"), "{words}: {said}");
    }
}
