//! The hashed page table of powerpc64, as the page map of a minidump contains it
//! (`sys/powerpc/aim/moea64_native.c`, `sys/powerpc/pseries/mmu_phyp.c`, 12.1;
//! Power ISA 2.07, book III-S, 5.7).
//!
//! The table consists of groups of eight entries of two words. The group of an address
//! follows from a hash of its segment's virtual number and its page. If that group
//! is full, the entry is in the group of the complement. The kernel computes the virtual
//! number of its own segments from the address alone, so no other table is needed.

use super::page_map::{direct_map, next_direct};
use super::translate::{Mapping, Translate};
use super::walk::mapping;
use crate::addr::VirtAddr;
use crate::bytes::{Endian, Fields};
use crate::dump::{PageMap, PhysicalMemory};
use crate::fault::{Fault, FaultKind, Stage};

const PAGE: u64 = 1 << 12;
const SEGMENT_BITS: u32 = 28;
const GROUP: u64 = 8;
const ENTRY: u64 = 16;
const HASH: u64 = 0x7f_ffff_ffff;

/// The first word of an entry.
const VALID: u64 = 1 << 0;
const SECONDARY: u64 = 1 << 1;
/// Bits 3 to 6 are for software. The kernel's own entries use only those other bits
/// that are compared: bit 2 would be a large page, 62 and 63 a large segment.
const SOFTWARE: u64 = 0xf << 3;
/// Set in the virtual number of every kernel segment.
const KERNEL: u64 = 1 << 36;

/// The second word.
const FRAME: u64 = 0x0fff_ffff_ffff_f000;

/// The page map of a minidump, if it is a hashed page table.
pub(super) struct HashMap {
    pub(super) map: PageMap,
    /// The processor's byte order, or the kernel's if a hypervisor holds the table.
    pub(super) endian: Endian,
}

impl HashMap {
    /// The entry for the page of `address`: the physical address in it, or the
    /// number of the group in which it should be.
    fn find(&self, address: VirtAddr) -> Result<u64, u64> {
        let segment = address.get() >> SEGMENT_BITS;
        let number = virtual_segment(segment);
        let page = address.get() % (1 << SEGMENT_BITS) / PAGE;
        let fields = Fields::new(self.map.entries.bytes(), self.endian);
        let groups = self.map.entries.len() / (GROUP * ENTRY);
        let primary = (number & HASH) ^ page;
        // The upper five bits of the page number. The hash covers the others.
        let wanted = number << 12 | page >> 11 << 7 | VALID;
        for (hash, kind) in [(primary, 0), (!primary & HASH, SECONDARY)] {
            let group = hash & groups.wrapping_sub(1);
            for slot in 0..GROUP {
                let at = ((group * GROUP + slot) * ENTRY) as usize;
                let Some((first, second)) = fields.u64(at).zip(fields.u64(at + 8)) else {
                    continue;
                };
                if first & !SOFTWARE == wanted | kind {
                    return Ok(second & FRAME);
                }
            }
        }
        Err(primary & groups.wrapping_sub(1))
    }
}

impl Translate for HashMap {
    fn translate(&self, _: &dyn PhysicalMemory, address: VirtAddr) -> Result<Mapping, Fault> {
        if let Some(found) = self.map.direct_map.as_ref().and_then(|map| direct_map(map, address)) {
            return Ok(found);
        }
        let fault = |stage| Fault { address, kind: FaultKind::NotMapped, stage };
        if address < self.map.kernbase {
            return Err(fault(Stage::Range));
        }
        self.find(address)
            .map(|frame| mapping(frame, PAGE, address))
            .map_err(|group| fault(Stage::HashGroup { group }))
    }

    /// Only the direct map: a hash cannot be walked in the order of addresses.
    fn next(&self, _: &dyn PhysicalMemory, at: VirtAddr) -> Option<VirtAddr> {
        self.map.direct_map.as_ref().and_then(|map| next_direct(map, at))
    }
}

/// The virtual number of a kernel segment (`KERNEL_VSID` in
/// sys/powerpc/include/slb.h).
fn virtual_segment(segment: u64) -> u64 {
    let mixed = segment << 8 | segment >> 28;
    mixed.wrapping_mul(0x13bb) & (KERNEL - 1) | KERNEL
}
