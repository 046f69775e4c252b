//! epair: two interfaces, each the other end of the other (`sys/net/if_epair.c`).

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{InterfaceOptions, Runtime};

impl Runtime {
    /// epair_clone_create: both ends at once, each then moved where its options say.
    ///
    /// # Errors
    /// As [`Runtime::create_interface`].
    pub fn create_epair(
        &mut self,
        a: &InterfaceOptions,
        b: &InterfaceOptions,
    ) -> Result<[Object; 2], ImageError> {
        let ends = [self.create_interface(a)?, self.create_interface(b)?];
        let mut softcs = Vec::new();
        for end in ends {
            let softc = self.kernel.malloc("epair", "struct epair_softc")?;
            self.kernel.set_pointer(end, "if_softc", softc.address)?;
            self.kernel.set_pointer(softc, "ifp", end.address)?;
            self.kernel.set_if_any(softc, "refcount", 1)?;
            softcs.push(softc);
        }
        let [first, second] = ends;
        for (softc, other) in softcs.iter().zip([second, first]) {
            self.kernel.set_pointer(*softc, "oifp", other.address)?;
        }
        Ok(ends)
    }

    /// The other end of an epair, if `ifnet` is one.
    pub(super) fn epair_other(&self, ifnet: Object) -> Result<Option<Object>, ImageError> {
        let Some(softc) = self.softc(ifnet, "epair", "struct epair_softc")? else {
            return Ok(None);
        };
        let other = VirtAddr::new(self.kernel.get(softc, "oifp")?);
        Ok((!other.is_null()).then_some(Object::new(other, ifnet.type_id)))
    }

    /// The driver's struct of an interface of that driver.
    pub(super) fn softc(
        &self,
        ifnet: Object,
        driver: &str,
        type_name: &str,
    ) -> Result<Option<Object>, ImageError> {
        let dname = VirtAddr::new(self.kernel.get(ifnet, "if_dname")?);
        if dname.is_null() || self.kernel.text(dname)? != driver {
            return Ok(None);
        }
        let at = VirtAddr::new(self.kernel.get(ifnet, "if_softc")?);
        Ok(Some(self.kernel.object(at, type_name)?))
    }
}
