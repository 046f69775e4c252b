//! Declarations with the offset and size of every member, and the holes between them.
//!
//! Offsets count from the start of the outermost declaration, in bytes; a
//! bit-field's is `byte:bit`, its lowest-numbered bit. As in pahole, what stands
//! in a comment is not C.

use std::io::{self, Write};

use super::sanitize;
use crate::types::declaration::{Body, Declaration, DeclaredMember, UnnamedRecord};
use crate::types::model::{Enumerator, RecordKind};

const INDENT: usize = 4;

/// The rightmost column for comments: one long line does not push all others.
const WIDEST: usize = 56;

/// Writes a declaration as C, with comments. One of several with the same name has its
/// file above it.
pub fn write_declaration(out: &mut impl Write, declaration: &Declaration) -> io::Result<()> {
    let mut lines = Lines::default();
    if let Some(file) = &declaration.file {
        lines.push(0, format!("/* {file} */"), "");
    }
    let size = match declaration.size {
        Some(size) => format!("size {size}"),
        None => "incomplete".to_owned(),
    };
    match &declaration.body {
        Body::Typedef { declaration: spelled, unnamed, .. } => {
            let split = spelled.split_once("{...}").zip(unnamed.as_deref());
            match split {
                Some(((before, after), body)) => {
                    let before = format!("typedef {}", before.trim_end());
                    lines.body(&before, body, &format!(" {}", after.trim_start()), &size);
                }
                None => lines.push(0, format!("typedef {spelled};"), size),
            }
        }
        body => lines.body(&declaration.name, body, "", &size),
    }
    lines.write(out)
}

/// Lines of C and the comment after each.
#[derive(Default)]
struct Lines {
    lines: Vec<(String, String)>,
}

impl Lines {
    fn push(&mut self, indent: usize, code: impl AsRef<str>, comment: impl Into<String>) {
        let code = format!("{:indent$}{}", "", sanitize::line(code.as_ref()));
        self.lines.push((code, comment.into()));
    }

    fn body(&mut self, before: &str, body: &Body, after: &str, size: &str) {
        match body {
            Body::Record { incomplete: true, .. } | Body::Enum { incomplete: true, .. } => {
                self.push(0, format!("{before}{after};"), "declared, and nowhere defined");
            }
            Body::Record { kind, members, .. } => {
                let bytes = size.strip_prefix("size ").and_then(|bytes| bytes.parse().ok());
                self.push(0, format!("{before} {{"), format!("{:>8} {:>7}", "offset", "size"));
                let waste = self.members(members, INDENT, *kind, 0, bytes);
                self.push(0, format!("}}{after};"), format!("{size}{waste}"));
            }
            Body::Enum { enumerators, .. } => {
                self.push(0, format!("{before} {{"), "");
                for Enumerator { name, value } in enumerators {
                    let comment = if *value > 9 { format!("{value:#x}") } else { String::new() };
                    self.push(INDENT, format!("{name} = {value},"), comment);
                }
                self.push(0, format!("}}{after};"), size);
            }
            Body::Typedef { .. } | Body::Plain => self.push(0, format!("{before}{after}"), size),
        }
    }

    /// Members at `base` of a record of `size` bytes; what is wasted between and behind them.
    fn members(
        &mut self,
        members: &[DeclaredMember],
        indent: usize,
        kind: RecordKind,
        base: u64,
        size: Option<u64>,
    ) -> Waste {
        let mut waste = Waste::default();
        let is_union = kind == RecordKind::Union;
        // The first bit that no member has taken; `None` if that cannot be told.
        let mut free = (!is_union).then(|| Bits::bytes(base));
        let mut most = 0;
        for member in members {
            let (start, end) = place(member);
            if let Some(hole) = free.and_then(|free| free.up_to(start)) {
                self.push(indent, format!("/* hole of {hole} */"), "");
                waste.holes += 1;
                waste.bits += hole.0;
            }
            most = end.map_or(most, |end| most.max(end.0));
            free = end.filter(|_| !is_union).map(|_| Bits(most));
            self.member(member, indent);
        }
        let end = size.map(|size| Bits::bytes(base.saturating_add(size)));
        waste.padding = free.zip(end).and_then(|(free, end)| free.up_to(end));
        if members.is_empty() {
            waste.padding = None;
        }
        waste
    }

    fn member(&mut self, member: &DeclaredMember, indent: usize) {
        let place = match member.bits {
            Some(bits) => {
                let start = format!("{}:{}", member.offset, bits.bit_offset);
                let size = match bits.width() {
                    Some(1) => "1 bit".to_owned(),
                    Some(width) => format!("{width} bits"),
                    None => "? bits".to_owned(),
                };
                format!("{start:>8} {size:>7}")
            }
            None => {
                let size = member.size.map_or("?".to_owned(), |size| size.to_string());
                format!("{:>8} {size:>7}", member.offset)
            }
        };
        match (&member.unnamed, member.bits) {
            (Some(unnamed), _) => self.unnamed(unnamed, member, indent, place),
            (None, Some(bits)) => {
                let width = bits.width().map_or("?".to_owned(), |width| width.to_string());
                self.push(indent, format!("{} : {width};", member.declaration), place);
            }
            (None, None) => self.push(indent, format!("{};", member.declaration), place),
        }
    }

    fn unnamed(
        &mut self,
        unnamed: &UnnamedRecord,
        member: &DeclaredMember,
        indent: usize,
        place: String,
    ) {
        let union = unnamed.before.ends_with("union");
        let kind = if union { RecordKind::Union } else { RecordKind::Struct };
        let base = if unnamed.behind_pointer { 0 } else { member.offset };
        self.push(indent, format!("{} {{", unnamed.before), "");
        self.members(&unnamed.members, indent + INDENT, kind, base, unnamed.size);
        let gap = if unnamed.after.is_empty() { "" } else { " " };
        self.push(indent, format!("}}{gap}{};", unnamed.after), place);
    }

    fn write(self, out: &mut impl Write) -> io::Result<()> {
        let widths = self.lines.iter().map(|(code, _)| code.chars().count());
        let column = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        for (code, comment) in self.lines {
            match comment.is_empty() {
                true => writeln!(out, "{code}")?,
                false => writeln!(out, "{code:column$}  /* {comment} */")?,
            }
        }
        Ok(())
    }
}

/// A distance in bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bits(u64);

impl Bits {
    fn bytes(bytes: u64) -> Self {
        Self(bytes.saturating_mul(8))
    }

    /// The distance from here up to `end`, if there is one.
    fn up_to(self, end: Self) -> Option<Self> {
        end.0.checked_sub(self.0).filter(|bits| *bits > 0).map(Self)
    }
}

impl std::fmt::Display for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, unit) = match self.0 % 8 {
            0 => (self.0 / 8, "byte"),
            _ => (self.0, "bit"),
        };
        write!(f, "{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// The first bit of a member, and the first behind it where its size is known.
fn place(member: &DeclaredMember) -> (Bits, Option<Bits>) {
    let start = Bits::bytes(member.offset);
    match member.bits {
        Some(bits) => {
            let start = start.0.saturating_add(bits.bit_offset);
            (Bits(start), bits.width().map(|width| Bits(start.saturating_add(width))))
        }
        None => (start, member.size.map(|size| Bits::bytes(member.offset.saturating_add(size)))),
    }
}

#[derive(Default)]
struct Waste {
    holes: u64,
    bits: u64,
    padding: Option<Bits>,
}

impl std::fmt::Display for Waste {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.holes {
            0 => {}
            1 => write!(f, ", 1 hole of {}", Bits(self.bits))?,
            holes => write!(f, ", {holes} holes of {} together", Bits(self.bits))?,
        }
        match self.padding {
            Some(padding) => write!(f, ", {padding} of padding at the end"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::model::BitField;

    fn member(declaration: &str, offset: u64, size: u64) -> DeclaredMember {
        DeclaredMember {
            name: Some("m".into()),
            type_name: String::new(),
            declaration: declaration.into(),
            offset,
            size: Some(size),
            bits: None,
            unnamed: None,
        }
    }

    fn bit_field(declaration: &str, offset: u64, bit_offset: u64, bit_size: u64) -> DeclaredMember {
        let bits = Some(BitField { bit_offset, bit_size, exact: true });
        DeclaredMember { bits, ..member(declaration, offset, 4) }
    }

    #[test]
    fn one_of_several_has_its_file() {
        let mut one = record(8, vec![member("long l", 0, 8)]);
        one.file = Some("kern/a.c".into());
        assert!(shown(&one).starts_with("/* kern/a.c */\nstruct vnet {"), "{}", shown(&one));
    }

    fn record(size: u64, members: Vec<DeclaredMember>) -> Declaration {
        let body = Body::Record { kind: RecordKind::Struct, members, incomplete: false };
        Declaration { name: "struct vnet".into(), file: None, size: Some(size), body }
    }

    fn shown(declaration: &Declaration) -> String {
        let mut out = Vec::new();
        write_declaration(&mut out, declaration).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_holes_and_padding() {
        let inner =
            vec![member("struct vnet *le_next", 0, 8), member("struct vnet **le_prev", 8, 8)];
        let list = DeclaredMember {
            unnamed: Some(UnnamedRecord {
                before: "struct".into(),
                after: "vnet_le".into(),
                members: inner,
                size: Some(16),
                behind_pointer: false,
            }),
            ..member("struct {...} vnet_le", 0, 16)
        };
        let text = shown(&record(
            48,
            vec![
                list,
                member("u_int vnet_magic_n", 16, 4),
                bit_field("u_int a", 20, 0, 1),
                bit_field("u_int b", 20, 3, 4),
                member("void *data", 32, 8),
            ],
        ));
        assert_eq!(
            text,
            "\
struct vnet {                   /*   offset    size */
    struct {
        struct vnet *le_next;   /*        0       8 */
        struct vnet **le_prev;  /*        8       8 */
    } vnet_le;                  /*        0      16 */
    u_int vnet_magic_n;         /*       16       4 */
    u_int a : 1;                /*     20:0   1 bit */
    /* hole of 2 bits */
    u_int b : 4;                /*     20:3  4 bits */
    /* hole of 89 bits */
    void *data;                 /*       32       8 */
};                              /* size 48, 2 holes of 91 bits together, 8 bytes of padding at the end */
"
        );
    }

    #[test]
    fn a_union_has_no_holes() {
        let members = vec![member("char c", 0, 1), member("long l", 0, 8)];
        let body = Body::Record { kind: RecordKind::Union, members, incomplete: false };
        let union = Declaration { name: "union u".into(), file: None, size: Some(8), body };
        assert!(shown(&union).ends_with("};           /* size 8 */\n"), "{}", shown(&union));
    }

    #[test]
    fn enums_typedefs_and_plain_types() {
        let value = |name: &str, value| Enumerator { name: name.into(), value };
        let enumerators = vec![value("A", -1), value("B", 0x21e0000)];
        let body = Body::Enum { enumerators, incomplete: false };
        let unnamed = Declaration {
            name: "state_t".into(),
            file: None,
            size: Some(4),
            body: Body::Typedef {
                declaration: "enum {...} state_t".into(),
                target: "enum {...}".into(),
                unnamed: Some(Box::new(body)),
            },
        };
        assert_eq!(
            shown(&unnamed),
            "\
typedef enum {
    A = -1,
    B = 35520512,  /* 0x21e0000 */
} state_t;         /* size 4 */
"
        );
        let declaration = "struct ifnet *if_t".into();
        let target = "struct ifnet *".into();
        let body = Body::Typedef { declaration, target, unnamed: None };
        let named = Declaration { name: "if_t".into(), file: None, size: Some(8), body };
        assert_eq!(shown(&named), "typedef struct ifnet *if_t;  /* size 8 */\n");
        let plain = Declaration {
            name: "unsigned int".into(),
            file: None,
            size: Some(4),
            body: Body::Plain,
        };
        assert_eq!(shown(&plain), "unsigned int  /* size 4 */\n");
    }

    #[test]
    fn an_incomplete_type_says_so() {
        let body = Body::Record { kind: RecordKind::Struct, members: Vec::new(), incomplete: true };
        let declared = Declaration { name: "struct secret".into(), file: None, size: None, body };
        assert_eq!(shown(&declared), "struct secret;  /* declared, and nowhere defined */\n");
    }
}
