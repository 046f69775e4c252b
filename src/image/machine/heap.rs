//! The records of the kernel heap: what malloc(9) allocated, and for which type.

use std::collections::BTreeMap;

use crate::addr::VirtAddr;

/// A live object from malloc(9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocation {
    /// The name of its malloc type, as vmstat -m shows it: `vnet_data`.
    pub kind: &'static str,
    /// The requested size in bytes.
    pub size: u64,
    /// Does it have its own pages, which free(9) unmaps?
    pub whole_pages: bool,
}

/// The live allocations, and the slabs that small ones are cut from.
#[derive(Debug, Default)]
pub struct Heap {
    live: BTreeMap<VirtAddr, Allocation>,
    slabs: BTreeMap<u64, Slab>,
}

#[derive(Debug, Clone, Copy)]
struct Slab {
    next: VirtAddr,
    left: u64,
}

impl Heap {
    /// The largest size that is taken from a slab in the direct map (`uma_small_alloc`). Larger
    /// blocks have their own pages in the kernel map.
    pub const LARGEST_SMALL: u64 = 4096;

    /// The zone for `size` bytes: powers of two from 16, as malloc(9) rounds.
    pub fn bucket(size: u64) -> u64 {
        size.clamp(16, Self::LARGEST_SMALL).next_power_of_two()
    }

    /// The next free item of `bucket` bytes; `None` if its slab is full.
    pub fn cut(&mut self, bucket: u64) -> Option<VirtAddr> {
        let slab = self.slabs.get_mut(&bucket).filter(|slab| slab.left >= bucket)?;
        let item = slab.next;
        slab.next = item.wrapping_add(bucket);
        slab.left -= bucket;
        Some(item)
    }

    /// Gives `bucket` a fresh slab of `bytes` bytes.
    pub fn add_slab(&mut self, bucket: u64, start: VirtAddr, bytes: u64) {
        self.slabs.insert(bucket, Slab { next: start, left: bytes });
    }

    pub fn record(&mut self, at: VirtAddr, kind: &'static str, size: u64, whole_pages: bool) {
        self.live.insert(at, Allocation { kind, size, whole_pages });
    }

    pub fn forget(&mut self, at: VirtAddr) -> Option<Allocation> {
        self.live.remove(&at)
    }

    /// The requested size of the allocation at `at`.
    pub fn size(&self, at: VirtAddr) -> Option<u64> {
        self.live.get(&at).map(|allocation| allocation.size)
    }

    /// All live allocations, by address.
    pub fn live(&self) -> impl Iterator<Item = (VirtAddr, &Allocation)> {
        self.live.iter().map(|(at, allocation)| (*at, allocation))
    }
}
