//! The programs in `examples/`, on the image that one of them builds.

#![cfg(feature = "image")]
// Their `main` is for those who run them.
#![allow(dead_code)]

use std::path::Path;

#[path = "../examples/image.rs"]
mod image;
#[path = "../examples/interfaces.rs"]
mod interfaces;
#[path = "../examples/variable.rs"]
mod variable;

#[test]
fn what_one_builds_the_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/kernel/classic-clang-dwarf4");
    let mut out = Vec::new();
    image::run(&kernel, directory.path(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let [kernel, core, told] = lines.as_slice() else { panic!("{text}") };
    assert_eq!(*told, "ip_defttl of web01: 42 was written, 42 was read");

    let (kernel, core) = (Path::new(kernel), Path::new(core));
    let mut out = Vec::new();
    variable::run(kernel, core, "ip_deftt*", &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let values = text.lines().filter_map(|line| line.split_once(" ip_defttl = "));
    assert_eq!(values.map(|(_, value)| value).collect::<Vec<_>>(), ["64", "42"], "{text}");
    assert!(text.lines().next().unwrap().starts_with("vnet 0 "), "{text}");

    let mut out = Vec::new();
    interfaces::run(kernel, core, "web01", &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text, "1: epair0b mtu 1500\n    172.16.0.2\n");
    let none = interfaces::run(kernel, core, "web02", &mut Vec::new()).unwrap_err();
    assert_eq!(none.to_string(), "there is no jail web02");
}
