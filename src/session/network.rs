//! The session's answers about interfaces.

use super::Session;
use crate::error::Error;
use crate::views::wiring::Network;
use crate::walk::Problems;

impl Session {
    /// All interfaces of all network stacks.
    ///
    /// # Errors
    /// The kernel is not the dump's, or has no debug information.
    pub fn network(&self) -> Result<Network<'_>, Error> {
        self.matching_target()?.types()?;
        let copies = self.all_copies()?;
        // Without VIMAGE there is one stack, and no list of them.
        let unknown = match self.kernel().set_vnet() {
            Some(_) => self.vnets()?.problems.clone(),
            None => Problems::default(),
        };
        Ok(Network::read(copies, unknown))
    }
}
