//! A machine's memory in a file that a test changes while a program watches it.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs::{self, OpenOptions};
use std::io::Cursor;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vnetkvm::image::{Format, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

pub const VNETKVM: &str = env!("CARGO_BIN_EXE_vnetkvm");

/// The longest that anything takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

const KERNEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/kernel/classic-clang-dwarf4");

/// The value of V_ip_defttl in web01, which nothing else in memory has.
const TTL: i32 = 0x5eed_1234;

const JAILS: &str = "memory = \"64M\"\n\
    [[step]]\ndo = \"jail\"\nname = \"web01\"\nvalues = { ip_defttl = 1592594996 }\n\
    [[step]]\ndo = \"jail\"\nname = \"db01\"\n";

const CHILD: &str = "[[step]]\ndo = \"jail\"\nname = \"web01.php\"\nvnet = false\n";

/// Raw memory with two jails, and the same with a child of the first.
static MEMORY: LazyLock<[Vec<u8>; 2]> =
    LazyLock::new(|| [memory(JAILS), memory(&format!("{JAILS}{CHILD}"))]);

fn memory(scenario: &str) -> Vec<u8> {
    let kernel = Kernel::open(Source::open(KERNEL).unwrap(), None).unwrap();
    let image = build(&Scenario::parse(scenario).unwrap(), kernel).unwrap();
    let mut memory = Cursor::new(Vec::new());
    image.write(Format::Raw, &mut memory).unwrap();
    memory.into_inner()
}

/// A file with the memory of two jails.
pub struct Machine {
    dir: TempDir,
    /// Where the file has V_ip_defttl of web01.
    ttl: u64,
}

impl Machine {
    pub fn new() -> Self {
        let bytes = TTL.to_le_bytes();
        let places: Vec<_> = memchr::memmem::find_iter(&MEMORY[0], &bytes).collect();
        let [ttl] = places[..] else { panic!("it is in memory {} times", places.len()) };
        let machine = Self { dir: tempfile::tempdir().unwrap(), ttl: ttl as u64 };
        machine.replace(0);
        machine.set_ttl(64);
        machine
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("memory")
    }

    /// What the command line begins with.
    pub fn files(&self) -> [String; 4] {
        let core = self.path().to_str().unwrap().to_owned();
        ["-N".to_owned(), KERNEL.to_owned(), "-M".to_owned(), core]
    }

    /// Writes the value in place, as a running machine does.
    pub fn set_ttl(&self, value: i32) {
        let file = OpenOptions::new().write(true).open(self.path()).unwrap();
        file.write_all_at(&value.to_le_bytes(), self.ttl).unwrap();
    }

    /// Cuts the file, also of programs that read it.
    pub fn cut(&self, len: u64) {
        OpenOptions::new().write(true).open(self.path()).unwrap().set_len(len).unwrap();
    }

    /// Memory with two jails, where V_ip_defttl of web01 is 64.
    pub fn restore(&self) {
        let mut memory = MEMORY[0].clone();
        let ttl = self.ttl as usize;
        memory[ttl..ttl + 4].copy_from_slice(&64i32.to_le_bytes());
        self.put(&memory);
    }

    /// Puts other memory in its place at once: the first, or that with a third jail.
    pub fn replace(&self, which: usize) {
        self.put(&MEMORY[which]);
    }

    fn put(&self, memory: &[u8]) {
        let new = self.dir.path().join("new");
        fs::write(&new, memory).unwrap();
        fs::rename(new, self.path()).unwrap();
    }
}

/// Sends the signal of Ctrl-C.
pub fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits for a program that should end.
pub fn end_of(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("the program does not end");
}
