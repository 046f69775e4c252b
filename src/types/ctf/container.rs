//! The container: the header of `.SUNW_ctf`, and the parts behind it, inflated.
//!
//! docs/formats/ctf.md has the layout.

use std::ops::{Deref, Range};

use flate2::{Decompress, FlushDecompress, Status};

use crate::bytes::{Endian, Fields};
use crate::kernel::{CTF_SECTION, SectionBytes};
use crate::types::TypeError;

/// CTF_MAGIC, sys/cddl/contrib/opensolaris/uts/common/sys/ctf.h (12.1), sys/sys/ctf.h (14.0).
const MAGIC: u16 = 0xcff1;
/// CTF_F_COMPRESS: the parts are one zlib stream.
const COMPRESSED: u8 = 1;
const HEADER: usize = 36;

/// CTF deflates to a third of its size. A zlib header could promise a thousandth.
const MAX_RATIO: u64 = 64;

/// The longest name, in bytes. No identifier is a quarter of that.
const LONGEST_NAME: usize = 4096;

/// A container with a sound header.
#[derive(Debug)]
pub struct Container {
    body: Body,
    pub endian: Endian,
    pub version: Version,
    /// The name and the label of the container that this one continues, as offsets of strings.
    parent: Option<(u32, u32)>,
    labels: Range<usize>,
    /// The type ids of variables.
    pub objects: Range<usize>,
    /// The types.
    pub types: Range<usize>,
    strings: Range<usize>,
}

/// A version of the format. They differ in the widths of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// FreeBSD 12 and earlier: ids have 16 bits.
    Two,
    /// FreeBSD 13.2 and later: ids have 32 bits.
    Three,
}

/// What stands behind the header.
#[derive(Debug)]
enum Body {
    InSection(SectionBytes),
    Inflated(Vec<u8>),
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::InSection(section) => section.get(HEADER..).unwrap_or_default(),
            Self::Inflated(bytes) => bytes,
        }
    }
}

impl Container {
    /// Checks the header of a section, and inflates what is behind it.
    ///
    /// # Errors
    /// The section is no CTF of this byte order, is of an unknown version, its parts do not lie
    /// one behind the other within it, or they do not inflate to the size that the header says.
    pub fn read(section: SectionBytes, endian: Endian) -> Result<Self, TypeError> {
        let fields = Fields::new(&section, endian);
        let short = || damaged(section.len(), "it is shorter than its header of 36 bytes");
        let magic = fields.u16(0).ok_or_else(short)?;
        if magic != MAGIC {
            let why = match magic.swap_bytes() {
                MAGIC => "its byte order is not that of the machine".to_owned(),
                _ => format!("it begins with {magic:#06x} instead of {MAGIC:#06x}"),
            };
            return Err(damaged(0, why));
        }
        let (version, flags) = (fields.u8(2).ok_or_else(short)?, fields.u8(3).ok_or_else(short)?);
        let version = match version {
            2 => Version::Two,
            3 => Version::Three,
            other => return Err(damaged(2, format!("version {other} is not known"))),
        };
        if flags & !COMPRESSED != 0 {
            return Err(damaged(3, format!("flags {flags:#04x} are not known")));
        }
        let mut words = [0; 8];
        for (number, word) in words.iter_mut().enumerate() {
            *word = fields.u32(4 + 4 * number).ok_or_else(short)?;
        }
        let [parent_label, parent_name, labels, objects, functions, types, strings, len] = words;
        let starts = [labels, objects, functions, types, strings];
        if !starts.is_sorted() {
            return Err(damaged(12, "its parts are not in order"));
        }
        let size = u64::from(strings) + u64::from(len);
        let body = if flags & COMPRESSED != 0 {
            let stream = section.get(HEADER..).unwrap_or_default();
            Body::Inflated(inflate(stream, size)?)
        } else {
            Body::InSection(section)
        };
        if (body.len() as u64) < size {
            let why = format!("it has {} of {size} bytes: it is cut off", body.len());
            return Err(damaged(HEADER, why));
        }
        let part = |start: u32, end: u64| start as usize..end as usize;
        let container = Self {
            body,
            endian,
            version,
            parent: (parent_name != 0).then_some((parent_name, parent_label)),
            labels: part(labels, objects.into()),
            objects: part(objects, functions.into()),
            types: part(types, strings.into()),
            strings: part(strings, size),
        };
        // So every string within ends within.
        match container.strings().last() {
            Some(0) => Ok(container),
            _ => Err(damaged(size as usize, "its strings do not end")),
        }
    }

    /// The fields of the parts, by offsets from the end of the header.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.body, self.endian)
    }

    fn strings(&self) -> &[u8] {
        self.body.get(self.strings.clone()).unwrap_or_default()
    }

    /// A string. A very long one is cut: thousands of types may have the same.
    ///
    /// # Errors
    /// It lies outside the strings, or is not text.
    pub fn string(&self, offset: u32) -> Result<&str, TypeError> {
        // Bit 31 means the strings of the ELF file, which none of FreeBSD's tools use.
        let at = self.strings.start.saturating_add(offset as usize);
        let wrong = |why| damaged(at, why);
        let rest = self.strings().get(offset as usize..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or_else(|| wrong("a name lies outside of the strings"))?;
        let near = rest.get(..LONGEST_NAME).unwrap_or(rest);
        let name = near.get(..memchr::memchr(0, near).unwrap_or(near.len())).unwrap_or_default();
        std::str::from_utf8(name).map_err(|_| wrong("a name is not text"))
    }

    /// The name of a type or member; `None` if it has none.
    ///
    /// # Errors
    /// As [`Container::string`].
    pub fn name(&self, offset: u32) -> Result<Option<&str>, TypeError> {
        Ok(Some(self.string(offset)?).filter(|name| !name.is_empty()))
    }

    /// The first label: the release that the kernel says it is of.
    pub fn label(&self) -> Option<&str> {
        let offset = self.fields().u32(self.labels.start).filter(|_| self.labels.len() >= 8)?;
        self.string(offset).ok().filter(|label| !label.is_empty())
    }

    /// The name and the label of the container that this one continues; `None` if it is
    /// complete.
    pub fn parent(&self) -> Option<(&str, &str)> {
        let (name, label) = self.parent?;
        Some((self.string(name).unwrap_or_default(), self.string(label).unwrap_or_default()))
    }
}

impl Version {
    /// As the header has it.
    pub fn number(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// Bytes of a type's id.
    pub fn id_size(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Three => 4,
        }
    }

    /// The bit of an id that marks the own types of a container with a parent.
    pub fn child_bit(self) -> u32 {
        match self {
            Self::Two => 0x8000,
            Self::Three => 1 << 31,
        }
    }
}

/// The error for damage at an offset of the inflated section, its header included.
pub fn damaged(offset: usize, why: impl ToString) -> TypeError {
    TypeError::Damaged { section: CTF_SECTION, offset: offset as u64, why: why.to_string() }
}

fn inflate(stream: &[u8], size: u64) -> Result<Vec<u8>, TypeError> {
    let packed = stream.len() as u64;
    if size > packed.saturating_mul(MAX_RATIO) {
        let why = format!(
            "its header says that {packed} bytes inflate to {size}, and CTF does not pack to less \
             than a part in {MAX_RATIO}"
        );
        return Err(damaged(HEADER, why));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size as usize).map_err(|why| damaged(HEADER, why))?;
    let mut state = Decompress::new(true);
    let status = state.decompress_vec(stream, &mut bytes, FlushDecompress::Finish);
    let status = status.map_err(|_| damaged(HEADER, "its compressed data is damaged"))?;
    if status != Status::StreamEnd || bytes.len() as u64 != size {
        let more = if bytes.len() as u64 == size { " or more" } else { "" };
        let why = format!("it inflates to {}{more} instead of {size} bytes", bytes.len());
        return Err(damaged(HEADER, why));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A container without types: two strings, and a stream of `body` if it is compressed.
    fn section(flags: u8, size: u32, body: &[u8]) -> SectionBytes {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend([3, flags]);
        [0, 0, 0, 0, 0, 0, 0, size].iter().for_each(|word: &u32| bytes.extend(word.to_le_bytes()));
        bytes.extend(body);
        SectionBytes::Unpacked(bytes.into())
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn why(section: SectionBytes, endian: Endian) -> String {
        Container::read(section, endian).unwrap_err().to_string()
    }

    #[test]
    fn strings_are_read_from_a_section_as_it_is_and_from_a_compressed_one() {
        let strings = b"\0ifnet\0";
        for section in [section(0, 7, strings), section(1, 7, &zlib(strings))] {
            let container = Container::read(section, Endian::Little).unwrap();
            assert_eq!(container.string(1).unwrap(), "ifnet");
            assert_eq!(container.name(0).unwrap(), None);
            for outside in [7, 1 << 31, u32::MAX] {
                container.string(outside).unwrap_err();
            }
        }
    }

    #[test]
    fn a_stream_has_the_size_that_the_header_says() {
        let whole = [&[0; 50][..], b"vnet\0"].concat();
        let stream = zlib(&whole);
        assert!(Container::read(section(1, 55, &stream), Endian::Little).is_ok());
        for (size, said) in [(54, "54 or more instead of 54"), (56, "55 instead of 56")] {
            let why = why(section(1, size, &stream), Endian::Little);
            assert!(why.contains(said), "{why}");
        }
        let other = why(section(1, 55, &[0xff; 64]), Endian::Little);
        assert_eq!(other, "the CTF is damaged at .SUNW_ctf+0x24: its compressed data is damaged");
        let bomb = zlib(&vec![0; 8 << 20]);
        let why = why(section(1, 8 << 20, &bomb), Endian::Little);
        assert!(why.contains("8388608") && why.contains("a part in 64"), "{why}");
        let cut = why_cut(&stream);
        assert!(cut.contains("inflates to") || cut.contains("damaged"), "{cut}");
    }

    fn why_cut(stream: &[u8]) -> String {
        why(section(1, 55, &stream[..stream.len() - 3]), Endian::Little)
    }

    #[test]
    fn what_is_no_container_is_an_error_that_says_why() {
        let whole = section(0, 2, b"\0\0");
        let said = why(whole.clone(), Endian::Big);
        assert!(said.contains("byte order"), "{said}");
        let said = why(section(0, 2, b"\0a"), Endian::Little);
        assert!(said.contains("strings do not end"), "{said}");
        let said = why(section(0, 9, b"\0a"), Endian::Little);
        assert!(said.contains("2 of 9 bytes"), "{said}");
        let said = why(section(2, 2, b"\0\0"), Endian::Little);
        assert!(said.contains("flags 0x02"), "{said}");
        let short = SectionBytes::Unpacked(whole[..35].into());
        let said = why(short, Endian::Little);
        assert!(said.contains("shorter than its header"), "{said}");
    }
}
