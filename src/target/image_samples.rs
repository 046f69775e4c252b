//! Samples of a kernel, used to find its image in physical memory.

use crate::addr::VirtAddr;
use crate::kernel::Kernel;
use crate::paging::Sample;

/// Bytes of the kernel that do not change while it runs, spread over its code and
/// constants. The segments do not show which bytes these are: the one of powerpc64 holds
/// everything and is writable (`sys/conf/ldscript.powerpc64`).
pub(super) fn samples(kernel: &Kernel) -> Vec<Sample> {
    const WANTED: usize = 16;
    let Some(elf) = kernel.contents() else { return Vec::new() };
    let sections = CONSTANT.into_iter().filter_map(|name| elf.section(name));
    let mut parts: Vec<(VirtAddr, &[u8])> = sections
        .filter_map(|section| Some((section.range().start, elf.raw_bytes(section)?)))
        .collect();
    if parts.is_empty() {
        let read_only = kernel.segments().filter(|segment| !segment.writable);
        parts = read_only.map(|segment| (segment.virt, segment.bytes)).collect();
    }
    let total = parts.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let step = (total / WANTED).max(Sample::LEN);
    let mut samples = Vec::new();
    for (start, bytes) in parts {
        for (index, chunk) in bytes.chunks(step).enumerate() {
            samples.extend(sample(chunk, start.wrapping_add((index * step) as u64)));
        }
    }
    samples
}

/// The sections with such bytes. Without section headers, the segments are used.
const CONSTANT: [&str; 2] = [".text", ".rodata"];

/// The first bytes of `chunk` that are not all equal.
fn sample(chunk: &[u8], at: VirtAddr) -> Option<Sample> {
    const DISTINCT: usize = 8;
    let (pieces, _) = chunk.as_chunks::<{ Sample::LEN }>();
    let distinct = |piece: &[u8; Sample::LEN]| {
        let mut seen = [false; 256];
        piece.iter().for_each(|byte| seen[usize::from(*byte)] = true);
        seen.into_iter().filter(|seen| *seen).count() >= DISTINCT
    };
    let index = pieces.iter().position(distinct)?;
    let at = at.wrapping_add((index * Sample::LEN) as u64);
    pieces.get(index).map(|bytes| Sample { at, bytes: *bytes })
}
