//! Interfaces as bugs of the kernel leave them.

use serde::Deserialize;

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Runtime, Scope};

/// What is wrong with an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterfaceFault {
    /// Its memory is freed, and it is still on the list.
    FreedOnList,
    /// It is about to be freed (IFF_DYING), and it is still on the list.
    DyingOnList,
    /// It is on the list of another stack than it says.
    WrongList,
    /// It moved to another stack, and its bridge does not know.
    MovedInBridge,
    /// The table of indexes has nothing in its place.
    NoIndex,
    /// The end of an epair is freed, and the other end still points at it.
    HalfDestroyed,
    /// An epair's pointer to its other end is NULL.
    NoPeer,
    /// It is destroyed, and the table of indexes does not know.
    StaleIndex,
    /// It is destroyed, and whatever is tied to it does not know.
    Forgotten,
}

impl Runtime {
    /// Does that to the interface. `scope` is the other stack.
    ///
    /// # Errors
    /// It cannot happen to an interface of its kind.
    pub fn break_interface(
        &mut self,
        ifnet: Object,
        fault: InterfaceFault,
        scope: Scope,
    ) -> Result<(), ImageError> {
        const IFF_DYING: u64 = 0x20_0000;
        match fault {
            InterfaceFault::FreedOnList => self.free_ifnet(ifnet),
            InterfaceFault::DyingOnList => {
                let flags = self.kernel.get(ifnet, "if_flags")?;
                self.kernel.set(ifnet, "if_flags", flags | IFF_DYING)
            }
            InterfaceFault::WrongList => self.relist(ifnet, scope),
            InterfaceFault::MovedInBridge => self.move_silently(ifnet, scope),
            InterfaceFault::NoIndex => self.forget_index(ifnet),
            InterfaceFault::HalfDestroyed => {
                self.require_epair(ifnet)?;
                self.if_detach(ifnet)?;
                let softc = VirtAddr::new(self.kernel.get(ifnet, "if_softc")?);
                self.kernel.machine_mut().free(softc)?;
                self.free_ifnet(ifnet)
            }
            InterfaceFault::NoPeer => {
                let softc = self.require_epair(ifnet)?;
                self.kernel.set(softc, "oifp", 0)
            }
            InterfaceFault::StaleIndex => {
                let place = self.index_place(ifnet)?;
                self.forget_interface(ifnet)?;
                self.restore_index(place, ifnet)
            }
            InterfaceFault::Forgotten => self.forget_interface(ifnet),
        }
    }

    fn require_epair(&self, ifnet: Object) -> Result<Object, ImageError> {
        let softc = self.softc(ifnet, "epair", "struct epair_softc")?;
        softc.ok_or_else(|| ImageError::Refused("the interface is not the end of an epair".into()))
    }

    /// ifc_destroy: the interface is detached and freed, the other end of an epair with it.
    ///
    /// # Errors
    /// It is not attached.
    pub fn destroy_interface(&mut self, ifnet: Object) -> Result<(), ImageError> {
        let other = self.epair_other(ifnet)?;
        for end in std::iter::once(ifnet).chain(other) {
            self.leave_bridge(end)?;
            self.if_detach(end)?;
        }
        for end in std::iter::once(ifnet).chain(other) {
            let softc = VirtAddr::new(self.kernel.get(end, "if_softc")?);
            if !softc.is_null() {
                self.kernel.machine_mut().free(softc)?;
            }
            self.free_ifnet(end)?;
        }
        Ok(())
    }
}
