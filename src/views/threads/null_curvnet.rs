//! Whether the thread that crashed needed a curvnet and had none.
//!
//! Most threads have no curvnet, also many that are asleep in the network stack's files. So only
//! the thread that wrote the dump is looked at, and of its stack only the function that panicked or
//! faulted. After a fault, the address shows whether it was a member of a NULL curvnet that was
//! read; only amd64 keeps it in the trap frame (`tf_addr`).

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::views::backtrace::{Backtrace, FrameKind, StackFrame};
use crate::views::call_out::CallOut;
use crate::vnet::layout::VnetLayout;

/// What a panic calls, and what leads to it (`sys/kern/kern_shutdown.c`, `sys/kern/subr_kdb.c`,
/// `sys/ddb`, `sys/*/*/trap.c`).
const CRASHING: [&str; 22] = [
    "doadump",
    "dumpsys",
    "kern_reboot",
    "vpanic",
    "panic",
    "kassert_panic",
    "db_dump",
    "db_command",
    "db_command_loop",
    "db_trap",
    "kdb_trap",
    "kdb_enter",
    "kdb_reenter",
    "db_fncall",
    "trap",
    "trap_fatal",
    "trap_pfault",
    "calltrap",
    "data_abort",
    "do_el1h_sync",
    "handle_el1h_sync",
    "savectx",
];

/// Directories whose functions work in a curvnet.
const STACK: [&str; 4] = ["net", "netinet", "netinet6", "netipsec"];

/// Files of them that also run without one: drivers, queues, and what dispatches packets to vnets.
const OUTSIDE: [&str; 9] = [
    "bpf.c",
    "bpf_buffer.c",
    "bpf_zerocopy.c",
    "iflib.c",
    "if_epair.c",
    "if_tap.c",
    "if_tun.c",
    "if_tuntap.c",
    "netisr.c",
];

/// The call-out about a curvnet that is NULL; `trace` is the stack of the thread that wrote the
/// dump.
pub fn check(target: &Target, trace: &Backtrace) -> Option<CallOut> {
    let (culprit, fault) = culprit(&trace.frames)?;
    let file = culprit.file.as_deref().filter(|file| is_in_stack(file))?;
    if fault.is_some_and(|fault| !is_in_vnet(target, fault)) {
        return None;
    }
    let function = culprit.function.as_deref().unwrap_or("a function");
    let why = format!("its curvnet is NULL in {function} of {file}, which works in a vnet");
    Some(CallOut::new("curvnet-null", culprit.address, why))
}

/// The function that panicked or faulted, and the address that the fault was about, if known.
fn culprit(frames: &[StackFrame]) -> Option<(&StackFrame, Option<u64>)> {
    let is_crashing =
        |frame: &StackFrame| frame.function.as_deref().is_some_and(|name| CRASHING.contains(&name));
    let inner = frames.iter().take_while(|frame| is_crashing(frame)).count();
    let (crashed, rest) = frames.split_at_checked(inner)?;
    let found = rest.iter().find(|frame| !frame.inlined)?;
    if found.kind == FrameKind::Scan {
        return None;
    }
    let died = ["panic", "vpanic", "trap_fatal"];
    let has_died =
        crashed.iter().any(|frame| died.iter().any(|name| frame.function.as_deref() == Some(name)));
    let trap = crashed.last().and_then(|frame| frame.trap.as_ref());
    let fault = trap.and_then(|trap| {
        trap.registers.iter().find(|(name, _)| name == "tf_addr" || name == "addr")
    });
    has_died.then_some((found, fault.map(|(_, address)| *address)))
}

fn is_in_stack(file: &str) -> bool {
    let mut parts = file.rsplit('/');
    let name = parts.next().unwrap_or_default();
    parts.any(|part| STACK.contains(&part)) && !OUTSIDE.contains(&name)
}

/// Whether a member of a struct vnet at NULL, beside its links, has this address.
fn is_in_vnet(target: &Target, address: u64) -> bool {
    let layout = VnetLayout::of(target, VirtAddr::default());
    layout.is_ok_and(|layout| (layout.magic..layout.size).contains(&address))
}
