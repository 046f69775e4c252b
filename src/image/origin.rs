//! What a kernel puts into the header of its dump: its host's name, its version, why it panicked.

use super::dump::Origin;
use super::kernel::LoadedKernel;
use super::machine::Machine;
use crate::addr::VirtAddr;

/// Longer texts do not fit in any header.
const LONGEST: u64 = 256;

/// Reads them from memory; what the kernel does not have is empty.
pub(super) fn origin_of(kernel: &LoadedKernel) -> Origin {
    let machine = kernel.machine();
    let host = kernel.variable("prison0").and_then(|prison| kernel.member(prison, "pr_hostname"));
    let panic = kernel.address_of("panicstr").and_then(|at| machine.pointer(at).ok());
    let text_at = |at: Option<VirtAddr>| at.map(|at| text(machine, at)).unwrap_or_default();
    Origin {
        host: text_at(host.ok().map(|name| name.address)),
        version: text_at(kernel.address_of("version")),
        panic: text_at(panic.filter(|at| !at.is_null())),
    }
}

fn text(machine: &Machine, at: VirtAddr) -> Vec<u8> {
    let byte = |offset| machine.uint(at.wrapping_add(offset), 1).ok().map(|byte| byte as u8);
    (0..LONGEST).map_while(byte).take_while(|byte| *byte != 0).collect()
}
