//! Raw memory has no header; it is accepted if the kernel is found in it. Like any dump, it may
//! be compressed. A device is the memory of a running machine.

use std::sync::Arc;

use super::options::Options;
use crate::dump::{self, Core, DumpError, Opened, Packed};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::source::Source;
use crate::source::unpack::{self, Packing, Progress};
use crate::target::{live_core, raw_core};

/// Opens the dump; what is none may be the raw memory of the machine that `kernel` ran on.
pub(super) fn open_core(
    kernel: &Kernel,
    source: Source,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Core, Error> {
    let path = source.path().to_owned();
    let failed = |why| Error::Dump { path: path.clone(), source: why };
    if source.is_device() {
        let source = Arc::new(source);
        // A map that contradicts itself is refused before anything is read.
        dump::open_raw(Arc::clone(&source), kernel.arch(), &options.memory_map).map_err(failed)?;
        return Ok(live_core(kernel, &source, &options.memory_map, options.kernel_phys)?);
    }
    if !options.memory_map.is_empty() {
        return open_raw_memory(kernel, source, options, progress).map_err(failed);
    }
    match dump::open_any(source, progress).map_err(&failed)? {
        Opened::Core(core) => Ok(*core),
        Opened::Unknown(unknown) => {
            match raw_core(kernel, &Arc::new(unknown.source().clone()), &[], options.kernel_phys) {
                Ok((core, true)) => Ok(unknown.wrap(core)),
                _ => unknown.search(progress).map_err(failed),
            }
        }
    }
}

/// Opens what is raw memory by this map.
fn open_raw_memory(
    kernel: &Kernel,
    source: Source,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Core, DumpError> {
    let open = |source| {
        raw_core(kernel, &Arc::new(source), &options.memory_map, options.kernel_phys)
            .map(|(core, _)| core)
    };
    let Some(packing) = Packing::of(source.bytes()) else { return open(source) };
    let unpacked = unpack::unpack(&source, packing, progress)?;
    let mut core = open(unpacked.source)?;
    core.packed = Some(Packed { packing, len: source.len() });
    core.warnings.splice(0..0, unpacked.warning);
    Ok(core)
}
