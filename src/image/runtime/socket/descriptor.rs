//! Descriptors: the table of each process, and open files (`sys/kern/kern_descrip.c`).

use super::time_wait::SS_NOFDREF;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::Runtime;
use crate::types::model::Type;

/// A descriptor of a process, and the open file that it stands for.
#[derive(Debug)]
pub(super) struct Descriptor {
    /// The address of the process's `struct proc`.
    process: VirtAddr,
    file: Object,
    cred: Object,
    number: u64,
}

/// The size of a new table, NDFILE.
const NDFILE: u64 = 20;
/// The first descriptor that is not one of the standard three.
const FIRST: u64 = 3;

const DTYPE_SOCKET: u64 = 2;
/// FREAD | FWRITE
const READ_AND_WRITE: u64 = 3;

impl Runtime {
    /// falloc: the lowest free descriptor of the thread's process. `None` if the kernel's types do
    /// not show its tables.
    pub(super) fn open_descriptor(
        &mut self,
        thread: Object,
        socket: Object,
        cred: Object,
    ) -> Result<Option<Descriptor>, ImageError> {
        let known = ["struct filedesc", "struct fdescenttbl", "struct file"];
        if known.iter().any(|name| self.kernel.types().find(name).is_err()) {
            return Ok(None);
        }
        let process = VirtAddr::new(self.kernel.get(thread, "td_proc")?);
        let process = self.kernel.object(process, "struct proc")?;
        let (number, slot) = self.free_slot(process)?;
        let file = self.kernel.malloc("file", "struct file")?;
        self.kernel.set_pointer(file, "f_data", socket.address)?;
        self.kernel.set(file, "f_type", DTYPE_SOCKET)?;
        self.kernel.set(file, "f_flag", READ_AND_WRITE)?;
        self.kernel.set(file, "f_count", 1)?;
        self.kernel.set_pointer(file, "f_cred", cred.address)?;
        self.hold_credential(cred, 1)?;
        self.kernel.machine_mut().set_pointer(slot, file.address)?;
        Ok(Some(Descriptor { process: process.address, file, cred, number }))
    }

    /// fdrop of the last reference.
    pub(super) fn close_descriptor(
        &mut self,
        descriptor: Option<Descriptor>,
    ) -> Result<(), ImageError> {
        let Some(Descriptor { process, file, cred, number }) = descriptor else { return Ok(()) };
        let process = self.kernel.object(process, "struct proc")?;
        let (files, descriptors) = self.file_table(process)?;
        let slot = self.file_slot(files, number)?;
        self.kernel.machine_mut().set_pointer(slot, VirtAddr::new(0))?;
        let lowest = self.kernel.get(descriptors, "fd_freefile")?.min(number);
        self.kernel.set(descriptors, "fd_freefile", lowest)?;
        self.hold_credential(cred, -1)?;
        self.kernel.machine_mut().free(file.address)
    }

    /// fdescfree: a process that ends closes its descriptors. Its sockets linger, without one.
    pub(in crate::image::runtime) fn close_descriptors(
        &mut self,
        process: Object,
    ) -> Result<(), ImageError> {
        let is_its = |descriptor: &Option<Descriptor>| {
            descriptor.as_ref().is_some_and(|known| known.process == process.address)
        };
        let sockets = self.sockets.iter_mut().filter(|known| is_its(&known.descriptor));
        let closed: Vec<_> = sockets.map(|known| (known.socket, known.descriptor.take())).collect();
        for (socket, descriptor) in closed {
            self.close_descriptor(descriptor)?;
            self.add_flags(socket, "so_state", SS_NOFDREF)?;
        }
        self.kernel.set_if_any(process, "p_fd", 0)
    }

    /// The lowest free descriptor of a process, and its place in the table, which is made or grows
    /// if there is none.
    fn free_slot(&mut self, process: Object) -> Result<(u64, VirtAddr), ImageError> {
        if self.kernel.get(process, "p_fd")? == 0 {
            self.new_table(process)?;
        }
        let (mut files, descriptors) = self.file_table(process)?;
        let count = self.kernel.get(files, "fdt_nfiles")?;
        // Most are in use up to this one.
        let mut number = self.kernel.get(descriptors, "fd_freefile")?.max(FIRST);
        while number < count && !self.is_free(files, number)? {
            number = number.wrapping_add(1);
        }
        if number >= count {
            files = self.grow_table(descriptors, files)?;
        }
        self.kernel.set(descriptors, "fd_freefile", number.wrapping_add(1))?;
        self.kernel.set_if_any(descriptors, "fd_lastfile", number)?;
        Ok((number, self.file_slot(files, number)?))
    }

    fn is_free(&self, files: Object, number: u64) -> Result<bool, ImageError> {
        let slot = self.file_slot(files, number)?;
        Ok(self.kernel.machine().pointer(slot)?.is_null())
    }

    /// fdgrowtable: twice as many. The old table is freed.
    fn grow_table(&mut self, descriptors: Object, old: Object) -> Result<Object, ImageError> {
        let count = self.kernel.get(old, "fdt_nfiles")?;
        let new = self.alloc_table(count.wrapping_mul(2))?;
        for number in 0..count {
            let (from, to) = (self.file_slot(old, number)?, self.file_slot(new, number)?);
            let file = self.kernel.machine().pointer(from)?;
            self.kernel.machine_mut().set_pointer(to, file)?;
        }
        self.kernel.set_pointer(descriptors, "fd_files", new.address)?;
        self.kernel.machine_mut().free(old.address)?;
        Ok(new)
    }

    /// The `struct fdescenttbl` of a process, and its `struct filedesc`.
    fn file_table(&self, process: Object) -> Result<(Object, Object), ImageError> {
        let descriptors = VirtAddr::new(self.kernel.get(process, "p_fd")?);
        let descriptors = self.kernel.object(descriptors, "struct filedesc")?;
        let files = VirtAddr::new(self.kernel.get(descriptors, "fd_files")?);
        Ok((self.kernel.object(files, "struct fdescenttbl")?, descriptors))
    }

    /// The pointer to the file of a descriptor.
    fn file_slot(&self, files: Object, number: u64) -> Result<VirtAddr, ImageError> {
        let (first, stride) = self.file_entries(files)?;
        Ok(first.wrapping_add(number.wrapping_mul(stride)))
    }

    /// fdinit
    fn new_table(&mut self, process: Object) -> Result<(), ImageError> {
        let descriptors = self.kernel.malloc("filedesc", "struct filedesc")?;
        let files = self.alloc_table(NDFILE)?;
        self.kernel.set_pointer(descriptors, "fd_files", files.address)?;
        self.kernel.set(descriptors, "fd_refcnt", 1)?;
        self.kernel.set(descriptors, "fd_holdcnt", 1)?;
        self.kernel.set(descriptors, "fd_freefile", FIRST)?;
        self.kernel.set_pointer(process, "p_fd", descriptors.address)
    }

    fn alloc_table(&mut self, count: u64) -> Result<Object, ImageError> {
        let type_id = self.kernel.types().find("struct fdescenttbl")?;
        let (first, stride) = self.file_entries(Object::new(VirtAddr::new(0), type_id))?;
        let size = first.get().wrapping_add(count.wrapping_mul(stride));
        let files = Object::new(self.kernel.machine_mut().malloc("filedesc", size)?, type_id);
        self.kernel.set(files, "fdt_nfiles", count)?;
        Ok(files)
    }

    /// The first pointer to a file in a table, and the bytes from one to the next.
    fn file_entries(&self, files: Object) -> Result<(VirtAddr, u64), ImageError> {
        let entries = self.kernel.member(files, "fdt_ofiles")?;
        let types = self.kernel.types();
        let entry = match &*types.strip(entries.type_id)?.1 {
            Type::Array(array) => array.element,
            _ => entries.type_id,
        };
        let file = types.member(entry, "fde_file")?;
        Ok((entries.address.wrapping_add(file.offset), types.size_of(entry)?))
    }
}
