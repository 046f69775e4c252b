//! Network addresses as network people write them, beside the numbers.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::addr::VirtAddr;
use crate::bytes::{Endian, Fields};
use crate::target::Target;

const AF_INET: u8 = 2;
const AF_LINK: u8 = 18;
const AF_INET6: u8 = 28;

/// What the bytes of a struct of this name say, if it is an address.
///
/// The layouts are those of `sys/netinet/in.h`, `sys/netinet6/in6.h` and
/// `sys/net/if_dl.h`, the same in all releases. A plain `struct sockaddr` stands
/// for a longer struct of the family it names; the rest is read from memory.
pub fn note(name: &str, bytes: &[u8], target: &Target, address: VirtAddr) -> Option<String> {
    let endian = target.arch().endian();
    match name {
        "in_addr" => inet(bytes.get(..4)?),
        "in6_addr" => inet6(bytes.get(..16)?),
        "sockaddr_in" | "sockaddr_in6" | "sockaddr_dl" | "sockaddr_storage" => {
            family(bytes, endian)
        }
        "sockaddr" => {
            let mut longer = vec![0; usize::from(*bytes.first()?)];
            target.memory().read(address, &mut longer).ok()?;
            family(&longer, endian)
        }
        _ => None,
    }
}

fn family(bytes: &[u8], endian: Endian) -> Option<String> {
    // sa_len may be cut short in keys of the routing table; 0 is an empty one.
    let len = usize::from(*bytes.first()?).min(bytes.len());
    match *bytes.get(1)? {
        AF_INET if len >= 8 => with_port(inet(bytes.get(4..8)?)?, Fields::big(bytes).u16(2)?),
        AF_INET6 if len >= 24 => {
            let text = inet6(bytes.get(8..24)?)?;
            let scope = Fields::new(bytes, endian).u32(24).unwrap_or(0);
            let text = if scope == 0 { text } else { format!("{text}%{scope}") };
            let port = Fields::big(bytes).u16(2)?;
            if port == 0 { Some(text) } else { Some(format!("[{text}]:{port}")) }
        }
        AF_LINK if len >= 8 => link(bytes, endian),
        _ => None,
    }
}

fn with_port(text: String, port: u16) -> Option<String> {
    Some(if port == 0 { text } else { format!("{text}:{port}") })
}

fn inet(bytes: &[u8]) -> Option<String> {
    Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string())
}

fn inet6(bytes: &[u8]) -> Option<String> {
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string())
}

/// sdl_nlen bytes of interface name, then sdl_alen bytes of hardware address.
fn link(bytes: &[u8], endian: Endian) -> Option<String> {
    let index = Fields::new(bytes, endian).u16(2)?;
    let (name_len, addr_len) = (usize::from(bytes[5]), usize::from(bytes[6]));
    let name = bytes.get(8..8 + name_len)?;
    let hardware = bytes.get(8 + name_len..8 + name_len + addr_len)?;
    let hardware: Vec<String> = hardware.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = String::from_utf8_lossy(name);
    let parts = [name.into_owned(), hardware.join(":")];
    let text = parts.iter().filter(|part| !part.is_empty()).map(String::as_str);
    let text = text.collect::<Vec<_>>().join(" ");
    Some(if text.is_empty() { format!("link#{index}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_families() {
        let inet = [16, 2, 0, 22, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(family(&inet, Endian::Little).as_deref(), Some("10.0.0.1:22"));
        let mut inet6 = [0u8; 28];
        inet6[..2].copy_from_slice(&[28, 28]);
        inet6[8..10].copy_from_slice(&[0xfe, 0x80]);
        inet6[23] = 1;
        inet6[24] = 3;
        assert_eq!(family(&inet6, Endian::Little).as_deref(), Some("fe80::1%3"));
        let mut dl = [0u8; 54];
        dl[..8].copy_from_slice(&[54, 18, 4, 0, 6, 4, 6, 0]);
        dl[8..18].copy_from_slice(b"eth0\x02\x00\x00\x00\x00\x0a");
        assert_eq!(family(&dl, Endian::Little).as_deref(), Some("eth0 02:00:00:00:00:0a"));
    }

    #[test]
    fn short_and_strange_ones_have_no_note() {
        assert_eq!(family(&[], Endian::Little), None);
        assert_eq!(family(&[4, 2, 0, 0], Endian::Little), None);
        assert_eq!(family(&[8, 18, 0, 0, 0, 255, 255, 0], Endian::Little), None);
        assert_eq!(family(&[16, 77, 0, 0, 0, 0], Endian::Little), None);
    }
}
