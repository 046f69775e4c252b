//! A kernel file around sections that a fuzzer made.

/// Where its data begin.
pub const DATA: u64 = 0xffff_ffff_8040_3000;
/// Bytes of its data.
pub const DATA_LEN: usize = 4096;

/// Contents of a section: its name, its type, and its bytes.
pub type Section<'a> = (&'a str, u32, &'a [u8]);

const PROGBITS: u32 = 1;
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;

/// An executable of FreeBSD on amd64: `.data`, symbols, and these sections. Each of the variables
/// has 64 bytes of the data.
pub fn kernel(variables: &[&str], sections: &[Section<'_>]) -> Vec<u8> {
    let (mut symbols, mut names) = (vec![0; 24], vec![0]);
    for (name, at) in variables.iter().zip((DATA..).step_by(64)) {
        symbols.extend((names.len() as u32).to_le_bytes());
        symbols.extend([0x11, 0, 1, 0]);
        symbols.extend([at, 64].map(u64::to_le_bytes).concat());
        names.extend(name.bytes().chain([0]));
    }
    let data = [0; DATA_LEN];
    let mut all: Vec<Section<'_>> = vec![("", 0, &[]), (".data", PROGBITS, &data)];
    all.push((".symtab", SYMTAB, &symbols));
    all.push((".strtab", STRTAB, &names));
    all.extend_from_slice(sections);
    file(&all)
}

fn file(sections: &[Section<'_>]) -> Vec<u8> {
    const CONTENTS_AT: usize = 4096;
    let (mut contents, mut headers, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let own: Section<'_> = (".shstrtab", STRTAB, &[]);
    let all = sections.iter().chain([&own]);
    for (name, kind, bytes) in all {
        let name_at = names.len() as u32;
        names.extend(name.bytes().chain([0]));
        let bytes = if *name == ".shstrtab" { &names[..] } else { bytes };
        let (flags, address) = if *name == ".data" { (3, DATA) } else { (0, 0) };
        let (link, entry) = if *kind == SYMTAB { (3, 24) } else { (0, 0) };
        headers.extend([name_at, *kind].map(u32::to_le_bytes).concat());
        let place = [flags, address, (CONTENTS_AT + contents.len()) as u64, bytes.len() as u64];
        headers.extend(place.map(u64::to_le_bytes).concat());
        headers.extend([link, 1].map(u32::to_le_bytes).concat());
        headers.extend([1, entry].map(u64::to_le_bytes).concat());
        contents.extend_from_slice(bytes);
    }
    let count = sections.len() as u16 + 1;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0];
    file.extend([2, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    let headers_at = (CONTENTS_AT + contents.len()) as u64;
    file.extend([DATA, 64, headers_at].map(u64::to_le_bytes).concat());
    file.extend([0; 4]);
    file.extend([64, 56, 1, 64, count, count - 1].map(u16::to_le_bytes).concat());
    file.extend([1_u32, 6].map(u32::to_le_bytes).concat());
    let len = DATA_LEN as u64;
    file.extend([CONTENTS_AT as u64, DATA, DATA, len, len, 4096].map(u64::to_le_bytes).concat());
    file.resize(CONTENTS_AT, 0);
    file.extend(contents);
    file.extend(headers);
    file
}
