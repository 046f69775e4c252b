//! The types of a container, one record after the other, and where each begins.
//!
//! One pass over the records finds their places. Nothing is kept of a type but its place;
//! names, members and enumerators are read in place when something asks for them.

use crate::bytes::Fields;
use crate::types::TypeError;
use crate::types::ctf::container::{Container, Version, damaged};

/// The places of all types.
#[derive(Debug)]
pub struct Table {
    /// Offsets from the end of the header, in the order of ids.
    starts: Vec<u32>,
    /// The bit that is set in the ids of these types, if the container has a parent.
    own: u32,
}

/// The head of a type's record.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub kind: Kind,
    /// The offset of its name.
    pub name: u32,
    /// The number of members, enumerators or parameters.
    pub count: u32,
    /// Bytes, for kinds that have a size.
    pub size: u64,
    /// The type that it refers to, for kinds that refer to one.
    pub target: u32,
    /// Where that which follows the head begins.
    pub body: usize,
}

/// What a type is (CTF_K_INTEGER and so on).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A hole: an id without a type.
    Unknown,
    Integer,
    Float,
    Pointer,
    Array,
    Function,
    Struct,
    Union,
    Enum,
    Forward,
    Typedef,
    Volatile,
    Const,
    Restrict,
}

/// How the types of one version are written.
struct Widths {
    /// The bits of an info word below the kind, and the mask of the count in them.
    kind_shift: u32,
    count: u32,
    /// The size that says that the real one follows.
    large: u32,
    /// Structs of at least this size have wide offsets of members.
    big: u64,
}

const TWO: Widths = Widths { kind_shift: 11, count: 0x3ff, large: 0xffff, big: 8192 };
const THREE: Widths = Widths { kind_shift: 26, count: 0x00ff_ffff, large: u32::MAX, big: 1 << 29 };

impl Version {
    fn widths(self) -> &'static Widths {
        match self {
            Self::Two => &TWO,
            Self::Three => &THREE,
        }
    }

    /// A number as wide as an id.
    pub fn word(self, fields: Fields<'_>, at: usize) -> Option<u32> {
        match self {
            Self::Two => fields.u16(at).map(u32::from),
            Self::Three => fields.u32(at),
        }
    }
}

impl Table {
    /// Finds the places of all types.
    ///
    /// # Errors
    /// A type is of an unknown kind or does not end where the types do, or there are more of them
    /// than the version has ids for.
    pub fn read(container: &Container) -> Result<Self, TypeError> {
        let (mut at, end) = (container.types.start, container.types.end);
        // The smallest record has 8 bytes, and the usual one has 20.
        let mut starts = Vec::with_capacity(container.types.len() / 20);
        while at < end {
            let entry = entry_at(container, at)?;
            starts.push(at as u32);
            let body = body_size(container.version, &entry);
            let next = body.and_then(|size| entry.body.checked_add(size));
            at = next.filter(|next| *next <= end).ok_or_else(|| {
                damaged(at, format!("type {} does not end where the types do", starts.len()))
            })?;
        }
        let own = container.parent().map_or(0, |_| container.version.child_bit());
        let most = match (container.version, own) {
            (Version::Two, 0) => 0xffff,
            (Version::Two, _) => 0x7fff,
            (Version::Three, _) => (1 << 31) - 1,
        };
        if starts.len() > most {
            let (count, version) = (starts.len(), container.version.number());
            let why = format!(
                "it has {count} types, and version {version} has ids for no more than {most}: \
                 some mean several types"
            );
            return Err(TypeError::UnreadableCtf { why });
        }
        Ok(Self { starts, own })
    }

    /// The number of types.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// The ids of all types, in order.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        (1..=self.starts.len() as u32).map(|number| number | self.own)
    }

    /// Is it the id of a type of the parent?
    pub fn is_of_parent(&self, id: u32) -> bool {
        self.own != 0 && id != 0 && id & self.own == 0
    }

    /// The head of a type of this container.
    ///
    /// # Errors
    /// It has no such type.
    pub fn entry(&self, container: &Container, id: u32) -> Result<Entry, TypeError> {
        let number = if id & self.own == self.own { id & !self.own } else { 0 };
        let start = (number as usize).checked_sub(1).and_then(|index| self.starts.get(index));
        let Some(&start) = start else {
            let why = format!("there is no type {id:#x}, and something is of that type");
            return Err(damaged(container.types.end, why));
        };
        entry_at(container, start as usize)
    }
}

impl Kind {
    fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::Unknown,
            1 => Self::Integer,
            2 => Self::Float,
            3 => Self::Pointer,
            4 => Self::Array,
            5 => Self::Function,
            6 => Self::Struct,
            7 => Self::Union,
            8 => Self::Enum,
            9 => Self::Forward,
            10 => Self::Typedef,
            11 => Self::Volatile,
            12 => Self::Const,
            13 => Self::Restrict,
            _ => return None,
        })
    }

    fn has_size(self) -> bool {
        use Kind::*;
        matches!(self, Integer | Float | Array | Struct | Union | Enum)
    }
}

impl Entry {
    /// Are the offsets of its members wide?
    pub fn is_big(&self, version: Version) -> bool {
        self.size >= version.widths().big
    }
}

fn entry_at(container: &Container, at: usize) -> Result<Entry, TypeError> {
    let (version, fields) = (container.version, container.fields());
    let (widths, word) = (version.widths(), version.id_size());
    let read = || {
        let name = fields.u32(at)?;
        let info = version.word(fields, at + 4)?;
        let last = version.word(fields, at + 4 + word)?;
        Some((name, info, last, at + 4 + 2 * word))
    };
    let cut_off = || damaged(at, "a type does not end where the types do");
    let (name, info, last, end) = read().ok_or_else(cut_off)?;
    let number = info >> widths.kind_shift;
    let kind = Kind::from_number(number)
        .ok_or_else(|| damaged(at, format!("a type is of the unknown kind {number}")))?;
    let head = Entry { kind, name, count: info & widths.count, size: 0, target: 0, body: end };
    if !kind.has_size() {
        return Ok(Entry { target: last, ..head });
    }
    if last != widths.large {
        return Ok(Entry { size: last.into(), ..head });
    }
    let (high, low) = fields.u32(end).zip(fields.u32(end + 4)).ok_or_else(cut_off)?;
    Ok(Entry { size: u64::from(high) << 32 | u64::from(low), body: end + 8, ..head })
}

/// The bytes that follow the head of a type.
fn body_size(version: Version, entry: &Entry) -> Option<usize> {
    let count = entry.count as usize;
    match entry.kind {
        Kind::Integer | Kind::Float => Some(4),
        Kind::Array => Some(2 * version.id_size() + 4),
        Kind::Function => {
            let padded = if version == Version::Two { count + (count & 1) } else { count };
            padded.checked_mul(version.id_size())
        }
        Kind::Struct | Kind::Union => count.checked_mul(member_size(version, entry)),
        Kind::Enum => count.checked_mul(ENUMERATOR),
        _ => Some(0),
    }
}

/// Bytes of an enumerator: its name and its value.
pub const ENUMERATOR: usize = 8;

/// Bytes of a member.
pub fn member_size(version: Version, entry: &Entry) -> usize {
    match (version, entry.is_big(version)) {
        (Version::Two, false) => 8,
        (Version::Three, false) => 12,
        (_, true) => 16,
    }
}
