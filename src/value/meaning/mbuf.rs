//! What an mbuf holds, in front of its members (`sys/sys/mbuf.h`, 10 to main).

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

/// `14 bytes of MT_DATA, M_EXT|M_PKTHDR, packet of 60 bytes, in EXT_CLUSTER of 2048 bytes`
pub fn text(members: &Gathered<'_>, naming: Naming) -> Option<String> {
    let number = |paths: Paths| paths.into_iter().find_map(|path| at(members, path));
    let kind = u64::try_from(number(TYPE)?).ok()?;
    if kind == MT_NOTMBUF {
        return Some("not in use (MT_NOTMBUF)".to_owned());
    }
    let kind = naming.type_name(kind).map_or_else(|| format!("type {kind}"), str::to_owned);
    let flags = u64::try_from(number(FLAGS)?).ok()?;
    let mut text = format!("{} bytes of {kind}", number(LEN)?);
    if flags != 0 {
        text += &format!(", {}", flags::names(flags, naming.flags()));
    }
    if flags & M_PKTHDR != 0
        && let Some(len) = number(PACKET_LEN)
    {
        text += &format!(", packet of {len} bytes");
    }
    let has_pages = naming == Naming::WithPages && flags & M_EXTPG != 0;
    if has_pages {
        text += ", in pages";
    } else if flags & M_EXT != 0
        && let (Some(kind), Some(size)) = (number(STORAGE), number(STORAGE_SIZE))
    {
        let name = u64::try_from(kind).ok().and_then(storage_name);
        let name = name.map_or_else(|| format!("storage of type {kind}"), str::to_owned);
        text += &format!(", in {name} of {size} bytes");
    }
    Some(text)
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
