//! The ends of an internet connection (`struct in_endpoints`, `sys/netinet/in_pcb.h`).

use super::context::Context;
use super::{ANY, Socket};
use crate::target::ReadError;
use crate::value::Object;
use crate::value::inet::ZonedIp;
use crate::views::family::Family;

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Local,
    Foreign,
}

impl Socket {
    /// Adds both ends of a connection. Its `struct in_conninfo` is the member `inc` of `block`.
    pub(super) fn add_ends(
        &mut self,
        context: &Context<'_, '_>,
        block: &Object<'_>,
        inc: &str,
        family: Result<Family, ReadError>,
    ) {
        let end = |end| -> Result<_, ReadError> {
            read(&block.member(inc)?, end, family.clone()?, |zone| context.zone(zone)).map(Some)
        };
        self.local = end(End::Local).map_err(Into::into);
        self.remote = end(End::Foreign).map_err(Into::into);
    }
}

/// An end in words. `zone` names the zone of a link-local address by its number.
fn read(
    inc: &Object<'_>,
    end: End,
    family: Family,
    zone: impl FnOnce(u32) -> Option<String>,
) -> Result<Box<str>, ReadError> {
    let letter = if end == End::Local { 'l' } else { 'f' };
    let memory = inc.target().memory();
    let port = inc.member(&format!("inc_ie.ie_{letter}port"))?;
    let mut bytes = [0; 2];
    memory.read(port.address, &mut bytes)?;
    let port = u16::from_be_bytes(bytes);
    let room = inc.member(&format!("inc_ie.ie_depend{letter}addr"))?;
    let mut bytes = [0; 16];
    memory.read(room.address, &mut bytes)?;
    let [.., a, b, c, d] = bytes;
    let ip = match family {
        // An IPv4 address is at the end of the space for an IPv6 one (in_addr_4in6).
        Family::Inet => ZonedIp::v4([a, b, c, d]),
        Family::Inet6 => ZonedIp::v6(bytes, 0),
    };
    Ok(text(ip, zone, port))
}

/// `10.0.0.1:22`, `[fe80::1%epair0b]:22`, `10.0.0.1:*`, `*:*`.
fn text(address: ZonedIp, zone: impl FnOnce(u32) -> Option<String>, port: u16) -> Box<str> {
    if address.ip.is_unspecified() && port == 0 {
        return ANY.into();
    }
    let text = address.text(zone);
    let text = if address.ip.is_ipv6() { format!("[{text}]") } else { text };
    match port {
        0 => format!("{text}:*").into(),
        port => format!("{text}:{port}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_written_as_network_people_do() {
        let end = |address: &str, zone: u32, port| {
            let address = ZonedIp { ip: address.parse().unwrap(), zone };
            let name = |zone| (zone == 3).then(|| "epair0b".to_owned());
            text(address, name, port).into_string()
        };
        assert_eq!(end("0.0.0.0", 0, 22), "0.0.0.0:22");
        assert_eq!(end("0.0.0.0", 0, 0), "*:*");
        assert_eq!(end("::", 0, 0), "*:*");
        assert_eq!(end("::", 0, 80), "[::]:80");
        assert_eq!(end("10.0.0.1", 0, 0), "10.0.0.1:*");
        assert_eq!(end("fe80::1", 3, 53), "[fe80::1%epair0b]:53");
        assert_eq!(end("fe80::1", 4, 0), "[fe80::1%4]:*");
    }
}
