//! VLANs (`sys/net/if_vlan.c`).

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{InterfaceOptions, Runtime};

impl Runtime {
    /// vlan_clone_create and vlan_config: a VLAN with the number `tag` on `parent`, which gets a
    /// trunk with its first one.
    ///
    /// # Errors
    /// As [`Runtime::create_interface`], or there is no such parent.
    pub fn create_vlan(
        &mut self,
        options: &InterfaceOptions,
        parent: &str,
        tag: u64,
    ) -> Result<Object, ImageError> {
        let parent = self.interface(parent)?;
        let vlan = self.create_interface(options)?;
        let trunk = VirtAddr::new(self.kernel.get(parent, "if_vlantrunk")?);
        let trunk = match trunk.is_null() {
            true => {
                let trunk = self.kernel.malloc("vlan", "struct ifvlantrunk")?;
                self.kernel.set_pointer(trunk, "parent", parent.address)?;
                self.kernel.set_pointer(parent, "if_vlantrunk", trunk.address)?;
                trunk
            }
            false => self.kernel.object(trunk, "struct ifvlantrunk")?,
        };
        let count = self.kernel.get(trunk, "refcnt")?;
        self.kernel.set(trunk, "refcnt", count + 1)?;
        const ETHERTYPE_VLAN: u64 = 0x8100;
        let softc = self.kernel.malloc("vlan", "struct ifvlan")?;
        self.kernel.set_pointer(vlan, "if_softc", softc.address)?;
        self.kernel.set_pointer(softc, "ifv_ifp", vlan.address)?;
        self.kernel.set_pointer(softc, "ifv_trunk", trunk.address)?;
        // Since 13 the tag is a struct.
        let is_struct = self.kernel.has(softc, "ifv_qtag");
        let (vid, proto) =
            if is_struct { ("ifv_qtag.vid", "ifv_qtag.proto") } else { ("ifv_vid", "ifv_proto") };
        self.kernel.set(softc, vid, tag)?;
        self.kernel.set(softc, proto, ETHERTYPE_VLAN)?;
        self.kernel.set_if_any(softc, "ifv_tag", tag)?;
        Ok(vlan)
    }
}
