//! What is wrong with a thread's curvnet.

use crate::addr::VirtAddr;
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::inside::Functions;
use crate::views::known_vnets::{KnownVnets, VnetFault};
use crate::vnet::Condition;

/// The functions that work in a vnet while it is on no list.
const BUILDERS: [&str; 2] = ["vnet_alloc", "vnet_destroy"];

/// The call-out about the curvnet of a thread, if it has a fault. `dumping`: the thread wrote the
/// dump.
pub fn check(
    vnets: &KnownVnets<'_>,
    thread: &Object<'_>,
    curvnet: VirtAddr,
    dumping: bool,
) -> Option<CallOut> {
    let fault = vnets.fault(curvnet)?;
    let what = match fault {
        VnetFault::Freed => "curvnet-freed",
        VnetFault::Destroyed { .. } => "curvnet-dead",
        VnetFault::Invalid => "curvnet-invalid",
        VnetFault::Unlisted(condition) => {
            // Whoever builds a vnet works in it; but not if that is what crashed.
            let in_work =
                matches!(condition, Condition::UnderConstruction | Condition::BeingDestroyed);
            if in_work && !dumping && is_builder(thread) {
                return None;
            }
            "curvnet-unlisted"
        }
    };
    Some(CallOut::new(what, curvnet, format!("its curvnet {fault}")))
}

/// Whether a thread is in vnet_alloc or vnet_destroy.
fn is_builder(thread: &Object<'_>) -> bool {
    Functions::named(thread.target(), BUILDERS).of(thread).is_some()
}
