//! Whose the pages of memory are.
//!
//! `vm_page_array` has a struct for each page (`sys/vm/vm_page.h`, 10 to main). Its `object` is what
//! the page belongs to: memory of a process, a file, or the kernel's own object. What the kernel
//! takes without an object, for page tables and for small objects in the direct map, has none.

use rustc_hash::FxHashSet;

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Fields;
use crate::target::{ReadError, Target};
use crate::threads;
use crate::walk::{Problem, Problems};

const ARRAY: &str = "vm_page_array";

/// Calls `each` with every page that belongs to an object which is not the kernel's: memory of
/// processes, and what is in memory of files. Kernel stacks are not among them, although
/// they have an object of their own. Pages may be among them that the dump lacks.
///
/// # Errors
/// The error of `each`, or what leaves unknown which pages these are.
pub fn of_others<E: From<Problem>>(
    target: &Target,
    mut each: impl FnMut(PhysAddr) -> Result<(), E>,
) -> Result<(), E> {
    /// As many bytes of the array are read at a time.
    const CHUNK: u64 = 64 << 10;
    let array = Array::of(target).map_err(|why| Problem::unreadable(ARRAY, why))?;
    let stacks = kernel_stacks(target)?;
    let page = target.memory().page_size();
    let at_a_time = (CHUNK / array.size).max(1);
    let mut bytes = Vec::new();
    let mut number = 0;
    while number < array.count {
        let count = at_a_time.min(array.count - number);
        let limit = |why| Problem::unreadable(ARRAY, ReadError::Limit(why));
        target.budget().work(count).map_err(limit)?;
        bytes.resize((count * array.size) as usize, 0);
        let at = array.start.wrapping_add(number.wrapping_mul(array.size));
        let read = target.memory().read(at, &mut bytes);
        read.map_err(|why| Problem::unreadable(ARRAY, why.into()))?;
        for entry in bytes.chunks_exact(array.size as usize) {
            let Some((at, object)) = array.entry(target, entry) else { continue };
            if object.is_null() || array.of_kernel.contains(&object) {
                continue;
            }
            let at = at.page_start(page);
            if !stacks.contains(&at) {
                each(at)?;
            }
        }
        number += count;
    }
    Ok(())
}

/// The array, and what of its entries matters.
struct Array {
    start: VirtAddr,
    count: u64,
    /// The size of an entry, and where it has these members, in bytes.
    size: u64,
    object: u64,
    phys: (u64, u64),
    /// The kernel's own objects.
    of_kernel: Vec<VirtAddr>,
}

impl Array {
    fn of(target: &Target) -> Result<Self, ReadError> {
        let (types, memory) = (target.types()?, target.memory());
        let start = memory.pointer(target.address_of(ARRAY)?)?;
        let counted = target.global("vm_page_array_size")?;
        let width = types.size_of(counted.type_id)?.min(8);
        let count = memory.uint(counted.address, width as usize)?;
        let page = types.find("struct vm_page")?;
        let phys = types.member(page, "phys_addr")?;
        Ok(Self {
            start,
            count,
            size: types.size_of(page)?.max(1),
            object: types.member(page, "object")?.offset,
            phys: (phys.offset, types.size_of(phys.type_id)?),
            of_kernel: kernel_objects(target)?,
        })
    }

    /// The address and the object of a page.
    fn entry(&self, target: &Target, bytes: &[u8]) -> Option<(PhysAddr, VirtAddr)> {
        let fields = Fields::new(bytes, target.arch().endian());
        let (at, size) = self.phys;
        let phys = fields.uint(at as usize, size as usize)?;
        let object = fields.uint(self.object as usize, target.arch().pointer_size() as usize)?;
        Some((PhysAddr::new(phys), VirtAddr::new(object)))
    }
}

/// The kernel's own objects: `kernel_object_store`, and up to 11 `kmem_object_store`.
fn kernel_objects(target: &Target) -> Result<Vec<VirtAddr>, ReadError> {
    let kernel = target.address_of("kernel_object_store")?;
    Ok([Ok(kernel), target.address_of("kmem_object_store")].into_iter().flatten().collect())
}

/// The physical pages of the kernel stacks of all threads. A stack that is swapped out has none.
fn kernel_stacks(target: &Target) -> Result<FxHashSet<PhysAddr>, Problem> {
    const WHAT: &str = "the kernel stacks";
    let unreadable = |why| Problem::unreadable(WHAT, why);
    let mut problems = Problems::default();
    let threads = threads::all(target).map_err(unreadable)?.take(&mut problems);
    problems.none()?;
    let (memory, page) = (target.memory(), target.memory().page_size());
    let mut pages = FxHashSet::default();
    for thread in threads {
        let (start, len) = threads::kernel_stack(&thread.thread).map_err(unreadable)?;
        for done in (0..len).step_by(page as usize) {
            target.budget().work(1).map_err(|why| unreadable(why.into()))?;
            let at = memory.translate(start.wrapping_add(done));
            pages.extend(at.ok().map(|at| at.page_start(page)));
        }
    }
    Ok(pages)
}
