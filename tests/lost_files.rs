//! Files that shrink while they are read. The library says what cannot be read any more;
//! the program says it and exits 2, and writes no answer.

#![cfg(feature = "cli")]

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use vnetkvm::addr::VirtAddr;
use vnetkvm::error::FaultKind;
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::session::{Options, Session};
use vnetkvm::source;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The demonstration's kernel and a dump of it, in a directory that the test may spoil.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        static FILES: LazyLock<TempDir> = LazyLock::new(|| {
            let dir = tempfile::tempdir().unwrap();
            let scenario = Scenario::open(root().join("fixtures/scenarios/demo.toml")).unwrap();
            let built = image::build(&scenario, scenario.open_kernel().unwrap()).unwrap();
            built.save_kernel(dir.path()).unwrap();
            built.save(Format::Full, dir.path()).unwrap();
            dir
        });
        let dir = tempfile::tempdir().unwrap();
        for name in ["kernel", "vmcore.full"] {
            fs::copy(FILES.path().join(name), dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    fn kernel(&self) -> PathBuf {
        self.dir.path().join("kernel")
    }

    fn core(&self) -> PathBuf {
        self.dir.path().join("vmcore.full")
    }

    fn open(&self) -> Session {
        let (kernel, core) = (Some(self.kernel()), self.core());
        Session::open(&Options { kernel, core, ..Options::default() }).unwrap()
    }
}

fn cut(path: &Path, len: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

/// What a process has lost is known to all of it: one such test at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn memory_of_a_dump_that_shrank_is_cut_off_and_not_zeros() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let files = Files::new();
    let session = files.open();
    let symbol = |name| session.kernel().symbol(name).unwrap().address;
    let mut before = [0; 8];
    session.memory().read(symbol("version"), &mut before).unwrap();
    assert_eq!(&before, b"FreeBSD ");
    let len = fs::metadata(files.core()).unwrap().len();
    cut(&files.core(), 4096);

    // What was read lately is as it was. Other pages are gone.
    session.memory().read(symbol("version"), &mut before).unwrap();
    assert_eq!(&before, b"FreeBSD ");
    let fault = session.memory().read(symbol("vnet_head"), &mut [0; 8]).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Truncated, "{fault}");
    let lost = source::lost().unwrap();
    assert_eq!(lost.path, files.core());
    let told = lost.cause.to_string();
    assert!(told.contains("has 0x1000 now") && told.contains(&format!("had {len:#x}")), "{told}");
    assert!(told.starts_with("there is nothing at offset 0x"), "{told}");
    assert!(session.memory().read(VirtAddr::new(0), &mut [0]).is_err());

    drop(session);
    assert_eq!(source::lost().unwrap().path, files.core(), "it is told though it is closed");
    assert!(source::lost().is_none(), "and once");
}

#[test]
fn a_kernel_that_shrank_is_told() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let files = Files::new();
    let session = files.open();
    assert!(source::lost().is_none());
    cut(&files.kernel(), 0);
    // Whatever that gives, it is not to be believed.
    let _ = session.variables(&[]);
    let _ = session.kernel().linked().version();
    assert_eq!(source::lost().unwrap().path, files.kernel());
    drop(session);
    let _ = source::lost();
}

/// Cuts a file of a program that has opened both, and gives what it said.
///
/// The program is held up by a pipe for its messages that is full already.
#[cfg(target_os = "linux")]
fn cut_while_it_runs(files: &Files, victim: &Path, len: u64, command: &[&str]) -> Output {
    const PIPE: usize = 64 << 10;
    let (mut messages, mut full) = std::io::pipe().unwrap();
    full.write_all(&[b'.'; PIPE]).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vnetkvm"))
        .arg("-v")
        .arg("-N")
        .arg(files.kernel())
        .arg("-M")
        .arg(files.core())
        .args(command)
        .stdout(Stdio::piped())
        .stderr(full)
        .spawn()
        .unwrap();
    wait_until_mapped(&mut child, &[&files.kernel(), &files.core()]);
    cut(victim, len);
    let reader = std::thread::spawn(move || {
        let mut said = Vec::new();
        messages.read_to_end(&mut said).unwrap();
        said.split_off(PIPE)
    });
    let output = child.wait_with_output().unwrap();
    Output { stderr: reader.join().unwrap(), ..output }
}

#[cfg(target_os = "linux")]
fn wait_until_mapped(child: &mut Child, paths: &[&Path]) {
    let maps = format!("/proc/{}/maps", child.id());
    loop {
        let mapped = fs::read_to_string(&maps).unwrap_or_default();
        if paths.iter().all(|path| mapped.contains(path.to_str().unwrap())) {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it is held up, and cannot end");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_program_names_the_file_and_the_place_and_writes_nothing() {
    let commands: [&[&str]; 4] = [
        &["vnets", "--scan"],
        &["vars", "--vnet", "1", "--json"],
        &["info"],
        &["print", "ip_defttl"],
    ];
    for command in commands {
        for which in [Files::kernel, Files::core] {
            let files = Files::new();
            let victim = which(&files);
            let output = cut_while_it_runs(&files, &victim, 4096, command);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{command:?}: {said}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{command:?}");
            assert!(said.contains(&format!("cannot read all of {}", victim.display())), "{said}");
            assert!(said.contains("there is nothing at offset 0x"), "{said}");
            assert!(said.contains("hint: wait until"), "{said}");
        }
    }
}
