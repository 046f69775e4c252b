//! Small kernels whose debug information no compiler writes: types within themselves,
//! millions of members, names of megabytes. ELF and DWARF 4, written byte by byte.

use std::fmt::Write;

/// Where the variable `x` of every such kernel lies.
pub const X: u64 = 0xffff_ffff_8040_3000;

/// An entry, by its number. It may be referred to before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry(usize);

/// Debug information in the making: one unit.
pub struct DebugInfo {
    bytes: Vec<u8>,
    strings: Vec<u8>,
    offsets: Vec<Option<u32>>,
    references: Vec<(usize, Entry)>,
}

/// The code of the root entries of [`DebugInfo::kernel_beside`].
pub const ROOT: u8 = 1;

/// What entries of a kind look like.
struct Abbreviation {
    kind: &'static str,
    tag: u8,
    has_children: bool,
    /// Attributes and their forms.
    attributes: &'static [(u8, u8)],
}

const NAME: (u8, u8) = (0x03, STRING);
const SHARED_NAME: (u8, u8) = (0x03, STRP);
const SIZE: (u8, u8) = (0x0b, UDATA);
const TYPE: (u8, u8) = (0x49, REF4);
const STRING: u8 = 0x08;
const STRP: u8 = 0x0e;
const UDATA: u8 = 0x0f;
const REF4: u8 = 0x13;
const EXPRLOC: u8 = 0x18;

const fn leaf(kind: &'static str, tag: u8, attributes: &'static [(u8, u8)]) -> Abbreviation {
    Abbreviation { kind, tag, has_children: false, attributes }
}

const fn parent(kind: &'static str, tag: u8, attributes: &'static [(u8, u8)]) -> Abbreviation {
    Abbreviation { kind, tag, has_children: true, attributes }
}

/// Their codes are their places, from 1.
const ABBREVIATIONS: [Abbreviation; 18] = [
    parent("unit", 0x11, &[NAME]),
    leaf("base", 0x24, &[NAME, SIZE, (0x3e, UDATA)]),
    leaf("variable", 0x34, &[NAME, TYPE, (0x02, EXPRLOC)]),
    parent("struct", 0x13, &[NAME, SIZE]),
    parent("union", 0x17, &[NAME, SIZE]),
    parent("unnamed", 0x13, &[SIZE]),
    leaf("member", 0x0d, &[SHARED_NAME, TYPE, (0x38, UDATA)]),
    leaf("anonymous", 0x0d, &[TYPE, (0x38, UDATA)]),
    leaf("bits", 0x0d, &[SHARED_NAME, TYPE, (0x0d, UDATA), (0x0c, UDATA)]),
    leaf("pointer", 0x0f, &[TYPE]),
    leaf("const", 0x26, &[TYPE]),
    leaf("typedef", 0x16, &[NAME, TYPE]),
    parent("function", 0x15, &[TYPE]),
    leaf("parameter", 0x05, &[TYPE]),
    parent("array", 0x01, &[TYPE]),
    leaf("subrange", 0x21, &[(0x37, UDATA)]),
    parent("enum", 0x04, &[NAME, SIZE]),
    leaf("enumerator", 0x28, &[SHARED_NAME, (0x1c, UDATA)]),
];

impl DebugInfo {
    pub fn new() -> Self {
        let mut unit = Self {
            bytes: vec![0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8],
            strings: vec![0],
            offsets: Vec::new(),
            references: Vec::new(),
        };
        unit.tag("unit");
        unit.text("x.c");
        unit
    }

    /// An entry that is written later.
    pub fn promise(&mut self) -> Entry {
        self.offsets.push(None);
        Entry(self.offsets.len() - 1)
    }

    pub fn int(&mut self) -> Entry {
        self.base("int", 4, 5)
    }

    pub fn base(&mut self, name: &str, size: u64, encoding: u64) -> Entry {
        let entry = self.promise();
        self.begin(entry, "base");
        self.text(name);
        self.number(size);
        self.number(encoding);
        entry
    }

    /// `pointer`, `const`: what has a type and nothing else.
    pub fn derived(&mut self, entry: Entry, tag: &str, target: Entry) {
        self.begin(entry, tag);
        self.reference(target);
    }

    pub fn typedef(&mut self, entry: Entry, name: &str, target: Entry) {
        self.begin(entry, "typedef");
        self.text(name);
        self.reference(target);
    }

    pub fn function(&mut self, entry: Entry, returns: Entry, parameters: &[Entry]) {
        self.begin(entry, "function");
        self.reference(returns);
        for parameter in parameters {
            self.tag("parameter");
            self.reference(*parameter);
        }
        self.end();
    }

    pub fn array(&mut self, entry: Entry, element: Entry, counts: &[u64]) {
        self.begin(entry, "array");
        self.reference(element);
        for count in counts {
            self.tag("subrange");
            self.number(*count);
        }
        self.end();
    }

    /// A record; `tag` is `struct`, `union` or, without a name, `unnamed`.
    pub fn record(&mut self, entry: Entry, tag: &str, name: &str, size: u64) {
        self.begin(entry, tag);
        if tag != "unnamed" {
            self.text(name);
        }
        self.number(size);
    }

    /// A member of the record that was begun last; an empty name is none. `name` is the
    /// place of a string.
    pub fn member(&mut self, name: Option<u32>, target: Entry, offset: u64) {
        match name {
            Some(name) => {
                self.tag("member");
                self.bytes.extend(name.to_le_bytes());
            }
            None => self.tag("anonymous"),
        }
        self.reference(target);
        self.number(offset);
    }

    /// A bit-field as DWARF 2 has them, whose storage is its type's size.
    pub fn bits(&mut self, name: u32, target: Entry) {
        self.tag("bits");
        self.bytes.extend(name.to_le_bytes());
        self.reference(target);
        self.number(1);
        self.number(0);
    }

    pub fn enumeration(&mut self, entry: Entry, name: &str, size: u64) {
        self.begin(entry, "enum");
        self.text(name);
        self.number(size);
    }

    pub fn enumerator(&mut self, name: u32, value: u64) {
        self.tag("enumerator");
        self.bytes.extend(name.to_le_bytes());
        self.number(value);
    }

    /// The end of what has members, parameters, dimensions or enumerators.
    pub fn end(&mut self) {
        self.bytes.push(0);
    }

    /// A string that entries can share.
    pub fn string(&mut self, text: &str) -> u32 {
        let place = self.strings.len() as u32;
        self.strings.extend(text.bytes());
        self.strings.push(0);
        place
    }

    /// The kernel with a variable `x` of that type.
    pub fn kernel(self, x: Entry) -> Vec<u8> {
        self.kernel_beside(x, 0, &[])
    }

    /// The same beside so many empty units, which share a table of abbreviations whose
    /// last is that of their root entries.
    pub fn kernel_beside(mut self, x: Entry, units: usize, table: &[u8]) -> Vec<u8> {
        self.tag("variable");
        self.text("x");
        self.reference(x);
        self.bytes.extend([9, 3]);
        self.bytes.extend(X.to_le_bytes());
        self.end();
        let len = self.bytes.len() as u32 - 4;
        self.bytes[..4].copy_from_slice(&len.to_le_bytes());
        for (at, entry) in std::mem::take(&mut self.references) {
            let offset = self.offsets[entry.0].expect("every promised entry is written");
            self.bytes[at..at + 4].copy_from_slice(&offset.to_le_bytes());
        }
        let mut abbreviations = abbreviations();
        let table_at = abbreviations.len() as u32;
        abbreviations.extend(table);
        for _ in 0..units {
            self.bytes.extend([9, 0, 0, 0, 4, 0]);
            self.bytes.extend(table_at.to_le_bytes());
            self.bytes.extend([8, ROOT, 0]);
        }
        elf(&self.bytes, &self.strings, &abbreviations)
    }

    fn begin(&mut self, entry: Entry, tag: &str) {
        self.offsets[entry.0] = Some(self.bytes.len() as u32);
        self.tag(tag);
    }

    fn tag(&mut self, tag: &str) {
        let place = ABBREVIATIONS.iter().position(|abbreviation| abbreviation.kind == tag);
        self.bytes.push(place.unwrap() as u8 + 1);
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend(text.bytes());
        self.bytes.push(0);
    }

    fn number(&mut self, number: u64) {
        leb128(&mut self.bytes, number);
    }

    fn reference(&mut self, entry: Entry) {
        self.references.push((self.bytes.len(), entry));
        self.bytes.extend([0; 4]);
    }
}

/// An unsigned number as DWARF writes it.
pub fn leb128(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn abbreviations() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, Abbreviation { tag, has_children, attributes, .. }) in (1..).zip(&ABBREVIATIONS) {
        bytes.extend([code, *tag, u8::from(*has_children)]);
        attributes.iter().for_each(|(name, form)| bytes.extend([*name, *form]));
        bytes.extend([0, 0]);
    }
    bytes.push(0);
    bytes
}

/// An ELF file of FreeBSD on amd64 with `x` in its .data, and no code.
fn elf(info: &[u8], strings: &[u8], abbreviations: &[u8]) -> Vec<u8> {
    const DATA_SIZE: u64 = 4096;
    let mut symbols = vec![0; 24];
    let mut names = vec![0];
    for (name, at, size) in [("x", X, 8), ("ostype", X + 2048, 8)] {
        symbols.extend((names.len() as u32).to_le_bytes());
        symbols.extend([0x11, 0, 1, 0]);
        symbols.extend([at, size].map(u64::to_le_bytes).concat());
        names.extend(name.bytes().chain([0]));
    }
    let mut data = vec![0; DATA_SIZE as usize];
    data[2048..2055].copy_from_slice(b"FreeBSD");
    // Name, type, flags, address, contents, link, entry size.
    type Section<'a> = (&'a str, u32, u64, u64, &'a [u8], u32, u64);
    let sections: [Section<'_>; 6] = [
        (".data", 1, 3, X, &data, 0, 0),
        (".debug_abbrev", 1, 0, 0, abbreviations, 0, 0),
        (".debug_info", 1, 0, 0, info, 0, 0),
        (".debug_str", 1, 0, 0, strings, 0, 0),
        (".symtab", 2, 0, 0, &symbols, 6, 24),
        (".strtab", 3, 0, 0, &names, 0, 0),
    ];
    let mut file = vec![0u8; 4096];
    let mut headers = vec![0u8; 64];
    let mut section_names = vec![0];
    let mut header = |name: u32, kind: u32, rest: [u64; 4], link: u32, entry: u64| {
        headers.extend([name, kind].map(u32::to_le_bytes).concat());
        headers.extend(rest.map(u64::to_le_bytes).concat());
        headers.extend([link, 1].map(u32::to_le_bytes).concat());
        headers.extend([1, entry].map(u64::to_le_bytes).concat());
    };
    for (name, kind, flags, address, contents, link, entry) in sections {
        let place = [flags, address, file.len() as u64, contents.len() as u64];
        header(section_names.len() as u32, kind, place, link, entry);
        section_names.extend(name.bytes().chain([0]));
        file.extend(contents);
    }
    let own = section_names.len() as u32;
    section_names.extend(b".shstrtab\0");
    header(own, 3, [0, 0, file.len() as u64, section_names.len() as u64], 0, 0);
    file.extend(&section_names);
    let (at, count) = (file.len() as u64, headers.len() as u16 / 64);
    file.extend(&headers);
    file[..64].copy_from_slice(&file_header(2, at, count));
    file[64..120].copy_from_slice(&program_header(X, X, DATA_SIZE));
    file
}

fn file_header(kind: u16, sections_at: u64, sections: u16) -> [u8; 64] {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend([kind, 62].map(u16::to_le_bytes).concat());
    bytes.extend(1u32.to_le_bytes());
    bytes.extend([X, 64, sections_at].map(u64::to_le_bytes).concat());
    bytes.extend(0u32.to_le_bytes());
    let last = sections.saturating_sub(1);
    bytes.extend([64, 56, 1, 64, sections, last].map(u16::to_le_bytes).concat());
    bytes.try_into().unwrap()
}

fn program_header(virt: u64, phys: u64, len: u64) -> [u8; 56] {
    let mut bytes = [1u32, 6].map(u32::to_le_bytes).concat();
    bytes.extend([4096, virt, phys, len, len, 4096].map(u64::to_le_bytes).concat());
    bytes.try_into().unwrap()
}

/// A dump by kernel address with so many bytes from [`X`] on, which count from 0 to 255.
pub fn dump(len: usize) -> Vec<u8> {
    let mut file = vec![0; 4096];
    file[..64].copy_from_slice(&file_header(4, 0, 0));
    file[7] = 0;
    file[64..120].copy_from_slice(&program_header(X, 0, len as u64));
    file.extend((0..len).map(|at| at as u8));
    // The machine's version of it, as the kernel has it.
    file[4096 + 2048..4096 + 2056].copy_from_slice(b"FreeBSD\0");
    file
}

/// Names of members that are told apart by their number.
pub fn numbered(prefix: &str, number: usize) -> String {
    let mut name = prefix.to_owned();
    write!(name, "{number}").unwrap();
    name
}
