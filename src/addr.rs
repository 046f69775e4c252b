//! One type for each address space, so that a physical address can never be
//! used where a kernel virtual address is meant.
//!
//! Addresses print in hex, serialize as the JSON string `"0x…"`, and parse from
//! hex with `0x` or from decimal:
//!
//! ```
//! use vnetkvm::addr::VirtAddr;
//!
//! let address: VirtAddr = "0xfffff80003a51800".parse()?;
//! assert_eq!(address, VirtAddr::new(0xffff_f800_03a5_1800));
//! assert_eq!(address.to_string(), "0xfffff80003a51800");
//! assert_eq!(format!("{address:?}"), "VirtAddr(0xfffff80003a51800)");
//! # Ok::<(), vnetkvm::addr::ParseAddressError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address such as 0xfffff80003a51800 or 4096")]
pub struct ParseAddressError {
    text: Box<str>,
}

macro_rules! address_space {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// The address `raw`.
            #[must_use]
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Is this address zero?
            #[must_use]
            pub const fn is_null(self) -> bool {
                self.0 == 0
            }

            /// The address, unless it is zero.
            #[must_use]
            pub fn non_null(self) -> Option<Self> {
                (!self.is_null()).then_some(self)
            }

            /// The address `bytes` further on, or `None` past 2^64.
            #[must_use]
            pub fn checked_add(self, bytes: u64) -> Option<Self> {
                self.0.checked_add(bytes).map(Self)
            }

            /// The address `bytes` further on, modulo 2^64.
            #[must_use]
            pub const fn wrapping_add(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }

            /// The distance from `start` up to this address, or `None` if it lies below.
            #[must_use]
            pub fn offset_from(self, start: Self) -> Option<u64> {
                self.0.checked_sub(start.0)
            }

            /// The start of the page of `page_size` bytes (a power of two) that holds this address.
            #[must_use]
            pub const fn page_start(self, page_size: u64) -> Self {
                Self(self.0 & !(page_size - 1))
            }

            /// The place of this address within its page of `page_size` bytes (a power of two).
            #[must_use]
            pub const fn page_offset(self, page_size: u64) -> u64 {
                self.0 & (page_size - 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::LowerHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(&self.0, f)
            }
        }

        impl fmt::UpperHex for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::UpperHex::fmt(&self.0, f)
            }
        }

        impl From<u64> for $name {
            fn from(raw: u64) -> Self {
                Self(raw)
            }
        }

        impl From<$name> for u64 {
            fn from(address: $name) -> Self {
                address.0
            }
        }

        /// Hexadecimal after `0x` or `0X`, otherwise decimal.
        impl FromStr for $name {
            type Err = ParseAddressError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse(text).map(Self).ok_or_else(|| ParseAddressError { text: text.into() })
            }
        }

        /// The string `"0x…"`.
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                // An answer may have millions of addresses.
                serializer.serialize_str(hex(self.0, &mut [0; HEX_LEN]))
            }
        }
    };
}

/// `0x` and 16 digits.
const HEX_LEN: usize = 18;

/// A number in hex, as `{:#x}` writes it.
fn hex(number: u64, buffer: &mut [u8; HEX_LEN]) -> &str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (mut start, mut rest) = (HEX_LEN, number);
    while start > 2 {
        start -= 1;
        buffer[start] = DIGITS[(rest & 0xf) as usize];
        rest >>= 4;
        if rest == 0 {
            break;
        }
    }
    buffer[start - 1] = b'x';
    buffer[start - 2] = b'0';
    std::str::from_utf8(&buffer[start - 2..]).unwrap_or_default()
}

address_space! {
    /// An address in the kernel's virtual address space.
    VirtAddr
}

address_space! {
    /// An address in the machine's physical memory. In a core by virtual addresses it equals the
    /// kernel's own address.
    PhysAddr
}

address_space! {
    /// A position in a file, in bytes from its start.
    FileOffset
}

fn parse(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let (digits, radix) = hex.map_or((text, 10), |hex| (hex, 16));
    // The standard library accepts a sign too.
    let unsigned = !digits.starts_with('+');
    unsigned.then(|| u64::from_str_radix(digits, radix).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_start_and_offset() {
        let address = VirtAddr::new(0xffff_ffff_8123_4567);
        assert_eq!(address.page_start(4096).get(), 0xffff_ffff_8123_4000);
        assert_eq!(address.page_offset(4096), 0x567);
    }

    #[test]
    fn arithmetic_says_where_it_ends() {
        let last = PhysAddr::new(u64::MAX);
        assert_eq!(last.checked_add(1), None);
        assert_eq!(last.wrapping_add(1), PhysAddr::new(0));
        assert_eq!(PhysAddr::new(1).offset_from(last), None);
    }

    #[test]
    fn hex_is_that_of_the_standard_library() {
        for number in [0, 1, 0xf, 0x10, 0xdead_beef, u64::MAX >> 4, u64::MAX] {
            assert_eq!(hex(number, &mut [0; HEX_LEN]), format!("{number:#x}"));
        }
    }

    #[test]
    fn addresses_print_in_hex() {
        assert_eq!(FileOffset::new(4096).to_string(), "0x1000");
    }
    #[test]
    fn hex_is_padded_as_a_number_is() {
        let address = VirtAddr::from(0xab0);
        assert_eq!(format!("{address:x} {address:X} {address:#010x}"), "ab0 AB0 0x00000ab0");
        assert_eq!(format!("{address:?}"), "VirtAddr(0xab0)");
        assert_eq!(u64::from(address), 0xab0);
    }

    #[test]
    fn texts_are_hexadecimal_or_decimal() {
        assert_eq!("0xFFFF".parse(), Ok(PhysAddr::new(0xffff)));
        assert_eq!("0X10".parse(), Ok(PhysAddr::new(16)));
        assert_eq!("10".parse(), Ok(PhysAddr::new(10)));
        for wrong in ["", "0x", "ffff", "-1", "+1", "0x+1", " 1", "0x10000000000000000"] {
            let error = wrong.parse::<PhysAddr>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{wrong:?} is not an address")));
        }
    }

    #[test]
    fn json_is_a_string() {
        let json = serde_json::to_string(&VirtAddr::new(u64::MAX)).unwrap();
        assert_eq!(json, "\"0xffffffffffffffff\"");
    }
}
