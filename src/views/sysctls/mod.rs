//! The sysctl tree: its variables, and their values in a vnet.
//!
//! How: [`SysctlTree`] walks the oids from `sysctl__children`; [`SysctlReader`] reads what the
//! handler of each would have copied out. A vnet's own variable (CTLFLAG_VNET) is
//! found at `oid_arg1` plus the vnet's `vnet_data_base`, as `sys/kern/kern_sysctl.c`
//! has it since 11 and `vnet_sysctl_handle_int` and its like before.
//!
//! What it refuses to do: it runs no handler. If a handler does more than copy,
//! its answer is given, and marked, only if it is practically certain; any other
//! handler is named, without a value. There is no value either if an unloaded module
//! had the handler or the variable.

mod filter;
mod handler_answer;
mod tree;
mod value;

use crate::addr::VirtAddr;
use crate::value::Value;
use crate::value::model::ValueError;

pub use tree::SysctlTree;
pub use value::SysctlReader;

/// An entry of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oid {
    /// `net.inet.ip.ttl`
    pub name: Box<str>,
    /// The address of its struct sysctl_oid.
    pub address: VirtAddr,
    /// The type of its value (CTLTYPE).
    pub kind: Kind,
    /// CTLFLAG_VNET in a kernel with VIMAGE: each vnet has a value of its own.
    pub per_vnet: bool,
    /// CTLFLAG_VNET, with or without VIMAGE: it belongs to the network stack.
    pub of_network: bool,
    /// The address of the value, or of its master copy, as the handler interprets it.
    pub arg1: VirtAddr,
    /// A number for the handler: mostly a length, or the value itself if `arg1` is null.
    pub arg2: i64,
    /// The function that reads it; `None` in nodes without one.
    pub handler: Option<Handler>,
    /// `oid_fmt`: `I`, `S,ipstat`; empty if it cannot be read.
    pub format: Box<str>,
    /// The help text, as sysctl -d prints it; empty if there is none.
    pub description: Result<Box<str>, ValueError>,
}

/// The function that reads an oid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    /// Its first instruction.
    pub address: VirtAddr,
    /// Its name; `None` if no symbol of the kernel or a module is there.
    pub name: Option<Box<str>>,
}

/// CTLTYPE of an oid (`sys/sys/sysctl.h`, 9.3 to main).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It has children, and mostly no value.
    Node,
    /// A NUL-terminated string.
    String,
    /// A struct, or bytes of no declared type.
    Opaque,
    /// An integer.
    Number {
        /// As this crate names it: `int`, `u64`.
        name: &'static str,
        /// As sysctl -t prints it: `unsigned integer`.
        words: &'static str,
        /// Whether it can be negative.
        signed: bool,
        /// Bytes; `None` for a `long`, whose size the architecture decides.
        size: Option<u64>,
    },
    /// None of the known types.
    Unknown,
}

/// An oid as a vnet sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sysctl {
    /// The address of the value; `None` if it is not in one place.
    pub address: Option<VirtAddr>,
    /// `None` if only the handler knows it.
    pub value: Option<Value>,
    /// The handler does more than copy; this is what it would have answered.
    pub behind_handler: bool,
}

impl Oid {
    /// Whether its value differs by vnet, or by the jail that a vnet belongs to.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.per_vnet || self.is_of_jail()
    }
}

impl Sysctl {
    fn copied(address: Option<VirtAddr>, value: Option<Value>) -> Self {
        Self { address, value, behind_handler: false }
    }
}

impl Kind {
    /// By the low bits of `oid_kind`.
    #[must_use]
    pub fn of(kind: u64) -> Self {
        let number = |name, words, signed, size| Self::Number { name, words, signed, size };
        match kind & crate::constants::CTLTYPE {
            1 => Self::Node,
            2 => number("int", "integer", true, Some(4)),
            3 => Self::String,
            4 => number("s64", "int64_t", true, Some(8)),
            5 => Self::Opaque,
            6 => number("uint", "unsigned integer", false, Some(4)),
            7 => number("long", "long integer", true, None),
            8 => number("ulong", "unsigned long", false, None),
            9 => number("u64", "uint64_t", false, Some(8)),
            0xa => number("u8", "uint8_t", false, Some(1)),
            0xb => number("u16", "uint16_t", false, Some(2)),
            0xc => number("s8", "int8_t", true, Some(1)),
            0xd => number("s16", "int16_t", true, Some(2)),
            0xe => number("s32", "int32_t", true, Some(4)),
            0xf => number("u32", "uint32_t", false, Some(4)),
            _ => Self::Unknown,
        }
    }

    /// The name for scripts: `int`, `u64`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::String => "string",
            Self::Opaque => "opaque",
            Self::Number { name, .. } => name,
            Self::Unknown => "unknown",
        }
    }

    /// The name that sysctl -t prints.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Number { words, .. } => words,
            other => other.name(),
        }
    }
}

impl std::fmt::Display for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self.address.fmt(f),
        }
    }
}
