//! carp: addresses that several hosts share (`sys/netinet/ip_carp.c`).

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Queue, Runtime};

/// A virtual host on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VirtualHost {
    /// Its number.
    pub vhid: u64,
    /// 0 INIT, 1 BACKUP, 2 MASTER.
    pub state: u64,
    /// What is added to the interval of its advertisements.
    pub advskew: u64,
}

impl Runtime {
    /// carp_alloc and carp_attach: the virtual host, and the interface's last address as its.
    ///
    /// # Errors
    /// The kernel has no carp.
    pub fn create_carp(&mut self, ifnet: Object, host: VirtualHost) -> Result<(), ImageError> {
        let at = VirtAddr::new(self.kernel.get(ifnet, "if_carp")?);
        let carp = match at.is_null() {
            true => {
                let carp = self.kernel.malloc("carp", "struct carp_if")?;
                self.kernel.set_pointer(carp, "cif_ifp", ifnet.address)?;
                self.kernel.set_pointer(ifnet, "if_carp", carp.address)?;
                let head = self.kernel.member(carp, "cif_vrs")?;
                self.carp_list(head)?.init(self.kernel.machine_mut(), head.address)?;
                carp
            }
            false => self.kernel.object(at, "struct carp_if")?,
        };
        let softc = self.kernel.malloc("carp", "struct carp_softc")?;
        self.kernel.set_pointer(softc, "sc_carpdev", ifnet.address)?;
        let members = [
            ("sc_vhid", host.vhid),
            ("sc_state", host.state),
            ("sc_advbase", 1),
            ("sc_advskew", host.advskew),
            ("sc_naddrs", 1),
        ];
        for (member, value) in members {
            self.kernel.set(softc, member, value)?;
        }
        let head = self.kernel.member(carp, "cif_vrs")?;
        let queue = self.carp_list(head)?;
        queue.insert_tail(self.kernel.machine_mut(), head.address, softc.address)?;
        let (addresses, ifaddr, queue) = self.address_list(ifnet)?;
        if let Some(last) = queue.elements(self.kernel.machine(), addresses)?.last() {
            self.kernel.set_pointer(Object::new(*last, ifaddr), "ifa_carp", softc.address)?;
        }
        Ok(())
    }

    fn carp_list(&self, head: Object) -> Result<Queue, ImageError> {
        let softc = self.kernel.types().find("struct carp_softc")?;
        Queue::of(&self.kernel, head.type_id, softc, "sc_list")
    }
}
