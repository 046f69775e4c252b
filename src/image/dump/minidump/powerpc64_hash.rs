//! The hashed page table of powerpc64, as a minidump contains it.
//!
//! `sys/powerpc/aim/mmu_oea64.c`, `moea64_native.c` and `sys/powerpc/include/slb.h`,
//! 13.0; Power ISA 2.07, book III-S, 5.7. Groups of eight entries of two words. The
//! kernel's segments have virtual numbers that follow from their addresses.

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;
use crate::image::machine::Machine;
use crate::image::machine::powerpc64::Hashed;
use crate::writing::entry_bytes;

const SLOTS: u64 = 8;
const HASH_BITS: u32 = 39;
const VSID_BITS: u32 = 36;

const VALID: u64 = 1 << 0;
const SECONDARY: u64 = 1 << 1;
/// A bit for the kernel, which the processor ignores.
const WIRED: u64 = 1 << 4;
/// Referenced, changed, coherent, readable and writable.
const USUAL: u64 = 1 << 8 | 1 << 7 | 1 << 4 | 2;

/// The table with an entry for every page outside the direct map.
pub(super) fn table(machine: &Machine, endian: Endian) -> Vec<u8> {
    let groups = Hashed::groups(machine.direct().end.get());
    let mut entries = vec![(0, 0); (groups * SLOTS) as usize];
    for (at, to) in machine.mapped_pages() {
        insert(&mut entries, groups, at, to);
    }
    let words = entries.into_iter().flat_map(|(first, second)| [first, second]);
    words.flat_map(|word| entry_bytes(word, 8, endian)).collect()
}

/// Uses the first free slot of the page's group or of the alternative one. If both are full, a
/// kernel does without the page.
fn insert(entries: &mut [(u64, u64)], groups: u64, at: VirtAddr, to: PhysAddr) {
    let segment = at.get() >> 28;
    let page = at.get() >> 12 & 0xffff;
    let mixed = (segment << 8 | segment >> 28).wrapping_mul(0x13bb);
    let vsid = mixed % (1 << VSID_BITS) + (1 << VSID_BITS);
    let hash = (vsid % (1 << HASH_BITS)) ^ page;
    for (hash, kind) in [(hash, 0), (!hash, SECONDARY)] {
        let start = (hash % groups * SLOTS) as usize;
        let mut slots = entries.iter_mut().skip(start).take(SLOTS as usize);
        if let Some(slot) = slots.find(|(first, _)| first & VALID == 0) {
            // Only the bits of the page that the hash may have lost.
            *slot = (vsid << 12 | page >> 11 << 7 | WIRED | kind | VALID, to.get() | USUAL);
            return;
        }
    }
}
