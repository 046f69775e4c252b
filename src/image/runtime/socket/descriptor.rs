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
    /// The pointer to the file in the table.
    slot: VirtAddr,
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
        let slot = self.free_slot(process)?;
        let file = self.kernel.malloc("file", "struct file")?;
        self.kernel.set_pointer(file, "f_data", socket.address)?;
        self.kernel.set(file, "f_type", DTYPE_SOCKET)?;
        self.kernel.set(file, "f_flag", READ_AND_WRITE)?;
        self.kernel.set(file, "f_count", 1)?;
        self.kernel.set_pointer(file, "f_cred", cred.address)?;
        self.hold_credential(cred, 1)?;
        self.kernel.machine_mut().set_pointer(slot, file.address)?;
        Ok(Some(Descriptor { process: process.address, file, cred, slot }))
    }

    /// fdrop of the last reference.
    pub(super) fn close_descriptor(
        &mut self,
        descriptor: Option<Descriptor>,
    ) -> Result<(), ImageError> {
        let Some(Descriptor { file, cred, slot, .. }) = descriptor else { return Ok(()) };
        self.kernel.machine_mut().set_pointer(slot, VirtAddr::new(0))?;
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

    /// The place of the lowest free descriptor in the table of a process, which gets one if it
    /// has none.
    fn free_slot(&mut self, process: Object) -> Result<VirtAddr, ImageError> {
        let mut table = VirtAddr::new(self.kernel.get(process, "p_fd")?);
        if table.is_null() {
            table = self.new_table(process)?;
        }
        let descriptors = self.kernel.object(table, "struct filedesc")?;
        let files = VirtAddr::new(self.kernel.get(descriptors, "fd_files")?);
        let files = self.kernel.object(files, "struct fdescenttbl")?;
        let (first, stride) = self.file_entries(files)?;
        for number in FIRST..self.kernel.get(files, "fdt_nfiles")? {
            let slot = first.wrapping_add(number.wrapping_mul(stride));
            if self.kernel.machine().pointer(slot)?.is_null() {
                self.kernel.set_if_any(descriptors, "fd_freefile", number.wrapping_add(1))?;
                self.kernel.set_if_any(descriptors, "fd_lastfile", number)?;
                return Ok(slot);
            }
        }
        Err(ImageError::Refused(format!("a process has at most {NDFILE} descriptors")))
    }

    /// fdinit
    fn new_table(&mut self, process: Object) -> Result<VirtAddr, ImageError> {
        let descriptors = self.kernel.malloc("filedesc", "struct filedesc")?;
        let type_id = self.kernel.types().find("struct fdescenttbl")?;
        let (first, stride) = self.file_entries(Object::new(VirtAddr::new(0), type_id))?;
        let size = first.get().wrapping_add(NDFILE.wrapping_mul(stride));
        let files = Object::new(self.kernel.machine_mut().malloc("filedesc", size)?, type_id);
        self.kernel.set(files, "fdt_nfiles", NDFILE)?;
        self.kernel.set_pointer(descriptors, "fd_files", files.address)?;
        self.kernel.set(descriptors, "fd_refcnt", 1)?;
        self.kernel.set(descriptors, "fd_holdcnt", 1)?;
        self.kernel.set_if_any(descriptors, "fd_freefile", FIRST)?;
        self.kernel.set_pointer(process, "p_fd", descriptors.address)?;
        Ok(descriptors.address)
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
