//! What no sound kernel does to its jails: the traces of its bugs.

use super::Runtime;
use super::queue::Queue;
use crate::addr::VirtAddr;
use crate::image::ImageError;

/// What is wrong with a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JailFault {
    /// Its pr_vnet is the stack of this jail, dead or alive.
    VnetOf(String),
    /// Its pr_parent is this jail, which does not have it among its children.
    Parent(String),
    /// It is not on `allprison`.
    OffTheList,
    /// It is not among its parent's children.
    OffTheTree,
}

impl Runtime {
    /// Damages a jail.
    ///
    /// # Errors
    /// There is no such jail, or the other has no stack.
    pub fn damage_jail(&mut self, name: &str, fault: &JailFault) -> Result<(), ImageError> {
        let prison = self.prison(name)?;
        match fault {
            JailFault::VnetOf(other) => {
                let vnet = self.jail_vnet(other)?;
                let none = || ImageError::Refused(format!("{other} has no stack"));
                self.kernel.set_pointer(prison, "pr_vnet", vnet.ok_or_else(none)?.0)
            }
            JailFault::Parent(other) => {
                let parent = self.prison(other)?.address;
                self.kernel.set_pointer(prison, "pr_parent", parent)
            }
            JailFault::OffTheList => {
                let list = self.kernel.variable("allprison")?;
                let queue = Queue::of(&self.kernel, list.type_id, prison.type_id, "pr_list")?;
                queue.remove(self.kernel.machine_mut(), list.address, prison.address)
            }
            JailFault::OffTheTree => {
                let parent = VirtAddr::new(self.kernel.get(prison, "pr_parent")?);
                let children = self.kernel.member(self.prison_at(parent)?, "pr_children")?;
                let queue =
                    Queue::of(&self.kernel, children.type_id, prison.type_id, "pr_sibling")?;
                queue.remove(self.kernel.machine_mut(), children.address, prison.address)
            }
        }
    }
}
