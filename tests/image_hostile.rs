//! A damaged kernel file makes an error or an odd image, never a panic or a hang.

#![cfg(feature = "image")]

use proptest::prelude::*;
use vnetkvm::image::{Format, Scenario, build};
use vnetkvm::kernel::Kernel;
use vnetkvm::source::Source;

const SCENARIO: &str = r#"
memory = "16M"
[[step]]
do = "jail"
name = "a"
values = { ip_defttl = 1, feat_names = ["x"], "feat_bits.wide" = 3 }
statistics = { ipstat = { ips_total = 5 } }
[[step]]
do = "interface"
name = "lo0"
jail = "a"
addresses = ["127.0.0.1/8"]
[[step]]
do = "module"
name = "m"
size = 64
[[step]]
do = "destroy"
jail = "a"
"#;

fn try_build(bytes: Vec<u8>) -> Option<u64> {
    let kernel = Kernel::open(Source::from_vec("damaged", bytes), None).ok()?;
    let image = build(&Scenario::parse(SCENARIO).unwrap(), kernel).ok()?;
    let mut file = std::io::Cursor::new(Vec::new());
    image.write(Format::MinidumpV2, &mut file).ok()?;
    Some(file.into_inner().len() as u64)
}

fn kernel() -> Vec<u8> {
    std::fs::read("fixtures/kernel/small-vnet-debug-dwarf4").unwrap()
}

#[test]
fn the_kernel_as_it_is_builds() {
    assert!(try_build(kernel()).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn scattered_damage_is_survived(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..400),
    ) {
        let mut bytes = kernel();
        for (place, value) in damage {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        try_build(bytes);
    }

    #[test]
    fn a_damaged_header_is_survived(
        damage in prop::collection::vec((0..1024_usize, any::<u8>()), 1..8),
    ) {
        let mut bytes = kernel();
        for (at, value) in damage {
            bytes[at] = value;
        }
        try_build(bytes);
    }

    #[test]
    fn a_file_cut_short_is_survived(end in any::<prop::sample::Index>()) {
        let bytes = kernel();
        let end = end.index(bytes.len());
        try_build(bytes[..end].to_vec());
    }
}
