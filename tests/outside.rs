//! Faults of what is around the program: full disks, closed directories, an environment without the usual
//! variables. Each is an error or a warning that names the place, and no temporary file stays behind.

#![cfg(all(target_os = "linux", feature = "cli"))]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

/// The files of a crash, which everybody may read, and a directory for temporary files.
struct Crash {
    dir: TempDir,
}

impl Crash {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut build = Command::new(VNETKVM);
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios/demo.toml");
        build.args(["image", "build"]).arg(scenario).arg("-o").arg(dir.path());
        assert!(build.output().unwrap().status.success());
        for private in ["tmp", "closed"] {
            fs::create_dir(dir.path().join(private)).unwrap();
        }
        Self { dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a line of the shell in the directory of the crash, where `vnetkvm` is the program.
    fn run(&self, line: &str) -> Said {
        Said::of(self.shell(line).output().unwrap())
    }

    /// A shell without any variable but these.
    fn shell(&self, line: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(format!("vnetkvm() {{ \"$VNETKVM\" \"$@\"; }}; {line}"));
        shell.current_dir(self.dir.path()).env_clear();
        shell.env("VNETKVM", VNETKVM).env("PATH", "/usr/bin:/bin").env("TMPDIR", self.at("tmp"));
        shell
    }

    fn files(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(directory)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { status: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// What a full disk does is done here by a limit on the size of files.
const FULL: &str = "trap '' XFSZ; ulimit -f 8;";

#[test]
fn a_full_disk_is_named_and_keeps_nothing() {
    let crash = Crash::new();
    let said =
        crash.run(&format!("{FULL} mkdir new; vnetkvm --demo convert --to full -o new/file"));
    assert_eq!(said.status, Some(2), "{}", said.err);
    let expected = "error: cannot write new/file\ncaused by: File too large";
    assert!(said.err.starts_with(expected), "{}", said.err);
    assert_eq!(crash.files("new"), [""; 0]);

    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios/demo.toml");
    let build = format!("image build {} -o new", scenario.display());
    for (line, told) in [
        (&*build, "error: cannot build the image of "),
        ("man new", "error: cannot write manual pages to new\n"),
    ] {
        let said = crash.run(&format!("{FULL} vnetkvm {line}"));
        assert_eq!(said.status, Some(2), "{}", said.err);
        assert!(said.err.starts_with(told) && said.err.contains("File too large"), "{}", said.err);
        assert_eq!(crash.files("new"), [""; 0]);
    }
}

#[test]
fn an_unpacked_dump_that_has_no_room_is_an_error() {
    let crash = Crash::new();
    let open = "vnetkvm -N kernel -M vmcore.minidump-v2.gz vnets";
    let said = crash.run(&format!("gzip vmcore.minidump-v2; {open}"));
    assert!(said.out.contains("web01"), "{}", said.err);
    assert_eq!(crash.files("tmp"), [""; 0]);

    let said = crash.run(&format!("{FULL} {open}"));
    assert_eq!((said.status, said.out.as_str()), (Some(2), ""));
    let place = crash.at("tmp").display().to_string();
    let told = format!("cannot write a temporary file in {place}: File too large");
    assert!(said.err.contains(&told) && said.err.contains("hint: set TMPDIR"), "{}", said.err);
    assert_eq!(crash.files("tmp"), [""; 0]);

    let said = crash.run(&format!("export TMPDIR=/nowhere; {open}"));
    assert_eq!(said.status, Some(2));
    let told = "cannot make a temporary file in /nowhere: No such file or directory";
    assert!(said.err.contains(told), "{}", said.err);
}

#[test]
fn no_variable_is_needed() {
    let crash = Crash::new();
    let line = "unset TMPDIR PATH; vnetkvm -N kernel -M vmcore.minidump-v2 vnets";
    let said = crash.run(line);
    assert!(said.out.contains("web01") && said.err.is_empty(), "{}", said.err);
}

#[cfg(feature = "shell")]
#[test]
fn the_prompt_needs_no_home() {
    let crash = Crash::new();
    for home in ["unset HOME", "export HOME=/nowhere", "export HOME=/proc"] {
        let line = format!("{home}; echo vnets | vnetkvm -N kernel -M vmcore.minidump-v2 shell");
        let said = crash.run(&line);
        assert!(said.out.contains("web01") && said.err.is_empty(), "{home}: {}", said.err);
    }
}

/// Root may read everything, so this is done as somebody else.
#[test]
fn closed_directories_and_files_are_named() {
    let crash = Crash::new();
    let program = crash.at("vnetkvm");
    fs::copy(VNETKVM, &program).unwrap();
    let permit = |name: &str, mode| {
        fs::set_permissions(crash.at(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    permit("", 0o755);
    permit("closed", 0o700);
    fs::copy(crash.at("vmcore.minidump-v2"), crash.at("closed/vmcore.0")).unwrap();
    fs::write(crash.at("closed/secret"), "x").unwrap();
    permit("closed", 0);
    let somebody = |line: &str| {
        let mut shell = crash.shell(line);
        shell.env("VNETKVM", &program);
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            const NOBODY: u32 = 65534;
            shell.uid(NOBODY).gid(NOBODY);
        }
        Said::of(shell.output().unwrap())
    };

    let said = somebody("vnetkvm -N kernel -M vmcore.minidump-v2 --debug-dir closed vnets");
    assert!(said.out.contains("web01"), "{}", said.err);
    assert_eq!(said.err, "warning: --debug-dir closed: permission denied\n");

    for choice in ["", "-n 0"] {
        let said = somebody(&format!("vnetkvm --crash-dir closed {choice} vnets"));
        assert_eq!(said.status, Some(2));
        let told = "the crash directory closed cannot be searched: permission denied\n";
        assert!(said.err.contains(told), "{}", said.err);
    }

    for (line, told) in [
        ("-N kernel -M closed/vmcore.0 vnets", "cannot open closed/vmcore.0"),
        ("triage closed", "cannot open closed"),
        ("--demo convert --to full -o closed/new", "cannot write closed/new"),
    ] {
        let said = somebody(&format!("vnetkvm {line}"));
        assert_eq!(said.status, Some(2), "{line}");
        let expected = format!("error: {told}\ncaused by: Permission denied");
        assert!(said.err.starts_with(&expected), "{line}: {}", said.err);
    }
    permit("closed", 0o700);
    assert_eq!(crash.files("closed").len(), 2);
}
