//! What of an mbuf is a packet (`sys/sys/mbuf.h`, 10 to main).
//!
//! Behind its header, an mbuf has bytes of a packet, or first a packet header, or that and
//! what leads to a cluster. Its flags say which. Whatever is left may hold bytes of a packet
//! that was there before.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::constants::{M_EXT, M_EXTPG, M_PKTHDR, MBUF_TYPES};
use crate::target::{ReadError, Target};
use crate::types::{Field, TypeId};
use crate::value::Object;
use crate::walk::Problem;

/// The layout of mbufs. Ranges are bytes from their start.
#[derive(Debug)]
pub(super) struct Mbuf<'t> {
    target: &'t Target,
    type_id: TypeId,
    type_name: &'static str,
    flags: &'static str,
    /// Links, the place and the length of the data, type and flags.
    header: Range<u64>,
    /// With M_PKTHDR or M_EXTPG.
    packet_header: Range<u64>,
    /// With M_EXT, ascending.
    external: Vec<Range<u64>>,
    /// With M_EXTPG, ascending; `None` if there is no such flag.
    pages: Option<Vec<Range<u64>>>,
}

/// The same member up to 10 and since 11.
const TYPE: [&str; 2] = ["m_hdr.mh_type", "m_type"];
const FLAGS: [&str; 2] = ["m_hdr.mh_flags", "m_flags"];
const DATA: [&str; 2] = ["M_dat.M_databuf", "m_dat"];
const PACKET_HEADER: [&str; 2] = ["M_dat.MH.MH_pkthdr", "m_pkthdr"];
const EXTERNAL: [&str; 2] = ["M_dat.MH.MH_dat.MH_ext", "m_ext"];

/// The members of `struct m_ext` that are there with M_EXT.
const OF_CLUSTERS: [&str; 9] = [
    "ext_cnt",
    "ext_count",
    "ext_buf",
    "ext_size",
    "ext_type",
    "ext_flags",
    "ext_free",
    "ext_arg1",
    "ext_arg2",
];

/// Those that are there with M_EXTPG (13 and later). The rest of a record is in the others.
const OF_PAGES: [&str; 8] = [
    "ext_cnt",
    "ext_count",
    "ext_size",
    "ext_type",
    "ext_flags",
    "extpg_pa",
    "ext_free",
    "ext_arg1",
];

impl<'t> Mbuf<'t> {
    /// The layout that the kernel of `target` has.
    ///
    /// # Errors
    /// Its types do not show it.
    pub(super) fn of(target: &'t Target) -> Result<Self, Problem> {
        Self::read(target).map_err(|why| Problem::unreadable("struct mbuf", why))
    }

    fn read(target: &'t Target) -> Result<Self, ReadError> {
        let types = target.types()?;
        let type_id = types.find("struct mbuf")?;
        let is_new = usize::from(types.has_member(type_id, TYPE[1]));
        let member = |names: [&'static str; 2]| types.path(type_id, names[is_new]);
        let header = member(DATA)?.offset;
        let packet_header = member(PACKET_HEADER)?;
        let external = member(EXTERNAL)?;
        let bytes = |field: Field| -> Result<Range<u64>, ReadError> {
            let at = external.offset + field.offset;
            Ok(match field.bits {
                Some(bits) => {
                    let bits = bits.known()?;
                    let end = bits.bit_offset + bits.bit_size;
                    at + bits.bit_offset / 8..at + end.div_ceil(8)
                }
                None => at..at + types.size_of(field.type_id)?,
            })
        };
        let parts = |names: &[&str]| -> Result<Vec<Range<u64>>, ReadError> {
            let there = names.iter().filter(|name| types.has_member(external.type_id, name));
            let parts = there.map(|name| bytes(types.member(external.type_id, name)?));
            let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
            parts.sort_unstable_by_key(|part| part.start);
            Ok(parts)
        };
        let has_pages = types.has_member(external.type_id, "extpg_pa");
        let size = types.size_of(packet_header.type_id)?;
        Ok(Self {
            target,
            type_id,
            type_name: TYPE[is_new],
            flags: FLAGS[is_new],
            header: 0..header,
            packet_header: packet_header.offset..packet_header.offset + size,
            external: parts(&OF_CLUSTERS)?,
            pages: has_pages.then(|| parts(&OF_PAGES)).transpose()?,
        })
    }

    /// What of the mbuf in `item` may be bytes of a packet.
    pub(super) fn contents(&self, item: &Range<VirtAddr>) -> Vec<Range<VirtAddr>> {
        let mut contents = Vec::new();
        let mut after = item.start;
        let mut known = vec![&self.header];
        known.extend(self.known(item.start));
        for part in known {
            let start = item.start.wrapping_add(part.start).min(item.end);
            if after < start {
                contents.push(after..start);
            }
            after = after.max(item.start.wrapping_add(part.end)).min(item.end);
        }
        if after < item.end {
            contents.push(after..item.end);
        }
        contents
    }

    /// What the flags of the mbuf at `at` say that there is behind its header. If it is not dumped
    /// or looks free, that is nothing.
    fn known(&self, at: VirtAddr) -> Vec<&Range<u64>> {
        let mbuf = Object::new(self.target, self.type_id, at);
        let (kind, flags) = (mbuf.uint(self.type_name), mbuf.uint(self.flags));
        let (Ok(kind), Ok(flags)) = (kind, flags) else { return Vec::new() };
        if !MBUF_TYPES.contains(&kind) {
            return Vec::new();
        }
        let pages = self.pages.as_ref().filter(|_| flags & M_EXTPG != 0);
        let has_header = flags & M_PKTHDR != 0 || pages.is_some();
        let header = has_header.then_some(&self.packet_header);
        let external = pages.or((flags & M_EXT != 0).then_some(&self.external));
        header.into_iter().chain(external.into_iter().flatten()).collect()
    }
}
