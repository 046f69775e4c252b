//! A kernel in two files: found in every place, in whichever order they are
//! named, and never taken from another build.

#![cfg(feature = "image")]

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::kernel::Kernel;
use vnetkvm::session::{Options, Selector, Session};
use vnetkvm::source::Source;
use vnetkvm::value::{Limits, Value};

const SCENARIO: &str = r#"
memory = "64M"
[[step]]
do = "jail"
name = "web"
values = { ip_defttl = 42 }
"#;

struct Files {
    directory: tempfile::TempDir,
    core: PathBuf,
}

impl Files {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let open = |name: &str| Source::open(fixture(name)).unwrap();
        let (main, debug) = (open("small-split/kernel"), open("small-split/kernel.debug"));
        let kernel = Kernel::open(main, Some(debug)).unwrap();
        let image = image::build(&Scenario::parse(SCENARIO).unwrap(), kernel).unwrap();
        let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
        Self { directory, core }
    }

    /// Copies a fixture to a path below the directory.
    fn put(&self, name: &str, path: &str) -> PathBuf {
        let path = self.directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::copy(fixture(name), &path).unwrap();
        path
    }

    fn open(&self, kernel: &Path, debug_dir: Option<&str>) -> Session {
        if log::set_logger(&Lines).is_ok() {
            log::set_max_level(log::LevelFilter::Debug);
        }
        let debug_dirs = debug_dir.map(|dir| self.directory.path().join(dir));
        let (kernel, core) = (Some(kernel.to_owned()), self.core.clone());
        let debug_dirs = debug_dirs.into_iter().collect();
        Session::open(&Options { kernel, core, debug_dirs, ..Options::default() }).unwrap()
    }
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what a test's thread logs.
struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record.target() == "vnetkvm::kernel" {
            LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

fn logged() -> Vec<String> {
    LINES.with_borrow(Clone::clone)
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel").join(name)
}

/// The value of a variable in vnet 1.
fn ttl(session: &Session) -> Value {
    let vnet = session.select(&Selector::Index(1)).unwrap().stacks[0];
    session.print(vnet, "ip_defttl", &Limits::default()).unwrap().value
}

/// The initial value, which only the stripped half has.
fn initial(session: &Session) -> Option<Vec<u8>> {
    let symbol = session.kernel().symbol("vnet_entry_ip_defttl").unwrap();
    session.kernel().initial_bytes(symbol.address, symbol.size).map(|bytes| bytes.into_owned())
}

#[test]
fn a_kernel_that_is_cut_off_is_told_with_its_numbers() {
    let whole = std::fs::read("fixtures/kernel/classic-clang-dwarf4").unwrap();
    let message = |length: usize| {
        let source = Source::from_vec("kernel", whole[..length].to_vec());
        Kernel::open(source, None).unwrap_err().to_string()
    };
    let half = message(whole.len() / 2);
    assert!(half.contains("section table is damaged"), "{half}");
    assert!(
        half.contains(&format!("ends at {:#x}: the file is cut off", whole.len() / 2)),
        "{half}"
    );
    assert!(message(70).contains("program header table"), "{}", message(70));
    assert!(message(20).contains("after 20 of its 64 bytes"), "{}", message(20));
}

#[test]
fn the_debug_file_is_found_wherever_it_lies() {
    let files = Files::new();
    let kernel = files.put("small-split/kernel", "alone/kernel");
    let id: String = Kernel::open(Source::open(&kernel).unwrap(), None)
        .unwrap()
        .build_id()
        .unwrap()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    files.put("small-split/kernel.debug", "named/kernel.debug");
    files.put("small-split/kernel.debug", "installed/boot/kernel/kernel.debug");
    let by_id = format!("by-id/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    files.put("small-split/kernel.debug", &by_id);
    for directory in ["named", "installed", "by-id"] {
        assert_eq!(ttl(&files.open(&kernel, Some(directory))), Value::Int(42), "{directory}");
    }
    let beside = files.put("small-split/kernel", "beside/kernel");
    files.put("small-split/kernel.debug", "beside/kernel.debug");
    let session = files.open(&beside, None);
    assert_eq!((ttl(&session), initial(&session)), (Value::Int(42), Some(vec![64, 0, 0, 0])));
}

#[test]
fn without_a_debug_file_there_are_bytes() {
    let files = Files::new();
    let kernel = files.put("small-split/kernel", "alone/kernel");
    let session = files.open(&kernel, None);
    assert_eq!(ttl(&session), Value::Bytes(vec![42, 0, 0, 0].into()));
    assert!(logged().iter().any(|line| line == "debug file: none found"));
}

#[test]
fn a_debug_file_finds_its_kernel_and_has_no_values_of_its_own() {
    let files = Files::new();
    let alone = files.put("small-split/kernel.debug", "alone/kernel.debug");
    let session = files.open(&alone, None);
    // Its .data is NOBITS: that is no initial value of zero.
    assert_eq!((ttl(&session), initial(&session)), (Value::Int(42), None));
    let beside = files.put("small-split/kernel.debug", "beside/kernel.debug");
    files.put("small-split/kernel", "beside/kernel");
    assert_eq!(initial(&files.open(&beside, None)), Some(vec![64, 0, 0, 0]));
}

#[test]
fn a_debug_file_of_another_build_is_passed_over() {
    let files = Files::new();
    let kernel = files.put("small-split/kernel", "mixed/kernel");
    files.put("small-vnet-debug-dwarf4", "mixed/kernel.debug");
    let session = files.open(&kernel, None);
    assert!(session.types().is_err());
    let refused = |line: &String| line.contains("mixed/kernel.debug is ");
    for told in [logged(), session.warnings()] {
        let line = told.iter().find(|line| refused(line)).unwrap_or_else(|| panic!("{told:?}"));
        assert!(line.contains("is of another build: its build-id is "), "{line}");
    }
}
