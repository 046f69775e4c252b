//! The processes and descriptors that hold sockets: the table of each process
//! (`sys/sys/filedesc.h`, `sys/sys/file.h`, 10.1 to main).

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::threads;
use crate::types::TypeId;
use crate::value::Object;
use crate::walk::{Problem, Problems};

/// A descriptor of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// The process's number; `None` if it cannot be read.
    pub pid: Option<i64>,
    /// Its name.
    pub command: Option<Box<str>>,
    /// The number of the descriptor.
    pub fd: u64,
}

/// DTYPE_SOCKET in f_type (`sys/sys/file.h`).
const DTYPE_SOCKET: u64 = 2;

/// All descriptors of sockets.
#[derive(Debug, Default)]
pub struct Descriptors {
    by_socket: FxHashMap<VirtAddr, Vec<Holder>>,
    /// In the order in which they were found.
    sockets: Vec<VirtAddr>,
    /// What each open file is, because processes share them: the socket, if it is one.
    files: FxHashMap<VirtAddr, Option<VirtAddr>>,
    pub problems: Problems,
}

impl Descriptors {
    /// Reads the tables of all processes.
    ///
    /// # Errors
    /// The kernel has no list of processes, or its tables have an unknown shape.
    pub fn read(target: &Target) -> Result<Self, ReadError> {
        let mut found = Self::default();
        let processes = threads::processes(target)?.take(&mut found.problems);
        if let Some(process) = processes.first() {
            Table::shape(process)?;
        }
        for process in processes {
            let pid = process.int("p_pid").ok();
            let name = match pid {
                Some(pid) => format!("the descriptors of process {pid}"),
                None => format!("the descriptors of the process at {}", process.address),
            };
            if let Err(problem) = found.add_process(&process, pid, &name) {
                found.problems.add(problem);
            }
        }
        Ok(found)
    }

    /// The descriptors of a socket.
    pub fn of(&self, socket: VirtAddr) -> &[Holder] {
        self.by_socket.get(&socket).map_or(&[], Vec::as_slice)
    }

    /// The sockets that have descriptors.
    pub fn sockets(&self) -> &[VirtAddr] {
        &self.sockets
    }

    fn add_process(
        &mut self,
        process: &Object<'_>,
        pid: Option<i64>,
        name: &str,
    ) -> Result<(), Problem> {
        let unreadable = |why: ReadError| Problem::unreadable(name, why);
        let Some(table) = Table::of(process).map_err(unreadable)? else { return Ok(()) };
        let budget = process.target().budget();
        let mut command = None;
        for fd in 0..table.count {
            budget.work(1).map_err(|why| unreadable(why.into()))?;
            let Some(file) = table.file(fd).map_err(unreadable)? else { continue };
            let socket = match self.socket_of(&file) {
                Ok(socket) => socket,
                Err(why) => {
                    let what = format!("descriptor {fd} of {}", who(pid, process));
                    self.problems.add(Problem::unreadable(what, why));
                    continue;
                }
            };
            let Some(socket) = socket else { continue };
            budget.bytes(size_of::<Holder>() as u64).map_err(|why| unreadable(why.into()))?;
            let command: &Option<Box<str>> =
                command.get_or_insert_with(|| process.text("p_comm").ok().map(Box::from));
            let holders = self.by_socket.entry(socket).or_default();
            if holders.is_empty() {
                self.sockets.push(socket);
            }
            holders.push(Holder { pid, command: command.clone(), fd });
        }
        Ok(())
    }

    /// The socket that an open file is; `None` if it is something else.
    fn socket_of(&mut self, file: &Object<'_>) -> Result<Option<VirtAddr>, ReadError> {
        if let Some(known) = self.files.get(&file.address) {
            return Ok(*known);
        }
        file.check_freed()?;
        let socket = match file.uint("f_type")? {
            DTYPE_SOCKET => file.pointer("f_data")?.non_null(),
            _ => None,
        };
        self.files.insert(file.address, socket);
        Ok(socket)
    }
}

fn who(pid: Option<i64>, process: &Object<'_>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => format!("the process at {}", process.address),
    }
}

/// A table of descriptors: fdt_nfiles entries at fdt_ofiles.
struct Table<'t> {
    entries: Object<'t>,
    count: u64,
    /// Bytes of an entry.
    stride: u64,
    /// struct filedescent
    entry: TypeId,
}

impl<'t> Table<'t> {
    /// The table of a process; `None` if it has none, like a zombie.
    fn of(process: &Object<'t>) -> Result<Option<Self>, ReadError> {
        let Some(descriptors) = process.follow("p_fd")? else { return Ok(None) };
        let Some(table) = descriptors.follow("fd_files")? else { return Ok(None) };
        let count = u64::try_from(table.int("fdt_nfiles")?).unwrap_or(0);
        let entries = table.member("fdt_ofiles")?;
        let types = process.target().types()?;
        let entry = match types.elements(entries.type_id)? {
            Some((entry, _)) => entry,
            None => types.pointee(entries.type_id)?,
        };
        Ok(Some(Self { entries, count, stride: types.size_of(entry)?, entry }))
    }

    /// Checks that the tables of this kernel have a known shape, whether or not one can be read.
    fn shape(process: &Object<'_>) -> Result<(), ReadError> {
        let types = process.target().types()?;
        let descriptors = types.pointee(types.member(process.type_id, "p_fd")?.type_id)?;
        let table = types.pointee(types.member(descriptors, "fd_files")?.type_id)?;
        types.member(table, "fdt_ofiles")?;
        Ok(())
    }

    /// The open file of a descriptor; `None` if that is not in use.
    fn file(&self, fd: u64) -> Result<Option<Object<'t>>, ReadError> {
        let at = self.entries.address.wrapping_add(fd.wrapping_mul(self.stride));
        Object::new(self.entries.target(), self.entry, at).follow_anywhere("fde_file")
    }
}
