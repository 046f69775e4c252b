//! Containers of CTF written byte by byte, and put into a kernel in place of its own: what
//! FreeBSD's ctf.h says, by our own reading, and nothing of the reader under test.
//! Little-endian, and for 64-bit files.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

pub const INTEGER: u32 = 1;
pub const POINTER: u32 = 3;
pub const ARRAY: u32 = 4;
pub const FUNCTION: u32 = 5;
pub const STRUCT: u32 = 6;
pub const ENUM: u32 = 8;
pub const FORWARD: u32 = 9;
pub const TYPEDEF: u32 = 10;
pub const CONST: u32 = 12;

/// The places of the header's last eight fields.
pub const FIELDS: [&str; 8] = [
    "parent label",
    "parent name",
    "labels",
    "objects",
    "functions",
    "types",
    "strings",
    "length of the strings",
];
pub const PARENT: usize = 1;
pub const OBJECTS: usize = 3;
pub const FUNCTIONS: usize = 4;
pub const TYPES: usize = 5;
pub const STRINGS: usize = 6;
pub const STRINGS_LENGTH: usize = 7;

/// A container, with every field of its header.
#[derive(Clone)]
pub struct Container {
    pub magic: u16,
    pub version: u8,
    pub flags: u8,
    pub fields: [u32; 8],
    /// What follows the header, inflated.
    pub body: Vec<u8>,
}

impl Container {
    /// That of a file.
    pub fn of(elf: &[u8]) -> Self {
        let (_, offset, size) = section(elf);
        let bytes = &elf[offset..offset + size];
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut body = bytes[36..].to_vec();
        if bytes[3] == 1 {
            body.clear();
            ZlibDecoder::new(&bytes[36..]).read_to_end(&mut body).unwrap();
        }
        Self {
            magic: u16::from_le_bytes([bytes[0], bytes[1]]),
            version: bytes[2],
            flags: bytes[3],
            fields: std::array::from_fn(|field| number(4 + 4 * field)),
            body,
        }
    }

    /// A part of the body, by the field where it begins.
    pub fn part(&self, field: usize) -> std::ops::Range<usize> {
        let end = match field {
            STRINGS => self.body.len(),
            _ => self.fields[field + 1] as usize,
        };
        self.fields[field] as usize..end
    }

    pub fn header(&self) -> Vec<u8> {
        let mut bytes = self.magic.to_le_bytes().to_vec();
        bytes.extend([self.version, self.flags]);
        bytes.extend(self.fields.iter().flat_map(|field| field.to_le_bytes()));
        bytes
    }

    /// The section's bytes.
    pub fn section(&self) -> Vec<u8> {
        let mut bytes = self.header();
        match self.flags & 1 {
            1 => bytes.extend(deflated(&self.body)),
            _ => bytes.extend(&self.body),
        }
        bytes
    }
}

pub fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut stream = ZlibEncoder::new(Vec::new(), Compression::best());
    stream.write_all(bytes).unwrap();
    stream.finish().unwrap()
}

/// So many zeros, which the test never holds at one time.
pub fn deflated_zeros(count: usize) -> Vec<u8> {
    let mut stream = ZlibEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..count >> 16 {
        stream.write_all(&[0; 1 << 16]).unwrap();
    }
    stream.finish().unwrap()
}

/// Writes types one after the other; the first has id 1.
pub struct Types {
    version: u8,
    bytes: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

impl Types {
    pub fn new(version: u8) -> Self {
        Self { version, bytes: Vec::new(), strings: vec![0], count: 0 }
    }

    /// The id of the next type.
    pub fn next(&self) -> u32 {
        self.count + 1
    }

    pub fn string(&mut self, text: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(text.bytes().chain([0]));
        if text.is_empty() { 0 } else { at }
    }

    /// An id, or another field whose size the version decides.
    pub fn word(&mut self, value: u32) -> &mut Self {
        match self.version {
            2 => self.bytes.extend((value as u16).to_le_bytes()),
            _ => self.bytes.extend(value.to_le_bytes()),
        }
        self
    }

    pub fn long(&mut self, value: u32) -> &mut Self {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// The start of a type. `last` is its size, or the type that it refers to.
    pub fn begin(&mut self, name: &str, kind: u32, length: u32, last: u32) -> u32 {
        let name = self.string(name);
        let info = match self.version {
            2 => kind << 11 | 1 << 10 | length,
            _ => kind << 26 | 1 << 25 | length,
        };
        self.long(name).word(info).word(last);
        self.count += 1;
        self.count
    }

    pub fn int(&mut self) -> u32 {
        self.integer("int", 4, 32)
    }

    pub fn integer(&mut self, name: &str, size: u32, bits: u32) -> u32 {
        let id = self.begin(name, INTEGER, 1, size);
        self.long(1 << 24 | bits);
        id
    }

    pub fn to(&mut self, kind: u32, name: &str, target: u32) -> u32 {
        self.begin(name, kind, 0, target)
    }

    pub fn array(&mut self, size: u32, element: u32, index: u32, count: u32) -> u32 {
        let id = self.begin("", ARRAY, 1, size);
        self.word(element).word(index).long(count);
        id
    }

    /// A struct of less than 8,192 bytes: name, type and offset in bits of each member.
    pub fn record(&mut self, name: &str, size: u32, members: &[(&str, u32, u32)]) -> u32 {
        let names: Vec<u32> = members.iter().map(|(name, _, _)| self.string(name)).collect();
        let id = self.begin(name, STRUCT, members.len() as u32, size);
        for (name, (_, target, offset)) in names.into_iter().zip(members) {
            self.long(name).word(*target).word(*offset);
        }
        id
    }

    /// The container, uncompressed. `objects`: the types of symbols.
    pub fn container(mut self, objects: &[u32]) -> Container {
        let label = self.string("FreeBSD 12.1-RELEASE amd64 1201000");
        let types = std::mem::take(&mut self.bytes);
        let last = self.count;
        self.long(label).long(last);
        let objects_at = self.bytes.len() as u32;
        for id in objects {
            self.word(*id);
        }
        let functions_at = self.bytes.len() as u32;
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let types_at = self.bytes.len() as u32;
        self.bytes.extend(types);
        let strings_at = self.bytes.len() as u32;
        let length = self.strings.len() as u32;
        self.bytes.append(&mut self.strings);
        Container {
            magic: 0xcff1,
            version: self.version,
            flags: 0,
            fields: [0, 0, 0, objects_at, functions_at, types_at, strings_at, length],
            body: self.bytes,
        }
    }
}

/// The file with another section in place of its own, at the end.
pub fn with_section(elf: &[u8], contents: &[u8]) -> Vec<u8> {
    let (header, _, _) = section(elf);
    let mut bytes = elf.to_vec();
    let place = [bytes.len() as u64, contents.len() as u64];
    for (field, value) in [0x18, 0x20].into_iter().zip(place) {
        bytes[header + field..header + field + 8].copy_from_slice(&value.to_le_bytes());
    }
    bytes.extend(contents);
    bytes
}

/// Where the header of `.SUNW_ctf` is, and the section's offset and size.
fn section(elf: &[u8]) -> (usize, usize, usize) {
    let number = |at: usize, size: usize| {
        let mut value = [0; 8];
        value[..size].copy_from_slice(&elf[at..at + size]);
        u64::from_le_bytes(value) as usize
    };
    let (table, count, strings) = (number(0x28, 8), number(0x3c, 2), number(0x3e, 2));
    let header = |index: usize| table + index * 64;
    let names = number(header(strings) + 0x18, 8);
    let is_ctf =
        |index: &usize| elf[names + number(header(*index), 4)..].starts_with(b".SUNW_ctf\0");
    let header = header((0..count).find(is_ctf).expect("a section with CTF"));
    (header, number(header + 0x18, 8), number(header + 0x20, 8))
}
