//! The modules, as gdb takes them: a file, and how far each of its sections was moved.

use super::files::Files;
use crate::addr::VirtAddr;
use crate::kernel::{ElfFile, Section};
use crate::modules::Module;
use crate::render::markup::Markup;
use crate::source::Source;

/// The library list of gdb. A module without a file of its own build is not on it.
///
/// gdb counts the sections of the file that memory is allocated for, and takes none if the list
/// has another number of them.
pub(super) fn library_list<'m>(
    modules: impl Iterator<Item = &'m Module>,
    files: &mut Files,
) -> String {
    let mut xml = Markup::default();
    xml.tag("library-list", &[]);
    for module in modules {
        let Some(path) = module.types_from.as_deref() else { continue };
        let Ok(file) = Source::open(path) else { continue };
        let Ok(elf) = ElfFile::parse_module(file) else { continue };
        xml.tag("library", &[("name", &files.add(path, &elf))]);
        for moved in moves(&elf, &module.sections) {
            xml.empty("section", &[("address", &format_args!("{moved:#x}"))]);
        }
        xml.end("library");
    }
    xml.end("library-list").as_str().to_owned()
}

/// How far each allocated section of a module's file was moved, in the order of the file, if these
/// are at these places in memory. For an object file, whose sections begin at 0, that is where it
/// is. What is empty has no place.
fn moves(elf: &ElfFile, placed: &[(Box<str>, VirtAddr)]) -> Vec<u64> {
    let moved = |section: &Section<'_>| {
        let (_, at) = placed.iter().find(|(name, _)| &**name == section.name)?;
        Some(elf.arch().wrap(at.get().wrapping_sub(section.range().start.get())))
    };
    let sections = elf.sections().filter(Section::is_loaded);
    sections.map(|section| moved(&section).unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object file, and shared objects of 64 and of 32 bits.
    const MODULES: [(&str, bool); 3] = [("amd64", true), ("arm64", false), ("i386", false)];

    fn module(name: &str) -> ElfFile {
        let root = env!("CARGO_MANIFEST_DIR");
        let path = format!("{root}/fixtures/kernel/modules/{name}/if_gif.ko");
        ElfFile::parse_module(Source::open(path).unwrap()).unwrap()
    }

    fn allocated(elf: &ElfFile) -> Vec<(Box<str>, u64)> {
        let sections = elf.sections().filter(Section::is_loaded);
        sections.map(|section| (section.name.into(), section.range().start.get())).collect()
    }

    #[test]
    fn each_allocated_section_has_its_move_and_one_without_a_place_has_none() {
        for (name, is_object) in MODULES {
            let elf = module(name);
            let sections = allocated(&elf);
            let linked = sections.iter().find(|(name, _)| &**name == ".text").unwrap().1;
            assert_eq!(linked == 0, is_object, "{name}");
            // Below where it is linked, too: 64 bits wrap on a machine with 64, 32 on one with 32.
            let text = VirtAddr::new(0x10);
            let moved =
                moves(&elf, &[("elsewhere".into(), VirtAddr::new(1)), (".text".into(), text)]);
            let expected: Vec<u64> = sections
                .iter()
                .map(|(name, start)| match &**name {
                    ".text" => elf.arch().wrap(0x10_u64.wrapping_sub(*start)),
                    _ => 0,
                })
                .collect();
            assert_eq!(moved, expected, "{name}");
            assert_eq!(moves(&elf, &[]), vec![0; sections.len()], "{name}");
        }
    }
}
