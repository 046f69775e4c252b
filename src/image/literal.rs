//! Values in human notation, and their meaning for a C type.
//!
//! `"10.0.0.1"` is four bytes in a `struct in_addr`, text in a `char[16]` and
//! an error in an `int`: the type decides.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

use crate::expr::Step;
use crate::image::ImageError;
use crate::image::ipv6_zone;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::types::model::{Array, Base, Encoding, Enumeration, Record, Type};

/// A value in a scenario.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number (`"0xffffffffffffffff"`), an enumerator, `"&symbol"`, an address, or text.
    Text(String),
    /// The first elements of an array. The others stay as they are.
    List(Vec<Literal>),
    /// Members of a struct or union, by name or path.
    Table(BTreeMap<String, Literal>),
}

/// A counter's value: one number for the first CPU, or one for each CPU.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum PerCpu {
    /// The value on the first CPU; 0 on the others.
    One(u64),
    /// The value on each CPU, in order.
    Each(Vec<u64>),
}

impl PerCpu {
    /// The values in order of CPU.
    pub fn values(&self) -> Vec<u64> {
        match self {
            Self::One(value) => vec![*value],
            Self::Each(values) => values.clone(),
        }
    }
}

/// No array of characters in a kernel is longer.
const LONGEST_TEXT: u64 = 1 << 20;

impl LoadedKernel {
    /// Stores `value` in `object`. The type of the object decides what the value means.
    ///
    /// # Errors
    /// The type cannot hold the value. The message names the type.
    pub fn assign(&mut self, object: Object, value: &Literal) -> Result<(), ImageError> {
        let (_, found) = self.types().resolve(object.type_id)?;
        match (&*found, value) {
            (Type::Record(_) | Type::Array(_), Literal::Table(members)) => {
                for (path, value) in members {
                    let member = self.member(object, path)?;
                    self.assign(member, value).map_err(|error| within(path, error))?;
                }
                Ok(())
            }
            (Type::Array(_), Literal::List(values)) => {
                for (index, value) in (0..).zip(values) {
                    let element = self.step(object, &Step::Index(index))?;
                    self.assign(element, value)
                        .map_err(|error| within(&format!("[{index}]"), error))?;
                }
                Ok(())
            }
            (Type::Array(array), Literal::Text(text)) => self.assign_text(object, array, text),
            (Type::Record(record), Literal::Text(text)) => {
                self.assign_address(object, record, text)
            }
            (Type::Enum(enumeration), Literal::Text(text)) => {
                let value = enumerators(enumeration, text)
                    .ok_or_else(|| self.cannot(object, format!("it has no enumerator {text}")))?;
                let value = self.fitting(object, value, enumeration.size, enumeration.signed)?;
                self.store(object, value)
            }
            (Type::Enum(enumeration), Literal::Int(value)) => {
                let value = i128::from(*value);
                let value = self.fitting(object, value, enumeration.size, enumeration.signed)?;
                self.store(object, value)
            }
            (Type::Pointer(_), Literal::Text(text)) => {
                let to = self.pointer_value(text).map_err(|why| self.cannot(object, why))?;
                self.store(object, to)
            }
            (Type::Base(base), value) => {
                let value = self.number(object, base, value)?;
                self.store(object, value)
            }
            (Type::Pointer(_), Literal::Int(value)) => self.store(object, value.cast_unsigned()),
            _ => Err(self.cannot(object, format!("it cannot hold {}", value.kind()))),
        }
    }

    /// The number for an integer, character or bool.
    fn number(&self, object: Object, base: &Base, value: &Literal) -> Result<u64, ImageError> {
        let wide: i128 = match value {
            Literal::Bool(value) => i128::from(*value),
            Literal::Int(value) => i128::from(*value),
            Literal::Text(text) => match self.octets(object, text) {
                Some(octets) => return Ok(octets),
                None => parse_number(text)
                    .ok_or_else(|| self.cannot(object, format!("\"{text}\" is no number")))?,
            },
            _ => return Err(self.cannot(object, format!("it cannot hold {}", value.kind()))),
        };
        if matches!(base.encoding, Encoding::Float | Encoding::Other) || base.size > 8 {
            return Err(self.cannot(object, "only integers can be set".into()));
        }
        let signed = matches!(base.encoding, Encoding::Signed | Encoding::SignedChar);
        self.fitting(object, wide, base.size, signed)
    }

    /// C truncates a number that is too wide silently. A scenario must not.
    fn fitting(
        &self,
        object: Object,
        wide: i128,
        size: u64,
        signed: bool,
    ) -> Result<u64, ImageError> {
        let bits = object.bits.map_or(size * 8, |bits| bits.bit_size).clamp(1, 64) as u32;
        let range = match signed {
            true => -(1_i128 << (bits - 1))..1_i128 << (bits - 1),
            false => 0..1_i128 << bits,
        };
        // 0xffffffff is a valid way to write the -1 of an int: any bit pattern is accepted.
        if range.contains(&wide) || (signed && (0..1_i128 << bits).contains(&wide)) {
            return Ok(wide as u64);
        }
        Err(self.cannot(object, format!("{wide} does not fit in {bits} bits")))
    }

    /// An IPv4 address in a bare in_addr_t: four bytes in network byte order, as the machine loads
    /// them.
    fn octets(&self, object: Object, text: &str) -> Option<u64> {
        let octets = text.parse::<Ipv4Addr>().ok()?.octets();
        let size = self.types().size_of(object.type_id).ok()?;
        (size == 4).then(|| self.machine().arch().endian().uint(&octets) as u64)
    }

    /// Text in an array of characters, or a link-level address in an array of bytes.
    fn assign_text(&mut self, object: Object, array: &Array, text: &str) -> Result<(), ImageError> {
        let size = self.types().size_of(object.type_id)?;
        let (_, element) = self.types().resolve(array.element)?;
        let Type::Base(Base { size: 1, .. }) = &*element else {
            return Err(self.cannot(object, "text needs an array of char".into()));
        };
        let mut bytes = match (size, parse_mac(text)) {
            (6, Some(mac)) => return self.machine_mut().write(object.address, &mac),
            _ => text.as_bytes().to_vec(),
        };
        if size > LONGEST_TEXT {
            return Err(self.cannot(object, "it is too long for text".into()));
        }
        if bytes.len() as u64 >= size {
            let why = format!("the text has {} bytes and a NUL, too many", bytes.len());
            return Err(self.cannot(object, why));
        }
        bytes.resize(size as usize, 0);
        self.machine_mut().write(object.address, &bytes)
    }

    /// Addresses in the structs for them.
    fn assign_address(
        &mut self,
        object: Object,
        record: &Record,
        text: &str,
    ) -> Result<(), ImageError> {
        let wrong = |what: &str| self.cannot(object, format!("\"{text}\" is no {what}"));
        match record.name.as_deref() {
            Some("in_addr") => {
                let address: Ipv4Addr = text.parse().map_err(|_| wrong("IPv4 address"))?;
                self.machine_mut().write(object.address, &address.octets())
            }
            Some("in6_addr") => {
                let octets = match ipv6_zone::socket_address(text) {
                    Some(SocketAddr::V6(address)) if address.port() == 0 => {
                        ipv6_zone::in_kernel(address)
                    }
                    _ => None,
                };
                // Only a sockaddr_in6 has room for the zone of any other address.
                let octets = octets.filter(|(_, zone)| *zone == 0).map(|(octets, _)| octets);
                let octets = octets.ok_or_else(|| wrong("IPv6 address"))?;
                self.machine_mut().write(object.address, &octets)
            }
            Some("ether_addr") => {
                let address = parse_mac(text).ok_or_else(|| wrong("link-level address"))?;
                self.machine_mut().write(object.address, &address)
            }
            Some("sockaddr_in" | "sockaddr_in6") => {
                let address = ipv6_zone::socket_address(text).ok_or_else(|| wrong("address"))?;
                self.assign_sockaddr(object, address)
            }
            _ => Err(self.cannot(object, "it cannot hold text; name a member of it".into())),
        }
    }

    /// Fills a sockaddr_in or sockaddr_in6, including length and family.
    pub fn assign_sockaddr(
        &mut self,
        object: Object,
        address: SocketAddr,
    ) -> Result<(), ImageError> {
        let size = self.types().size_of(object.type_id)?;
        let (prefix, family, octets) = match address {
            SocketAddr::V4(v4) => ("sin", 2, v4.ip().octets().to_vec()),
            SocketAddr::V6(v6) => {
                let kept = ipv6_zone::in_kernel(v6);
                let why = || format!("the zone of {v6} does not fit in 16 bits");
                let (octets, scope) = kept.ok_or_else(|| self.cannot(object, why()))?;
                self.set_if_any(object, "sin6_scope_id", u64::from(scope))?;
                ("sin6", 28, octets.to_vec())
            }
        };
        self.set(object, &format!("{prefix}_len"), size)?;
        self.set(object, &format!("{prefix}_family"), family)?;
        let port_at = self.member(object, &format!("{prefix}_port"))?.address;
        self.machine_mut().write(port_at, &address.port().to_be_bytes())?;
        let address_at = self.member(object, &format!("{prefix}_addr"))?.address;
        self.machine_mut().write(address_at, &octets)
    }

    /// `NULL`, an address in hex, `&symbol` or `&symbol+0x10`.
    fn pointer_value(&self, text: &str) -> Result<u64, String> {
        let Some(symbol) = text.strip_prefix('&') else {
            let known = if text == "NULL" { Some(0) } else { parse_number(text) };
            return known.map(|value| value as u64).ok_or_else(|| {
                format!("\"{text}\" is no pointer; write \"&symbol\", \"0x…\" or \"NULL\"")
            });
        };
        let (name, offset) = match symbol.split_once('+') {
            Some((name, offset)) => (name, parse_number(offset)),
            None => (symbol, Some(0)),
        };
        let at = self.address_of(name.trim());
        match (at, offset) {
            (Some(at), Some(offset)) => Ok(at.wrapping_add(offset as u64).get()),
            (None, _) => Err(format!("the kernel has no symbol {name}")),
            (_, None) => Err(format!("\"{symbol}\" has no number behind its +")),
        }
    }

    fn cannot(&self, object: Object, why: String) -> ImageError {
        let target = format!("a value of type {}", self.types().name(object.type_id));
        ImageError::Value { target, why }
    }
}

impl Literal {
    fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Table(_) => "a table of members",
        }
    }
}

fn within(path: &str, error: ImageError) -> ImageError {
    match error {
        ImageError::Value { target, why } => {
            ImageError::Value { target: format!("{path} ({target})"), why }
        }
        other => other,
    }
}

/// One enumerator, several joined by `|`, or a number.
fn enumerators(enumeration: &Enumeration, text: &str) -> Option<i128> {
    text.split('|').map(str::trim).try_fold(0, |sum, name| {
        let named = enumeration.enumerators.iter().find(|e| *e.name == *name);
        named.map(|e| e.value).or_else(|| parse_number(name)).map(|value| sum | value)
    })
}

/// Decimal, or hexadecimal with 0x; a sign and `_` between digits are allowed.
fn parse_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let digits = digits.replace('_', "");
    let value: u64 = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { -i128::from(value) } else { i128::from(value) })
}

/// `02:00:5e:10:00:0b`
pub(super) fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = parts
            .next()
            .filter(|part| part.len() <= 2)
            .and_then(|part| u8::from_str_radix(part, 16).ok())?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_wide() {
        assert_eq!(parse_number("0xffff_ffff_ffff_ffff"), Some(i128::from(u64::MAX)));
        assert_eq!(parse_number("-9223372036854775808"), Some(i128::from(i64::MIN)));
        assert_eq!(parse_number("12x"), None);
        assert_eq!(parse_number(""), None);
    }

    #[test]
    fn link_level_addresses_have_six_bytes() {
        assert_eq!(parse_mac("02:00:5e:10:0:b"), Some([2, 0, 0x5e, 0x10, 0, 0xb]));
        assert_eq!(parse_mac("02:00:5e:10:00"), None);
        assert_eq!(parse_mac("02:00:5e:10:00:0b:0c"), None);
    }
}
