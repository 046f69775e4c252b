//! Questions about the machinery around the vnets: what builds them, what guards
//! them, what calls into each of them.

use crate::error::Error;
use crate::session::Session;
use crate::views::construction::Construction;
use crate::vnet::{Sysinits, Vnet};

impl Session {
    /// The constructors and destructors of vnets, in the order in which they run.
    ///
    /// # Errors
    /// The kernel is not the dump's, has no VIMAGE or no such lists, or no debug information.
    pub fn sysinits(&self) -> Result<Sysinits, Error> {
        self.require_kinship()?;
        Ok(Sysinits::read(&self.target)?)
    }

    /// How far `vnet` has come in running them.
    pub fn construction(&self, sysinits: &Sysinits, vnet: &Vnet) -> Construction {
        Construction::of(&self.target, sysinits, vnet)
    }
}
