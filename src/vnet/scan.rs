//! Vnets that nothing leads to any more, found anywhere in memory by their magic.
//!
//! The four bytes may be there by accident, above all in code that compares them, so
//! a place counts only if the rest of it makes a vnet: a `vnet_data_base` that
//! matches its `vnet_data_mem`, or neither of the two, as before the block is
//! allocated and after it is freed (`sys/net/vnet.c`, 9.3 to main). It lies as struct vnet is
//! aligned, in memory that the kernel has allocated: never in its own image, whose
//! pages the direct map shows again, nor in a module's.

use std::cell::OnceCell;

use memchr::memmem::Finder;
use rustc_hash::FxHashSet;

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;
use crate::constants::{VNET_MAGIC_DESTROYED, VNET_MAGICS};
use crate::target::{ReadError, Target};
use crate::vnet::layout::VnetLayout;
use crate::vnet::{Vnet, VnetError, VnetList};

/// Memory is searched in pieces of this size, a page or more.
const CHUNK: u64 = 1 << 20;

/// Every vnet in kernel memory, also those on `list`, by ascending address. One that
/// is mapped twice is reported where it is mapped first.
///
/// # Errors
/// The shape of struct vnet is not known, or the search takes more work than is allowed.
pub fn scan(target: &Target, list: &VnetList) -> Result<Vec<Vnet>, VnetError> {
    let any = list.vnets.first().map_or(VirtAddr::default(), |vnet| vnet.address);
    let layout = VnetLayout::of(target, any)?;
    let finders = magics(target.arch().endian());
    let images = Images::new(target);
    let memory = target.memory();
    let mut buffer = Vec::new();
    let mut seen = FxHashSet::default();
    let mut found = Vec::new();
    for piece in memory.pieces() {
        for start in (0..piece.len).step_by(CHUNK as usize) {
            target.budget().work(1).map_err(ReadError::from)?;
            let at = piece.address.wrapping_add(start);
            buffer.resize(CHUNK.min(piece.len - start) as usize, 0);
            let (read, _) = memory.read_prefix(at, &mut buffer);
            let places = finders.iter().flat_map(|finder| finder.find_iter(&buffer[..read]));
            for place in places {
                let magic = at.wrapping_add(place as u64);
                let phys = piece.phys.wrapping_add(start + place as u64);
                let vnet = VirtAddr::new(magic.get().wrapping_sub(layout.magic));
                if vnet.page_offset(layout.alignment()) != 0 || images.hold(vnet, phys) {
                    continue;
                }
                if let Some(vnet) = whole(target, vnet).filter(|_| seen.insert(phys)) {
                    found.push(vnet);
                }
            }
        }
    }
    found.sort_by_key(|vnet| vnet.address);
    Ok(found)
}

fn magics(endian: Endian) -> [Finder<'static>; 3] {
    [VNET_MAGICS[0], VNET_MAGICS[1], VNET_MAGIC_DESTROYED].map(|magic| {
        let bytes = match endian {
            Endian::Little => magic.to_le_bytes(),
            Endian::Big => magic.to_be_bytes(),
        };
        Finder::new(&bytes).into_owned()
    })
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
    pages: OnceCell<FxHashSet<PhysAddr>>,
}

impl<'t> Images<'t> {
    fn new(target: &'t Target) -> Self {
        Self { target, pages: OnceCell::new() }
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
