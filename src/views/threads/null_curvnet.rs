//! Whether the thread that crashed needed a curvnet and had none.
//!
//! Most threads have no curvnet, also many that are asleep in the network stack's files. So only
//! the thread that wrote the dump is looked at, and of its stack only the function that panicked or
//! faulted. After a fault, the address shows whether it was a member of a NULL curvnet that was
//! read; not all architectures keep it in the trap frame.

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::views::backtrace::{Backtrace, FrameKind, StackFrame};
use crate::views::call_out::CallOut;
use crate::views::panicking::{DYING, is_panicking};
use crate::vnet::layout::VnetLayout;

/// What trap frames call the address that a fault was about: amd64, and arm64 since 14.
const FAULT_ADDRESS: [&str; 4] = ["tf_addr", "addr", "tf_far", "far"];

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

/// The call-out about a curvnet that is NULL, if the thread that wrote the dump needed one;
/// `trace` is its stack.
///
/// # Errors
/// Why that is unknown: the dump or the debug information does not say in which source file it
/// crashed.
pub fn check(target: &Target, trace: &Backtrace) -> Result<Option<CallOut>, Box<str>> {
    let Some(crash) = Crash::of(&trace.frames) else { return Ok(None) };
    if crash.fault.is_some_and(|fault| !is_in_vnet(target, fault)) {
        return Ok(None);
    }
    let culprit = crash.culprit.ok_or("its stack does not tell in which function it crashed")?;
    let function = culprit.function.as_deref().unwrap_or("a function");
    let Some(file) = culprit.file.as_deref() else {
        return Err(format!("nothing tells the source file of {function}").into());
    };
    let why = || format!("its curvnet is NULL in {function} of {file}, which works in a vnet");
    Ok(is_in_stack(file).then(|| CallOut::new("curvnet-null", culprit.address, why())))
}

/// A panic or a fault.
struct Crash<'a> {
    /// The function that panicked or faulted, if the stack is sure of it.
    culprit: Option<&'a StackFrame>,
    /// The address that a fault was about, if known.
    fault: Option<u64>,
}

impl<'a> Crash<'a> {
    /// What the frames say of it; `None` if the machine went on.
    fn of(frames: &'a [StackFrame]) -> Option<Self> {
        let name = |frame: &StackFrame| frame.function.clone().unwrap_or_default();
        // An inlined function is part of the one around it.
        let functions: Vec<&StackFrame> = frames.iter().filter(|frame| !frame.inlined).collect();
        let inner = functions.iter().take_while(|frame| is_panicking(&name(frame))).count();
        let (crashed, rest) = functions.split_at_checked(inner)?;
        let culprit = rest.first().copied().filter(|frame| frame.kind != FrameKind::Scan);
        let has_died = crashed.iter().any(|frame| DYING.contains(&&*name(frame)));
        let trap = crashed.last().and_then(|frame| frame.trap.as_ref());
        let registers = trap.map(|trap| &trap.registers[..]).unwrap_or_default();
        let fault = registers.iter().find(|(name, _)| FAULT_ADDRESS.contains(&&**name));
        has_died.then_some(Self { culprit, fault: fault.map(|(_, address)| *address) })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::backtrace::TrapSeen;

    fn frame(function: &str, file: &str) -> StackFrame {
        StackFrame {
            address: VirtAddr::new(0x1000),
            function: Some(function.into()),
            offset: Some(4),
            file: Some(file.into()),
            line: None,
            module: None,
            inlined: false,
            kind: FrameKind::Chain,
            arguments: Vec::new(),
            registers: None,
            trap: None,
            vnet: Ok(None),
        }
    }

    fn found(frames: &[StackFrame]) -> Option<(String, Option<u64>)> {
        let Crash { culprit, fault } = Crash::of(frames)?;
        Some((culprit?.function.as_deref().unwrap_or_default().to_owned(), fault))
    }

    #[test]
    fn the_function_that_panicked_is_behind_what_panics() {
        let inlined = StackFrame { inlined: true, ..frame("__curthread", "amd64/include/pcpu.h") };
        let panic =
            [inlined, frame("doadump", ""), frame("vpanic", ""), frame("panic", "")].to_vec();
        let mut frames = panic.clone();
        frames.extend([frame("tcp_input", "netinet/tcp_input.c"), frame("ip_input", "")]);
        assert_eq!(found(&frames), Some(("tcp_input".to_owned(), None)));
        // It goes on: a dump of a live machine.
        assert_eq!(found(&frames[2..2]), None);
        assert_eq!(found(&[frame("doadump", ""), frame("tcp_input", "")]), None);
        assert_eq!(found(&panic), None, "nothing is known behind it");

        let registers = vec![("rip".to_owned(), 0x1000), ("addr".to_owned(), 0x28)];
        let trap = TrapSeen {
            kind: "trap",
            number: Some(12),
            syscall: None,
            from_user: false,
            address: None,
            title: String::new(),
            description: String::new(),
            registers,
        };
        let mut frames = panic;
        frames.push(frame("trap_fatal", ""));
        frames.push(StackFrame { trap: Some(trap), ..frame("calltrap", "") });
        frames.push(frame("tcp_input", ""));
        assert_eq!(found(&frames), Some(("tcp_input".to_owned(), Some(0x28))));
    }

    #[test]
    fn files_of_the_stack_are_known_by_their_directory() {
        for file in ["netinet/tcp_input.c", "net/route.c", "modules/if_gif/../../net/if_gif.c"] {
            assert!(is_in_stack(file), "{file}");
        }
        for file in ["kern/subr_kdb.c", "net/iflib.c", "net/bpf.c", "dev/e1000/em_txrx.c", "net"] {
            assert!(!is_in_stack(file), "{file}");
        }
    }
}
