//! Virtual network stacks: `struct vnet`, the list of them, and their data.
//!
//! `sys/net/vnet.c`. A vnet is `struct vnet` plus one block with a copy of
//! the whole set `set_vnet`. A variable's copy is at `vnet_data_base` + the
//! address of its master, modulo the word size. The list has the newest first.

use std::ops::Range;

use super::modspace::ModuleSpace;
use super::queue::Queue;
use super::scope::Vnet;
use super::trace::Event;
use super::{Runtime, locks};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::types::TypeId;

/// The kernel's data for all stacks: the list, the set, module space.
#[derive(Debug)]
pub(super) struct Vnets {
    type_id: TypeId,
    head: VirtAddr,
    queue: Queue,
    set: Range<VirtAddr>,
    modspace: ModuleSpace,
    /// The modules' places in module space, by module name.
    modules: Vec<(String, VirtAddr, u64)>,
    /// `vnet_init_var`, the pristine initial values that newer kernels keep.
    initial: Option<VirtAddr>,
    vnet0: Option<Vnet>,
}

/// `VNET_MAGIC_N` until 13-CURRENT of 2019.
const OLD_MAGIC: u64 = 0x3e0d_8f29;
/// `VNET_MAGIC_N` in kernels with vnet_shutdown.
const NEW_MAGIC: u64 = 0x5e4a_6f28;
/// What vnet_destroy writes over the magic.
const DEAD_MAGIC: u64 = 0xdead_beef;
/// `SI_SUB_VNET_DONE` of `sys/sys/kernel.h`, for debug information without the enum.
const VNET_DONE: u64 = 0x0dc0_0000;
/// What a kernel with INVARIANTS fills new memory with.
const UNINITIALISED: u32 = 0xdead_c0de;
/// The largest plausible set. Real ones have 300 KB.
const LARGEST_SET: u64 = 64 << 20;

impl Vnets {
    /// vnet_init_prelink and vnet_data_startup: an empty list, unlocked locks, and free module
    /// space.
    pub fn prepare(kernel: &mut LoadedKernel, set: Range<VirtAddr>) -> Result<Self, ImageError> {
        let bytes = set.end.offset_from(set.start).unwrap_or(0);
        if bytes > LARGEST_SET {
            return Err(ImageError::Load(format!("its set_vnet has {bytes:#x} bytes")));
        }
        let type_id = kernel.types().find("struct vnet")?;
        let head = kernel.variable("vnet_head")?;
        let queue = Queue::of(kernel, head.type_id, type_id, "vnet_le")?;
        queue.init(kernel.machine_mut(), head.address)?;
        locks::init(kernel)?;
        let modspace = ModuleSpace::of(kernel)?;
        let arena = kernel.variable("vnet_entry_modspace")?;
        let size = kernel.types().size_of(arena.type_id)?;
        modspace.init(kernel.machine_mut(), arena.address, size)?;
        let initial = keep_initial_values(kernel, &set, arena.address, size)?;
        let (head, modules) = (head.address, Vec::new());
        Ok(Self { type_id, head, queue, set, modspace, modules, initial, vnet0: None })
    }
}

impl Runtime {
    /// The stacks on the list, oldest first. The first one is vnet0.
    pub fn vnets(&self) -> Result<Vec<Vnet>, ImageError> {
        let Some(vnets) = &self.vnets else { return Ok(Vec::new()) };
        let newest_first = vnets.queue.elements(self.kernel.machine(), vnets.head)?;
        Ok(newest_first.into_iter().rev().map(Vnet).collect())
    }

    /// The host's stack; `None` in a kernel without VIMAGE.
    pub fn vnet0(&self) -> Option<Vnet> {
        self.vnets.as_ref().and_then(|vnets| vnets.vnet0)
    }

    /// The part of vnet_alloc before the constructors run.
    pub(super) fn allocate_vnet(&mut self) -> Result<Vnet, ImageError> {
        let kernel = &mut self.kernel;
        let vnets = self.vnets.as_mut().ok_or_else(no_vimage)?;
        let vnet = kernel.malloc("vnet", "struct vnet")?;
        let new = kernel.has(vnet, "vnet_shutdown");
        kernel.set(vnet, "vnet_magic_n", if new { NEW_MAGIC } else { OLD_MAGIC })?;
        let bytes = vnets.set.end.offset_from(vnets.set.start).unwrap_or(0);
        let size = bytes.next_multiple_of(kernel.machine().page_size());
        let block = malloc_uninitialised(kernel, size)?;
        copy(kernel, vnets.set.start, block, bytes)?;
        let base = kernel.machine().arch().wrap(block.get().wrapping_sub(vnets.set.start.get()));
        kernel.set_pointer(vnet, "vnet_data_mem", block)?;
        kernel.set(vnet, "vnet_data_base", base)?;
        if vnets.vnet0.is_none() {
            vnets.vnet0 = Some(Vnet(vnet.address));
            kernel.set_symbol("vnet0", vnet.address.get())?;
        }
        self.note(Event::Allocated(Vnet(vnet.address)));
        Ok(Vnet(vnet.address))
    }

    /// Newest first.
    pub(super) fn link_vnet(&mut self, vnet: Vnet) -> Result<(), ImageError> {
        let vnets = self.vnets.as_ref().ok_or_else(no_vimage)?;
        vnets.queue.insert_head(self.kernel.machine_mut(), vnets.head, vnet.0)?;
        self.note(Event::Linked(vnet));
        Ok(())
    }

    /// The stack's own pointers stay as they were.
    pub(super) fn unlink_vnet(&mut self, vnet: Vnet) -> Result<(), ImageError> {
        let vnets = self.vnets.as_ref().ok_or_else(no_vimage)?;
        vnets.queue.remove(self.kernel.machine_mut(), vnets.head, vnet.0)?;
        self.note(Event::Unlinked(vnet));
        Ok(())
    }

    /// The end of vnet_destroy.
    pub(super) fn free_vnet(&mut self, vnet: Vnet) -> Result<(), ImageError> {
        let object = self.vnet_object(vnet)?;
        let kernel = &mut self.kernel;
        let block = VirtAddr::new(kernel.get(object, "vnet_data_mem")?);
        kernel.machine_mut().free(block)?;
        kernel.set(object, "vnet_data_mem", 0)?;
        kernel.set(object, "vnet_data_base", 0)?;
        kernel.set(object, "vnet_magic_n", DEAD_MAGIC)?;
        kernel.machine_mut().free(vnet.0)?;
        self.note(Event::Poisoned(vnet));
        Ok(())
    }

    /// `SI_SUB_VNET_DONE` of this kernel.
    pub(super) fn done_state(&self) -> u64 {
        self.enumerator("SI_SUB_VNET_DONE").unwrap_or(VNET_DONE)
    }

    /// The `vnet_magic_n` of a live stack in this kernel.
    pub(super) fn magic(&self) -> Result<u64, ImageError> {
        let vnets = self.vnets.as_ref().ok_or_else(no_vimage)?;
        let new = self.kernel.types().has_member(vnets.type_id, "vnet_shutdown");
        Ok(if new { NEW_MAGIC } else { OLD_MAGIC })
    }

    /// vnet_data_alloc: space for a module's variables in module space; `None` means ENOSPC.
    ///
    /// # Errors
    /// The kernel has no VIMAGE.
    pub fn vnet_data_alloc(&mut self, size: u64) -> Result<Option<VirtAddr>, ImageError> {
        let vnets = self.vnets.as_ref().ok_or_else(no_vimage)?;
        vnets.modspace.alloc(self.kernel.machine_mut(), size)
    }

    /// vnet_data_free: the counterpart of [`Runtime::vnet_data_alloc`], with the same size.
    ///
    /// # Errors
    /// The kernel has no VIMAGE.
    pub fn vnet_data_free(&mut self, start: VirtAddr, size: u64) -> Result<(), ImageError> {
        let vnets = self.vnets.as_ref().ok_or_else(no_vimage)?;
        vnets.modspace.free(self.kernel.machine_mut(), start, size)
    }

    /// vnet_data_copy: copies the master's `size` bytes at `start` to every listed stack. Newer
    /// kernels also keep them as initial values (vnet_save_init).
    ///
    /// # Errors
    /// The kernel has no VIMAGE, or `start` is not in the set.
    pub fn vnet_data_copy(&mut self, start: VirtAddr, size: u64) -> Result<(), ImageError> {
        let listed = self.vnets()?;
        let vnets = self.vnets.as_ref().ok_or_else(no_vimage)?;
        if let Some(initial) = vnets.initial {
            let offset = start.get().wrapping_sub(vnets.set.start.get());
            copy(&mut self.kernel, start, initial.wrapping_add(offset), size)?;
        }
        for vnet in listed {
            let to = self.in_vnet(vnet, start)?;
            copy(&mut self.kernel, start, to, size)?;
        }
        Ok(())
    }

    /// The module space allocator.
    pub fn module_space(&self) -> Option<&ModuleSpace> {
        self.vnets.as_ref().map(|vnets| &vnets.modspace)
    }

    /// Places the variables of the module `name`, with the values `initial`, as the module linker
    /// does: allocates, writes the master, and copies it to every listed stack.
    ///
    /// # Errors
    /// Module space has no room for them (ENOSPC), or the kernel has no VIMAGE.
    pub fn place_module(&mut self, name: &str, initial: &[u8]) -> Result<VirtAddr, ImageError> {
        let size = initial.len() as u64;
        let start = self.vnet_data_alloc(size)?.ok_or_else(|| {
            ImageError::Refused(format!("module space has no {size} bytes for {name} (ENOSPC)"))
        })?;
        self.kernel.machine_mut().write(start, initial)?;
        self.vnet_data_copy(start, size)?;
        if let Some(vnets) = &mut self.vnets {
            vnets.modules.push((name.to_owned(), start, size));
        }
        Ok(start)
    }

    /// Frees the place of the module `name`.
    ///
    /// # Errors
    /// No module with that name has one.
    pub fn remove_module(&mut self, name: &str) -> Result<(), ImageError> {
        let modules = self.vnets.as_mut().map(|vnets| &mut vnets.modules);
        let found = modules.and_then(|modules| {
            let number = modules.iter().position(|(known, ..)| known == name)?;
            Some(modules.remove(number))
        });
        let Some((_, start, size)) = found else {
            return Err(ImageError::Refused(format!("no module {name} is in module space")));
        };
        self.vnet_data_free(start, size)
    }

    /// The address of this stack's copy of the variable at `master` in the set.
    pub fn in_vnet(&self, vnet: Vnet, master: VirtAddr) -> Result<VirtAddr, ImageError> {
        let base = self.kernel.get(self.vnet_object(vnet)?, "vnet_data_base")?;
        Ok(VirtAddr::new(self.kernel.machine().arch().wrap(base.wrapping_add(master.get()))))
    }

    /// The `struct vnet` of this stack.
    pub fn vnet_object(&self, vnet: Vnet) -> Result<Object, ImageError> {
        let vnets = self.vnets.as_ref().ok_or_else(no_vimage)?;
        Ok(Object::new(vnet.0, vnets.type_id))
    }
}

pub(super) fn no_vimage() -> ImageError {
    ImageError::Refused("this kernel has no VIMAGE, so it has one network stack only".into())
}

/// malloc(9) without M_ZERO.
fn malloc_uninitialised(kernel: &mut LoadedKernel, size: u64) -> Result<VirtAddr, ImageError> {
    let block = kernel.machine_mut().malloc("vnet_data", size)?;
    kernel.machine_mut().fill(block, size, UNINITIALISED)?;
    Ok(block)
}

/// Copies `size` bytes.
pub(super) fn copy(
    kernel: &mut LoadedKernel,
    from: VirtAddr,
    to: VirtAddr,
    size: u64,
) -> Result<(), ImageError> {
    let size = usize::try_from(size.min(LARGEST_SET)).unwrap_or(0);
    let mut bytes = vec![0; size];
    kernel.machine().read(from, &mut bytes)?;
    kernel.machine_mut().write(to, &bytes)
}

/// Newer kernels keep a copy of the set. The parts of module space that no module uses are not
/// initialised in it.
fn keep_initial_values(
    kernel: &mut LoadedKernel,
    set: &Range<VirtAddr>,
    arena: VirtAddr,
    arena_size: u64,
) -> Result<Option<VirtAddr>, ImageError> {
    if kernel.kernel().symbol("vnet_init_var").is_none() {
        return Ok(None);
    }
    let bytes = set.end.offset_from(set.start).unwrap_or(0);
    let size = bytes.next_multiple_of(kernel.machine().page_size());
    let block = malloc_uninitialised(kernel, size)?;
    let before = arena.offset_from(set.start).unwrap_or(0).min(bytes);
    let behind = before.saturating_add(arena_size).min(bytes);
    copy(kernel, set.start, block, before)?;
    copy(kernel, set.start.wrapping_add(behind), block.wrapping_add(behind), bytes - behind)?;
    kernel.set_symbol("vnet_init_var", block.get())?;
    Ok(Some(block))
}
