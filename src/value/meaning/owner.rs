//! The thread that a lock's word names.
//!
//! The word may be anything. So the thread must stand on a list: what its back link leads to
//! points at it (`td_plist`, `sys/sys/proc.h`, 9 to main).

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::model::ValueError;
use crate::value::object::Object;

/// What reading a thread costs, in steps.
const STEPS: u64 = 8;

/// `tid 100123 (nginx)`, or the address and why it is not more.
pub fn title(target: &Target, address: VirtAddr) -> String {
    match read(target, address) {
        Ok(Some(title)) => title,
        Ok(None) => format!("{address}, which is no listed thread"),
        Err(why) => format!("{address}, {}", in_place(&why)),
    }
}

/// What stands in the place of something that cannot be read.
pub fn in_place(why: &ValueError) -> String {
    format!("<{}: {why}>", why.kind.name())
}

fn read(target: &Target, address: VirtAddr) -> Result<Option<String>, ValueError> {
    target.budget().work(STEPS)?;
    let type_id = target.types()?.find("struct thread")?;
    let thread = Object::new(target, type_id, address);
    thread.check_freed()?;
    let back = thread.pointer("td_plist.tqe_prev")?;
    if target.memory().pointer(back)? != address {
        return Ok(None);
    }
    let tid = thread.int("td_tid")?;
    let name = thread.text("td_name")?;
    Ok(Some(format!("tid {tid} ({name})")))
}
