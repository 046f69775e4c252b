//! How jails go: references, and what happens when the last one does.
//!
//! `sys/kern/kern_jail.c`. Each credential and each child holds a prison (`pr_ref`); each process,
//! each child and persistence keep it alive (`pr_uref`). jail_remove(2) takes persistence away. A
//! prison without user references is dying; since 13 that is a state of its own (`pr_state`), which
//! a removal sets at once. Without any reference it is taken off the lists, its stack is destroyed,
//! and its parent loses what it held.

use super::Runtime;
use super::construction::{HalfWay, Stop};
use super::jail::PR_PERSIST;
use super::scope::Vnet;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

impl Runtime {
    /// jail_remove(2) of a jail that nothing but itself holds: removes it from the lists,
    /// destroys its stack, and frees it.
    ///
    /// # Errors
    /// It has child jails or processes, or it is the host.
    pub fn destroy_jail(&mut self, name: &str) -> Result<(), ImageError> {
        self.check_unheld(name)?;
        self.remove_jail(name)
    }

    /// The same by `thread`, a `struct thread` that does not return from one of the
    /// destructors of the jail's stack.
    ///
    /// # Errors
    /// As [`Runtime::destroy_jail`]; or it has no stack of its own, or there is no such
    /// destructor.
    pub fn destroy_jail_until(
        &mut self,
        name: &str,
        stop: &Stop,
        thread: Object,
    ) -> Result<HalfWay, ImageError> {
        self.check_unheld(name)?;
        let prison = self.prison(name)?;
        self.drop_persistence(prison)?;
        let (prison, vnet) = self.leave_lists(prison)?;
        let vnet = vnet.ok_or_else(|| {
            ImageError::Refused(format!("{name} has no stack, so its removal cannot stop"))
        })?;
        let half = self.vnet_destroy_until(vnet, stop)?;
        if let Some(jail) = self.jails.iter_mut().find(|jail| jail.prison == prison.address) {
            jail.unlinked = true;
        }
        self.hang(thread, &half)?;
        Ok(half)
    }

    /// jail_remove(2): its children are removed first. What is held goes on dying until the last
    /// holder lets go.
    ///
    /// # Errors
    /// It is the host, or is removed already.
    pub fn remove_jail(&mut self, name: &str) -> Result<(), ImageError> {
        let jail = self.jail(name)?;
        if jail.parent.is_none() {
            return Err(ImageError::Refused("the host cannot be removed: it is not a jail".into()));
        }
        if jail.unlinked {
            return Err(ImageError::Refused(format!("{name} is being removed already")));
        }
        let of_it = |jail: &&super::jail::Jail| jail.parent.as_deref() == Some(name);
        let children: Vec<String> =
            self.jails.iter().filter(of_it).map(|jail| jail.name.clone()).collect();
        for child in children {
            self.remove_jail(&child)?;
        }
        let prison = self.prison(name)?;
        self.set_state(prison, "pr_state", "PRISON_STATE_DYING")?;
        let persistent = self.kernel.get(prison, "pr_flags")? & PR_PERSIST != 0;
        self.drop_persistence(prison)?;
        if persistent {
            self.add_to(prison, "pr_uref", -1)?;
            self.release_prison(prison)?;
        }
        Ok(())
    }

    /// Something begins to hold a prison and to keep it alive: a child, or a process with a
    /// credential of its own.
    pub(super) fn hold_prison(&mut self, prison: Object) -> Result<(), ImageError> {
        self.add_to(prison, "pr_ref", 1)?;
        self.add_to(prison, "pr_uref", 1)
    }

    /// prison_proc_free: something no longer keeps it alive, though it may still hold it.
    pub(super) fn prison_proc_free(&mut self, prison: Object) -> Result<(), ImageError> {
        self.add_to(prison, "pr_uref", -1)?;
        if self.kernel.get(prison, "pr_uref")? == 0 {
            self.set_state(prison, "pr_state", "PRISON_STATE_DYING")?;
        }
        Ok(())
    }

    /// prison_free: one holder less. The last one takes the prison and its stack with it.
    pub(super) fn release_prison(&mut self, prison: Object) -> Result<(), ImageError> {
        self.add_to(prison, "pr_ref", -1)?;
        if self.kernel.get(prison, "pr_ref")? > 0 {
            return Ok(());
        }
        let parent = VirtAddr::new(self.kernel.get(prison, "pr_parent")?);
        let (prison, vnet) = self.leave_lists(prison)?;
        if let Some(vnet) = vnet {
            self.vnet_destroy(vnet)?;
        }
        self.kernel.machine_mut().free(prison.address)?;
        self.jails.retain(|jail| jail.prison != prison.address);
        if parent.is_null() {
            return Ok(());
        }
        let parent = self.prison_at(parent)?;
        self.prison_proc_free(parent)?;
        self.release_prison(parent)
    }

    fn check_unheld(&self, name: &str) -> Result<(), ImageError> {
        let jail = self.jail(name)?;
        if self.jails.iter().any(|child| child.parent.as_deref() == Some(name)) {
            return Err(ImageError::Refused(format!("{name} has child jails")));
        }
        // The jail itself is one reference; every process holds another.
        let prison = self.prison_at(jail.prison)?;
        match jail.parent.is_some() && !jail.unlinked && self.kernel.get(prison, "pr_ref")? > 1 {
            true => Err(ImageError::Refused(format!("{name} still has processes"))),
            false => Ok(()),
        }
    }

    fn drop_persistence(&mut self, prison: Object) -> Result<(), ImageError> {
        let flags = self.kernel.get(prison, "pr_flags")?;
        self.kernel.set(prison, "pr_flags", flags & !PR_PERSIST)
    }

    /// The part of prison_deref before it destroys the stack. Returns the stack if it is the
    /// jail's own.
    fn leave_lists(&mut self, prison: Object) -> Result<(Object, Option<Vnet>), ImageError> {
        for member in ["pr_ref", "pr_uref"] {
            self.kernel.set(prison, member, 0)?;
        }
        self.set_state(prison, "pr_state", "PRISON_STATE_DYING")?;
        let mother = VirtAddr::new(self.kernel.get(prison, "pr_parent")?);
        let mother = self.prison_at(mother)?;
        self.unlink(prison, mother)?;
        let jail = self.jails.iter().find(|jail| jail.prison == prison.address);
        Ok((prison, jail.filter(|jail| jail.own).and_then(|jail| jail.vnet)))
    }

    fn add_to(&mut self, object: Object, member: &str, by: i64) -> Result<(), ImageError> {
        let count = self.kernel.get(object, member)?;
        self.kernel.set(object, member, count.wrapping_add_signed(by))
    }
}
