//! Which stack a credential, thread or process belongs to, and whether it is the default one.
//!
//! `sys/net/vnet.h`: CRED_TO_VNET and similar macros use the credential's prison. Without
//! VIMAGE they are NULL, and everything is in the default stack.

use super::scope::Vnet;
use super::{Runtime, Scope};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

impl Runtime {
    /// CRED_TO_VNET: the stack of the prison of a `struct ucred`. `None` while that is being built.
    pub fn cred_to_vnet(&self, cred: Object) -> Result<Option<Vnet>, ImageError> {
        if self.vnets.is_none() {
            return Ok(None);
        }
        let prison = VirtAddr::new(self.kernel.get(cred, "cr_prison")?);
        let prison = self.kernel.object(prison, "struct prison")?;
        let vnet = VirtAddr::new(self.kernel.get(prison, "pr_vnet")?);
        Ok((!vnet.is_null()).then_some(Vnet(vnet)))
    }

    /// TD_TO_VNET: by the credential of a `struct thread`. It may differ from its curvnet.
    pub fn td_to_vnet(&self, thread: Object) -> Result<Option<Vnet>, ImageError> {
        self.cred_to_vnet(self.credential(thread, "td_ucred")?)
    }

    /// P_TO_VNET: by the credential of a `struct proc`.
    pub fn p_to_vnet(&self, process: Object) -> Result<Option<Vnet>, ImageError> {
        self.cred_to_vnet(self.credential(process, "p_ucred")?)
    }

    /// IS_DEFAULT_VNET: is it vnet0? Always true without VIMAGE.
    pub fn is_default_vnet(&self, vnet: Option<Vnet>) -> bool {
        self.vnets.is_none() || vnet == self.vnet0()
    }

    /// VNET_FOREACH: the stacks in the order of the list, newest first. Without VIMAGE its body
    /// runs once for the kernel's own variables, or in older kernels not at all.
    ///
    /// Neither of the locks on the list is held.
    pub fn vnet_foreach(&self) -> Result<Vec<Scope>, ImageError> {
        /// 13.0 turned it into a loop.
        const FIRST_WITH_A_LOOP: u64 = 1_300_000;
        if self.vnets.is_none() {
            let release = self.kernel.load_uint(self.kernel.variable("osreldate")?)?;
            let runs = usize::from(release >= FIRST_WITH_A_LOOP);
            return Ok(vec![Scope::Kernel; runs]);
        }
        Self::vnet_assert(self.list_is_locked()?, || {
            "VNET_FOREACH with neither vnet_sxlock nor vnet_rwlock held".into()
        })?;
        Ok(self.vnets()?.into_iter().rev().map(Scope::Vnet).collect())
    }

    /// crget and crset: a credential of a prison, with one reference, which holds the prison.
    pub(super) fn crget(&mut self, prison: Object) -> Result<Object, ImageError> {
        let cred = self.kernel.malloc("cred", "struct ucred")?;
        self.kernel.set(cred, "cr_ref", 1)?;
        self.kernel.set_pointer(cred, "cr_prison", prison.address)?;
        let count = self.kernel.get(prison, "pr_ref")?;
        self.kernel.set(prison, "pr_ref", count.wrapping_add(1))?;
        Ok(cred)
    }

    /// crhold: one more refers to the credential.
    pub(super) fn crhold(&mut self, cred: Object) -> Result<(), ImageError> {
        let count = self.kernel.get(cred, "cr_ref")?;
        self.kernel.set(cred, "cr_ref", count.wrapping_add(1))
    }

    /// crfree: the last one to refer to it lets go of the prison.
    pub(super) fn crfree(&mut self, cred: Object) -> Result<(), ImageError> {
        let count = self.kernel.get(cred, "cr_ref")?.wrapping_sub(1);
        self.kernel.set(cred, "cr_ref", count)?;
        if count > 0 {
            return Ok(());
        }
        let prison = VirtAddr::new(self.kernel.get(cred, "cr_prison")?);
        self.kernel.machine_mut().free(cred.address)?;
        self.release_prison(self.prison_at(prison)?)
    }

    /// A credential of a jail that no process, thread or socket has, such as that of a mount.
    ///
    /// # Errors
    /// There is no such jail.
    pub fn keep_credential(&mut self, jail: &str) -> Result<Object, ImageError> {
        let prison = self.prison(jail)?;
        self.crget(prison)
    }

    pub(super) fn credential(&self, holder: Object, member: &str) -> Result<Object, ImageError> {
        let cred = VirtAddr::new(self.kernel.get(holder, member)?);
        self.kernel.object(cred, "struct ucred")
    }
}
