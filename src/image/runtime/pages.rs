//! The pages of memory: whose each of them is, and which of them a minidump has.
//!
//! `sys/vm/vm_page.c`; `dump_add_page`, `sys/*/*/minidump_machdep.c` up to 12 and
//! `sys/vm/vm_dumpset.h` since 13.

use std::collections::{BTreeMap, BTreeSet};

use super::Runtime;
use super::packet::filled;
use crate::addr::{PhysAddr, VirtAddr};
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;

/// What a page that is not the kernel's holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageUse {
    /// Memory of a process.
    Process,
    /// What is in memory of a file.
    File,
    /// The same, mapped by the kernel too, as the buffer cache does.
    Buffer,
    /// What the kernel itself has of a file, and does not want in a dump, as ZFS does.
    Cache,
    /// Nothing any more.
    Free,
}

/// The kernel's records of pages, and the pages that are not its own.
#[derive(Debug)]
pub(super) struct Pages {
    /// The first `struct vm_page`, and the bitmap.
    array: Object,
    bitmap: VirtAddr,
    /// By physical address: the object that each belongs to, null for a free page.
    others: BTreeMap<PhysAddr, VirtAddr>,
    /// The pages that are not to be dumped.
    no_dump: BTreeSet<PhysAddr>,
    /// The objects of processes, of files, and of kernel stacks and modules.
    process: VirtAddr,
    file: VirtAddr,
    own: VirtAddr,
}

impl Runtime {
    /// `vm_page_startup`, in a kernel that shows what a page is.
    pub(super) fn create_pages(&mut self) -> Result<(), ImageError> {
        let kernel = &mut self.kernel;
        let Ok(page) = kernel.types().find("struct vm_page") else { return Ok(()) };
        if kernel.address_of("vm_page_array").is_none() {
            return Ok(());
        }
        let size = kernel.types().size_of(page)?;
        let frames = frames(kernel);
        let array = kernel.machine_mut().malloc("vm_page", frames * size)?;
        // A bit for each page from 0 on, which is enough for either numbering.
        let page_size = kernel.machine().page_size();
        let end = kernel.machine().memory_ranges().last().map_or(0, |range| range.end.get());
        let word = kernel.machine().arch().pointer_size();
        let bytes = (end / page_size).div_ceil(8 * word) * word;
        let bitmap = kernel.machine_mut().malloc("vm_page_dump", bytes)?;
        kernel.set_symbol("vm_page_array", array.get())?;
        kernel.set_symbol("vm_page_array_size", frames)?;
        kernel.set_symbol("vm_page_dump", bitmap.get())?;
        kernel.set_symbol("vm_page_dump_size", bytes)?;
        let mut object = || kernel.malloc("VM OBJECT", "struct vm_object").map(|made| made.address);
        let [process, file, own] = [object()?, object()?, object()?];
        let array = Object::new(array, page);
        let others = BTreeMap::new();
        let no_dump = BTreeSet::new();
        self.pages = Some(Pages { array, bitmap, others, no_dump, process, file, own });
        Ok(())
    }

    /// A page that is full of `text`. Returns its physical address.
    ///
    /// # Errors
    /// The kernel keeps no records of pages, or no memory is left.
    pub fn page(&mut self, used: PageUse, text: &str) -> Result<PhysAddr, ImageError> {
        let none = || ImageError::Refused("the kernel does not show what a page is".to_owned());
        let pages = self.pages.as_mut().ok_or_else(none)?;
        let machine = self.kernel.machine_mut();
        let size = machine.page_size();
        let at = match used {
            PageUse::Buffer | PageUse::Cache => {
                let at = machine.kmem_malloc("buf", size)?;
                machine.physical(at).ok_or(ImageError::NotMapped(at))?
            }
            _ => machine.other_page()?,
        };
        machine.write_physical(at, &filled(text, size));
        let object = match used {
            PageUse::Process => pages.process,
            PageUse::File | PageUse::Buffer => pages.file,
            PageUse::Free => VirtAddr::new(0),
            PageUse::Cache => {
                pages.no_dump.insert(at);
                return Ok(at);
            }
        };
        pages.others.insert(at, object);
        Ok(at)
    }

    /// Brings the records up to date.
    pub(super) fn settle_pages(&mut self) -> Result<(), ImageError> {
        let Some(pages) = &self.pages else { return Ok(()) };
        let kernel = &mut self.kernel;
        let page_size = kernel.machine().page_size();
        let size = kernel.types().size_of(pages.array.type_id)?;
        let owners = owners(kernel, pages);
        let word = kernel.machine().arch().pointer_size();
        let is_numbered = kernel.address_of("vm_page_dump_pages").is_some();
        let ranges: Vec<_> = kernel.machine().memory_ranges().collect();
        let in_use: Vec<_> = kernel.machine().frames_in_use().collect();
        let mut words = BTreeMap::<u64, u64>::new();
        let (mut number, mut first_bit) = (0, 0);
        for range in &ranges {
            let first = range.start.get() / page_size;
            let base = if is_numbered { first_bit } else { first };
            let count = range.end.get() / page_size - first;
            for frame in 0..count {
                let at = range.start.wrapping_add(frame * page_size);
                let entry = pages.array.address.wrapping_add(number * size);
                let entry = Object::new(entry, pages.array.type_id);
                number += 1;
                kernel.set(entry, "phys_addr", at.get())?;
                let owner = owners.get(&at).copied().unwrap_or_default();
                kernel.set_pointer(entry, "object", owner)?;
                let is_used = in_use.binary_search(&at).is_ok();
                let wired = u64::from(is_used && !pages.others.contains_key(&at));
                // PG_NODUMP (`sys/vm/vm_page.h`).
                let flags = kernel.member(entry, "flags")?;
                let is_narrow = kernel.types().size_of(flags.type_id)? == 1;
                let no_dump = if is_narrow { 0x10 } else { 0x80 };
                let is_undumped = pages.no_dump.contains(&at);
                kernel.store(flags, if is_undumped { no_dump } else { 0 })?;
                kernel.set_if_any(entry, "wire_count", wired)?;
                kernel.set_if_any(entry, "ref_count", wired)?;
                if is_used {
                    let bit = base + frame;
                    *words.entry(bit / (8 * word)).or_default() |= 1 << (bit % (8 * word));
                }
            }
            first_bit += count;
        }
        for (number, value) in words {
            let at = pages.bitmap.wrapping_add(number * word);
            kernel.machine_mut().set_uint(at, word, value)?;
        }
        kernel.set_symbol("vm_page_dump_pages", first_bit)?;
        let Some(list) = kernel.address_of("dump_avail").filter(|_| is_numbered) else {
            return Ok(());
        };
        let ends = ranges.iter().flat_map(|range| [range.start.get(), range.end.get()]);
        for (number, end) in (0..).zip(ends) {
            kernel.machine_mut().set_uint(list.wrapping_add(number * 8), 8, end)?;
        }
        Ok(())
    }
}

/// How many pages there are.
fn frames(kernel: &LoadedKernel) -> u64 {
    let page = kernel.machine().page_size();
    let pages =
        |range: std::ops::Range<PhysAddr>| range.end.offset_from(range.start).unwrap_or(0) / page;
    kernel.machine().memory_ranges().map(pages).sum()
}

/// The object of each page that has one.
fn owners(kernel: &LoadedKernel, pages: &Pages) -> BTreeMap<PhysAddr, VirtAddr> {
    let machine = kernel.machine();
    let page = machine.page_size();
    let of_kernel = kernel.address_of("kernel_object_store").unwrap_or_default();
    let mut owners = BTreeMap::new();
    for (at, allocation) in machine.allocations().filter(|(_, known)| known.whole_pages) {
        let is_own = ["kstack", "linker"].contains(&allocation.kind);
        let owner = if is_own { pages.own } else { of_kernel };
        for done in (0..allocation.size).step_by(page as usize) {
            let frame = machine.physical(at.wrapping_add(done));
            owners.extend(frame.map(|frame| (frame, owner)));
        }
    }
    owners.extend(pages.others.iter().map(|(at, owner)| (*at, *owner)));
    owners
}
