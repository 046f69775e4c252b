//! One neighbour: a struct llentry (`sys/net/if_llatbl.h`).

use super::state::{NeighborFlags, State};
use crate::addr::VirtAddr;
use crate::fault::Fault;
use crate::value::Object;
use crate::value::inet::{Sockaddr, ZonedIp, hardware_text};
use crate::value::model::ValueError;
use crate::views::call_out::CallOut;
use crate::views::family::Family;

/// A neighbour. Members that cannot be read are errors.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbor {
    /// Its struct llentry.
    pub entry: VirtAddr,
    /// Its network address, with the name of its zone: `10.0.0.1`, `fe80::1%epair0b`.
    pub address: Result<Box<str>, ValueError>,
    /// Its link-level address; `None` if that is not known yet.
    pub link: Result<Option<Box<str>>, ValueError>,
    /// What is special about it.
    pub flags: Result<NeighborFlags, ValueError>,
    /// What the kernel knows of it.
    pub state: Result<State, ValueError>,
    /// When it expires, in seconds of uptime; `None` if it is permanent.
    pub expire: Result<Option<i64>, ValueError>,
    /// Whether it says that it is a router (IPv6).
    pub router: bool,
    /// How often it was asked without an answer.
    pub asked: Option<u64>,
    /// How many packets wait for its link-level address.
    pub held: Option<u64>,
    /// What a sound kernel does not have.
    pub call_outs: Vec<CallOut>,
}

/// What all neighbours of a table have in common.
pub struct Common<'n> {
    pub family: Family,
    /// The struct lltable.
    pub table: VirtAddr,
    /// Bytes of a link-level address; `None` if unknown.
    pub link_len: Option<u64>,
    /// Ticks per second (hz).
    pub hz: i64,
    /// Names an interface by its index.
    pub zone: &'n dyn Fn(u32) -> Option<String>,
}

/// The longest link-level address (`r_linkdata`, LLE_MAX_LINKHDR).
const LONGEST_LINK: u64 = 32;

impl Neighbor {
    /// The neighbour in `entry`.
    pub fn read(entry: &Object<'_>, common: &Common<'_>) -> Self {
        let flags = entry.uint("la_flags").map(NeighborFlags).map_err(ValueError::from);
        let number = entry.int("ln_state").map_err(ValueError::from);
        let state =
            flags.clone().and_then(|flags| Ok(State::of(common.family, flags, number.clone()?)));
        let mut neighbor = Self {
            entry: entry.address,
            address: address(entry, common),
            link: flags.clone().and_then(|flags| link(entry, flags, common)),
            expire: flags.clone().and_then(|flags| expire(entry, flags, common)),
            flags,
            state,
            router: common.family == Family::Inet6
                && entry.uint("ln_router").is_ok_and(|router| router != 0),
            asked: entry.uint("la_asked").ok(),
            held: entry.uint("la_numheld").ok(),
            call_outs: Vec::new(),
        };
        if let Ok(table) = entry.pointer("lle_tbl")
            && table != common.table
        {
            let why = format!("its pointer to its table leads to {table}");
            neighbor.call_outs.push(CallOut::new("wrong-back-pointer", entry.address, why));
        }
        neighbor
    }
}

/// The address in r_l3addr; up to 10, in a socket address behind the entry.
fn address(entry: &Object<'_>, common: &Common<'_>) -> Result<Box<str>, ValueError> {
    let memory = entry.target().memory();
    let Ok(place) = entry.member("r_l3addr") else {
        let types = entry.target().types()?;
        let behind = entry.address.wrapping_add(types.size_of(entry.type_id)?);
        let found = Sockaddr::read(memory, entry.target().arch().endian(), behind)?;
        return match found {
            Some(Sockaddr::Inet { ip, .. }) => Ok(ip.text(common.zone).into()),
            _ => Err(unknown(behind, "it has no address of a known family")),
        };
    };
    let ip = match common.family {
        Family::Inet => ZonedIp::v4(bytes(entry, place.address)?),
        Family::Inet6 => ZonedIp::v6(bytes(entry, place.address)?, 0),
    };
    Ok(ip.text(common.zone).into())
}

fn bytes<const N: usize>(entry: &Object<'_>, at: VirtAddr) -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    entry.target().memory().read(at, &mut bytes)?;
    Ok(bytes)
}

/// As many bytes as the interface's link-level addresses have, where ll_addr points to; up to 10,
/// in ll_addr itself.
fn link(
    entry: &Object<'_>,
    flags: NeighborFlags,
    common: &Common<'_>,
) -> Result<Option<Box<str>>, ValueError> {
    if !flags.is_valid() {
        return Ok(None);
    }
    let place = entry.member("ll_addr")?;
    let is_pointer = entry.target().types()?.pointee(place.type_id).is_ok();
    let at = if is_pointer { entry.pointer("ll_addr")? } else { place.address };
    if at.is_null() {
        return Ok(None);
    }
    let len = common.link_len.or_else(|| of_header(entry)).ok_or_else(|| {
        unknown(entry.address, "the length of its interface's link-level addresses is unknown")
    })?;
    if len == 0 {
        return Ok(None);
    }
    let mut bytes = vec![0; len.min(LONGEST_LINK) as usize];
    entry.target().memory().read(at, &mut bytes)?;
    Ok(Some(hardware_text(&bytes).into()))
}

/// The same by the header that is put in front of packets, where the interface is gone: Ethernet's
/// has 14 bytes.
fn of_header(entry: &Object<'_>) -> Option<u64> {
    (entry.uint("r_hdrlen").ok()? == 14).then_some(6)
}

/// Entries of IPv6 stay for another lle_remtime ticks (`in6_lltable_dump_entry`,
/// `sys/netinet6/in6.c`, 12 to main).
fn expire(
    entry: &Object<'_>,
    flags: NeighborFlags,
    common: &Common<'_>,
) -> Result<Option<i64>, ValueError> {
    let expire = entry.int("la_expire")?;
    if flags.is_static() || expire == 0 {
        return Ok(None);
    }
    let rest = match common.family {
        Family::Inet6 => entry.int("lle_remtime").unwrap_or(0),
        Family::Inet => 0,
    };
    Ok(Some(expire.saturating_add(rest.checked_div(common.hz).unwrap_or(0))))
}

fn unknown(at: VirtAddr, why: &'static str) -> ValueError {
    ValueError {
        kind: crate::value::model::ErrorKind::BadAddress,
        address: Some(at),
        message: why.into(),
    }
}
