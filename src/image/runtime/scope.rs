//! Names a network stack, or the kernel itself.

use crate::addr::VirtAddr;

/// A virtual network stack, by the address of its `struct vnet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vnet(pub VirtAddr);

/// Whose copy of a variable to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One stack's.
    Vnet(Vnet),
    /// The master copy in the kernel's set, from which new stacks are copied. Also for kernels
    /// without
    /// VIMAGE, and for variables that are not virtualized.
    Kernel,
}
