//! Groups of next hops (`sys/net/route/nhgrp_var.h`, 13 to main, with ROUTE_MPATH).
//!
//! A group is an array of slots, in which a next hop of greater weight stands several times. Its
//! private part lies behind the slots and has the plain list.

use crate::target::ReadError;
use crate::value::Object;
use crate::value::queue::List;
use crate::views::call_out::CallOut;
use crate::walk::{Problem, Problems, Walk};

/// The next hops of a group.
pub struct Members<'t> {
    /// Each once, with its weight.
    pub hops: Walk<(Object<'t>, u64)>,
    /// What a sound kernel does not have.
    pub call_outs: Vec<CallOut>,
}

/// The next hops of the group at `nhop`, which was taken for one of them.
pub fn members<'t>(nhop: &Object<'t>) -> Members<'t> {
    let (name, mut call_outs) =
        (format!("the next hops of the group at {}", nhop.address), Vec::new());
    let list = List { name: &name, element: "next hop" };
    let listed = plain_list(nhop, list, &mut call_outs);
    let hops = listed.unwrap_or_else(|why| Walk::failed(list.unreadable(nhop.address, why)));
    Members { hops, call_outs }
}

fn plain_list<'t>(
    nhop: &Object<'t>,
    list: List<'_>,
    call_outs: &mut Vec<CallOut>,
) -> Result<Walk<(Object<'t>, u64)>, ReadError> {
    let target = nhop.target();
    let types = target.types()?;
    let group = Object::new(target, types.find("struct nhgrp_object")?, nhop.address);
    let (slots, size) = (group.member("nhops")?, group.uint("nhg_size")?.min(MOST_SLOTS));
    let pointer = target.arch().pointer_size();
    let behind = slots.address.wrapping_add(size.wrapping_mul(pointer));
    let Some(private) = types.struct_named("nhgrp_priv") else {
        return slots_alone(nhop, &slots, size, list);
    };
    let private = Object::new(target, private, behind);
    let back = private.pointer("nhg")?;
    if back != group.address {
        let why = format!("the private part of the group points back at {back}");
        call_outs.push(CallOut::new("wrong-back-pointer", private.address, why));
        return slots_alone(nhop, &slots, size, list);
    }
    let entries = private.member("nhg_nh_weights")?;
    // Its length is not asked for: it is 0 in both structs.
    let entry = types.elements(entries.type_id)?.map_or(entries.type_id, |(entry, _)| entry);
    let stride = types.size_of(entry)?;
    let (mut found, mut problems) = (Vec::new(), Problems::default());
    for number in 0..private.uint("nhg_nh_count")?.min(MOST_SLOTS) {
        let at = entries.address.wrapping_add(number.wrapping_mul(stride));
        let entry = Object::new(target, entry, at);
        match entry.follow_anywhere("nh").and_then(|hop| Ok((hop, entry.uint("weight")?))) {
            Ok((Some(hop), weight)) => found.push((hop, weight)),
            Ok((None, _)) => {
                problems.add(Problem::contradiction(list.what(), at, "an entry has no next hop"));
            }
            Err(why) => problems.add(list.element(at, why)),
        }
    }
    Ok(Walk::new(found, problems))
}

/// More than the kernel allows (nhg_size has 8 bits).
const MOST_SLOTS: u64 = 255;

/// Without the plain list: each next hop of the slots once, its weight the number of its slots.
fn slots_alone<'t>(
    nhop: &Object<'t>,
    slots: &Object<'t>,
    size: u64,
    list: List<'_>,
) -> Result<Walk<(Object<'t>, u64)>, ReadError> {
    let (target, mut problems) = (nhop.target(), Problems::default());
    let mut found: Vec<(Object<'t>, u64)> = Vec::new();
    for slot in 0..size {
        let pointer = target.arch().pointer_size();
        let at = slots.address.wrapping_add(slot.wrapping_mul(pointer));
        let hop = match target.memory().pointer(at) {
            Ok(hop) if hop.is_null() => continue,
            Ok(hop) => hop,
            Err(fault) => {
                problems.add(list.element(at, fault.into()));
                continue;
            }
        };
        match found.iter_mut().find(|(known, _)| known.address == hop) {
            Some((_, weight)) => *weight = weight.saturating_add(1),
            None => found.push((Object::new(target, nhop.type_id, hop), 1)),
        }
    }
    Ok(Walk::new(found, problems))
}
