//! Whose the pages of memory are.
//!
//! `vm_page_array` has a struct for each page (`sys/vm/vm_page.h`, 10 to main). Its `object` is what
//! the page belongs to: memory of a process, a file, or the kernel's own object. What the kernel
//! takes without an object, for page tables and for small objects in the direct map, has none.

use rustc_hash::FxHashSet;

use crate::addr::{PhysAddr, VirtAddr};
use crate::bytes::Fields;
use crate::constants::{OLD_PG_NODUMP, PG_NODUMP};
use crate::modules::Modules;
use crate::target::{ReadError, Target};
use crate::threads;
use crate::walk::{Problem, Problems};

const ARRAY: &str = "vm_page_array";

/// Calls `each` with every page that belongs to an object which is not the kernel's: memory of
/// processes, and what is in memory of files; and with those that the kernel does not want in a
/// dump (PG_NODUMP), such as what ZFS has of files. Pages may be among them that the dump
/// lacks. Kernel stacks and modules are not, although they have objects of their own. What is
/// returned are the reasons why some of these may be.
///
/// # Errors
/// The error of `each`, or what leaves unknown which pages these are.
pub fn of_others<E: From<Problem>>(
    target: &Target,
    mut each: impl FnMut(PhysAddr) -> Result<(), E>,
) -> Result<Problems, E> {
    /// As many bytes of the array are read at a time.
    const CHUNK: u64 = 64 << 10;
    let array = Array::of(target).map_err(|why| Problem::unreadable(ARRAY, why))?;
    let mut kept = Kept::default();
    kept.add_stacks(target);
    kept.add_modules(target);
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
            let Some(entry) = array.entry(target, entry) else { continue };
            let at = entry.at.page_start(page);
            let is_kernels = entry.object.is_null() || array.of_kernel.contains(&entry.object);
            if entry.is_undumped || !is_kernels && !kept.pages.contains(&at) {
                each(at)?;
            }
        }
        number += count;
    }
    Ok(kept.problems)
}

/// The array, and what of its entries matters.
struct Array {
    start: VirtAddr,
    count: u64,
    /// The size of an entry, and where it has these members, in bytes.
    size: u64,
    object: u64,
    phys: (u64, u64),
    flags: (u64, u64),
    /// The kernel's own objects.
    of_kernel: Vec<VirtAddr>,
}

/// What matters of an entry.
struct Entry {
    at: PhysAddr,
    object: VirtAddr,
    /// Is it a page that the kernel does not want in a dump?
    is_undumped: bool,
}

impl Array {
    fn of(target: &Target) -> Result<Self, ReadError> {
        let (types, memory) = (target.types()?, target.memory());
        let start = memory.pointer(target.address_of(ARRAY)?)?;
        let counted = target.global("vm_page_array_size")?;
        let width = types.size_of(counted.type_id)?.min(8);
        let count = memory.uint(counted.address, width as usize)?;
        let page = types.find("struct vm_page")?;
        let place = |name| -> Result<(u64, u64), ReadError> {
            let member = types.member(page, name)?;
            Ok((member.offset, types.size_of(member.type_id)?))
        };
        Ok(Self {
            start,
            count,
            size: types.size_of(page)?.max(1),
            object: types.member(page, "object")?.offset,
            phys: place("phys_addr")?,
            flags: place("flags")?,
            of_kernel: kernel_objects(target)?,
        })
    }

    fn entry(&self, target: &Target, bytes: &[u8]) -> Option<Entry> {
        let fields = Fields::new(bytes, target.arch().endian());
        let number = |(at, size): (u64, u64)| fields.uint(at as usize, size as usize);
        let no_dump = if self.flags.1 == 1 { PG_NODUMP } else { OLD_PG_NODUMP };
        Some(Entry {
            at: PhysAddr::new(number(self.phys)?),
            object: VirtAddr::new(number((self.object, target.arch().pointer_size()))?),
            is_undumped: number(self.flags)? & no_dump != 0,
        })
    }
}

/// The kernel's own objects: `kernel_object_store`, and up to 11 `kmem_object_store`.
fn kernel_objects(target: &Target) -> Result<Vec<VirtAddr>, ReadError> {
    let kernel = target.address_of("kernel_object_store")?;
    Ok([Ok(kernel), target.address_of("kmem_object_store")].into_iter().flatten().collect())
}

/// Pages of the kernel that have an object of their own.
#[derive(Default)]
struct Kept {
    pages: FxHashSet<PhysAddr>,
    /// Why there may be others.
    problems: Problems,
}

impl Kept {
    /// The kernel stacks of all threads. One that is swapped out has no pages.
    fn add_stacks(&mut self, target: &Target) {
        let processes = match threads::by_process(target) {
            Ok(processes) => processes.take(&mut self.problems),
            Err(why) => return self.problems.add(Problem::unreadable("the threads", why)),
        };
        for thread in processes.iter().flat_map(|process| &process.threads) {
            match threads::kernel_stack(thread) {
                Ok((start, len)) => self.add(target, "the kernel stacks", start, len),
                Err(why) => self.problems.add(Problem::unreadable("a kernel stack", why)),
            }
        }
    }

    /// The modules, where the kernel's linker loaded them.
    fn add_modules(&mut self, target: &Target) {
        let modules = Modules::read(target);
        for module in modules.modules() {
            self.add(target, &module.name, module.address, module.size.unwrap_or(0));
        }
        self.problems.extend(modules.problems);
    }

    fn add(&mut self, target: &Target, what: &str, start: VirtAddr, len: u64) {
        let (memory, page) = (target.memory(), target.memory().page_size());
        let end = start.checked_add(len).unwrap_or(start);
        let mut at = start.page_start(page);
        while at < end {
            if let Err(why) = target.budget().work(1) {
                return self.problems.add(Problem::unreadable(what, why.into()));
            }
            self.pages.extend(memory.translate(at).ok().map(|at| at.page_start(page)));
            at = at.wrapping_add(page);
        }
    }
}
