//! Addresses as users write them.

use std::str::FromStr;

use crate::addr::VirtAddr;
use crate::answers::Remark;
use crate::error::Error;
use crate::session::{self, Session};
use crate::value::Limits;
use crate::value::model::{Value, ValueError};

/// An address as a user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// As a number, which means the same in every vnet and needs no kernel.
    Number(VirtAddr),
    /// As an expression, which [`address`] works out.
    Expression(String),
}

/// The address that an expression evaluates to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its value.
    pub address: VirtAddr,
    /// Remarks about them.
    pub remarks: Vec<Remark>,
}

/// Why a text is not an address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Hex digits without `0x`, as debuggers and panic messages print addresses.
    #[error("{text} is neither a number nor a name")]
    BareHex {
        /// The text.
        text: String,
    },
    /// The value of the expression is not an address.
    #[error("{expression} is not an address: it {what}")]
    NotAnAddress {
        /// The text.
        expression: String,
        /// A description of its value: `has the type struct inpcbinfo`.
        what: String,
    },
    /// Its value is in memory that cannot be read.
    #[error("the value of {expression} cannot be read: {why}")]
    Unreadable {
        /// The text.
        expression: String,
        /// Why it cannot be read.
        why: ValueError,
    },
    /// It cannot be evaluated.
    #[error(transparent)]
    Other(#[from] Error),
}

/// A number, or otherwise an expression.
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if is_bare_hex(text) => Err(AddressError::BareHex { text: text.to_owned() }),
            Err(_) => Ok(Self::Expression(text.to_owned())),
        }
    }
}

/// An address as debuggers and panic messages print it; no name looks like this.
fn is_bare_hex(text: &str) -> bool {
    (8..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The address that is the value of an expression in a network stack, with or without other names.
///
/// # Errors
/// The expression cannot be evaluated, or its value is not an address.
pub fn address<'s>(
    session: &Session,
    stack: impl Into<session::Place<'s>>,
    expression: &str,
) -> Result<Place, AddressError> {
    let printed = session.print_at(stack.into(), expression, &Limits::default())?;
    let warning = |remark: &_| Remark::Warning(format!("{expression}: {remark}"));
    let remarks = printed.remarks.iter().map(warning).collect();
    let none = |what| AddressError::NotAnAddress { expression: expression.to_owned(), what };
    // No kernel maps its first page. A variable that holds such a number was named itself, and its
    // address was meant.
    let lowest = session.memory().page_size();
    match printed.value {
        Value::Pointer(pointer) => Ok(Place { address: pointer.address, remarks }),
        Value::Int(number) => match u64::try_from(number) {
            Ok(number) if printed.address.is_none() || number >= lowest => {
                Ok(Place { address: VirtAddr::new(number), remarks })
            }
            _ => Err(none(format!("is {number}, of type {}", printed.type_name))),
        },
        Value::Error(why) => {
            Err(AddressError::Unreadable { expression: expression.to_owned(), why: *why })
        }
        _ => Err(none(format!("has the type {}", printed.type_name))),
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::answers::testing::demo;
    use crate::vnet::Stack;

    #[test]
    fn numbers_are_told_from_names() {
        let parsed = |text: &str| text.parse::<Address>();
        assert_eq!(parsed("0x10").unwrap(), Address::Number(VirtAddr::new(16)));
        assert_eq!(parsed("&V_tcbinfo").unwrap(), Address::Expression("&V_tcbinfo".into()));
        let bare = parsed("fffff80003a51800").unwrap_err();
        assert_eq!(bare.to_string(), "fffff80003a51800 is neither a number nor a name");
    }

    #[test]
    fn only_pointers_and_large_numbers_are_addresses() {
        let session = demo();
        let vnet = session.vnets().unwrap().all.first().unwrap();
        let at = |text: &str| address(session, Stack::from(vnet), text);
        assert!(!at("&V_ip_defttl").unwrap().address.is_null());
        assert!(!at("V_ifnet.cstqh_first").unwrap().address.is_null());
        assert_eq!(at("0x1000 + 1").unwrap().address, VirtAddr::new(0x1001));
        let number = at("V_ip_defttl").unwrap_err();
        assert_eq!(number.to_string(), "V_ip_defttl is not an address: it is 64, of type int");
        let record = at("V_tcbinfo").unwrap_err();
        assert!(
            record.to_string().starts_with("V_tcbinfo is not an address: it has the type struct"),
            "{record}"
        );
        assert!(matches!(at("V_no_such").unwrap_err(), AddressError::Other(_)));
    }
}
