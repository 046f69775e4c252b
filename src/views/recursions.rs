//! What a kernel with VNET_DEBUG records about curvnet.
//!
//! CURVNET_SET of a thread whose curvnet is set already adds to the list
//! `vnet_recursions`, once for each place in the source, and every CURVNET_SET leaves
//! the name of its function in `td_vnet_lpush` (`sys/net/vnet.h`, `sys/net/vnet.c`, 9.3 to main).

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::threads::{self, ThreadName};
use crate::value::Object;
use crate::value::model::ValueError;
use crate::value::queue::{self, List};
use crate::walk::Problems;

/// A place that set curvnet although it was set. Members that cannot be read are
/// errors; `None` is a null pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recursion {
    /// The address of its struct vnet_recursion.
    pub address: VirtAddr,
    /// The function that had set it before.
    pub previous: Result<Option<Box<str>>, ValueError>,
    /// The function that set it again, and the line of the source.
    pub function: Result<Option<Box<str>>, ValueError>,
    /// The line in the source file.
    pub line: Result<i64, ValueError>,
    /// The curvnet before.
    pub old_vnet: Result<Option<VirtAddr>, ValueError>,
    /// The curvnet after.
    pub new_vnet: Result<Option<VirtAddr>, ValueError>,
}

/// A thread that works in a vnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curvnet {
    /// The thread and its process.
    pub thread: ThreadName,
    /// Its curvnet (`td_vnet`).
    pub vnet: VirtAddr,
    /// The function that set it.
    pub set_by: Result<Option<Box<str>>, ValueError>,
}

/// All that is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recursions {
    /// The newest first.
    pub recursions: Vec<Recursion>,
    /// Threads whose curvnet is set.
    pub threads: Vec<Curvnet>,
    /// Why others may be missing.
    pub problems: Problems,
}

const RECURSIONS: List<'_> = List { name: &"vnet_recursions", element: "recursion" };

impl Recursions {
    /// Reads the list and the threads; `None` if the kernel was compiled without VNET_DEBUG.
    ///
    /// # Errors
    /// The kernel has no debug information about them.
    pub fn read(target: &Target) -> Result<Option<Self>, ReadError> {
        if !has_vnet_debug(target) {
            return Ok(None);
        }
        let mut problems = Problems::default();
        let head = Object::global(target, "vnet_recursions")?;
        let recursions = queue::walk(head, "vnr_le", RECURSIONS).take(&mut problems);
        let threads = threads::all(target)?.take(&mut problems);
        let inside = threads.iter().filter_map(|thread| {
            let vnet = thread.thread.pointer("td_vnet").ok()?.non_null()?;
            let set_by = thread.thread.text_behind("td_vnet_lpush").map_err(ValueError::from);
            Some(Curvnet { thread: thread.name(), vnet, set_by })
        });
        Ok(Some(Self {
            recursions: recursions.iter().map(Recursion::read).collect(),
            threads: inside.collect(),
            problems,
        }))
    }
}

/// Whether the kernel was compiled with VNET_DEBUG. Only such a kernel has the function that adds
/// to the list, and sets `td_vnet_lpush`, which is a member of every kernel's struct thread. The
/// list itself may have another symbol: clang makes `vnet_recursions.0` of it.
pub(super) fn has_vnet_debug(target: &Target) -> bool {
    let symbols = ["vnet_log_recursion", "vnet_recursions"];
    let set = |thread: &Object<'_>| thread.pointer("td_vnet_lpush").is_ok_and(|by| !by.is_null());
    if symbols.iter().any(|name| target.kernel().symbol(name).is_some()) {
        return true;
    }
    let threads = threads::all(target);
    threads.is_ok_and(|all| matches!(all.find(|thread| set(&thread.thread)), Ok(Some(_))))
}

impl Recursion {
    fn read(recursion: &Object<'_>) -> Self {
        let vnet = |member| Ok(recursion.pointer(member)?.non_null());
        Self {
            address: recursion.address,
            previous: recursion.text_behind("prev_fn").map_err(ValueError::from),
            function: recursion.text_behind("where_fn").map_err(ValueError::from),
            line: recursion.int("where_line").map_err(ValueError::from),
            old_vnet: vnet("old_vnet"),
            new_vnet: vnet("new_vnet"),
        }
    }
}
