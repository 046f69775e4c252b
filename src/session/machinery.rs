//! Questions about the machinery around the vnets: what builds them, what guards
//! them, what calls into each of them.

use crate::error::Error;
use crate::session::Session;
use crate::views::construction::Construction;
use crate::views::eventhandlers::VnetHandlers;
use crate::views::hidden::MayHide;
use crate::views::locks::Locks;
use crate::views::recursions::Recursions;
use crate::vnet::{Sysinits, Vnet};

impl Session {
    /// Why there may be vnets that only [`Session::scan`] finds; empty where nothing says so.
    ///
    /// # Errors
    /// The kernel is not the dump's.
    pub fn may_hide_vnets(&self) -> Result<Vec<MayHide>, Error> {
        self.require_match()?;
        Ok(MayHide::reasons(self.target()))
    }

    /// The constructors and destructors of vnets, in the order in which they run.
    ///
    /// # Errors
    /// The kernel is not the dump's, has no VIMAGE or no such lists, or no debug information.
    pub fn sysinits(&self) -> Result<Sysinits, Error> {
        self.require_match()?;
        Ok(Sysinits::read(self.target(), &self.unloaded())?)
    }

    /// How far `vnet` has come in running them.
    pub fn construction(&self, sysinits: &Sysinits, vnet: &Vnet) -> Construction {
        Construction::of(self.target(), sysinits, vnet)
    }

    /// The locks of the VNET machinery, who holds them, and what that means.
    ///
    /// # Errors
    /// The kernel is not the dump's, or has no VIMAGE.
    pub fn locks(&self) -> Result<Locks, Error> {
        self.require_match()?;
        Ok(Locks::read(self.target())?)
    }

    /// The event handlers that are called once for each vnet.
    ///
    /// # Errors
    /// The kernel is not the dump's, has no VIMAGE or no such lists, or no debug information.
    pub fn eventhandlers(&self) -> Result<VnetHandlers, Error> {
        self.require_match()?;
        Ok(VnetHandlers::read(self.target(), &self.unloaded())?)
    }

    /// What the kernel recorded of curvnet; `None` without VNET_DEBUG.
    ///
    /// # Errors
    /// The kernel is not the dump's, or has no debug information.
    pub fn recursions(&self) -> Result<Option<Recursions>, Error> {
        self.require_match()?;
        Ok(Recursions::read(self.target())?)
    }
}
