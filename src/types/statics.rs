//! Static variables by name, for those without a symbol of that name, and where the parts of
//! one are.

use crate::addr::VirtAddr;
use crate::types::model::TypeId;

/// A static variable in the debug information.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Static {
    /// Its name in the source.
    pub name: Box<str>,
    /// Its type.
    pub type_id: TypeId,
    /// The source file of its unit, below `sys/`; `None` if the unit does not say.
    pub file: Option<Box<str>>,
    /// The function that contains it; `None` if it belongs to a file.
    pub function: Option<Box<str>>,
    /// The variable's own entry.
    pub(super) entry: TypeId,
}

/// Consecutive bytes of a variable, and where they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// How many bytes.
    pub len: u64,
    /// Where they are.
    pub kept: Kept,
}

/// Where bytes of a variable are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In memory, from this address on.
    At(VirtAddr),
    /// Not in memory, but the debug information says what they are: these bytes, in the
    /// machine's order.
    Value(Box<[u8]>),
    /// Nowhere: they were optimised out.
    Nowhere,
}
