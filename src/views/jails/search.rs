//! Prisons that no list leads to: being removed, or being created.

use rustc_hash::FxHashSet;

use crate::addr::VirtAddr;
use crate::budget::Exhausted;
use crate::constants::PR_VNET;
use crate::target::Target;
use crate::types::TypeId;
use crate::value::Object;

/// The prisons anywhere in memory whose vnet is one of `vnets`, each after that. This takes as long as
/// reading the dump.
#[must_use]
pub fn search_prisons<'t>(
    target: &'t Target,
    vnets: &FxHashSet<VirtAddr>,
) -> Vec<(VirtAddr, Object<'t>)> {
    let shape = PrisonShape::of(target);
    let (Some(shape), Some(first), Some(last)) = (shape, vnets.iter().min(), vnets.iter().max())
    else {
        return Vec::new();
    };
    let offset = shape.vnet_at;
    let (arch, range) = (target.arch(), *first..=*last);
    let size = arch.pointer_size() as usize;
    let look = |start: VirtAddr, _, bytes: &[u8]| -> Vec<(VirtAddr, VirtAddr)> {
        // The compiler aligns pointers. Nearly no word is in the range, so few are looked up.
        let words =
            bytes.chunks_exact(size).map(|word| VirtAddr::new(arch.endian().uint(word) as u64));
        let found = words.zip((0..).step_by(size));
        let found = found.filter(|(word, _)| range.contains(word) && vnets.contains(word));
        found.map(|(vnet, at)| (vnet, start.wrapping_add(at))).collect()
    };
    let mut prisons = Vec::new();
    // Types are asked only here: the first question for one may build an index on the threads that search.
    let take = |found: Vec<(VirtAddr, VirtAddr)>, _| -> Result<(), Exhausted> {
        for (vnet, at) in found {
            // Memory may be full of such words.
            target.budget().work(1)?;
            let prison = at.wrapping_add(offset.wrapping_neg());
            prisons.extend(shape.of_vnet(prison, vnet).map(|prison| (vnet, prison)));
        }
        Ok(())
    };
    // What was found until the work was exhausted is not wrong.
    let _ = target.memory().search(look, take);
    prisons
}

/// What a prison looks like.
#[derive(Debug, Clone, Copy)]
pub struct PrisonShape<'t> {
    target: &'t Target,
    type_id: TypeId,
    /// The offset of pr_vnet.
    vnet_at: u64,
}

impl<'t> PrisonShape<'t> {
    /// That of `struct prison`, from the one prison that every kernel has: finding a type by name
    /// takes an index of all names. `None` without debug information.
    #[must_use]
    pub fn of(target: &'t Target) -> Option<Self> {
        let type_id = target.global("prison0").ok()?.type_id;
        let vnet_at = target.types().ok()?.member(type_id, "pr_vnet").ok()?.offset;
        Some(Self { target, type_id, vnet_at })
    }

    /// The prison at `address`, if there may be one whose vnet is `vnet`: a word of
    /// a stack may lead anywhere.
    #[must_use]
    pub fn of_vnet(&self, address: VirtAddr, vnet: VirtAddr) -> Option<Object<'t>> {
        let prison = Object::new(self.target, self.type_id, address);
        if address.is_null() || prison.pointer("pr_vnet").ok()? != vnet {
            return None;
        }
        prison.check_freed().ok()?;
        let name = prison.text("pr_name").ok()?;
        let named = !name.is_empty() && name.chars().all(|c| !c.is_control() && c != '\u{fffd}');
        (named && prison.uint("pr_flags").ok()? & PR_VNET != 0).then_some(prison)
    }
}
