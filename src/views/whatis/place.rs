//! How the kernel maps an address, and whether the dump has the page.

use crate::addr::{PhysAddr, VirtAddr};
use crate::fault::{Fault, FaultKind, Stage};
use crate::target::Target;
use crate::value::freed;

use super::model::Mapping;

/// How the kernel of `target` maps an address.
pub fn mapping(target: &Target, address: VirtAddr) -> Mapping {
    let memory = target.memory();
    let fault = memory.u8(address).err();
    let why = fault.as_ref().map(|fault| in_words(fault).into());
    let dumped = fault.is_none();
    match memory.translate(address) {
        Ok(physical) => {
            let map =
                if in_direct_map(target, address, physical) { "direct-map" } else { "kernel-map" };
            // A core by virtual addresses tells nothing of the physical ones.
            match memory.has_physical() {
                true => Mapping { map, physical: Some(physical), dumped, why },
                false if dumped => Mapping { map: "kernel-map", physical: None, dumped, why },
                false => Mapping { map: "unknown", physical: None, dumped, why },
            }
        }
        Err(fault) => {
            let unmapped = matches!(fault.kind, FaultKind::NotMapped | FaultKind::BadAddress);
            let map = if unmapped { "none" } else { "unknown" };
            Mapping { map, physical: None::<PhysAddr>, dumped, why }
        }
    }
}

/// Whether an address lies in the direct map, where it differs from the physical one by the start of
/// that map (PHYS_TO_DMAP in `sys/*/include/vmparam.h`). Every direct map begins at a multiple of
/// 64 GB; 32-bit kernels have none. Where memory does not begin at 0, `dmap_phys_base` says where.
pub fn in_direct_map(target: &Target, address: VirtAddr, physical: PhysAddr) -> bool {
    const ALIGNMENT: u64 = 1 << 36;
    let base = match target.kernel().symbol("dmap_phys_base") {
        Some(symbol) => target.memory().u64(symbol.address).unwrap_or(0),
        None => 0,
    };
    let start = address.get().wrapping_sub(physical.get().wrapping_sub(base));
    target.arch().pointer_size() == 8 && start != 0 && start % ALIGNMENT == 0
}

/// The pattern of freed memory at an address.
pub fn fill(target: &Target, address: VirtAddr) -> Option<VirtAddr> {
    const WORD: u64 = 4;
    let start = VirtAddr::new(address.get() & !(WORD - 1));
    match freed::check_value(target.memory(), start, WORD) {
        Err(Fault { stage: Stage::Fill(fill), .. }) => Some(VirtAddr::new(fill.into())),
        _ => None,
    }
}

fn in_words(fault: &Fault) -> String {
    match fault.kind {
        FaultKind::NotMapped => "not mapped".to_owned(),
        FaultKind::NotDumped => match fault.stage {
            Stage::Device { .. } | Stage::NotMemory(_) => fault.stage.to_string(),
            Stage::Table { .. } => "the page of a page table is not in the dump".to_owned(),
            _ => "the page is not in the dump".to_owned(),
        },
        FaultKind::Truncated => "the page is cut off: the dump file ends before it".to_owned(),
        kind => kind.to_string(),
    }
}
