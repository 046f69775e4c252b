//! Addresses as users copy them from other programs.

use crate::addr::VirtAddr;
use crate::answers::expressions::Failure;
use crate::answers::memory::{self, AddressError};
use crate::arch::Arch;
use crate::session::Session;
use crate::vnet::Stack;

/// A text that should be an address.
#[derive(Debug)]
pub struct Asked {
    /// The text; `None` if it is the number.
    pub text: Option<Box<str>>,
    /// The address, or why it is none.
    pub address: Result<VirtAddr, AddressError>,
}

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

impl Asked {
    /// A text that is a number, or an expression whose value in `stack` is the address.
    #[must_use]
    pub fn new(session: &Session, stack: Stack<'_>, text: &str) -> Self {
        if let Some(address) = parse(text, session.core().arch) {
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
