//! Which routes are asked for.

use std::net::IpAddr;

use crate::views::family::Family;

/// Selects routes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Question {
    /// Only those of this FIB.
    pub fib: Option<u64>,
    /// Only those of this family.
    pub family: Option<Family>,
    /// In each table, only the one that packets to this address take.
    pub to: Option<IpAddr>,
    /// The table for people has all columns.
    pub wide: bool,
}
