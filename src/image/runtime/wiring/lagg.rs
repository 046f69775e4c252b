//! Laggs (`sys/net/if_lagg.c`).

use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{InterfaceOptions, Queue, Runtime};

impl Runtime {
    /// lagg_clone_create, and lagg_port_create for each port. A port is of another type while it is
    /// one.
    ///
    /// # Errors
    /// As [`Runtime::create_interface`], or there is no such port.
    pub fn create_lagg(
        &mut self,
        options: &InterfaceOptions,
        ports: &[String],
    ) -> Result<Object, ImageError> {
        /// IFT_IEEE8023ADLAG.
        const LAGG_PORT: u64 = 161;
        let lagg = self.create_interface(options)?;
        let softc = self.kernel.malloc("lagg", "struct lagg_softc")?;
        self.kernel.set_pointer(lagg, "if_softc", softc.address)?;
        self.kernel.set_pointer(softc, "sc_ifp", lagg.address)?;
        self.kernel.set(softc, "sc_count", ports.len() as u64)?;
        let head = self.kernel.member(softc, "sc_ports")?;
        for name in ports {
            let member = self.interface(name)?;
            let port = self.kernel.malloc("lagg", "struct lagg_port")?;
            let queue = Queue::of(&self.kernel, head.type_id, port.type_id, "lp_entries")?;
            self.kernel.set_pointer(port, "lp_ifp", member.address)?;
            self.kernel.set_pointer(port, "lp_softc", softc.address)?;
            let kind = self.kernel.get(member, "if_type")?;
            self.kernel.set(port, "lp_iftype", kind)?;
            self.kernel.set(member, "if_type", LAGG_PORT)?;
            self.kernel.set_pointer(member, "if_lagg", port.address)?;
            queue.insert_tail(self.kernel.machine_mut(), head.address, port.address)?;
        }
        Ok(lagg)
    }
}
