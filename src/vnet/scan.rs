//! Vnets that nothing leads to any more, found anywhere in memory by their magic.
//!
//! The four bytes may be there by accident, above all in code that compares them, so
//! a place counts only if the rest of it makes a vnet: a `vnet_data_base` that
//! matches its `vnet_data_mem`, or neither of the two, as before the block is
//! allocated and after it is freed (`sys/net/vnet.c`, 9.3 to main). It lies as struct vnet is
//! aligned, in memory that the kernel has allocated: never in its own image, whose
//! pages the direct map shows again, nor in a module's.

use std::sync::OnceLock;

use memchr::memmem::Finder;
use rustc_hash::FxHashSet;

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;
use crate::constants::{VNET_MAGIC_DESTROYED, VNET_MAGICS};
use crate::target::{ReadError, Target};
use crate::vnet::layout::VnetLayout;
use crate::vnet::{Vnet, VnetError, VnetList};

/// Bytes of memory that are searched in one step of work.
const BYTES_A_STEP: u64 = 256 << 10;

/// What a search of memory found.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// Every vnet, by ascending address.
    pub vnets: Vec<Vnet>,
    /// How much memory was searched. What is mapped twice is searched twice.
    pub bytes: u64,
}

/// Every vnet in kernel memory, also those on `list`. One that is mapped twice is reported where it
/// is mapped first. `progress` is told now and then how many bytes have been searched.
///
/// # Errors
/// The shape of struct vnet is not known, or the search takes more work than is allowed.
pub fn scan(
    target: &Target,
    list: &VnetList,
    progress: &mut dyn FnMut(u64),
) -> Result<Scanned, VnetError> {
    let any = list.vnets.first().map_or(VirtAddr::default(), |vnet| vnet.address);
    let layout = VnetLayout::of(target, any)?;
    let (finders, images) = (magics(target.arch().endian()), Images::new(target));
    let search = Search { layout, finders, images };
    let mut seen = FxHashSet::default();
    let mut scanned = Scanned { vnets: Vec::new(), bytes: 0 };
    let take = |found: Vec<(PhysAddr, VirtAddr)>, bytes: u64| -> Result<(), VnetError> {
        target.budget().work(bytes.div_ceil(BYTES_A_STEP)).map_err(ReadError::from)?;
        // Types are asked only here: the first question for one may build an index on the threads
        // that search, and none of them may wait for it.
        for (phys, vnet) in found {
            if !seen.contains(&phys)
                && let Some(vnet) = whole(target, vnet)
            {
                seen.insert(phys);
                scanned.vnets.push(vnet);
            }
        }
        scanned.bytes = scanned.bytes.saturating_add(bytes);
        progress(scanned.bytes);
        Ok(())
    };
    let look = |at: VirtAddr, phys: PhysAddr, bytes: &[u8]| search.of(at, phys, bytes);
    target.memory().search(look, take)?;
    scanned.vnets.sort_by_key(|vnet| vnet.address);
    Ok(scanned)
}

/// What one piece of memory is searched with.
struct Search<'t> {
    layout: VnetLayout,
    finders: [Finder<'static>; 3],
    images: Images<'t>,
}

impl Search<'_> {
    /// Where vnets may be whose magic is in a piece of memory, with the physical addresses of the magics.
    fn of(&self, at: VirtAddr, phys: PhysAddr, bytes: &[u8]) -> Vec<(PhysAddr, VirtAddr)> {
        let places = self.finders.iter().flat_map(|finder| finder.find_iter(bytes));
        let found = places.filter_map(|place| {
            let magic = at.wrapping_add(place as u64);
            let phys = phys.wrapping_add(place as u64);
            let vnet = VirtAddr::new(magic.get().wrapping_sub(self.layout.magic));
            if vnet.page_offset(self.layout.alignment()) != 0 || self.images.hold(vnet, phys) {
                return None;
            }
            Some((phys, vnet))
        });
        found.collect()
    }
}

fn magics(endian: Endian) -> [Finder<'static>; 3] {
    [VNET_MAGICS[0], VNET_MAGICS[1], VNET_MAGIC_DESTROYED]
        .map(|magic| Finder::new(&endian.word(magic)).into_owned())
}

/// The vnet at an address, if all of it looks like one.
fn whole(target: &Target, address: VirtAddr) -> Option<Vnet> {
    let mut vnet = Vnet::unlisted(target, address)?;
    let without_block = vnet.data_mem.is_null() && vnet.data_base.is_null();
    let sound = vnet.problems.is_empty() && !vnet.is_freed();
    if !sound && !without_block {
        return None;
    }
    vnet.found_by.push("a scan of memory for the magic".into());
    Some(vnet)
}

/// Where the kernel and its modules lie.
struct Images<'t> {
    target: &'t Target,
    /// The physical pages of the kernel's image, by their first addresses.
    pages: OnceLock<FxHashSet<PhysAddr>>,
}

impl<'t> Images<'t> {
    fn new(target: &'t Target) -> Self {
        Self { target, pages: OnceLock::new() }
    }

    /// Whether this is part of one. `phys` is the physical address of a byte of it.
    fn hold(&self, address: VirtAddr, phys: PhysAddr) -> bool {
        let mut segments = self.target.kernel().segments();
        let within =
            |from: VirtAddr, len: u64| address.offset_from(from).is_some_and(|at| at < len);
        segments.any(|segment| within(segment.virt, segment.mem_size))
            || self.target.module_at(address).is_some()
            || self.pages.get_or_init(|| self.pages()).contains(&self.page_of(phys))
    }

    fn pages(&self) -> FxHashSet<PhysAddr> {
        let memory = self.target.memory();
        let pages = self.target.kernel().segments().flat_map(|segment| {
            let steps = (0..segment.mem_size).step_by(memory.page_size() as usize);
            steps.map(move |at| segment.virt.wrapping_add(at))
        });
        let pages = pages.take((LARGEST_IMAGE / memory.page_size()) as usize);
        pages.filter_map(|at| Some(self.page_of(memory.translate(at).ok()?))).collect()
    }

    fn page_of(&self, phys: PhysAddr) -> PhysAddr {
        PhysAddr::new(phys.get() - phys.page_offset(self.target.memory().page_size()))
    }
}

/// The most that is looked at of damaged segments; kernels have about 30 MB.
const LARGEST_IMAGE: u64 = 512 << 20;
