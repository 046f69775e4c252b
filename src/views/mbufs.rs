//! Chains of mbufs: the packets that a pointer to an mbuf leads to (`sys/sys/mbuf.h`, 10 to main).
//!
//! `m_next` leads to the next mbuf of a packet, and `m_nextpkt` of its first mbuf to the next packet of
//! a queue. A packet that breaks off does not hide those after it.

use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::model::ValueError;
use crate::value::queue::List;
use crate::value::{MbufHeader, MbufNaming, Object};
use crate::walk::{Problem, Problems, Trail, Walk};

/// An mbuf of a chain.
#[derive(Debug, Clone)]
pub struct Mbuf {
    /// The number of its packet, counted from 0.
    pub packet: u64,
    /// Its struct mbuf.
    pub address: VirtAddr,
    /// What it holds; `None` if its struct does not say.
    pub header: Result<Option<MbufHeader>, ValueError>,
    /// Where the bytes that it holds begin (`m_data`).
    pub data: Result<VirtAddr, ValueError>,
}

/// A member up to 10 and since 11.
type Paths = [&'static str; 2];

const NEXT: Paths = ["m_hdr.mh_next", "m_next"];
const NEXT_PACKET: Paths = ["m_hdr.mh_nextpkt", "m_nextpkt"];
const DATA: Paths = ["m_hdr.mh_data", "m_data"];

/// Whether a struct is an mbuf.
#[must_use]
pub fn is_mbuf(object: &Object<'_>) -> bool {
    NEXT.iter().any(|path| object.has(path)) && NEXT_PACKET.iter().any(|path| object.has(path))
}

/// The mbufs of the packet that begins with `first`, and of those after it. Problems call them by
/// `name`.
pub fn chain(first: Object<'_>, name: &str) -> Walk<Mbuf> {
    let list = List { name: &name, element: "mbuf" };
    let mut trail = Trail::new(first.target().budget());
    let (mut mbufs, mut problems) = (Vec::new(), Problems::default());
    let (mut packet, mut number) = (Some(first), 0);
    while let Some(start) = packet {
        if let Err(problem) = one_packet(start, number, list, &mut trail, &mut mbufs) {
            problems.add(problem);
        }
        // Where the last packet leads back to another, that one was told already.
        if mbufs.last().is_none_or(|mbuf: &Mbuf| mbuf.packet != number) {
            break;
        }
        let next = follow(&start, NEXT_PACKET, list);
        packet = next.map_err(|problem| problems.add(problem)).ok().flatten();
        number += 1;
    }
    Walk::new(mbufs, problems)
}

fn one_packet<'t>(
    first: Object<'t>,
    packet: u64,
    list: List<'_>,
    trail: &mut Trail<'_>,
    mbufs: &mut Vec<Mbuf>,
) -> Result<(), Problem> {
    let mut at = Some(first);
    while let Some(mbuf) = at {
        trail.visit(mbuf.address).map_err(|why| list.problem(mbuf.address, why))?;
        mbufs.push(Mbuf::read(&mbuf, packet));
        at = follow(&mbuf, NEXT, list)?;
    }
    Ok(())
}

fn follow<'t>(
    mbuf: &Object<'t>,
    paths: Paths,
    list: List<'_>,
) -> Result<Option<Object<'t>>, Problem> {
    mbuf.follow(named(mbuf, paths)).map_err(|why| list.unreadable(mbuf.address, why))
}

/// The path that this kernel has.
fn named(mbuf: &Object<'_>, [old, new]: Paths) -> &'static str {
    if mbuf.has(old) { old } else { new }
}

impl Mbuf {
    /// The same mbuf of a queue that has so many packets before it.
    #[must_use]
    pub fn after(self, packets: u64) -> Self {
        Self { packet: self.packet + packets, ..self }
    }

    fn read(mbuf: &Object<'_>, packet: u64) -> Self {
        let data = mbuf.pointer(named(mbuf, DATA)).map_err(ValueError::from);
        Self { packet, address: mbuf.address, header: header(mbuf).map_err(Into::into), data }
    }
}

fn header(mbuf: &Object<'_>) -> Result<Option<MbufHeader>, ReadError> {
    let naming = MbufNaming::of(mbuf.target().types()?, mbuf.type_id);
    MbufHeader::read(naming, |path| match mbuf.has(path) {
        true => Ok(Some(mbuf.int(path)?.into())),
        false => Ok(None),
    })
}
