//! DPCPU: variables of which each CPU has a copy.
//!
//! `sys/kern/subr_pcpu.c` and `sys/sys/pcpu.h`, 12.1 to main. Each CPU has a block with a copy of
//! the whole set `set_pcpu`. A variable's copy is at `dpcpu_off[CPU]` + the address of its master,
//! modulo the word size. The variables of modules are placed in `pcpu_entry_modspace`, an array
//! of DPCPU_MODMIN bytes in the set, by the same allocator as virtualized ones.

use std::ops::Range;

use super::Runtime;
use super::modspace::ModuleSpace;
use super::vnet::copy;
use crate::addr::VirtAddr;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::literal::Literal;
use crate::image::object::Object;
use crate::types::TypeError;

/// Prefix of the symbols in the set, `DPCPU_SYMPREFIX`.
pub(super) const PREFIX: &str = "pcpu_entry_";

/// The largest plausible set. Real ones have 8 KB.
const LARGEST_SET: u64 = 16 << 20;

/// The set, and where the CPUs' copies of it are.
#[derive(Debug)]
pub(super) struct Dpcpu {
    /// At link addresses.
    pub linked: Range<VirtAddr>,
    /// The array `dpcpu_off`.
    offsets: Object,
    /// `None` if the kernel's types do not show its allocator.
    space: Option<ModuleSpace>,
}

impl Dpcpu {
    /// dpcpu_init of each CPU, whose `struct pcpu` is the one of `pcpus` in the same place, and
    /// dpcpu_startup. `None` if the kernel has no such set, or its types do not show `dpcpu_off`.
    ///
    /// # Errors
    /// A CPU's id does not fit into `dpcpu_off`, or the machine has no memory left.
    pub fn startup(
        kernel: &mut LoadedKernel,
        cpus: &[u32],
        pcpus: &[Object],
    ) -> Result<Option<Self>, ImageError> {
        let Some(linked) = linked_set(kernel) else { return Ok(None) };
        let Some(offsets) = known(kernel.variable("dpcpu_off"))? else { return Ok(None) };
        let bytes = linked.end.offset_from(linked.start).unwrap_or(0);
        if bytes > LARGEST_SET {
            return Err(ImageError::Load(format!("its set_pcpu has {bytes:#x} bytes")));
        }
        let start = kernel.running(linked.start);
        for (number, id) in cpus.iter().enumerate() {
            // DPCPU_SIZE: whole pages.
            let size = bytes.next_multiple_of(kernel.machine().page_size());
            let block = kernel.machine_mut().malloc("dpcpu", size)?;
            copy(kernel, start, block, bytes)?;
            let arch = kernel.machine().arch();
            let offset = arch.wrap(block.get().wrapping_sub(start.get()));
            let place = kernel.step(offsets, &Step::Index(u64::from(*id)))?;
            kernel.store(place, offset)?;
            if let Some(pcpu) = pcpus.get(number) {
                kernel.set_if_any(*pcpu, "pc_dynamic", offset)?;
            }
        }
        let space = arena(kernel)?;
        Ok(Some(Self { linked, offsets, space }))
    }
}

impl Runtime {
    /// dpcpu_alloc: space for a module's variables in `pcpu_entry_modspace`; `None` means ENOSPC.
    ///
    /// # Errors
    /// The kernel has no such space.
    pub fn dpcpu_alloc(&mut self, size: u64) -> Result<Option<VirtAddr>, ImageError> {
        let space = *self.dpcpu_space().ok_or_else(no_dpcpu)?;
        space.alloc(self.kernel.machine_mut(), size)
    }

    /// dpcpu_free: the counterpart of [`Runtime::dpcpu_alloc`], with the same size.
    ///
    /// # Errors
    /// The kernel has no such space.
    pub fn dpcpu_free(&mut self, start: VirtAddr, size: u64) -> Result<(), ImageError> {
        let space = *self.dpcpu_space().ok_or_else(no_dpcpu)?;
        space.free(self.kernel.machine_mut(), start, size)
    }

    /// dpcpu_copy: copies the master's `size` bytes at `start` to every CPU.
    ///
    /// # Errors
    /// The kernel has no DPCPU variables, or `start` is not in the set.
    pub fn dpcpu_copy(&mut self, start: VirtAddr, size: u64) -> Result<(), ImageError> {
        for cpu in self.cpus.clone() {
            let to = self.on_cpu(cpu, start)?;
            copy(&mut self.kernel, start, to, size)?;
        }
        Ok(())
    }

    /// The allocator for the DPCPU variables of modules. `None` if the kernel has none.
    pub fn dpcpu_space(&self) -> Option<&ModuleSpace> {
        self.dpcpu.as_ref()?.space.as_ref()
    }

    /// `dpcpu_off[cpu]`: what is added to an address in the set, modulo the word size.
    ///
    /// # Errors
    /// The kernel has no DPCPU variables, or the machine has no such CPU.
    pub fn dpcpu_off(&self, cpu: u32) -> Result<u64, ImageError> {
        let offsets = self.dpcpu.as_ref().ok_or_else(no_dpcpu)?.offsets;
        if !self.cpus.contains(&cpu) {
            return Err(ImageError::Refused(format!("the machine has no CPU {cpu}")));
        }
        self.kernel.load_uint(self.kernel.step(offsets, &Step::Index(u64::from(cpu)))?)
    }

    /// DPCPU_ID_PTR: that CPU's copy of the DPCPU variable at the start of `path`, or a part of
    /// it: `hardclocktime`, `nws.nws_work[1].nw_len`, `dyn_hp@ipfw.ko`.
    ///
    /// # Errors
    /// The machine has no such CPU, or the kernel no such variable or member, or it has several
    /// and no file was given.
    pub fn dpcpu_id_ptr(&self, cpu: u32, path: &str) -> Result<Object, ImageError> {
        let parsed = self.parse_path(path)?;
        let linked = self.dpcpu.as_ref().ok_or_else(no_dpcpu)?.linked.clone();
        let master = self.master(PREFIX, Some(linked), &parsed.name)?.ok_or_else(|| {
            let why = "the kernel has no DPCPU variable of that name";
            ImageError::Value { target: path.into(), why: why.into() }
        })?;
        let object = Object { address: self.on_cpu(cpu, master.address)?, ..master };
        parsed.steps.iter().try_fold(object, |at, step| self.kernel.step(at, step))
    }

    /// DPCPU_ID_SET: stores `value` in [`Runtime::dpcpu_id_ptr`] of `path`.
    ///
    /// # Errors
    /// As there, or its type cannot hold the value.
    pub fn dpcpu_id_set(
        &mut self,
        cpu: u32,
        path: &str,
        value: &Literal,
    ) -> Result<(), ImageError> {
        let object = self.dpcpu_id_ptr(cpu, path)?;
        self.assign_at(object, path, value)
    }

    /// The address of that CPU's copy of the variable at `master` in the set.
    fn on_cpu(&self, cpu: u32, master: VirtAddr) -> Result<VirtAddr, ImageError> {
        let offset = self.dpcpu_off(cpu)?;
        Ok(VirtAddr::new(self.kernel.machine().arch().wrap(offset.wrapping_add(master.get()))))
    }
}

fn linked_set(kernel: &LoadedKernel) -> Option<Range<VirtAddr>> {
    let bound = |name| kernel.kernel().symbol(name).map(|symbol| symbol.address);
    let set = bound("__start_set_pcpu")?..bound("__stop_set_pcpu")?;
    (set.start < set.end).then_some(set)
}

/// dpcpu_startup: one free entry covers all of the array.
fn arena(kernel: &mut LoadedKernel) -> Result<Option<ModuleSpace>, ImageError> {
    let found = known(ModuleSpace::of_cpus(kernel))?;
    let Some((space, arena)) = found.zip(known(kernel.variable("pcpu_entry_modspace"))?) else {
        return Ok(None);
    };
    let size = kernel.types().size_of(arena.type_id)?;
    space.init(kernel.machine_mut(), arena.address, size)?;
    Ok(Some(space))
}

/// `None` for what the kernel's types do not show.
fn known<T>(found: Result<T, ImageError>) -> Result<Option<T>, ImageError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(ImageError::Type(TypeError::NotFound { .. } | TypeError::Incomplete { .. })) => {
            Ok(None)
        }
        Err(other) => Err(other),
    }
}

fn no_dpcpu() -> ImageError {
    ImageError::Refused("this kernel has no variables of CPUs (set_pcpu)".into())
}
