//! Prisons that no list leads to: being removed, or being created.

use crate::addr::VirtAddr;
use crate::constants::PR_VNET;
use crate::target::Target;
use crate::types::TypeId;
use crate::value::Object;

/// The prisons anywhere in memory whose vnet is `vnet`. This takes as long as reading
/// the dump.
#[must_use]
pub fn search_prisons<'t>(target: &'t Target, vnet: VirtAddr) -> Vec<Object<'t>> {
    let place = || Some(target.types().ok()?.member(prison_type(target)?, "pr_vnet").ok()?.offset);
    let Some(offset) = place() else { return Vec::new() };
    let pointer = target.arch().endian().bytes(vnet.get(), target.arch().pointer_size());
    let mut found: Vec<Object<'t>> = Vec::new();
    target.memory().search(&pointer, |at| {
        let prison = at.wrapping_add(offset.wrapping_neg());
        // Memory may be full of such words.
        if target.budget().work(1).is_ok() {
            found.extend(prison_of_vnet(target, prison, vnet));
        }
    });
    found
}

/// `struct prison`, from the one prison that every kernel has: finding a type by name
/// takes an index of all names.
fn prison_type(target: &Target) -> Option<TypeId> {
    Some(target.global("prison0").ok()?.type_id)
}

/// The prison at `address`, if there may be one whose vnet is `vnet`: a word of
/// a stack may lead anywhere.
#[must_use]
pub fn prison_of_vnet<'t>(
    target: &'t Target,
    address: VirtAddr,
    vnet: VirtAddr,
) -> Option<Object<'t>> {
    let shape = Object::new(target, prison_type(target)?, address);
    if address.is_null() || shape.pointer("pr_vnet").ok()? != vnet {
        return None;
    }
    shape.check_freed().ok()?;
    let name = shape.text("pr_name").ok()?;
    let named = !name.is_empty() && name.chars().all(|c| !c.is_control() && c != '\u{fffd}');
    (named && shape.uint("pr_flags").ok()? & PR_VNET != 0).then_some(shape)
}
