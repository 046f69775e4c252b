//! The columns of tables: what each is called, which kind of value it has, and what it means.

use std::borrow::Cow;

use crate::addr::VirtAddr;

/// A column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name, which is no keyword of SQL.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What they mean; null always means that it does not apply or is unknown.
    pub meaning: &'static str,
}

/// What the values of a column are. Each can be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An integer of 64 bits without a sign; also an address in kernel memory.
    Unsigned,
    /// An integer of 64 bits with a sign.
    Signed,
    /// Text in UTF-8.
    Text,
    /// Text that many rows share: each is kept once, in a dictionary.
    Name,
    /// Yes or no.
    Boolean,
    /// A time of UTC. It has whole seconds, but is kept in milliseconds: Parquet has no type of
    /// time in seconds.
    Time,
}

impl Kind {
    /// What it is called in the documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Signed => "signed",
            Self::Text => "text",
            Self::Name => "name",
            Self::Boolean => "boolean",
            Self::Time => "time",
        }
    }
}

/// A column of this kind.
pub(super) const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> Column {
    Column { name, kind, meaning }
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    Null,
    Unsigned(u64),
    Signed(i64),
    /// For columns of text and of names.
    Text(Cow<'a, str>),
    Boolean(bool),
    /// Seconds since 1970-01-01 UTC.
    Time(u64),
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::Null, Into::into)
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Self::Unsigned(number)
    }
}

impl From<usize> for Cell<'_> {
    fn from(number: usize) -> Self {
        Self::Unsigned(number as u64)
    }
}

impl From<VirtAddr> for Cell<'_> {
    fn from(address: VirtAddr) -> Self {
        Self::Unsigned(address.into())
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Signed(number)
    }
}

impl From<bool> for Cell<'_> {
    fn from(yes: bool) -> Self {
        Self::Boolean(yes)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
