//! Every scenario that is checked in or written in the documentation builds.

#![cfg(feature = "image")]

use std::path::Path;

use vnetkvm::dump::{self, DumpIdentity, InfoFile};
use vnetkvm::image::{HeaderVersion, Image, Scenario, build};
use vnetkvm::source::{Source, crash};

fn build_at(path: &Path) -> (Scenario, Image) {
    let scenario = Scenario::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let kernel = scenario.open_kernel().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let image = build(&scenario, kernel).unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
    (scenario, image)
}

#[test]
fn every_fixture_scenario_builds_and_saves() {
    let mut built = 0;
    let sick = std::fs::read_dir("fixtures/scenarios/sick").unwrap();
    let all = std::fs::read_dir("fixtures/scenarios").unwrap().chain(sick);
    let paths = all.map(|entry| entry.unwrap().path());
    for path in paths.filter(|path| path.is_file()) {
        let (scenario, image) = build_at(&path);
        let directory = tempfile::tempdir().unwrap();
        let kernels = image.save_kernel(directory.path()).unwrap();
        assert!(std::fs::read(&kernels[0]).unwrap().starts_with(b"\x7fELF"));
        for format in &scenario.formats {
            let path = image.save(format, directory.path()).unwrap();
            let name = format!("vmcore.{}", format.name());
            assert_eq!(path, directory.path().join(name));
            let start = &std::fs::read(path).unwrap()[..4];
            assert!(start == b"mini" || start == b"\x7fELF");
        }
        built += 1;
    }
    assert!(built >= 5, "{built}");
}

#[test]
fn the_documented_scenario_builds() {
    let page = std::fs::read_to_string("docs/scenarios.md").unwrap();
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("example.toml");
    let kernels = std::fs::canonicalize("fixtures/kernel").unwrap();
    let example = example.unwrap().replace("../kernel", kernels.to_str().unwrap());
    std::fs::write(&path, example).unwrap();
    let (scenario, image) = build_at(&path);
    assert_eq!(scenario.formats.len(), 2);
    let runtime = image.runtime();
    let web01 = runtime.jail_scope("web01").unwrap();
    let ttl = runtime.find(web01, "ip_defttl").unwrap();
    assert_eq!(runtime.kernel().load_uint(ttl).unwrap(), 42);
}

#[test]
fn an_info_file_says_what_the_dump_is() {
    let text = "kernel = \"fixtures/kernel/classic-clang-dwarf4\"\nhostname = \"gw.example.org\"\n\
                formats = [\"minidump-v2.gz\", \"full\", \"full.device-v4\"]\n\
                memory = \"16M\"\npanic = \"page fault\"\ninfo = \"v1\"";
    let scenario = Scenario::parse(text).unwrap();
    assert_eq!(scenario.info, Some(HeaderVersion::V1));
    let image = build(&scenario, scenario.open_kernel().unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let [packed, full, device] = &*scenario.formats else { panic!("{:?}", scenario.formats) };
    for (file, name) in [(packed, "info.minidump-v2.gz"), (full, "info.full")] {
        let core = image.save(file, directory.path()).unwrap();
        for version in [HeaderVersion::V1, HeaderVersion::V4] {
            let path = image.save_info(file, version, &core).unwrap().unwrap();
            assert_eq!(path, directory.path().join(name));
            assert_eq!(crash::info_beside(&core).as_ref(), Some(&path));
            let info = InfoFile::parse(&std::fs::read(path).unwrap()).unwrap();
            assert_eq!(info.host.as_deref(), Some("gw.example.org"));
            assert_eq!(info.panic.as_deref(), Some("page fault"));
            assert!(info.version.as_ref().unwrap().starts_with("FreeBSD "));
            assert_eq!(info.dump_len, Some(std::fs::metadata(&core).unwrap().len()));
            assert_eq!(info.status.as_deref(), Some("good"));
            let dump = dump::open(Source::open(&core).unwrap()).unwrap();
            assert_eq!(info.disagreements(&dump, &DumpIdentity::default()), [""; 0]);
        }
    }
    let core = image.save(device, directory.path()).unwrap();
    assert_eq!(image.save_info(device, HeaderVersion::V4, &core).unwrap(), None);
}

#[test]
fn machines_that_cannot_be_are_refused_shortly() {
    for machine in ["cpus = 99999999", "cpus = 0", "cpus = [1, 0]", "cpus = [256]"] {
        let text = format!("kernel = \"fixtures/kernel/classic-clang-dwarf4\"\n{machine}");
        let scenario = Scenario::parse(&text).unwrap();
        let error = build(&scenario, scenario.open_kernel().unwrap()).unwrap_err().to_string();
        assert!(error.contains("from 1 to 256 CPUs") && error.len() < 100, "{machine}: {error}");
    }
}

#[test]
fn the_failing_step_is_named() {
    let wrong = "kernel = \"fixtures/kernel/classic-clang-dwarf4\"\n\
                 [[step]]\ndo = \"jail\"\nname = \"a\"\n\
                 [[step]]\ndo = \"set\"\njail = \"b\"\nvalues = { ip_defttl = 1 }";
    let scenario = Scenario::parse(wrong).unwrap();
    let error = build(&scenario, scenario.open_kernel().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "step 2 (set in b) of the scenario failed");
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), "there is no jail named b");
}
