//! The session's answers about interfaces.

use super::Session;
use crate::error::Error;
use crate::views::wiring::Network;
use crate::vnet::{Copies, Stack};
use crate::walk::Problems;

impl Session {
    /// All interfaces of all network stacks.
    ///
    /// # Errors
    /// The kernel is not the dump's, or has no debug information.
    pub fn network(&self) -> Result<Network<'_>, Error> {
        let target = self.matching_target()?;
        target.types()?;
        if self.kernel().set_vnet().is_none() {
            return Ok(Network::read([self.copies(Stack::Only)?], &Problems::default()));
        }
        let vnets = self.vnets()?;
        let copies = vnets.all.iter().map(|vnet| self.copies(Stack::Vnet(vnet)));
        let copies = copies.collect::<Result<Vec<Copies<'_>>, Error>>()?;
        Ok(Network::read(copies, &vnets.problems))
    }
}
