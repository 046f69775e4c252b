//! The memory of a process as a memory device: `/proc/PID/mem` is read by its offset, has no length,
//! changes, and gives an error where nothing is mapped. This process has a machine's memory at the
//! machine's own addresses.

#![cfg(all(feature = "cli", target_os = "linux"))]

mod live_machine;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use live_machine::{Machine, NEWER};
use vnetkvm::addr::VirtAddr;
use vnetkvm::dump::Format;
use vnetkvm::error::{Error, FaultKind, TargetError};
use vnetkvm::session::{Options, Session};
use vnetkvm::value::Object;
use vnetkvm::walk::Why;

const MEGABYTE: u64 = 1 << 20;

/// Machines share this process's addresses, so there is one at a time.
static ONE: Mutex<()> = Mutex::new(());

/// Memory that is mapped at given addresses until this is dropped.
struct Mapped {
    pieces: Vec<(*mut libc::c_void, usize)>,
    _one: MutexGuard<'static, ()>,
}

impl Mapped {
    fn new() -> Self {
        // SAFETY: prctl changes only who may read this process: here, its children.
        unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0) };
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self { pieces: Vec::new(), _one: one }
    }

    /// Puts `bytes` at an address where this process has nothing.
    fn put(&mut self, at: u64, bytes: &[u8]) {
        let wanted = at as *mut libc::c_void;
        // SAFETY: the kernel refuses addresses that are in use, so no memory of this process is
        // replaced; the bytes are written into memory that was mapped just before.
        unsafe {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            let found = libc::mmap(wanted, bytes.len(), rights, flags, -1, 0);
            assert_eq!(found, wanted, "{at:#x}: {}", std::io::Error::last_os_error());
            self.pieces.push((found, bytes.len()));
            ptr::copy_nonoverlapping(bytes.as_ptr(), found.cast(), bytes.len());
        }
    }

    /// All of a machine's memory but the lowest pages, which no process may map.
    fn machine(machine: &Machine) -> Self {
        const LOWEST: u64 = 64 << 10;
        let mut mapped = Self::new();
        for (at, bytes) in &machine.ram {
            let skipped = LOWEST.saturating_sub(*at).min(bytes.len() as u64);
            mapped.put(at + skipped, &bytes[skipped as usize..]);
        }
        mapped
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        for (at, len) in &self.pieces {
            // SAFETY: these are the pieces that were mapped, and nothing points into them.
            unsafe { libc::munmap(*at, *len) };
        }
    }
}

const SCENARIO: &str = "kernel = \"newer\"\nmemory = \"64M\"\n[machine]\nload_address = \"20M\"\n\
    [[step]]\ndo = \"jail\"\nname = \"web\"\n[[step]]\ndo = \"jail\"\nname = \"db\"\n";

/// Files of a machine: its kernel, and devices that lead to this process's memory.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn of(machine: &Machine, devices: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("kernel"), &machine.kernel).unwrap();
        for device in devices {
            let memory = format!("/proc/{}/mem", std::process::id());
            symlink(memory, directory.path().join(device)).unwrap();
        }
        Self { directory }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self, device: &str) -> Result<Session, Error> {
        let options = Options {
            kernel: Some(self.at("kernel")),
            core: self.at(device),
            ..Options::default()
        };
        Session::open(&options)
    }

    fn run(&self, device: &str, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vnetkvm"));
        command.arg("-N").arg(self.at("kernel")).arg("-M").arg(self.at(device)).args(words);
        command.output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn names(session: &Session) -> Vec<String> {
    session.jails().unwrap().all().iter().map(|jail| jail.name.to_string()).collect()
}

#[test]
fn the_memory_of_a_running_machine_is_read_by_its_physical_addresses() {
    let mut machine = Machine::new(NEWER, SCENARIO);
    machine.says(&[(MEGABYTE, 64 * MEGABYTE)]);
    let files = Files::of(&machine, &["mem"]);
    let _mapped = Mapped::machine(&machine);
    let session = files.open("mem").unwrap();
    assert_eq!(session.core().format, Format::Live);
    assert_eq!(session.vnets().unwrap().all.len(), 3);
    assert_eq!(names(&session), ["0", "web", "db"]);
    // The kernel is found beside it.
    let found = Session::open(&Options { core: files.at("mem"), ..Options::default() }).unwrap();
    assert_eq!(found.kernel().linked().main().source().path(), files.at("kernel"));

    let output = files.run("mem", &["info"]);
    let (said, warned) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{warned}");
    assert!(said.contains("format          live physical memory, amd64, 16128 pages"), "{said}");
    assert!(said.contains("live            yes: only 0x100000..0x4000000 is read"), "{said}");
    for absent in ["panic", "crashed", "dumped at"] {
        assert!(!said.lines().any(|line| line.starts_with(absent)), "{said}");
    }
    let output = files.run("mem", &["vnets", "--format", "plain"]);
    let addresses = session.vnets().unwrap().all.iter().map(|vnet| vnet.address.to_string());
    let listed = text(&output.stdout);
    assert!(addresses.into_iter().all(|address| listed.contains(&address)), "{output:?}");
}

/// A 32-bit kernel's addresses are a process's too.
#[test]
fn the_memory_of_a_running_machine_is_read_by_its_virtual_addresses() {
    let machine = Machine::new("i386-newer", "kernel = \"i386-newer\"\nmemory = \"32M\"\n");
    let files = Files::of(&machine, &["kmem"]);
    let (dump, _) = machine.session();
    let mut mapped = Mapped::new();
    let mut last = 0;
    for piece in dump.memory().pieces() {
        let mut bytes = vec![0; piece.len as usize];
        dump.memory().read(piece.address, &mut bytes).unwrap();
        mapped.put(piece.address.get(), &bytes);
        last = piece.address.get() + piece.len;
    }
    let session = files.open("kmem").unwrap();
    assert_eq!(session.core().format, Format::LiveVirtual);
    assert_eq!(session.vnets().unwrap().all.len(), 1);
    assert_eq!(names(&session), ["0"]);
    let fault = session.memory().u32(VirtAddr::new(last)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotMapped);
    let said = format!("{} cannot be read: the device at {}", fault.address, fault.address);
    assert!(fault.to_string().starts_with(&said), "{fault}");
    let problems = session.scan().unwrap().problems;
    assert!(problems.iter().any(|problem| &*problem.what == "kernel memory"), "{problems:?}");
    let output = files.run("kmem", &["info"]);
    let said = text(&output.stdout);
    assert!(said.contains("format          live memory by virtual addresses, i386\n"), "{said}");
    let device = "live            yes: the device says which addresses are mapped\n";
    assert!(said.contains(device), "{said}");
}

/// Loaders put kernels of arm anywhere, but the device of virtual memory leads to the list.
#[test]
fn virtual_memory_beside_tells_where_physical_memory_is() {
    let machine = Machine::new("armv7", "kernel = \"armv7\"\nmemory = \"32M\"\n");
    let files = Files::of(&machine, &["mem"]);
    let (dump, image) = {
        let (device, _) = machine.device();
        let source = vnetkvm::source::Source::from_device("memory", device);
        let kernel = vnetkvm::kernel::Kernel::open(machine.kernel_source(), None).unwrap();
        let phys = Some(vnetkvm::addr::PhysAddr::new(machine.ram[0].0 + 2 * MEGABYTE));
        let source = Arc::new(source);
        let core = vnetkvm::target::live_core(&kernel, &source, &[], phys).unwrap();
        (core.memory().ranges(), core.clues.image.unwrap())
    };
    let mut mapped = Mapped::machine(&machine);
    match files.open("mem").unwrap_err() {
        Error::Target(TargetError::NotLoaded { looked }) => assert!(looked.contains("anywhere")),
        other => panic!("{other}"),
    }
    // Only the page with the list is there, at its virtual address.
    let list = image.0.get() + (machine.list.get() - image.1.get());
    let (start, bytes) = &machine.ram[0];
    let page = (machine.list.get() - start) as usize / 4096 * 4096;
    mapped.put(list / 4096 * 4096, &bytes[page..page + 4096]);
    symlink(format!("/proc/{}/mem", std::process::id()), files.at("kmem")).unwrap();
    let session = files.open("mem").unwrap();
    assert_eq!(session.core().format, Format::Live);
    assert_eq!(session.core().memory().ranges(), dump);
    assert_eq!(names(&session), ["0"]);
}

/// Another thread takes a jail off the list and puts it back, all the time. What is read is a list
/// of one time or the other, or known to be torn.
#[test]
fn a_list_that_another_thread_changes_is_whole_or_torn() {
    let machine = Machine::new(NEWER, SCENARIO);
    let files = Files::of(&machine, &["mem"]);
    let _mapped = Mapped::machine(&machine);
    let session = files.open("mem").unwrap();
    let place = |name: &str| {
        let jails = session.jails().unwrap().all();
        let jail = jails.iter().find(|jail| &*jail.name == name).unwrap();
        let prison0 = session.target().global("prison0").unwrap();
        let next = Object::new(session.target(), prison0.type_id, jail.address);
        let next = next.member("pr_list.tqe_next").unwrap().address;
        session.memory().translate(next).unwrap().get() as *mut u64
    };
    let links = [place("0") as usize, place("web") as usize];
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writer = std::thread::spawn(move || {
        let [first, second] = links.map(|link| link as *mut u64);
        // SAFETY: both are in memory that stays mapped until this thread has ended, and nothing
        // in this process but this thread touches it.
        unsafe {
            let (web, db) = (ptr::read_volatile(first), ptr::read_volatile(second));
            while !stopped.load(Ordering::Relaxed) {
                for (link, value) in [(second, !7), (first, db), (first, web), (second, db)] {
                    ptr::write_volatile(link, value);
                    std::thread::yield_now();
                }
            }
        }
    });
    let mut known = 0;
    for _ in 0..40 {
        let session = files.open("mem").unwrap();
        let jails = session.jails().unwrap();
        let names = names(&session);
        assert!(names.iter().all(|name| ["0", "web", "db"].contains(&&**name)), "{names:?}");
        match jails.count() {
            Ok(count) => {
                assert!((2..=3).contains(&count), "{names:?}");
                known += 1;
            }
            Err(problem) => {
                let broken = matches!(problem.why, Why::Torn(_) | Why::Unreadable { .. });
                assert!(broken || matches!(problem.why, Why::Contradiction(_)), "{problem}");
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    assert!(known > 0, "no list was ever whole");
}

#[test]
fn a_pipe_cannot_be_memory() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("mem");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let output = run(&directory, &pipe, None);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("caused by: it is a pipe or socket"), "{said}");
}

#[test]
fn who_may_not_read_memory_is_told_who_may() {
    const NOBODY: u32 = 65534;
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let device = directory.path().join("kmem");
    fs::write(&device, "").unwrap();
    fs::set_permissions(&device, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    let is_root = fs::File::open(&device).is_ok();
    let output = run(&directory, &device, is_root.then_some(NOBODY));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let told = format!("error: cannot open the memory device {}\n", device.display());
    assert!(said.starts_with(&told), "{said}");
    assert!(said.contains("member of the group kmem"), "{said}");
}

/// Runs `info` on a device, perhaps as another user, who can reach a copy of the program.
fn run(directory: &tempfile::TempDir, device: &Path, user: Option<u32>) -> Output {
    let program = directory.path().join("vnetkvm");
    fs::copy(env!("CARGO_BIN_EXE_vnetkvm"), &program).unwrap();
    let mut command = Command::new(program);
    command.arg("-M").arg(device).args(["-N", "fixtures/kernel/i386-newer", "info"]);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command.output().unwrap()
}
