//! DPCPU variables: each CPU has a copy of the linker set `set_pcpu` (`sys/sys/pcpu.h`,
//! `sys/kern/subr_pcpu.c`, 10 to main). `dpcpu_off[CPU]` is what is added to an address in the set.

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::target::Target;

/// The prefix of the symbol of a DPCPU variable (DPCPU_SYMPREFIX).
pub const PREFIX: &str = "pcpu_entry_";

/// A CPU's copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuCopies {
    /// The CPU's id.
    pub cpu: u64,
    /// Where they lie.
    pub range: Range<VirtAddr>,
    /// What is added to an address in the set.
    pub offset: u64,
}

/// The copies of each of `cpus`; empty if the kernel has none.
pub fn copies(target: &Target, cpus: &[u64]) -> Vec<CpuCopies> {
    let kernel = target.kernel();
    let address = |name| kernel.symbol(name).map(|symbol| symbol.address);
    let set = address("__start_set_pcpu").zip(address("__stop_set_pcpu"));
    let Some(((start, end), offsets)) = set.zip(address("dpcpu_off")) else { return Vec::new() };
    let (arch, word) = (target.arch(), target.arch().pointer_size());
    let copy = |&cpu: &u64| {
        let offset = target.memory().pointer(offsets.wrapping_add(cpu.checked_mul(word)?)).ok()?;
        let moved = |at: VirtAddr| VirtAddr::new(arch.wrap(at.get().wrapping_add(offset.get())));
        let range = moved(start)..moved(end);
        let real = !offset.is_null() && range.start < range.end;
        real.then_some(CpuCopies { cpu, range, offset: offset.get() })
    };
    cpus.iter().filter_map(copy).collect()
}
