//! Where a kernel says that its machine has memory.
//!
//! `dump_avail` is an array of physical addresses: where each piece of memory begins and ends, in
//! ascending order, up to an end of 0 (`sys/amd64/amd64/machdep.c` and its likes, 9.3 to main).
//! `phys_avail` has the same form, and leaves out what was taken before the kernel began to
//! allocate, as its own image.

use std::ops::Range;

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Endian;
use crate::kernel::Kernel;
use crate::target::TargetError;

/// The memory of the machine on which `kernel` runs, by the first of `lists` that it has; `read` fills a buffer from an address in
/// the kernel's image.
///
/// # Errors
/// The kernel has no such list, or it cannot be read or makes no sense.
pub(crate) fn available(
    kernel: &Kernel,
    lists: &[&str],
    read: impl Fn(VirtAddr, &mut [u8]) -> bool,
) -> Result<Vec<Range<PhysAddr>>, TargetError> {
    /// Kernels have room for 64 pieces at most.
    const MOST: u64 = 16 << 10;
    let no_list = |why: String| TargetError::NoMemoryList { why };
    let Some(symbol) = lists.iter().find_map(|name| kernel.symbol(name)) else {
        return Err(no_list(match lists {
            [list] => format!("it has no {list}"),
            lists => format!("it has neither {}", lists.join(" nor ")),
        }));
    };
    let mut bytes = vec![0; symbol.size.min(MOST) as usize];
    if bytes.is_empty() || !read(symbol.address, &mut bytes) {
        return Err(no_list(format!("{} cannot be read", symbol.name)));
    }
    let wide = kernel.arch().pointer_size() == 8;
    // vm_paddr_t has 64 bits in 32-bit kernels with PAE. Taken for such, the list of another one
    // begins with an address that is too large.
    let sizes: &[(usize, u64)] = if wide { &[(8, 1 << 56)] } else { &[(8, 1 << 40), (4, 1 << 32)] };
    let endian = kernel.arch().endian();
    let found = sizes.iter().find_map(|(size, limit)| ranges(&bytes, endian, *size, *limit));
    found.ok_or_else(|| no_list(format!("{} makes no sense", symbol.name)))
}

/// The lists that say where memory is, the more complete one first.
pub(super) const LISTS: [&str; 2] = ["dump_avail", "phys_avail"];

/// The pieces in a list of numbers of `size` bytes; `None` if it is none.
fn ranges(bytes: &[u8], endian: Endian, size: usize, limit: u64) -> Option<Vec<Range<PhysAddr>>> {
    let mut found: Vec<Range<PhysAddr>> = Vec::new();
    for pair in bytes.chunks_exact(2 * size) {
        let (start, end) = pair.split_at(size);
        let [start, end] = [start, end].map(|bytes| endian.uint(bytes) as u64);
        if end == 0 {
            return (!found.is_empty()).then_some(found);
        }
        let before = found.last().map_or(0, |range| range.end.get());
        if start < before || end <= start || end > limit {
            return None;
        }
        found.push(PhysAddr::new(start)..PhysAddr::new(end));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[u64], size: usize, limit: u64) -> Option<Vec<(u64, u64)>> {
        let bytes: Vec<u8> =
            words.iter().flat_map(|word| word.to_le_bytes()[..size].to_vec()).collect();
        let found = ranges(&bytes, Endian::Little, size, limit)?;
        Some(found.into_iter().map(|range| (range.start.get(), range.end.get())).collect())
    }

    #[test]
    fn a_list_ends_with_zeros() {
        let list = [0x1000, 0x9f000, 0x10_0000, 0x400_0000, 0, 0, 0x500_0000, 0x600_0000];
        let found = Some(vec![(0x1000, 0x9f000), (0x10_0000, 0x400_0000)]);
        assert_eq!(of(&list, 8, 1 << 56), found);
        assert_eq!(of(&list[..4], 8, 1 << 56), None, "it does not end");
        assert_eq!(of(&[0, 0x1000, 0, 0], 8, 1 << 56), Some(vec![(0, 0x1000)]));
        assert_eq!(of(&[0, 0, 0, 0], 8, 1 << 56), None, "it is not filled yet");
    }

    #[test]
    fn what_is_out_of_order_is_no_list() {
        for list in [[0x2000, 0x1000, 0, 0], [0x1000, 1 << 57, 0, 0], [0x1000, 0x1000, 0, 0]] {
            assert_eq!(of(&list, 8, 1 << 56), None);
        }
        assert_eq!(of(&[0x1000, 0x9000, 0x8000, 0xa000, 0, 0], 8, 1 << 56), None);
    }

    #[test]
    fn numbers_of_32_bits_are_not_taken_for_wide_ones() {
        let list = [0x1000_u32, 0x9f000, 0x10_0000, 0x3fff_0000, 0, 0, 0, 0];
        let bytes: Vec<u8> = list.into_iter().flat_map(u32::to_le_bytes).collect();
        assert_eq!(ranges(&bytes, Endian::Little, 8, 1 << 40), None);
        assert_eq!(ranges(&bytes, Endian::Little, 4, 1 << 32).unwrap().len(), 2);
        assert_eq!(of(&[0x1000, 0x1_0000_0000, 0, 0], 8, 1 << 40).unwrap().len(), 1);
    }
}
