//! Addresses of code.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::SymbolKind;
use crate::target::Target;

/// The first address of the function at an address.
pub fn function_at(target: &Target, address: VirtAddr) -> Option<VirtAddr> {
    let (symbol, _) = target.symbolize(address)?;
    (symbol.kind != SymbolKind::Object).then_some(symbol.address)
}

/// The address without the signature that arm64 kernels of 14 and later put above its
/// 48 bits: bit 55 is set in the kernel's addresses.
pub fn unsigned(target: &Target, address: VirtAddr) -> VirtAddr {
    const KERNEL: u64 = 1 << 55;
    match target.arch() {
        Arch::Arm64 if address.get() & KERNEL != 0 => {
            VirtAddr::new(address.get() | 0xffff_0000_0000_0000)
        }
        _ => address,
    }
}
