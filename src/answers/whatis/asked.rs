//! Addresses as users copy them from other programs.

use crate::addr::VirtAddr;
use crate::answers::memory;
use crate::arch::Arch;
use crate::session::Session;
use crate::shorten::shortened;
use crate::vnet::Stack;

/// A text that should be an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The text; `None` if it is the number.
    pub text: Option<Box<str>>,
    /// The address, or why it is none.
    pub address: Result<VirtAddr, Box<str>>,
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
        let shown = || Some(shortened(text).into());
        if let Some(address) = parse(text, session.core().arch) {
            return Self { text: None, address: Ok(address) };
        }
        let looks_like_number = text.starts_with(|first: char| first.is_ascii_digit());
        if looks_like_number && !text.contains(char::is_whitespace) {
            let why = format!("{} is not an address", shortened(text));
            return Self { text: shown(), address: Err(why.into()) };
        }
        let place = memory::address(session, stack, text);
        let address = place.map(|place| place.address).map_err(|why| why.to_string().into());
        Self { text: shown(), address }
    }
}
