//! Joins the two branches: a kernel file and a dump's memory.
//!
//! [`Target::open`] finds out how kernel addresses are translated (by the
//! minidump's own map, or by the page tables that the kernel's symbols point to)
//! and whether the kernel is the one that wrote the dump. Nothing above this
//! layer needs to know either.
//!
//! A target never changes. Its parts are shared, so cloning it costs nothing.

mod available;
pub mod code;
mod error;
mod find_mapping;
mod image_samples;
pub mod kernel_match;
mod live;
mod mapping;
mod modules;
mod page_tables;
mod roots;
mod variables;

use std::sync::Arc;

use crate::addr::PhysAddr;
use crate::arch::Arch;
use crate::budget::Budget;
use crate::dump::Core;
use crate::kernel::{Kernel, RunningKernel};
use crate::memory::KernelMemory;
use crate::types::{TypeError, Types};

use kernel_match::kernel_match;

pub(crate) use available::available;

pub use crate::dump::Processor;
pub use error::{ReadError, TargetError};
pub use kernel_match::KernelMatch;
pub use live::live_core;
pub use modules::ModuleSymbols;
pub use page_tables::raw_core;

/// A running kernel, its types, and its memory in a dump, with or without its modules.
#[derive(Debug, Clone)]
pub struct Target {
    kernel: RunningKernel,
    memory: Arc<KernelMemory>,
    types: Result<Arc<Types>, TypeError>,
    kernel_match: KernelMatch,
    budget: Arc<Budget>,
    modules: Arc<[ModuleSymbols]>,
}

impl Target {
    /// Joins a kernel with a dump. The target has no modules; [`Target::with_modules`]
    /// makes one that does.
    ///
    /// `types` may be the error that kept them from being loaded. Names,
    /// addresses and bytes work without them.
    ///
    /// # Errors
    /// The architectures differ, or the kernel's page tables cannot be
    /// found in a dump without a page map. A different kernel for the right architecture
    /// is not an error here: see [`Target::kernel_match`].
    pub fn open(
        kernel: impl Into<Arc<Kernel>>,
        core: impl Into<Arc<Core>>,
        types: Result<Types, TypeError>,
    ) -> Result<Self, TargetError> {
        Self::open_at(kernel, core, types, None)
    }

    /// The same for a kernel that was loaded at the physical address `kernel_phys`, the
    /// address of the first byte of its first segment. `None` searches for it.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn open_at(
        kernel: impl Into<Arc<Kernel>>,
        core: impl Into<Arc<Core>>,
        types: Result<Types, TypeError>,
        kernel_phys: Option<PhysAddr>,
    ) -> Result<Self, TargetError> {
        let (kernel, memory) = run(kernel.into(), core.into(), kernel_phys)?;
        let kernel_match = kernel_match(&kernel, &memory);
        let budget = types.as_ref().map(|types| Arc::clone(types.budget())).unwrap_or_default();
        let (memory, types) = (Arc::new(memory), types.map(Arc::new));
        Ok(Self { kernel, memory, types, kernel_match, budget, modules: Arc::default() })
    }

    /// Did `kernel` write the dump? Answers this without a target.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn kernel_match_of(
        kernel: &Arc<Kernel>,
        core: &Arc<Core>,
        kernel_phys: Option<PhysAddr>,
    ) -> Result<KernelMatch, TargetError> {
        let (kernel, memory) = run(Arc::clone(kernel), Arc::clone(core), kernel_phys)?;
        Ok(kernel_match(&kernel, &memory))
    }

    /// The memory of `kernel` in `core`, without a target.
    ///
    /// # Errors
    /// As [`Target::open`].
    pub fn memory_of(kernel: Arc<Kernel>, core: Core) -> Result<KernelMemory, TargetError> {
        run(kernel, Arc::new(core), None).map(|(_, memory)| memory)
    }

    /// The architecture of the machine and its kernel.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.kernel.arch()
    }

    /// The kernel at the addresses where it runs.
    #[must_use]
    pub fn kernel(&self) -> &RunningKernel {
        &self.kernel
    }

    /// Its memory, by virtual address.
    #[must_use]
    pub fn memory(&self) -> &KernelMemory {
        &self.memory
    }

    /// The types of the kernel and, if the target has them, of its modules.
    ///
    /// # Errors
    /// Why they could not be loaded.
    pub fn types(&self) -> Result<&Types, TypeError> {
        self.types.as_deref().map_err(Clone::clone)
    }

    /// What each processor was doing when the image was taken, in order of CPU number. Empty if
    /// only the kernel's own structures have this.
    #[must_use]
    pub fn processors(&self) -> &[Processor] {
        &self.memory.core().clues.processors
    }

    /// The budget of every walk over this target's memory and types.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Is the kernel file the one that wrote the dump?
    #[must_use]
    pub fn kernel_match(&self) -> &KernelMatch {
        &self.kernel_match
    }
}

/// `kernel` as it runs in the memory of `core`, and that memory.
fn run(
    kernel: Arc<Kernel>,
    core: Arc<Core>,
    kernel_phys: Option<PhysAddr>,
) -> Result<(RunningKernel, KernelMemory), TargetError> {
    if kernel.arch() != core.arch {
        let (kernel, core) = (kernel.arch().name(), core.arch.name());
        return Err(TargetError::OtherArch { kernel, core });
    }
    let cut_off = core.facts.pages_cut_off;
    let mapping = find_mapping::find(&kernel, &core, kernel_phys).map_err(|why| match why {
        TargetError::NoPageTables { .. } if cut_off > 0 => TargetError::CutOff { pages: cut_off },
        other => other,
    })?;
    let memory =
        KernelMemory::from_core(core, mapping.translation).with_page_size(mapping.page_size);
    Ok((RunningKernel::new(kernel, mapping.slide), memory))
}
