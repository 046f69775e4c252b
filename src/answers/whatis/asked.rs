//! Addresses as users copy them from other programs.

use crate::addr::VirtAddr;
use crate::answers::failure::Failure;
use crate::answers::memory::{self, AddressError};
use crate::arch::Arch;
use crate::session::{Place, Session};
use crate::vnet::Stack;

/// A text that should be an address.
#[derive(Debug)]
pub struct Asked {
    /// The text; `None` if it is the number.
    pub text: Option<Box<str>>,
    /// The address, or why it is none.
    pub address: Result<VirtAddr, AddressError>,
}

/// Fewer decimal digits are a decimal number.
const FEWEST_DIGITS: usize = 8;

/// The address that a text is, if it is a number: with 0x, or as debuggers and netstat(1) print
/// addresses, as many hex digits as a pointer has.
#[must_use]
pub fn parse(text: &str, arch: Arch) -> Option<VirtAddr> {
    let digits = usize::try_from(arch.pointer_size() * 2).unwrap_or(0);
    let bare = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = match bare {
        true => u64::from_str_radix(text, 16).ok().map(VirtAddr::new),
        false => text.parse().ok(),
    };
    number.filter(|address| arch.wrap(address.get()) == address.get())
}

/// The address that a text is, if it is a number. Bare hex digits count if they are eight or more or
/// have a letter among them, and nothing in the kernel has that name.
#[must_use]
pub fn number(session: &Session, text: &str) -> Option<VirtAddr> {
    let arch = session.core().arch;
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let has_letter = text.bytes().any(|byte| byte.is_ascii_alphabetic());
    if !is_hex || !(has_letter || text.len() >= FEWEST_DIGITS) {
        return parse(text, arch);
    }
    let may_be_name = !text.starts_with(|first: char| first.is_ascii_digit());
    if may_be_name && !has_no_match(&memory::address(session, Stack::Unchosen, text)) {
        return parse(text, arch);
    }
    let number = u64::from_str_radix(text, 16).ok()?;
    (arch.wrap(number) == number).then(|| VirtAddr::new(number))
}

fn has_no_match(found: &Result<memory::Place, AddressError>) -> bool {
    matches!(found, Err(AddressError::Other(why)) if why.is_no_match())
}

impl Asked {
    /// A text that is a number, or an expression whose value in `stack` is the address.
    #[must_use]
    pub fn new<'s>(session: &Session, stack: impl Into<Place<'s>>, text: &str) -> Self {
        if let Some(address) = number(session, text) {
            return Self { text: None, address: Ok(address) };
        }
        let place = memory::address(session, stack, text);
        Self { text: Some(text.into()), address: place.map(|place| place.address) }
    }

    /// Why it is no address; `None` if it is one.
    #[must_use]
    pub fn why_not(&self) -> Option<Failure> {
        match self.address.as_ref().err()? {
            AddressError::Other(why) => Some(why.into()),
            why => Some(Failure { kind: "bad-expression", message: why.to_string().into() }),
        }
    }
}
