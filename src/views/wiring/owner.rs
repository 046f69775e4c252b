//! The processes behind tun and tap (`sys/net/if_tuntap.c`; up to 12 `if_tun.c`, `if_tap.c`).

use super::softc::Kind;
use crate::value::Object;
use crate::views::interfaces::Field;

const TUNTAP: Kind = Kind { type_name: "struct tuntap_softc", module: "if_tuntap.ko" };
const TUN: Kind = Kind { type_name: "struct tun_softc", module: "if_tun.ko" };
const TAP: Kind = Kind { type_name: "struct tap_softc", module: "if_tap.ko" };

/// The process that has the device open; `None` if none has.
pub(super) fn pid(interface: &Object<'_>, driver: &str) -> Field<Option<i64>> {
    let (old, member) = if driver == "tun" { (TUN, "tun_pid") } else { (TAP, "tap_pid") };
    // A kernel has the one driver, or the two.
    let pid = match TUNTAP.of(interface) {
        Ok(softc) => softc.int("tun_pid")?,
        Err(_) => old.of(interface)?.int(member)?,
    };
    Ok((pid != 0).then_some(pid))
}
