//! Threads as JSON, wherever an answer names one.

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::threads::ThreadName;

/// A thread by its names and numbers; null is what cannot be read.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonThread<'a> {
    address: VirtAddr,
    tid: Option<i64>,
    name: Option<&'a str>,
    pid: Option<i64>,
    command: Option<&'a str>,
}

impl<'a> From<&'a ThreadName> for JsonThread<'a> {
    fn from(thread: &'a ThreadName) -> Self {
        Self {
            address: thread.address,
            tid: thread.tid,
            name: thread.name.as_deref(),
            pid: thread.pid,
            command: thread.command.as_deref(),
        }
    }
}
