//! What a kernel writes into the header of its dump: the host name, the version, the panic message.

use super::dump::Origin;
use super::kernel::LoadedKernel;
use super::machine::Machine;
use crate::addr::VirtAddr;

/// Longer texts fit in no header.
const LONGEST: u64 = 256;

/// Reads them from memory. What the kernel does not have is empty.
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
