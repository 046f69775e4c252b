//! The current network stack of a thread: td_vnet, and the macros that set and restore it.
//!
//! `sys/net/vnet.h`. CURVNET_SET saves the old curvnet in the caller's frame, and
//! CURVNET_RESTORE restores it; here the caller keeps a [`SavedCurvnet`]. Kernels with VNET_DEBUG
//! (those that have `vnet_log_recursion`) also store the function that set it in td_vnet_lpush, and
//! log each place that sets it again. Both macros assert what the kernel asserts; here a
//! failed assertion is an error with the message of the panic.

use std::fmt;

use super::scope::Vnet;
use super::{Queue, Runtime};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

/// The place of a macro in the kernel's source: `__FILE__`, `__LINE__` and `__func__`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The source file.
    pub file: &'a str,
    /// The line number.
    pub line: u32,
    /// The name of the function.
    pub function: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} {}()", self.file, self.line, self.function)
    }
}

/// What CURVNET_SET saves for CURVNET_RESTORE: `saved_vnet` and `saved_vnet_lpush`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SavedCurvnet {
    thread: Object,
    vnet: VirtAddr,
    set_by: Option<VirtAddr>,
}

/// An entry of VNET_DEBUG's list of recursions (`struct vnet_recursion`, `sys/net/vnet.c`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recursion {
    /// The name of the function that had set curvnet: the address of its text.
    pub prev_fn: VirtAddr,
    /// The name of the function that set it again: the address of its text.
    pub where_fn: VirtAddr,
    /// The line of that call.
    pub where_line: u64,
    /// The address of the `struct vnet` that curvnet pointed to.
    pub old_vnet: VirtAddr,
    /// The address of the `struct vnet` that it was set to.
    pub new_vnet: VirtAddr,
}

impl Runtime {
    /// VNET_ASSERT of a kernel with INVARIANTS or VNET_DEBUG.
    ///
    /// # Errors
    /// The condition does not hold: the kernel would panic with this message.
    pub fn vnet_assert(holds: bool, message: impl FnOnce() -> String) -> Result<(), ImageError> {
        if holds { Ok(()) } else { Err(ImageError::Assertion(message())) }
    }

    /// curvnet of `thread`, even if it points to no stack; 0 outside the network stack, and always
    /// in a kernel without VIMAGE.
    pub fn curvnet(&self, thread: Object) -> Result<VirtAddr, ImageError> {
        self.kernel.get(thread, "td_vnet").map(VirtAddr::new)
    }

    /// CURVNET_SET: sets curvnet, and with VNET_DEBUG logs it if it was set already.
    ///
    /// # Errors
    /// `vnet` is NULL or has no magic, which the kernel asserts.
    pub fn curvnet_set(
        &mut self,
        thread: Object,
        vnet: VirtAddr,
        place: Place<'_>,
    ) -> Result<SavedCurvnet, ImageError> {
        let saved = self.curvnet_set_quiet(thread, vnet, place)?;
        if let Some(set_by) = saved.set_by.filter(|_| !saved.vnet.is_null()) {
            self.vnet_log_recursion(thread, saved.vnet, set_by, place.line)?;
        }
        Ok(saved)
    }

    /// CURVNET_SET_QUIET: the same without the log.
    ///
    /// # Errors
    /// As [`Runtime::curvnet_set`].
    pub fn curvnet_set_quiet(
        &mut self,
        thread: Object,
        vnet: VirtAddr,
        place: Place<'_>,
    ) -> Result<SavedCurvnet, ImageError> {
        let old = self.curvnet(thread)?;
        if self.vnets.is_none() {
            return Ok(SavedCurvnet { thread, vnet: old, set_by: None });
        }
        Self::vnet_assert(self.is_live(vnet)?, || {
            format!("CURVNET_SET at {place} curvnet={old} vnet={vnet}")
        })?;
        let set_by = self.note_curvnet(thread, Vnet(vnet), place.function)?;
        Ok(SavedCurvnet { thread, vnet: old, set_by })
    }

    /// CURVNET_RESTORE.
    ///
    /// # Errors
    /// curvnet is not set, or the old stack has no magic any longer. The kernel asserts both.
    pub fn curvnet_restore(
        &mut self,
        saved: SavedCurvnet,
        place: Place<'_>,
    ) -> Result<(), ImageError> {
        if self.vnets.is_none() {
            return Ok(());
        }
        let current = self.curvnet(saved.thread)?;
        let sound = saved.vnet.is_null() || self.is_live(saved.vnet)?;
        Self::vnet_assert(!current.is_null() && sound, || {
            format!("CURVNET_RESTORE at {place} curvnet={current} saved_vnet={}", saved.vnet)
        })?;
        self.kernel.set_pointer(saved.thread, "td_vnet", saved.vnet)?;
        match saved.set_by {
            Some(set_by) => self.kernel.set_pointer(saved.thread, "td_vnet_lpush", set_by),
            None => Ok(()),
        }
    }

    /// VNET_DEBUG's `vnet_recursions`, newest first; empty in other kernels.
    pub fn vnet_recursions(&self) -> Result<Vec<Recursion>, ImageError> {
        let Some((head, queue)) = self.recursion_list()? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for at in queue.elements(self.kernel.machine(), head)? {
            let entry = self.kernel.object(at, "struct vnet_recursion")?;
            let pointer = |name| self.kernel.get(entry, name).map(VirtAddr::new);
            found.push(Recursion {
                prev_fn: pointer("prev_fn")?,
                where_fn: pointer("where_fn")?,
                where_line: self.kernel.get(entry, "where_line")?,
                old_vnet: pointer("old_vnet")?,
                new_vnet: pointer("new_vnet")?,
            });
        }
        Ok(found)
    }

    /// Sets td_vnet and, with VNET_DEBUG, td_vnet_lpush. Returns the old td_vnet_lpush.
    pub(super) fn note_curvnet(
        &mut self,
        thread: Object,
        vnet: Vnet,
        function: &str,
    ) -> Result<Option<VirtAddr>, ImageError> {
        self.kernel.set_pointer(thread, "td_vnet", vnet.0)?;
        if !self.has_vnet_debug() || !self.kernel.has(thread, "td_vnet_lpush") {
            return Ok(None);
        }
        let old = VirtAddr::new(self.kernel.get(thread, "td_vnet_lpush")?);
        let text = self.literal(function)?;
        self.kernel.set_pointer(thread, "td_vnet_lpush", text)?;
        Ok(Some(old))
    }

    /// vnet_log_recursion: logs each place once, and again if the old and new stack used to differ
    /// and
    /// are now the same, or the reverse.
    fn vnet_log_recursion(
        &mut self,
        thread: Object,
        old_vnet: VirtAddr,
        old_fn: VirtAddr,
        line: u32,
    ) -> Result<(), ImageError> {
        let Some((head, queue)) = self.recursion_list()? else { return Ok(()) };
        let new_vnet = self.curvnet(thread)?;
        let where_fn = VirtAddr::new(self.kernel.get(thread, "td_vnet_lpush")?);
        let known = self.vnet_recursions()?.into_iter().any(|known| {
            (known.prev_fn, known.where_fn, known.where_line) == (old_fn, where_fn, line.into())
                && (known.old_vnet == known.new_vnet) == (new_vnet == old_vnet)
        });
        if known {
            return Ok(());
        }
        let entry = self.kernel.malloc("vnet", "struct vnet_recursion")?;
        for (member, value) in [
            ("prev_fn", old_fn),
            ("where_fn", where_fn),
            ("old_vnet", old_vnet),
            ("new_vnet", new_vnet),
        ] {
            self.kernel.set_pointer(entry, member, value)?;
        }
        self.kernel.set(entry, "where_line", line.into())?;
        queue.insert_head(self.kernel.machine_mut(), head, entry.address)
    }

    fn recursion_list(&self) -> Result<Option<(VirtAddr, Queue)>, ImageError> {
        if !self.has_vnet_debug() {
            return Ok(None);
        }
        let head = self.kernel.variable("vnet_recursions")?;
        let entry = self.kernel.types().find("struct vnet_recursion")?;
        let queue = Queue::of(&self.kernel, head.type_id, entry, "vnr_le")?;
        Ok(Some((head.address, queue)))
    }

    fn has_vnet_debug(&self) -> bool {
        self.kernel.kernel().symbol("vnet_log_recursion").is_some()
    }

    /// Is there a stack with the correct magic?
    fn is_live(&self, vnet: VirtAddr) -> Result<bool, ImageError> {
        if vnet.is_null() || self.kernel.machine().physical(vnet).is_none() {
            return Ok(false);
        }
        let magic = self.kernel.get(self.vnet_object(Vnet(vnet))?, "vnet_magic_n")?;
        Ok(magic == self.magic()?)
    }

    /// The address of a text that a kernel would have among its constants. Each text has one
    /// address.
    pub(super) fn literal(&mut self, text: &str) -> Result<VirtAddr, ImageError> {
        if let Some(known) = self.literals.get(text) {
            return Ok(*known);
        }
        let at = self.kernel.malloc_text("literal", text)?;
        self.literals.insert(text.to_owned(), at);
        Ok(at)
    }
}
