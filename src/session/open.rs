//! Opening: two files become a kernel in its memory.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::Session;
use super::kernel_files::{LOG, Refused, linked_kernel, prepare};
use super::open_core::open_core;
use super::options::Options;
use super::savecore_info::SavecoreInfo;
use crate::budget::Allowance;
use crate::dump::{self, Core};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::source::Source;
use crate::source::unpack::Progress;
use crate::target::Target;
use crate::types::{Format, ModuleTypes, TypeError, Types};
use crate::value::Plans;
use crate::vnet::by_address::VnetsByAddress;

impl Session {
    /// Opens a kernel and a dump, and finds the kernel's other half.
    ///
    /// # Errors
    /// A file cannot be read or is not what it should be, or the dump's memory
    /// cannot be translated with this kernel. A kernel that merely is not the
    /// one that wrote the dump is an error of the questions that need it.
    pub fn open(options: &Options) -> Result<Self, Error> {
        Self::open_with(options, &mut |_| {})
    }

    /// The same; `progress` is called while a compressed dump is unpacked.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_with(options: &Options, progress: &mut dyn FnMut(Progress)) -> Result<Self, Error> {
        let source = Source::open(&options.core)?;
        let Some(path) = &options.kernel else {
            if source.is_device() {
                return Self::of_machine(options);
            }
            let failed = |source| Error::Dump { path: options.core.clone(), source };
            let core = dump::open_with(source, progress).map_err(failed)?;
            return Self::of_dump(Arc::new(core), options);
        };
        let (kernel, refused) = linked_kernel(path, &options.debug_dirs)?;
        let types = prepare(&kernel, options.types);
        let core = open_core(&kernel, source, options, progress)?;
        Self::join(kernel, types, core, options, refused)
    }

    /// The same from files that are in memory already.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn from_sources(kernel: Source, core: Source) -> Result<Self, Error> {
        let path = kernel.path().to_owned();
        let kernel = Kernel::open(kernel, None).map_err(|source| Error::Kernel { path, source })?;
        let options = Options { core: core.path().to_owned(), ..Options::default() };
        let core = open_core(&kernel, core, &options, &mut |_| {})?;
        let types = prepare(&kernel, None);
        Self::join(kernel, types, core, &options, Refused::new())
    }

    /// The same kernel and dump, with nothing kept of earlier answers and nothing spent of the
    /// budget. What was read while a limit was reached may be incomplete, and what was read of a
    /// running machine is as old as its first answer. Values that were kept for expressions can be
    /// used in both.
    ///
    /// # Errors
    /// The memory of a running machine cannot be translated any more.
    pub fn afresh(&self) -> Result<Self, Error> {
        self.with_core(self.memory().shared_core(), self.options(&self.core_path))
    }

    /// The same kernel with another dump. The kernel's file and its types are not read again. Both
    /// sessions spend from one budget, which begins anew.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn with_dump(&self, dump: Source) -> Result<Self, Error> {
        let options = self.options(dump.path());
        let kernel = self.kernel().linked();
        let core = open_core(kernel, dump, &options, &mut |_| {})?;
        self.with_core(core, options)
    }

    fn with_core(&self, core: impl Into<Arc<Core>>, options: Options) -> Result<Self, Error> {
        // Reading types has no limit, and their ids stay valid.
        let types = self.alone.types().map(|types| types.with_modules(ModuleTypes::of(types)));
        Self::join(self.kernel().shared(), types, core, &options, self.refused.clone())
    }

    /// How this session was opened, for the dump at `core`.
    fn options(&self, core: &Path) -> Options {
        Options {
            core: core.to_owned(),
            debug_dirs: self.debug_dirs.clone(),
            types: self.wanted_types,
            kernel_phys: self.kernel_phys,
            ..Options::default()
        }
    }

    pub(super) fn join(
        kernel: impl Into<Arc<Kernel>>,
        types: Result<Types, TypeError>,
        core: impl Into<Arc<Core>>,
        options: &Options,
        refused: Refused,
    ) -> Result<Self, Error> {
        let (core, core_path) = (core.into(), options.core.clone());
        log::info!(target: "vnetkvm::dump", "dump: {} is {}", core_path.display(), what_it_is(&core));
        match &types {
            Ok(types) => {
                let origin = types.origin();
                log::info!(target: "vnetkvm::types", "types: {origin}");
                if origin.format() == Format::Ctf {
                    log::info!(target: "vnetkvm::types", "types: CTF has no source files and no lines");
                }
            }
            Err(why) => log::info!(target: "vnetkvm::types", "types: {why}"),
        }
        let alone = Target::open_at(kernel, core, types, options.kernel_phys)?;
        alone.budget().renew(justified(&alone));
        let slide = alone.kernel().slide();
        if slide != 0 {
            log::info!(target: LOG, "kernel: it runs {slide:#x} bytes from where it is linked");
        }
        let same = alone.kernel_match();
        log::info!(target: LOG, "kernel and dump match: {same}");
        let savecore_info = SavecoreInfo::find(&core_path);
        Ok(Self {
            alone,
            core_path,
            debug_dirs: options.debug_dirs.clone(),
            wanted_types: options.types,
            kernel_phys: options.kernel_phys,
            refused,
            savecore_info,
            loaded: OnceLock::new(),
            counters: OnceLock::new(),
            plans: Plans::default(),
            variables: Default::default(),
            cpus: OnceLock::new(),
            list: OnceLock::new(),
            vnets: OnceLock::new(),
            vnets_by_address: VnetsByAddress::default(),
            jails: OnceLock::new(),
            threads: OnceLock::new(),
            crashed: OnceLock::new(),
        })
    }
}

/// The budget that the sizes of kernel, debug file and dump justify.
fn justified(target: &Target) -> Allowance {
    let kernel = target.kernel().linked();
    let files = [Some(kernel.main()), kernel.debug_file()];
    let lens = files.into_iter().flatten().map(|file| file.source().len());
    let dump = target.memory().core().facts.file_len;
    Allowance::for_files(lens.fold(dump, u64::saturating_add))
}

fn what_it_is(core: &Core) -> String {
    let packed = core.packed.map_or(String::new(), |packed| {
        format!(", unpacked from {} bytes of {}", packed.len, packed.packing)
    });
    format!("a {}, {}{packed}", core.format, core.arch)
}
