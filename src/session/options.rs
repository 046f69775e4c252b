//! Which files a session is opened with.

use std::path::PathBuf;

use crate::addr::PhysAddr;
use crate::dump::MemorySegment;

/// What to open.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The kernel's ELF file, or its debug file; `None` leaves it to be found by the dump.
    pub kernel: Option<PathBuf>,
    /// The dump.
    pub core: PathBuf,
    /// Where debug files lie, before the usual places.
    pub debug_dirs: Vec<PathBuf>,
    /// Where raw memory lies; empty leaves it to be found out.
    pub memory_map: Vec<MemorySegment>,
    /// Where the first byte of the kernel's first segment was loaded; `None` leaves
    /// it to be found out.
    pub kernel_phys: Option<PhysAddr>,
}
