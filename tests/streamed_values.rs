//! Values that are serialised while they are read say what the values that are held say.

#![cfg(feature = "image")]

use std::path::Path;

use vnetkvm::Session;
use vnetkvm::answers::{self, Chosen};
use vnetkvm::image::{self, Format, Scenario};
use vnetkvm::session::Selector;
use vnetkvm::source::Source;
use vnetkvm::value::Limits;

/// All variables of all vnets, with limits that cut and limits that do not.
fn check(session: &Session) -> usize {
    let small = Limits { elements: 3, depth: 2, string: 4 };
    let mut count = 0;
    for limits in [Limits::default(), Limits::unlimited(), small] {
        let chosen = Chosen::ask(session, &Selector::All).unwrap();
        let answer = answers::variables(session, chosen, &[], &limits).unwrap();
        answer.for_each(|_, list| {
            list.elements.for_each(|variable| {
                let streamed = serde_json::to_value(variable).unwrap();
                let held = serde_json::to_value(variable.value()).unwrap();
                assert_eq!(streamed["value"], held, "{}", variable.of.title);
                count += 1;
            });
        });
    }
    count
}

#[test]
fn of_a_whole_dump() {
    let demo = image::demo().unwrap();
    let session = Session::from_sources(demo.kernel, demo.core).unwrap();
    assert!(check(&session) > 5000);
}

/// Kernels with modules, counters, zones, anonymous members and bit-fields; big-endian and narrow
/// ones too.
#[test]
fn of_other_kernels() {
    for name in ["modules", "zones", "newer", "formats"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/scenarios/{name}.toml"));
        let scenario = Scenario::open(&path).unwrap();
        let session = built(&scenario);
        assert!(check(&session) > 100, "{name}");
    }
}

/// Memory that is missing, in the middle of values too.
#[test]
fn of_a_dump_that_is_cut_off() {
    let demo = image::demo().unwrap();
    let core = demo.core.bytes().to_vec();
    let mut checked = 0;
    for pages in (1..40).step_by(3) {
        let cut = core.len() - pages * 4096 - 100;
        let core = Source::from_vec("core", core[..cut].to_vec());
        let session = Session::from_sources(demo.kernel.clone(), core);
        // Without its list there are no vnets to ask.
        if let Some(session) = session.ok().filter(|session| session.vnets().is_ok()) {
            checked += check(&session);
        }
    }
    assert!(checked > 1000, "{checked}");
}

fn built(scenario: &Scenario) -> Session {
    let directory = tempfile::tempdir().unwrap();
    let image = image::build(scenario, scenario.open_kernel().unwrap()).unwrap();
    let kernel = image.save_kernel(directory.path()).unwrap();
    let core = image.save(Format::MinidumpV2, directory.path()).unwrap();
    let kernel = kernel.first().unwrap();
    let open = |path: &Path| Source::from_vec("file", std::fs::read(path).unwrap());
    Session::from_sources(open(kernel), open(&core)).unwrap()
}
