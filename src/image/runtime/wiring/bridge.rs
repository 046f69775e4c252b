//! Bridges (`sys/net/if_bridge.c`).

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{InterfaceOptions, Queue, Runtime};

impl Runtime {
    /// bridge_clone_create. The types of a bridge may be those of the module `if_bridge.ko`, which
    /// then has to be loaded.
    ///
    /// # Errors
    /// As [`Runtime::create_interface`], or neither the kernel nor a module has bridges.
    pub fn create_bridge(
        &mut self,
        options: &InterfaceOptions,
        members: &[String],
    ) -> Result<Object, ImageError> {
        let members = members.iter().map(|name| self.interface(name));
        let members = members.collect::<Result<Vec<_>, _>>()?;
        let bridge = self.create_interface(options)?;
        let softc = self.kernel.malloc("bridge", "struct bridge_softc")?;
        self.kernel.set_pointer(bridge, "if_softc", softc.address)?;
        self.kernel.set_pointer(softc, "sc_ifp", bridge.address)?;
        for member in members {
            self.bridge_add(softc, member)?;
        }
        Ok(bridge)
    }

    /// bridge_ioctl_add: the newest member is first.
    fn bridge_add(&mut self, softc: Object, member: Object) -> Result<(), ImageError> {
        const LEARNING_AND_DISCOVER: u64 = 3;
        let entry = self.kernel.malloc("bridge", "struct bridge_iflist")?;
        self.kernel.set_pointer(entry, "bif_ifp", member.address)?;
        self.kernel.set(entry, "bif_flags", LEARNING_AND_DISCOVER)?;
        // Since 15 a member knows its own entry.
        let knows_entry = self.kernel.has(entry, "bif_sc");
        let back = if knows_entry { entry } else { softc };
        self.kernel.set_if_any(entry, "bif_sc", softc.address.get())?;
        self.kernel.set_pointer(member, "if_bridge", back.address)?;
        let (head, queue) = self.bridge_list(softc)?;
        queue.insert_head(self.kernel.machine_mut(), head, entry.address)
    }

    /// bridge_ifdetach: a member that is detached or moved leaves its bridge.
    pub(in crate::image::runtime) fn leave_bridge(
        &mut self,
        ifnet: Object,
    ) -> Result<(), ImageError> {
        let at = VirtAddr::new(self.kernel.get(ifnet, "if_bridge")?);
        if at.is_null() {
            return Ok(());
        }
        self.kernel.set(ifnet, "if_bridge", 0)?;
        let softc = self.kernel.object(at, "struct bridge_softc")?;
        let (head, queue) = self.bridge_list(softc)?;
        let entry_type = self.kernel.types().find("struct bridge_iflist")?;
        for at in queue.elements(self.kernel.machine(), head)? {
            let entry = Object::new(at, entry_type);
            if self.kernel.get(entry, "bif_ifp")? == ifnet.address.get() {
                queue.remove(self.kernel.machine_mut(), head, at)?;
                self.kernel.machine_mut().free(at)?;
            }
        }
        Ok(())
    }

    fn bridge_list(&self, softc: Object) -> Result<(VirtAddr, Queue), ImageError> {
        let head = self.kernel.member(softc, "sc_iflist")?;
        let entry = self.kernel.types().find("struct bridge_iflist")?;
        Ok((head.address, Queue::of(&self.kernel, head.type_id, entry, "bif_next")?))
    }
}
