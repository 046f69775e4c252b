//! The kernel's own copy of the initial values.

use crate::addr::VirtAddr;
use crate::target::Target;

/// Where newer kernels keep the initial values of the set (`vnet_init_var` in `sys/net/vnet.c`,
/// 14); `None` if this one keeps none, had not made it yet, or the pointer cannot be read.
#[must_use]
pub fn pristine(target: &Target) -> Option<VirtAddr> {
    let pointer = target.address_of("vnet_init_var").ok()?;
    target.memory().pointer(pointer).ok()?.non_null()
}
