//! Module space: the allocator for modules' virtualized variables, and for those of which
//! each CPU has a copy.
//!
//! `sys/net/vnet.c`, vnet_data_startup, vnet_data_alloc and vnet_data_free: a
//! free list of `struct vnet_data_free`, sorted by address, kept in kernel
//! memory itself and found there by `vnet_data_free_head`. It hands out
//! addresses inside the kernel's own set and never touches what lies there.
//! `sys/kern/subr_pcpu.c` does the same with a `struct dpcpu_free` in `dpcpu_head`.

use super::queue::Queue;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::machine::Machine;

/// The allocator: where its list starts, and how an entry is laid out.
#[derive(Debug, Clone, Copy)]
pub struct ModuleSpace {
    head: VirtAddr,
    layout: Layout,
    /// The malloc type of its entries.
    kind: &'static str,
}

/// What the kernel calls the parts of one of the two allocators.
struct Names {
    head: &'static str,
    entry: &'static str,
    start: &'static str,
    len: &'static str,
    link: &'static str,
    /// The malloc type of its entries.
    kind: &'static str,
}

const VNET: Names = Names {
    head: "vnet_data_free_head",
    entry: "struct vnet_data_free",
    start: "vnd_start",
    len: "vnd_len",
    link: "vnd_link",
    kind: "vnet_data_free",
};

const DPCPU: Names = Names {
    head: "dpcpu_head",
    entry: "struct dpcpu_free",
    start: "df_start",
    len: "df_len",
    link: "df_link",
    kind: "Per-cpu",
};

/// Offsets in an entry of the free list, in bytes.
#[derive(Debug, Clone, Copy)]
struct Layout {
    size: u64,
    start: u64,
    len: u64,
    /// Size of the length, an int.
    len_size: u64,
    queue: Queue,
}

impl ModuleSpace {
    /// The allocator for virtualized variables, by the kernel's own `struct vnet_data_free`.
    ///
    /// # Errors
    /// The kernel has no module space: it was built without VIMAGE.
    pub fn of(kernel: &LoadedKernel) -> Result<Self, ImageError> {
        Self::named(kernel, &VNET)
    }

    /// The allocator for variables of CPUs, by the kernel's own `struct dpcpu_free`.
    ///
    /// # Errors
    /// The kernel has none, or its types do not show it.
    pub fn of_cpus(kernel: &LoadedKernel) -> Result<Self, ImageError> {
        Self::named(kernel, &DPCPU)
    }

    fn named(kernel: &LoadedKernel, names: &Names) -> Result<Self, ImageError> {
        let types = kernel.types();
        let head = kernel.variable(names.head)?;
        let entry = types.find(names.entry)?;
        let len = types.member(entry, names.len)?;
        let layout = Layout {
            size: types.size_of(entry)?,
            start: types.member(entry, names.start)?.offset,
            len: len.offset,
            len_size: types.size_of(len.type_id)?,
            queue: Queue::of(kernel, head.type_id, entry, names.link)?,
        };
        Ok(Self { head: head.address, layout, kind: names.kind })
    }

    /// vnet_data_startup, dpcpu_startup: one free entry covers all of module space.
    pub fn init(&self, m: &mut Machine, start: VirtAddr, size: u64) -> Result<(), ImageError> {
        self.layout.queue.init(m, self.head)?;
        let entry = self.new_entry(m, start.get(), size)?;
        self.layout.queue.insert_head(m, self.head, entry)
    }

    /// vnet_data_alloc, dpcpu_alloc: `size` bytes, rounded up to whole pointers, from the front of the first
    /// free entry that is large enough. `None` is what the module linker reports as ENOSPC.
    pub fn alloc(&self, m: &mut Machine, size: u64) -> Result<Option<VirtAddr>, ImageError> {
        let size = size.next_multiple_of(m.arch().pointer_size());
        for entry in self.layout.queue.elements(m, self.head)? {
            let (start, len) = self.entry(m, entry)?;
            if len < size {
                continue;
            }
            if len == size {
                self.layout.queue.remove(m, self.head, entry)?;
                m.free(entry)?;
            } else {
                self.set_entry(m, entry, start.wrapping_add(size), len - size)?;
            }
            return Ok(Some(VirtAddr::new(start)));
        }
        Ok(None)
    }

    /// vnet_data_free, dpcpu_free: frees an allocation of [`ModuleSpace::alloc`] and merges it with
    /// its free neighbours. As in the kernel, nothing checks that `start` and `size` were allocated.
    ///
    /// 12.1 and main dereference the missing next entry when the last one grows, for either kind
    /// of variables. Here, as in kernels that survive it, there is nothing to merge then.
    pub fn free(&self, m: &mut Machine, start: VirtAddr, size: u64) -> Result<(), ImageError> {
        let size = size.next_multiple_of(m.arch().pointer_size());
        let (start, end) = (start.get(), start.get().wrapping_add(size));
        let entries = self.layout.queue.elements(m, self.head)?;
        let mut behind = None;
        for (number, entry) in entries.iter().enumerate() {
            let (free, len) = self.entry(m, *entry)?;
            if free > end {
                behind = Some(*entry);
                break;
            }
            if free.wrapping_add(len) == start {
                return self.grow(
                    m,
                    *entry,
                    len.wrapping_add(size),
                    entries.get(number + 1).copied(),
                );
            }
            if free == end {
                return self.set_entry(m, *entry, start, len.wrapping_add(size));
            }
        }
        let entry = self.new_entry(m, start, size)?;
        match behind {
            Some(next) => self.layout.queue.insert_before(m, self.head, next, entry),
            None => self.layout.queue.insert_tail(m, self.head, entry),
        }
    }

    /// The free list in memory: start and length in bytes of each entry.
    pub fn free_list(&self, m: &Machine) -> Result<Vec<(VirtAddr, u64)>, ImageError> {
        let entries = self.layout.queue.elements(m, self.head)?;
        let read = |entry| self.entry(m, entry).map(|(start, len)| (VirtAddr::new(start), len));
        entries.into_iter().map(read).collect()
    }

    /// Makes `entry` `len` bytes long, and absorbs `next` if the two now touch.
    fn grow(
        &self,
        m: &mut Machine,
        entry: VirtAddr,
        mut len: u64,
        next: Option<VirtAddr>,
    ) -> Result<(), ImageError> {
        let (start, _) = self.entry(m, entry)?;
        if let Some(next) = next {
            let (next_start, next_len) = self.entry(m, next)?;
            if start.wrapping_add(len) == next_start {
                len = len.wrapping_add(next_len);
                self.layout.queue.remove(m, self.head, next)?;
                m.free(next)?;
            }
        }
        self.set_entry(m, entry, start, len)
    }

    fn new_entry(&self, m: &mut Machine, start: u64, len: u64) -> Result<VirtAddr, ImageError> {
        let entry = m.malloc(self.kind, self.layout.size)?;
        self.set_entry(m, entry, start, len)?;
        Ok(entry)
    }

    fn entry(&self, m: &Machine, entry: VirtAddr) -> Result<(u64, u64), ImageError> {
        let start = m.pointer(entry.wrapping_add(self.layout.start))?.get();
        Ok((start, m.uint(entry.wrapping_add(self.layout.len), self.layout.len_size)?))
    }

    fn set_entry(
        &self,
        m: &mut Machine,
        entry: VirtAddr,
        start: u64,
        len: u64,
    ) -> Result<(), ImageError> {
        m.set_pointer(entry.wrapping_add(self.layout.start), VirtAddr::new(start))?;
        m.set_uint(entry.wrapping_add(self.layout.len), self.layout.len_size, len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arch::Arch;
    use crate::image::machine::MachineOptions;

    const START: VirtAddr = VirtAddr::new(0xffff_ffff_8048_1230);
    const SIZE: u64 = 1024;

    /// An allocator with the layout of 12.1 amd64 over a machine without a kernel.
    fn module_space() -> (Machine, ModuleSpace) {
        let queue = Queue { first: 0, last: Some(8), next: 16, prev: Some(24) };
        let layout = Layout { size: 32, start: 0, len: 8, len_size: 4, queue };
        on(Arch::Amd64, layout, VNET.kind)
    }

    /// That of CPUs on i386, where pointers have 4 bytes.
    fn space_of_cpus() -> (Machine, ModuleSpace) {
        let queue = Queue { first: 0, last: Some(4), next: 8, prev: Some(12) };
        let layout = Layout { size: 16, start: 0, len: 4, len_size: 4, queue };
        on(Arch::I386, layout, DPCPU.kind)
    }

    fn on(arch: Arch, layout: Layout, kind: &'static str) -> (Machine, ModuleSpace) {
        let mut m = Machine::new(arch, MachineOptions::default(), &[], None).unwrap();
        let space = ModuleSpace { head: m.malloc("head", 16).unwrap(), layout, kind };
        space.init(&mut m, start(arch), SIZE).unwrap();
        (m, space)
    }

    /// Near the end of the address space, which on i386 has 32 bits.
    fn start(arch: Arch) -> VirtAddr {
        VirtAddr::new(arch.wrap(START.get()))
    }

    fn at(offset: u64) -> VirtAddr {
        START.wrapping_add(offset)
    }

    #[test]
    fn first_fit_is_carved_from_the_front() {
        let (mut m, space) = module_space();
        assert_eq!(space.alloc(&mut m, 0x50).unwrap(), Some(at(0)));
        assert_eq!(space.alloc(&mut m, 0x5d).unwrap(), Some(at(0x50)), "rounded up to 0x60");
        assert_eq!(space.free_list(&m).unwrap(), [(at(0xb0), SIZE - 0xb0)]);
    }

    #[test]
    fn an_exact_fit_takes_the_entry_away() {
        let (mut m, space) = module_space();
        assert_eq!(space.alloc(&mut m, SIZE).unwrap(), Some(at(0)));
        assert_eq!(space.free_list(&m).unwrap(), []);
        assert_eq!(space.alloc(&mut m, 1).unwrap(), None, "what the linker calls ENOSPC");
        assert_eq!(m.allocations().filter(|(_, a)| a.kind == VNET.kind).count(), 0);
        space.free(&mut m, at(0), SIZE).unwrap();
        assert_eq!(space.free_list(&m).unwrap(), [(at(0), SIZE)]);
    }

    #[test]
    fn freed_space_merges_with_both_neighbours() {
        let (mut m, space) = module_space();
        for _ in 0..4 {
            space.alloc(&mut m, 64).unwrap();
        }
        space.free(&mut m, at(128), 64).unwrap();
        space.free(&mut m, at(0), 64).unwrap();
        let tail = (at(256), SIZE - 256);
        assert_eq!(space.free_list(&m).unwrap(), [(at(0), 64), (at(128), 64), tail]);
        space.free(&mut m, at(64), 64).unwrap();
        assert_eq!(space.free_list(&m).unwrap(), [(at(0), 192), tail]);
        space.free(&mut m, at(192), 64).unwrap();
        assert_eq!(space.free_list(&m).unwrap(), [(at(0), SIZE)]);
    }

    #[test]
    fn the_last_entry_grows_though_nothing_follows() {
        let (mut m, space) = module_space();
        for _ in 0..SIZE / 256 {
            space.alloc(&mut m, 256).unwrap();
        }
        space.free(&mut m, at(0), 256).unwrap();
        space.free(&mut m, at(256), 256).unwrap();
        assert_eq!(space.free_list(&m).unwrap(), [(at(0), 512)]);
    }

    #[derive(Debug, Clone)]
    enum Operation {
        Alloc(u64),
        /// Frees one of the live regions, by its place among them.
        Free(usize),
    }

    fn operations() -> impl Strategy<Value = Vec<Operation>> {
        let alloc = (1..300u64).prop_map(Operation::Alloc);
        let free = any::<usize>().prop_map(Operation::Free);
        prop::collection::vec(prop_oneof![3 => alloc, 2 => free], 1..120)
    }

    /// Module space as a map of words: the allocator must give the lowest run that fits.
    struct Model {
        start: VirtAddr,
        /// The size of a word in bytes.
        word: u64,
        taken: Vec<bool>,
    }

    impl Model {
        fn runs(&self) -> Vec<(VirtAddr, u64)> {
            let mut runs: Vec<(VirtAddr, u64)> = Vec::new();
            for (word, _) in self.taken.iter().enumerate().filter(|(_, taken)| !**taken) {
                let start = self.start.wrapping_add(word as u64 * self.word);
                match runs.last_mut() {
                    Some((first, len)) if first.wrapping_add(*len) == start => *len += self.word,
                    _ => runs.push((start, self.word)),
                }
            }
            runs
        }

        fn mark(&mut self, start: VirtAddr, size: u64, taken: bool) {
            let first = ((start.get() - self.start.get()) / self.word) as usize;
            for word in &mut self.taken[first..first + size.div_ceil(self.word) as usize] {
                assert_ne!(*word, taken, "regions overlap");
                *word = taken;
            }
        }
    }

    fn check(
        (mut m, space): (Machine, ModuleSpace),
        operations: Vec<Operation>,
    ) -> Result<(), TestCaseError> {
        let word = m.arch().pointer_size();
        let taken = vec![false; (SIZE / word) as usize];
        let mut model = Model { start: start(m.arch()), word, taken };
        let mut live = Vec::new();
        for operation in operations {
            match operation {
                Operation::Alloc(size) => {
                    let rounded = size.div_ceil(word) * word;
                    let expected = model.runs().into_iter().find(|(_, len)| *len >= rounded);
                    let got = space.alloc(&mut m, size).unwrap();
                    prop_assert_eq!(got, expected.map(|(start, _)| start));
                    if let Some(start) = got {
                        model.mark(start, size, true);
                        live.push((start, size));
                    }
                }
                Operation::Free(number) if !live.is_empty() => {
                    let (start, size) = live.swap_remove(number % live.len());
                    space.free(&mut m, start, size).unwrap();
                    model.mark(start, size, false);
                }
                Operation::Free(_) => {}
            }
            // Sorted, merged, nothing lost: the list is exactly the free runs of the model,
            // and every entry of it is one live malloc'd object.
            let list = space.free_list(&m).unwrap();
            prop_assert_eq!(&list, &model.runs());
            let used: u64 = live.iter().map(|(_, size)| size.div_ceil(word) * word).sum();
            prop_assert_eq!(list.iter().map(|(_, len)| len).sum::<u64>() + used, SIZE);
            let entries = m.allocations().filter(|(_, a)| a.kind == space.kind).count();
            prop_assert_eq!(entries, list.len());
        }
        for (start, size) in live {
            space.free(&mut m, start, size).unwrap();
        }
        prop_assert_eq!(space.free_list(&m).unwrap(), [(model.start, SIZE)]);
        Ok(())
    }

    proptest! {
        #[test]
        fn any_order_of_operations_matches_the_model(operations in operations()) {
            check(module_space(), operations)?;
        }

        #[test]
        fn so_does_that_of_cpus_with_pointers_of_4_bytes(operations in operations()) {
            check(space_of_cpus(), operations)?;
        }
    }
}
