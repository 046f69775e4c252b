//! What a kernel with VNET_DEBUG records of curvnet.
//!
//! CURVNET_SET of a thread whose curvnet is set already adds to the list
//! `vnet_recursions`, once for each place in the source, and every CURVNET_SET leaves
//! the name of its function in `td_vnet_lpush` (`sys/net/vnet.h`, `sys/net/vnet.c`, 9.3 to main).

use crate::addr::VirtAddr;
use crate::error::ReadError;
use crate::target::Target;
use crate::value::model::ValueError;
use crate::value::{Object, queue};
use crate::views::threads::{self, ThreadName};

/// A place that set curvnet though it was set. What cannot be read has the reason in
/// its place; `None` is a null pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recursion {
    /// Of its struct vnet_recursion.
    pub address: VirtAddr,
    /// The function that had set it before.
    pub previous: Result<Option<Box<str>>, ValueError>,
    /// The function that set it again, and the line of the source.
    pub function: Result<Option<Box<str>>, ValueError>,
    pub line: Result<i64, ValueError>,
    pub old_vnet: Result<Option<VirtAddr>, ValueError>,
    pub new_vnet: Result<Option<VirtAddr>, ValueError>,
}

/// A thread that works in a vnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curvnet {
    pub thread: ThreadName,
    pub vnet: VirtAddr,
    /// The function that set it.
    pub set_by: Result<Option<Box<str>>, ValueError>,
}

/// All that is recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recursions {
    /// The newest first.
    pub recursions: Vec<Recursion>,
    pub threads: Vec<Curvnet>,
    /// What is wrong with the list, a sentence each.
    pub problems: Vec<Box<str>>,
}

/// The list has places in the source, of which there are hundreds.
const MOST: usize = 65_536;

impl Recursions {
    /// Reads the list and the threads; `None` if the kernel was compiled without VNET_DEBUG.
    ///
    /// # Errors
    /// The kernel has no debug information about them.
    pub fn read(target: &Target) -> Result<Option<Self>, ReadError> {
        if target.kernel().symbol("vnet_recursions").is_none() {
            return Ok(None);
        }
        let walk = queue::walk(Object::global(target, "vnet_recursions")?, "vnr_le", MOST);
        let threads = threads::all(target)?;
        let inside = threads.iter().filter_map(|thread| {
            let vnet = thread.thread.pointer("td_vnet").ok()?.non_null()?;
            let set_by = text(&thread.thread, "td_vnet_lpush");
            Some(Curvnet { thread: thread.name(), vnet, set_by })
        });
        let problems = walk.broken.map(|why| format!("vnet_recursions: {why}").into());
        Ok(Some(Self {
            recursions: walk.elements.iter().map(Recursion::read).collect(),
            threads: inside.collect(),
            problems: problems.into_iter().collect(),
        }))
    }
}

impl Recursion {
    fn read(recursion: &Object<'_>) -> Self {
        let vnet = |member| Ok(recursion.pointer(member)?.non_null());
        Self {
            address: recursion.address,
            previous: text(recursion, "prev_fn"),
            function: text(recursion, "where_fn"),
            line: recursion.int("where_line").map_err(ValueError::from),
            old_vnet: vnet("old_vnet"),
            new_vnet: vnet("new_vnet"),
        }
    }
}

fn text(object: &Object<'_>, member: &str) -> Result<Option<Box<str>>, ValueError> {
    match object.pointer(member)?.non_null() {
        Some(_) => Ok(Some(object.text(member)?.into())),
        None => Ok(None),
    }
}
