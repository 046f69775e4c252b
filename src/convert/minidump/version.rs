//! Which version of minidump a kernel writes.

use crate::arch::Arch;
use crate::constants::{ARM64_MINIDUMP_FLAGS_SINCE, DUMP_AVAIL_SINCE};
use crate::target::Target;
use crate::writing::minidump::Versions;

/// The version that the kernel of `target` would have written; the newest if it does not say of
/// which release it is.
pub(super) fn of(target: &Target) -> u32 {
    let versions = Versions::of(target.arch(), target.memory().page_size());
    let release = target.integer("osreldate").unwrap_or(u64::MAX);
    let before_dump_avail = versions.dump_avail_since - 1;
    match target.arch() {
        _ if release < DUMP_AVAIL_SINCE => before_dump_avail.max(versions.oldest),
        Arch::Arm64 if release < ARM64_MINIDUMP_FLAGS_SINCE => {
            versions.dump_avail_since.max(versions.oldest)
        }
        _ => versions.newest,
    }
}
