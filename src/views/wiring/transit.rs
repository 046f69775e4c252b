//! Whether an interface may be on its way: off every list, though nothing is wrong.
//!
//! if_vmove takes an interface off one list, waits for readers, and puts it on another; if_detach
//! takes it off, waits, and only then tells bridges, routes and neighbours (`sys/net/if.c`, 12.1 to
//! main). A thread that does so has curvnet set, and one of these functions on its stack.

use crate::target::Target;
use crate::threads;
use crate::threads::stack::Stack;
use crate::walk::Problems;

/// The functions that take interfaces off lists or put them on, what calls them, and those that tie
/// interfaces to others.
const FUNCTIONS: [&str; 25] = [
    "if_detach",
    "if_detach_internal",
    "if_unlink_ifnet",
    "if_attach",
    "if_attach_internal",
    "if_vmove",
    "if_vmove_loan",
    "if_vmove_reclaim",
    "if_return",
    "vnet_if_return",
    "vnet_destroy",
    "vnet_alloc",
    "ether_ifattach",
    "ether_ifdetach",
    "if_clone_destroy",
    "if_clone_destroyif",
    "if_clone_create",
    "bridge_ioctl_add",
    "bridge_delete_member",
    "lagg_port_create",
    "lagg_port_destroy",
    "vlan_config",
    "vlan_unconfig",
    "vlan_unconfig_locked",
    "epair_clone_destroy",
];

/// Whether a thread may be attaching, moving or detaching an interface; `true` if the threads
/// cannot be read.
pub(super) fn is_under_way(target: &Target) -> bool {
    let mut problems = Problems::default();
    let Ok(threads) = threads::all(target) else { return true };
    let threads = threads.take(&mut problems).into_iter().map(|found| found.thread);
    let moves = |thread| Stack::of(&thread).map_or(true, |stack| mentions(target, &stack));
    threads.filter(is_in_network).any(moves) || !problems.is_empty()
}

/// Whether its curvnet is set.
fn is_in_network(thread: &crate::value::Object<'_>) -> bool {
    thread.pointer("td_vnet").map_or(true, |vnet| !vnet.is_null())
}

/// Whether one of the functions is on the stack, perhaps left over from an earlier call.
fn mentions(target: &Target, stack: &Stack) -> bool {
    // Of a thread in the network stack that shows no call, nothing is known.
    let mut calls = stack.calls.iter().chain(&stack.words).peekable();
    calls.peek().is_none()
        || calls.any(|call| {
            let function = Stack::function(target, call).and_then(|at| target.symbolize(at));
            function.is_some_and(|(symbol, _)| FUNCTIONS.contains(&symbol.name))
        })
}
