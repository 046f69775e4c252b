//! What an mbuf holds, in front of its members (`sys/sys/mbuf.h`, 10 to main).

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;

use crate::constants::{
    EXTERNAL_STORAGE, M_EXT, M_EXTPG, M_PKTHDR, MBUF_FLAGS, MBUF_FLAGS_SINCE_PAGES,
    MBUF_TYPE_NAMES, MBUF_TYPE_NAMES_SINCE_PAGES, MT_NOTMBUF,
};
use crate::types::{TypeId, Types};
use crate::value::gathered::Gathered;
use crate::value::meaning::flags;
use crate::value::model::Value;

/// Which names the kernel has for flags and types of mbufs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Up to 12.
    Old,
    /// Of 13 and later, whose mbufs may hold pages.
    WithPages,
}

/// A member up to 10 and since 11.
type Paths = [&'static str; 2];

const TYPE: Paths = ["m_hdr.mh_type", "m_type"];
const FLAGS: Paths = ["m_hdr.mh_flags", "m_flags"];
const LEN: Paths = ["m_hdr.mh_len", "m_len"];
const PACKET_LEN: Paths = ["M_dat.MH.MH_pkthdr.len", "m_pkthdr.len"];
const STORAGE: Paths = ["M_dat.MH.MH_dat.MH_ext.ext_type", "m_ext.ext_type"];
const STORAGE_SIZE: Paths = ["M_dat.MH.MH_dat.MH_ext.ext_size", "m_ext.ext_size"];

impl Naming {
    /// That of the kernel with this struct mbuf.
    pub fn of(types: &Types, mbuf: TypeId) -> Self {
        match types.has_path(mbuf, "m_ext.extpg_pa") {
            true => Self::WithPages,
            false => Self::Old,
        }
    }

    /// Whether an mbuf with these flags holds pages.
    fn has_pages(self, flags: u64) -> bool {
        self == Self::WithPages && flags & M_EXTPG != 0
    }

    /// Names of `m_flags` by their bits.
    pub fn flags(self) -> &'static [(u64, &'static str)] {
        match self {
            Self::Old => &MBUF_FLAGS,
            Self::WithPages => &MBUF_FLAGS_SINCE_PAGES,
        }
    }

    /// The name of an `m_type`: `MT_DATA`.
    pub fn type_name(self, number: u64) -> Option<&'static str> {
        let newer = match self {
            Self::Old => &[][..],
            Self::WithPages => &MBUF_TYPE_NAMES_SINCE_PAGES,
        };
        named(number, &MBUF_TYPE_NAMES).or_else(|| named(number, newer))
    }
}

/// The name of an `ext_type`: `EXT_CLUSTER`.
pub fn storage_name(number: u64) -> Option<&'static str> {
    named(number, &EXTERNAL_STORAGE)
}

/// What the header of an mbuf says. Members that its flags do not call for are not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MbufHeader {
    naming: Naming,
    /// `m_type`
    pub kind: u64,
    /// `m_flags`
    pub flags: u64,
    /// How many bytes of its packet it holds (`m_len`).
    pub len: i128,
    /// How many bytes the packet has that it begins (`m_pkthdr.len`).
    pub packet_len: Option<i128>,
    /// Where the bytes are outside the mbuf (`ext_type`, `ext_size`).
    pub storage: Option<(u64, i128)>,
}

impl MbufHeader {
    /// `number` reads the member at a path; `None` if that is not there. The header is `None` without
    /// a type, flags or length.
    ///
    /// # Errors
    /// The first of `number`.
    pub fn read<E>(
        naming: Naming,
        number: impl Fn(&str) -> Result<Option<i128>, E>,
    ) -> Result<Option<Self>, E> {
        let number = |paths: Paths| match number(paths[0])? {
            None => number(paths[1]),
            found => Ok(found),
        };
        let unsigned = |paths| Ok(number(paths)?.and_then(|number| u64::try_from(number).ok()));
        let (kind, flags, len) = (unsigned(TYPE)?, unsigned(FLAGS)?, number(LEN)?);
        let (Some(kind), Some(flags), Some(len)) = (kind, flags, len) else { return Ok(None) };
        let mut header = Self { naming, kind, flags, len, packet_len: None, storage: None };
        if flags & M_PKTHDR != 0 {
            header.packet_len = number(PACKET_LEN)?;
        }
        if flags & M_EXT != 0 && !naming.has_pages(flags) {
            header.storage = unsigned(STORAGE)?.zip(number(STORAGE_SIZE)?);
        }
        Ok(Some(header))
    }

    /// It holds nothing, and is not in use.
    pub fn is_unused(&self) -> bool {
        self.kind == MT_NOTMBUF
    }

    /// `MT_DATA`
    pub fn kind_name(&self) -> Cow<'static, str> {
        match self.naming.type_name(self.kind) {
            Some(name) => name.into(),
            None => format!("type {}", self.kind).into(),
        }
    }

    /// `M_EXT|M_PKTHDR`
    pub fn flag_names(&self) -> String {
        flags::names(self.flags, self.naming.flags())
    }

    /// `EXT_CLUSTER of 2048 bytes`; `None` if the bytes are in the mbuf, or where they are is not
    /// known.
    pub fn storage_text(&self) -> Option<String> {
        if self.naming.has_pages(self.flags) {
            return Some("pages".to_owned());
        }
        let (kind, size) = self.storage?;
        let name = storage_name(kind);
        let name = name.map_or_else(|| format!("storage of type {kind}"), str::to_owned);
        Some(format!("{name} of {size} bytes"))
    }
}

/// `14 bytes of MT_DATA, M_EXT|M_PKTHDR, packet of 60 bytes, in EXT_CLUSTER of 2048 bytes`
impl fmt::Display for MbufHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unused() {
            return f.write_str("not in use (MT_NOTMBUF)");
        }
        write!(f, "{} bytes of {}", self.len, self.kind_name())?;
        if self.flags != 0 {
            write!(f, ", {}", self.flag_names())?;
        }
        if let Some(len) = self.packet_len {
            write!(f, ", packet of {len} bytes")?;
        }
        match self.storage_text() {
            Some(storage) => write!(f, ", in {storage}"),
            None => Ok(()),
        }
    }
}

/// The same in words, by the members that were read.
pub fn text(members: &Gathered<'_>, naming: Naming) -> Option<String> {
    let Ok(header) = MbufHeader::read(naming, |path| Ok::<_, Infallible>(at(members, path)));
    header.map(|header| header.to_string())
}

fn at(members: &Gathered<'_>, path: &str) -> Option<i128> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    members.get(first)?.get(rest).ok().as_deref().and_then(Value::as_i128)
}

fn named(number: u64, table: &[(u64, &'static str)]) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::value::record::{MemberNames, RecordValue};

    fn told(members: Vec<(&str, Value)>, naming: Naming) -> Option<String> {
        let names = members.iter().map(|(name, _)| Arc::from(*name)).collect();
        let names = Arc::new(MemberNames { names, address: None });
        let mut found = Gathered::of(&names, false);
        members.into_iter().for_each(|(_, value)| found.push(value));
        text(&found, naming)
    }

    fn header(kind: i128, flags: i128) -> Vec<(&'static str, Value)> {
        let record = |members: [(&'static str, i128); 2]| {
            let members = members.map(|(name, number)| (name, Value::Int(number)));
            Value::Record(RecordValue::new(members))
        };
        vec![
            ("m_len", Value::Int(14)),
            ("m_type", Value::Int(kind)),
            ("m_flags", Value::Int(flags)),
            ("m_pkthdr", record([("len", 60), ("fibnum", 0)])),
            ("m_ext", record([("ext_type", 1), ("ext_size", 2048)])),
        ]
    }

    #[test]
    fn only_what_the_flags_say_is_there_is_told() {
        for (kind, flags, expected) in [
            (1, 0, "14 bytes of MT_DATA"),
            (14, 8, "14 bytes of MT_CONTROL, M_RDONLY"),
            (1, 2, "14 bytes of MT_DATA, M_PKTHDR, packet of 60 bytes"),
            (
                1,
                3,
                "14 bytes of MT_DATA, M_EXT|M_PKTHDR, packet of 60 bytes, in EXT_CLUSTER of 2048 bytes",
            ),
            (0, 3, "not in use (MT_NOTMBUF)"),
            (77, 0, "14 bytes of type 77"),
        ] {
            for naming in [Naming::Old, Naming::WithPages] {
                assert_eq!(told(header(kind, flags), naming).as_deref(), Some(expected));
            }
        }
    }

    #[test]
    fn names_that_moved_are_those_of_the_kernel() {
        let of = |flags, naming| told(header(1, flags), naming).unwrap();
        assert_eq!(of(0x1100, Naming::Old), "14 bytes of MT_DATA, M_PROTO1|0x100");
        let pages = of(0x1100, Naming::WithPages);
        assert_eq!(pages, "14 bytes of MT_DATA, M_EXTPG|0x1000, in pages");
        assert_eq!(Naming::Old.type_name(15), None);
        assert_eq!(Naming::WithPages.type_name(15), Some("MT_EXTCONTROL"));
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        let mut members = header(1, 3);
        members.retain(|(name, _)| *name != "m_pkthdr");
        let told_of = told(members, Naming::Old);
        let expected = "14 bytes of MT_DATA, M_EXT|M_PKTHDR, in EXT_CLUSTER of 2048 bytes";
        assert_eq!(told_of.as_deref(), Some(expected));
        assert_eq!(told(vec![("m_len", Value::Int(14))], Naming::Old), None);
    }
}
