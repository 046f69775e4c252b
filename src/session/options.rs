//! Which files a session is opened with.

use std::path::PathBuf;

use crate::addr::PhysAddr;
use crate::dump::MemorySegment;
use crate::types::Format;

/// What to open.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The kernel's ELF file, or its debug file; `None` searches for the kernel that wrote the
    /// dump.
    pub kernel: Option<PathBuf>,
    /// The dump.
    pub core: PathBuf,
    /// Where to look for debug files before the usual places.
    pub debug_dirs: Vec<PathBuf>,
    /// The only format that types are read from; `None` uses debug information if there is any,
    /// else CTF.
    pub types: Option<Format>,
    /// Which physical addresses a raw dump holds; empty works it out.
    pub memory_map: Vec<MemorySegment>,
    /// The physical address of the first byte of the kernel's first segment; `None` works
    /// it out.
    pub kernel_phys: Option<PhysAddr>,
}
