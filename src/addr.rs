//! A type for every address space, so that a physical address can never be
//! used where a kernel virtual one is meant.

use std::fmt;

macro_rules! address_space {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(u64);

        impl $name {
            /// The address `raw`.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The bare number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// Is this address zero?
            pub const fn is_null(self) -> bool {
                self.0 == 0
            }

            /// The address, unless it is zero.
            pub fn non_null(self) -> Option<Self> {
                (!self.is_null()).then_some(self)
            }

            /// The address `bytes` further on, or `None` past 2^64.
            pub fn checked_add(self, bytes: u64) -> Option<Self> {
                self.0.checked_add(bytes).map(Self)
            }

            /// The address `bytes` further on, modulo 2^64.
            pub const fn wrapping_add(self, bytes: u64) -> Self {
                Self(self.0.wrapping_add(bytes))
            }

            /// The distance from `start` up to this address, or `None` if it lies below.
            pub fn offset_from(self, start: Self) -> Option<u64> {
                self.0.checked_sub(start.0)
            }

            /// The start of the page of `page_size` bytes (a power of two) that holds this address.
            pub const fn page_start(self, page_size: u64) -> Self {
                Self(self.0 & !(page_size - 1))
            }

            /// The place of this address within its page of `page_size` bytes (a power of two).
            pub const fn page_offset(self, page_size: u64) -> u64 {
                self.0 & (page_size - 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

address_space! {
    /// An address in the kernel's virtual address space.
    VirtAddr
}

address_space! {
    /// An address in the machine's physical memory.
    PhysAddr
}

address_space! {
    /// A byte's place in a file.
    FileOffset
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
    fn addresses_print_in_hex() {
        assert_eq!(FileOffset::new(4096).to_string(), "0x1000");
    }
}
