//! Memory that is read as it is written, as a hex dump.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::hex::HexDump;
use crate::answers::memory::{Memory, Run};

/// Writes all of it.
pub(super) fn write(out: &mut impl Write, memory: &Memory<'_>) -> io::Result<()> {
    let mut dump = HexDump::new(out, memory.start);
    let written = memory.try_for_each_run(|_, run| {
        let written = match run {
            Run::Bytes(bytes) => dump.bytes(bytes),
            Run::Gap(fault, len) => dump.gap(fault.kind, len),
        };
        written.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    });
    match written {
        ControlFlow::Break(why) => Err(why),
        ControlFlow::Continue(()) => dump.finish(),
    }
}
