//! Where a thread's kernel stack lies, and whether the thread dumps.

use super::Runtime;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

/// KSTACK_PAGES of most machines.
const STACK_PAGES: u64 = 4;

impl Runtime {
    /// The thread's stack and the pcb at its upper end, which are made now if it has none. Returns
    /// where the oldest frame may be.
    pub(super) fn kernel_stack(
        &mut self,
        thread: Object,
    ) -> Result<(VirtAddr, Object), ImageError> {
        let page = self.kernel.machine().page_size();
        let pcb_type = self.kernel.types().find("struct pcb")?;
        let size = self.kernel.types().size_of(pcb_type)?.next_multiple_of(64);
        let known = VirtAddr::new(self.kernel.get(thread, "td_pcb")?);
        if !known.is_null() {
            return Ok((known, Object::new(known, pcb_type)));
        }
        let base = self.kernel.machine_mut().malloc("kstack", STACK_PAGES * page)?;
        let pcb = base.wrapping_add((STACK_PAGES * page).saturating_sub(size));
        self.kernel.set_if_any(thread, "td_kstack", base.get())?;
        self.kernel.set_if_any(thread, "td_kstack_pages", STACK_PAGES)?;
        self.kernel.set_pointer(thread, "td_pcb", pcb)?;
        Ok((pcb, Object::new(pcb, pcb_type)))
    }

    pub(super) fn is_dumping(&self, thread: Object) -> Result<bool, ImageError> {
        let Some(dumper) = self.kernel.address_of("dumptid") else { return Ok(false) };
        let tid = self.kernel.get(thread, "td_tid")?;
        let size = self.kernel.member(thread, "td_tid")?;
        let size = self.kernel.types().size_of(size.type_id)?;
        Ok(self.kernel.machine().uint(dumper, size)? == tid)
    }
}
