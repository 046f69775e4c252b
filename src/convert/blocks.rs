//! The blocks of vnets, as memory that a conversion can leave out.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::addr::{PhysAddr, VirtAddr};
use crate::target::Target;
use crate::vnet::Vnet;

/// The pages that only the blocks of some vnets have.
#[derive(Debug, Default)]
pub struct Blocks {
    /// The pages, in no order.
    pub pages: Vec<Range<PhysAddr>>,
    /// How many vnets they are of.
    pub vnets: usize,
    /// Vnets that have a block of which nothing is left out, and why, a sentence each.
    pub kept: Vec<Box<str>>,
}

impl Blocks {
    /// Those of `vnets` but not of `wanted`: the whole pages of the memory at vnet_data_mem,
    /// VNET_SIZE bytes (`sys/net/vnet.c`, 8.0 to main). A page stays if the
    /// kernel's image, a struct vnet or the block of a vnet in `wanted` is also on it. A freed
    /// block stays, because others may have its memory.
    #[must_use]
    pub fn of_others(target: &Target, vnets: &[Vnet], wanted: &[&Vnet]) -> Self {
        let is_wanted = |vnet: &Vnet| wanted.iter().any(|other| other.address == vnet.address);
        let taken = taken(target, vnets, wanted);
        let mut blocks = Self::default();
        for vnet in vnets.iter().filter(|vnet| !is_wanted(vnet)) {
            if vnet.is_freed() || vnet.data_mem.is_null() {
                continue;
            }
            let wrong = vnet.wrong_magic().or_else(|| vnet.wrong_base(target));
            if let Some(why) = wrong {
                blocks.kept.push(format!("{}: {why}", vnet.title()).into());
                continue;
            }
            let own = pages(target, &block(target, vnet)).collect::<BTreeSet<_>>();
            if !own.is_disjoint(&taken) {
                let why = "its block is on pages that something else is on";
                blocks.kept.push(format!("{}: {why}", vnet.title()).into());
                continue;
            }
            let size = target.memory().page_size();
            blocks.pages.extend(own.into_iter().map(|page| page..page.wrapping_add(size)));
            blocks.vnets += 1;
        }
        blocks
    }
}

/// The pages that stay whatever a damaged vnet says of its block.
fn taken(target: &Target, vnets: &[Vnet], wanted: &[&Vnet]) -> BTreeSet<PhysAddr> {
    let page = target.memory().page_size();
    let around = |range: Range<VirtAddr>| {
        let end = range.end.get().saturating_add(page - 1);
        range.start.page_start(page)..VirtAddr::new(end).page_start(page)
    };
    let image = target.kernel().segments();
    let image = image.map(|part| part.virt..part.virt.wrapping_add(part.mem_size));
    let structs = vnets.iter().map(|vnet| vnet.address..vnet.address.wrapping_add(1));
    let blocks = wanted.iter().map(|vnet| block(target, vnet));
    let ranges: Vec<_> = image.chain(structs).chain(blocks).map(around).collect();
    ranges.iter().flat_map(|range| pages(target, range)).collect()
}

/// The addresses of a vnet's block: VNET_SIZE is the size of the set in whole pages.
fn block(target: &Target, vnet: &Vnet) -> Range<VirtAddr> {
    let set = target.kernel().set_vnet().unwrap_or_default();
    let bytes = set.end.offset_from(set.start).unwrap_or(0);
    let size = bytes.next_multiple_of(target.memory().page_size());
    vnet.data_mem..vnet.data_mem.checked_add(size).unwrap_or(vnet.data_mem)
}

/// The physical pages that are whole in `range`.
fn pages(target: &Target, range: &Range<VirtAddr>) -> impl Iterator<Item = PhysAddr> {
    let memory = target.memory();
    let page = memory.page_size();
    let first = range.start.get().next_multiple_of(page);
    let pages = (first..range.end.get()).step_by(page as usize);
    let end = range.end.get();
    let whole = pages.take_while(move |at| end - at >= page && target.budget().work(1).is_ok());
    let whole = whole.map(VirtAddr::new);
    whole.filter_map(move |at| Some(memory.translate(at).ok()?.page_start(page)))
}
