//! What the meaning of a struct is worked out of.

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::gathered::Gathered;

/// A struct as it was read.
pub struct Found<'f, 'p> {
    pub target: &'f Target,
    pub address: VirtAddr,
    /// Its bytes; none if some of them are missing.
    pub bytes: &'f [u8],
    pub members: &'f mut Gathered<'p>,
}
