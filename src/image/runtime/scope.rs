//! Which network stack is meant.

use crate::addr::VirtAddr;

/// A virtual network stack, by the address of its `struct vnet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vnet(pub VirtAddr);

/// Whose copy of a variable is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One stack's.
    Vnet(Vnet),
    /// The master in the kernel's set, from which new stacks are copied; also a kernel without
    /// VIMAGE, and variables that are not virtualized.
    Kernel,
}
