//! Builds crash dumps from scenarios, by simulating a kernel's memory.
//!
//! What: the reverse of the reader. A [`Scenario`] says what happened
//! to a kernel. The [`runtime`] does it to objects on a simulated heap, by the kernel's own
//! rules for virtual network stacks. The [`machine`] stores them in
//! physical memory with real page tables. A [`Format`] writes that memory as a
//! dump, and a [`DumpFile`] adds what may surround it. So every situation that a dump can show
//! can be produced, and a test knows what a reader must find in it.
//!
//! How: all layouts come from the kernel file's own debug information, so any
//! FreeBSD kernel can be used.
//!
//! What it refuses to do: it shares nothing with the code that reads dumps
//! (`dump`, `paging`, `memory`, `target`, `value`, `vnet`, `session`), not even a
//! constant. Writer and reader agree only because both are right.
//!
//! ```
//! use vnetkvm::image::{Format, Scenario, build};
//! use vnetkvm::kernel::Kernel;
//! use vnetkvm::source::Source;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let scenario = Scenario::parse(
//!     r#"
//!     hostname = "gw.example.org"
//!     cpus = 2
//!     panic = "page fault"
//!
//!     [[step]]
//!     do = "jail"
//!     name = "web01"
//!     values = { ipforwarding = 1, "tcbinfo.ipi_count" = 3 }
//!     [step.statistics.ipstat]
//!     ips_total = [60, 5]
//!
//!     [[step]]
//!     do = "interface"
//!     name = "epair0b"
//!     jail = "web01"
//!     addresses = ["172.16.0.2/24"]
//!     "#,
//! )?;
//! let kernel = Kernel::open(Source::open("fixtures/kernel/classic-clang-dwarf4")?, None)?;
//! let image = build(&scenario, kernel)?;
//!
//! let web01 = image.runtime().jail_scope("web01")?;
//! let count = image.runtime().find(web01, "tcbinfo.ipi_count")?;
//! assert_eq!(image.runtime().kernel().load_uint(count)?, 3);
//!
//! let mut vmcore = std::io::Cursor::new(Vec::new());
//! image.write(Format::MinidumpV2, &mut vmcore)?;
//! assert!(vmcore.into_inner().starts_with(b"minidump FreeBSD/amd64\0"));
//! # Ok(())
//! # }
//! ```

mod build;
mod demo;
mod dump;
mod error;
mod ipv6_zone;
pub mod kernel;
mod kernel_file;
mod literal;
pub mod machine;
pub mod object;
mod origin;
pub mod runtime;
mod scenario;
mod steps;
mod vnet_steps;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

pub use self::build::build;
pub use self::demo::{Demo, demo};
pub use self::dump::{DumpFile, Format, HeaderVersion, Wrapping};
pub use self::error::{ImageError, Memory};
pub use self::literal::Literal;
pub use self::scenario::{Scenario, Settings};

use self::dump::{Contents, info_file};
use self::origin::origin_of;
use self::runtime::Runtime;
use crate::addr::PhysAddr;

/// A machine at the moment when it was dumped.
#[derive(Debug)]
pub struct Image {
    runtime: Runtime,
    left_out: BTreeSet<PhysAddr>,
}

impl Image {
    /// The image after everything that `runtime` has done.
    ///
    /// # Errors
    /// The kernel's own records about its memory cannot be written.
    pub fn of(mut runtime: Runtime) -> Result<Self, ImageError> {
        runtime.settle()?;
        Ok(Self { runtime, left_out: BTreeSet::new() })
    }

    /// The kernel at the moment when it stopped.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The machine and its kernel, for changes that no scenario makes.
    pub fn runtime_mut(&mut self) -> &mut Runtime {
        &mut self.runtime
    }

    /// Leaves the page that contains the physical address `at` out of all dumps.
    pub fn leave_out(&mut self, at: PhysAddr) {
        let page = self.runtime.kernel().machine().page_size();
        self.left_out.insert(at.page_start(page));
    }

    /// Writes the image as a dump. Long runs of zeros are skipped by seeking.
    ///
    /// # Errors
    /// `out` fails, or the format cannot hold this image.
    pub fn write(
        &self,
        file: impl Into<DumpFile>,
        out: &mut (impl Write + Seek),
    ) -> Result<(), ImageError> {
        let kernel = self.runtime.kernel();
        let machine = kernel.machine();
        let buffer = self.runtime.message_buffer();
        let contents = Contents {
            machine,
            message_buffer: &buffer.bytes(machine)?,
            message_size: buffer.size() as u32,
            cpus: self.runtime.cpus().len() as u32,
            left_out: &self.left_out,
        };
        file.into().write(&contents, &origin_of(kernel), out)
    }

    /// Writes `vmcore.NAME` into `directory`, which is created if needed, and returns its path.
    ///
    /// # Errors
    /// The file cannot be written, or the format cannot hold this image.
    pub fn save(&self, file: impl Into<DumpFile>, directory: &Path) -> Result<PathBuf, ImageError> {
        fs::create_dir_all(directory)?;
        let file = file.into();
        let path = directory.join(format!("vmcore.{}", file.name()));
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        let written = self.write(file, &mut out).and_then(|()| Ok(out.flush()?));
        if let Err(why) = written {
            // An incomplete dump is useless.
            let _ = fs::remove_file(&path);
            return Err(why);
        }
        Ok(path)
    }

    /// Writes the `info.NAME` that savecore(8) leaves beside the dump at `core`, which was saved as
    /// `file`. Returns its path, or `None` for devices and raw memory, which savecore(8) does not
    /// save.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save_info(
        &self,
        file: &DumpFile,
        version: HeaderVersion,
        core: &Path,
    ) -> Result<Option<PathBuf>, ImageError> {
        let kernel = self.runtime.kernel();
        let (arch, len) = (kernel.machine().arch(), fs::metadata(core)?.len());
        let Some(text) = info_file(file, version, arch, &origin_of(kernel), len)? else {
            return Ok(None);
        };
        let path = core.with_file_name(format!("info.{}", file.name()));
        fs::write(&path, text)?;
        Ok(Some(path))
    }

    /// Writes the kernel file as `kernel` into `directory`, its other half as `kernel.debug`, and
    /// the loaded modules beside them.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn save_kernel(&self, directory: &Path) -> Result<Vec<PathBuf>, ImageError> {
        fs::create_dir_all(directory)?;
        let kernel = self.runtime.kernel().kernel();
        let mut paths = Vec::new();
        for elf in [Some(kernel.main()), kernel.sibling()].into_iter().flatten() {
            let name = if elf.is_debug_only() { "kernel.debug" } else { "kernel" };
            let path = directory.join(name);
            fs::write(&path, elf.source().bytes())?;
            paths.push(path);
        }
        for (name, source) in self.runtime.module_files() {
            let path = directory.join(name);
            fs::write(&path, source.bytes())?;
            paths.push(path);
        }
        Ok(paths)
    }
}
