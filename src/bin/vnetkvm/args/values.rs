//! Parsers for the values of options: numbers, lengths, addresses, and forms made of these.

use std::ffi::OsStr;
use std::num::NonZeroUsize;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use vnetkvm::addr::VirtAddr;
use vnetkvm::answers;
use vnetkvm::dump::MemorySegment;
use vnetkvm::views::checks::CHECKS;
use vnetkvm::views::sockets::Kind;

/// `PHYSICAL+LENGTH@OFFSET`, each decimal or with 0x.
pub fn memory_segment(text: &str) -> Result<MemorySegment, String> {
    let parts = text.split_once('+').and_then(|(phys, rest)| Some((phys, rest.split_once('@')?)));
    let (phys, (len, offset)) =
        parts.ok_or("not a mapping such as 0x40000000+0x8000000@0".to_owned())?;
    Ok(MemorySegment { phys: address(phys)?, len: number(len)?, offset: address(offset)? })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VnetChoice {
    Index(usize),
    Address(VirtAddr),
}

pub fn vnet_choice(text: &str) -> Result<VnetChoice, String> {
    if text.starts_with("0x") || text.starts_with("0X") {
        return text
            .parse()
            .map(VnetChoice::Address)
            .map_err(|_| "an address has 1 to 16 hex digits after 0x".to_owned());
    }
    text.parse().map(VnetChoice::Index).map_err(|_| {
        "not a number or an address such as 0xfffff80003a51800; choose a jail with --jail"
            .to_owned()
    })
}

/// `ipstat=struct ipstat`
pub fn name_and_type(text: &str) -> Result<(String, String), String> {
    let (name, type_name) = text.split_once('=').ok_or("not of the form ipstat='struct ipstat'")?;
    Ok((name.trim().to_owned(), type_name.trim().to_owned()))
}

/// A kind of socket by its name: `tcp`.
pub fn socket_kind() -> impl TypedValueParser<Value = Kind> {
    let named = |name: String| Kind::ALL.into_iter().find(|kind| kind.name() == name);
    PossibleValuesParser::new(Kind::ALL.map(Kind::name))
        .map(move |name| named(name).unwrap_or(Kind::Other))
}

/// The name of a check, or a pattern that matches some: `vnet-magic`, `vnet-*`.
#[derive(Debug, Clone)]
pub struct CheckName;

impl TypedValueParser for CheckName {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        let parse = |pattern: &str| match answers::checks::matching(&[pattern.to_owned()]) {
            Ok(found) if !found.is_empty() => Ok(pattern.to_owned()),
            Ok(_) => Err("no check has that name; `vnetkvm check --list` lists them".to_owned()),
            Err(why) => Err(why.to_string()),
        };
        parse.parse_ref(command, arg, value)
    }

    /// For completions.
    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(CHECKS.iter().map(|check| PossibleValue::new(check.name))))
    }
}

/// A number of bytes: decimal or hexadecimal, with an optional binary suffix.
pub fn length(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (text.get(..at), 10),
        Some((at, 'm' | 'M')) => (text.get(..at), 20),
        Some((at, 'g' | 'G')) => (text.get(..at), 30),
        Some((at, 't' | 'T')) => (text.get(..at), 40),
        _ => (Some(text), 0),
    };
    let value = number(digits.unwrap_or("")).map_err(|_| {
        "not a number such as 64, 0x40 or 4K; the suffixes are K, M, G and T".to_owned()
    })?;
    value.checked_mul(1 << shift).ok_or_else(|| "2^64 bytes or more".to_owned())
}

pub fn byte(text: &str) -> Result<u8, String> {
    number(text)?.try_into().map_err(|_| "a byte is at most 255 (0xff)".to_owned())
}

/// A number of elements or levels.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "not a number such as 64".to_owned())
}

/// How many things are done at the same time.
pub fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "not a number of 1 or more".to_owned())
}

/// The number of a dump in the crash directory.
pub fn dump_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "not a dump number, such as 3 for vmcore.3".to_owned())
}

/// A process ID.
pub fn pid(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "not a process ID, such as 742".to_owned())
}

/// A thread ID.
pub fn tid(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "not a thread ID, such as 100742".to_owned())
}

pub fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "not a number such as 64 or 0x40".to_owned())
}

pub fn address<A: From<u64>>(text: &str) -> Result<A, String> {
    number(text).map(A::from)
}

#[cfg(test)]
mod tests {
    use vnetkvm::addr::VirtAddr;

    use super::*;

    #[test]
    fn vnets_are_numbers_or_addresses() {
        let address = VnetChoice::Address(VirtAddr::new(0xffff_f800_0000_1000));
        assert_eq!(vnet_choice("0xfffff80000001000"), Ok(address));
        assert_eq!(vnet_choice("12"), Ok(VnetChoice::Index(12)));
        assert!(vnet_choice("web01").unwrap_err().contains("--jail"));
        assert!(vnet_choice("0x").is_err());
    }

    #[test]
    fn a_bad_number_names_the_kind_of_number_wanted() {
        assert_eq!(pid("742"), Ok(742));
        assert!(pid("sshd").unwrap_err().contains("process ID"));
        assert!(tid("").unwrap_err().contains("thread ID"));
        assert!(dump_number("vmcore.3").unwrap_err().contains("vmcore.3"));
        assert!(count("all").unwrap_err().contains("64"));
    }

    #[test]
    fn lengths_take_binary_suffixes() {
        assert_eq!(length("0x40"), Ok(64));
        assert_eq!(length("4K"), Ok(4096));
        assert_eq!(length("1g"), Ok(1 << 30));
        assert_eq!(length("1T"), Ok(1 << 40));
        assert!(length("").is_err());
        assert!(length("4P").unwrap_err().contains("K, M, G and T"));
        assert!(length("17179869184g").is_err());
        assert!(byte("256").is_err());
        assert_eq!(byte("0xff"), Ok(255));
    }
}
