//! A copy of an ELF file in which some sections have other contents.

use std::io::{self, Write};

use goblin::container::Container;
use goblin::elf::SectionHeader;
use goblin::elf::section_header::{SHN_LORESERVE, SHT_PROGBITS};

use super::{ElfFile, file_range};

/// The sections that are other in a copy.
#[derive(Debug, Clone)]
pub struct NewSections<'a> {
    /// A section that is not loaded into memory: its name and contents. The file may have it.
    pub appended: (&'a str, Vec<u8>),
    /// A section of the file, with as many bytes as it has there.
    pub overwritten: Option<(&'a str, Vec<u8>)>,
}

/// Where a file header has what it says of sections (`Elf32_Ehdr`, `Elf64_Ehdr`,
/// sys/sys/elf32.h and elf64.h), and the sizes of numbers and headers, all in bytes.
struct Layout {
    word: u64,
    file_header: usize,
    section_header: u16,
    e_shoff: usize,
    e_shentsize: usize,
    e_shnum: usize,
}

const LAYOUT_32: Layout = Layout {
    word: 4,
    file_header: 52,
    section_header: 40,
    e_shoff: 0x20,
    e_shentsize: 0x2e,
    e_shnum: 0x30,
};
const LAYOUT_64: Layout = Layout {
    word: 8,
    file_header: 64,
    section_header: 64,
    e_shoff: 0x28,
    e_shentsize: 0x3a,
    e_shnum: 0x3c,
};

impl ElfFile {
    /// Writes a copy of the file with these sections. What is appended stands behind
    /// everything that the file has.
    ///
    /// # Errors
    /// `out` fails, or the file has as many sections as can be.
    pub fn write_with(&self, new: NewSections<'_>, out: &mut dyn Write) -> io::Result<()> {
        let layout = match self.context.container {
            Container::Little => LAYOUT_32,
            Container::Big => LAYOUT_64,
        };
        let own = self.source.bytes();
        let mut sections = self.sections.clone();
        let mut tail = Tail { start: own.len() as u64, bytes: Vec::new() };
        let (name, contents) = new.appended;
        let at = match self.sections().position(|section| section.name == name) {
            Some(at) => at,
            None => {
                let names = own.get(self.names.clone()).unwrap_or_default();
                let sh_name = names.len();
                let names = [names, name.as_bytes(), &[0]].concat();
                if let Some(header) = sections.get_mut(self.names_section) {
                    (header.sh_offset, header.sh_size) = tail.add(&names);
                }
                sections.push(SectionHeader { sh_name, ..SectionHeader::default() });
                sections.len() - 1
            }
        };
        if let Some(header) = sections.get_mut(at) {
            let (sh_offset, sh_size) = tail.add(&contents);
            let (sh_name, sh_type, sh_addralign) = (header.sh_name, SHT_PROGBITS, 1);
            let plain = SectionHeader::default();
            *header = SectionHeader { sh_name, sh_type, sh_offset, sh_size, sh_addralign, ..plain };
        }
        let count = u16::try_from(sections.len()).ok();
        let count = count.filter(|count| u32::from(*count) < SHN_LORESERVE);
        let count =
            count.ok_or_else(|| io::Error::other("the kernel file has too many sections"))?;
        let headers: Vec<u8> =
            sections.iter().flat_map(|header| self.section_header(header, &layout)).collect();
        let (table, _) = tail.add(&headers);
        let mut head = own.get(..layout.file_header).unwrap_or_default().to_vec();
        for (at, value, size) in [
            (layout.e_shoff, table, layout.word),
            (layout.e_shentsize, layout.section_header.into(), 2),
            (layout.e_shnum, count.into(), 2),
        ] {
            if let Some(field) = head.get_mut(at..at + size as usize) {
                field.copy_from_slice(&self.arch.endian().bytes(value, size));
            }
        }
        out.write_all(&head)?;
        self.write_rest(head.len(), new.overwritten, out)?;
        out.write_all(&tail.bytes)
    }

    /// The file's own bytes from `from` on.
    fn write_rest(
        &self,
        from: usize,
        overwritten: Option<(&str, Vec<u8>)>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let own = self.source.bytes();
        let place = overwritten.and_then(|(name, bytes)| {
            let place = file_range(own, self.section(name)?.header())?;
            (place.len() == bytes.len() && place.start >= from).then_some((place, bytes))
        });
        let Some((place, bytes)) = place else {
            return out.write_all(own.get(from..).unwrap_or_default());
        };
        out.write_all(own.get(from..place.start).unwrap_or_default())?;
        out.write_all(&bytes)?;
        out.write_all(own.get(place.end..).unwrap_or_default())
    }

    /// A section header as it stands in the file (`Elf32_Shdr`, `Elf64_Shdr`).
    fn section_header(&self, header: &SectionHeader, layout: &Layout) -> Vec<u8> {
        let fields = [
            (header.sh_name as u64, 4),
            (header.sh_type.into(), 4),
            (header.sh_flags, layout.word),
            (header.sh_addr, layout.word),
            (header.sh_offset, layout.word),
            (header.sh_size, layout.word),
            (header.sh_link.into(), 4),
            (header.sh_info.into(), 4),
            (header.sh_addralign, layout.word),
            (header.sh_entsize, layout.word),
        ];
        fields.iter().flat_map(|(value, size)| self.arch.endian().bytes(*value, *size)).collect()
    }
}

/// What follows the file's own bytes.
struct Tail {
    /// Where it begins, in bytes from the start of the file.
    start: u64,
    bytes: Vec<u8>,
}

impl Tail {
    /// Adds bytes, aligned. Returns where they are in the file, and how many.
    fn add(&mut self, bytes: &[u8]) -> (u64, u64) {
        const ALIGNMENT: u64 = 16;
        let end = self.start + self.bytes.len() as u64;
        let at = end.next_multiple_of(ALIGNMENT);
        self.bytes.resize(self.bytes.len() + (at - end) as usize, 0);
        self.bytes.extend(bytes);
        (at, bytes.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn copy(fixture: &str, new: NewSections<'_>) -> (ElfFile, ElfFile) {
        let path = format!("{}/fixtures/kernel/{fixture}", env!("CARGO_MANIFEST_DIR"));
        let file = ElfFile::parse(Source::open(&path).unwrap()).unwrap();
        let mut bytes = Vec::new();
        file.write_with(new, &mut bytes).unwrap();
        (file, ElfFile::parse(Source::from_vec("copy", bytes)).unwrap())
    }

    #[test]
    fn a_copy_has_the_other_sections_as_they_were() {
        // Of 32 bits, with the section compressed; big-endian; without the section; only debug
        // information.
        for fixture in ["i386", "powerpc64", "arm64", "small-split/kernel.debug"] {
            let appended = (".debug_frame", b"new contents".to_vec());
            let (old, new) = copy(fixture, NewSections { appended, overwritten: None });
            let others = |file: &ElfFile| -> Vec<(String, Option<Vec<u8>>, u64)> {
                let all =
                    file.sections().filter(|s| ![".debug_frame", ".shstrtab"].contains(&s.name));
                all.map(|s| (s.name.to_owned(), file.raw_bytes(s).map(<[u8]>::to_vec), s.size()))
                    .collect()
            };
            assert_eq!(others(&old), others(&new), "{fixture}");
            let frames = new.section(".debug_frame").unwrap();
            assert_eq!(new.raw_bytes(frames), Some(&b"new contents"[..]), "{fixture}");
            assert!(!frames.is_loaded(), "{fixture}");
            assert_eq!(new.build_id(), old.build_id(), "{fixture}");
        }
    }

    #[test]
    fn a_section_is_overwritten_where_it_is() {
        let len = {
            let (old, _) = copy(
                "arm64",
                NewSections { appended: (".debug_frame", Vec::new()), overwritten: None },
            );
            old.raw_bytes(old.section(".eh_frame").unwrap()).unwrap().len()
        };
        let appended = (".debug_frame", Vec::new());
        let overwritten = Some((".eh_frame", vec![7; len]));
        let (old, new) = copy("arm64", NewSections { appended, overwritten });
        let frames = new.section(".eh_frame").unwrap();
        assert_eq!(frames.range(), old.section(".eh_frame").unwrap().range());
        assert_eq!(new.raw_bytes(frames), Some(&vec![7; len][..]));
        let text =
            |file: &ElfFile| file.raw_bytes(file.section(".text").unwrap()).map(<[u8]>::to_vec);
        assert_eq!(text(&new), text(&old));
    }
}
