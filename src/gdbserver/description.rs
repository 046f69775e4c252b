//! What gdb is told about the machine: the target description (target.xml).

use std::fmt::Write;

use super::registers::{self, Register};
use crate::arch::Arch;

/// The description of an architecture's registers.
///
/// It says that there is no OS ABI. A gdb that does not know FreeBSD's takes a FreeBSD file for
/// one of an architecture with 32 bits.
pub(super) fn target_xml(arch: Arch) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">",
    );
    // Writing to a String cannot fail.
    let _ = write!(
        xml,
        "<architecture>{}</architecture><osabi>none</osabi>",
        registers::architecture(arch)
    );
    for feature in registers::features(arch) {
        let _ = write!(xml, "<feature name=\"{}\">", feature.name);
        for register in feature.registers {
            let Register { name, bits, type_name, number, .. } = register;
            let _ = write!(
                xml,
                "<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{type_name}\" regnum=\"{number}\"/>"
            );
        }
        xml.push_str("</feature>");
    }
    xml.push_str("</target>");
    xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gdbserver::registers::tests::ARCHES;

    /// The tags of a text, without their angle brackets. Each that opens must be closed in turn.
    fn tags(xml: &str) -> Vec<&str> {
        let mut open = Vec::new();
        let mut all = Vec::new();
        for piece in xml.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').unwrap();
            assert!(!text.contains(['&', '"']), "{piece}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{piece}");
            let name = tag.split(' ').next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{piece}"),
                None if tag.starts_with(['?', '!']) || tag.ends_with('/') => {}
                None => open.push(name),
            }
            all.push(tag);
        }
        assert_eq!(open, [""; 0]);
        all
    }

    fn attribute<'t>(tag: &'t str, name: &str) -> &'t str {
        let rest = tag.split_once(&format!(" {name}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0
    }

    #[test]
    fn descriptions_are_xml_with_a_number_for_each_register() {
        for arch in ARCHES {
            let xml = target_xml(arch);
            let tags = tags(&xml);
            assert_eq!(tags[0], "?xml version=\"1.0\"?", "{arch:?}");
            assert!(tags[1].starts_with("!DOCTYPE target "), "{arch:?}");
            let registers: Vec<_> = tags.iter().filter(|tag| tag.starts_with("reg ")).collect();
            for (number, tag) in (0..).zip(&registers) {
                let expected =
                    if attribute(tag, "name") == "cpsr" && arch == Arch::Arm { 25 } else { number };
                assert_eq!(attribute(tag, "regnum"), expected.to_string(), "{arch:?} {tag}");
                assert_eq!(attribute(tag, "bitsize").parse::<u32>().unwrap() % 8, 0, "{tag}");
                assert!(!attribute(tag, "type").is_empty(), "{tag}");
            }
            let features = registers::features(arch);
            let all: usize = features.iter().map(|feature| feature.registers.len()).sum();
            assert_eq!(registers.len(), all, "{arch:?}");
        }
    }
}
