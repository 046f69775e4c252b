//! The contents of a page: rows of cells under columns.

use std::borrow::Cow;

use serde::Serialize;

use super::memory::Stretch;
use crate::addr::VirtAddr;
use crate::value::model::{PointerValue, Value, ValueError};
use crate::views::sysctls::{Oid, Sysctl};

/// The kind of reader that a page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// People: titles, alignment and short values.
    People,
    /// Scripts that split lines at tabs: only rows, with every value in full.
    Columns,
    /// Programs that read one JSON object per line.
    Lines,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The heading above its cells.
    pub title: Cow<'static, str>,
    /// How its cells are aligned.
    pub align: Align,
    /// The most characters that a cell has for people; `None` for all.
    pub most: Option<usize>,
}

/// The side of a column that its cells begin at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text: cells begin at the left edge.
    Left,
    /// Numbers: cells end at the right edge.
    Right,
}

impl Column {
    /// A column of text.
    pub fn left(title: impl Into<Cow<'static, str>>) -> Self {
        Self { title: title.into(), align: Align::Left, most: None }
    }

    /// A column of numbers.
    pub fn right(title: impl Into<Cow<'static, str>>) -> Self {
        Self { title: title.into(), align: Align::Right, most: None }
    }

    /// The same column with cells of no more characters.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most: Some(most), ..self }
    }
}

/// An element of an answer, as rows of a table and as a line of JSON lines.
pub trait Row: Serialize {
    /// Elements are of several kinds, each with members of its own: that no element has a member does
    /// not mean that none could have it.
    const VARIED: bool = false;

    /// Its rows, usually one, each with a cell for every column.
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>>;
}

impl<T: Row> Row for &T {
    const VARIED: bool = T::VARIED;

    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        (**self).rows(medium)
    }
}

/// One place in a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Unknown or missing: `-`.
    Nothing,
    /// Text, not yet made safe for a terminal; the page does that.
    Text(Cow<'a, str>),
    /// Memory in hex, which is read when it is written.
    Bytes(Stretch<'a>),
    /// A decimal number.
    Number(i128),
    /// An address in hex.
    Address(VirtAddr),
    /// A value as C writes it.
    Value(Cow<'a, Value>),
    /// The symbol that it points to, or its address.
    Pointer(&'a PointerValue),
    /// Why a value cannot be read.
    Error(&'a ValueError),
    /// A sysctl's value as sysctl(8) prints it.
    Sysctl(&'a Oid, &'a Sysctl),
}

impl<'a> Cell<'a> {
    /// A cell of text, borrowed or owned.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// What was read, or the error in its place.
    pub fn read<T>(read: &'a Result<T, ValueError>, cell: impl FnOnce(&'a T) -> Self) -> Self {
        read.as_ref().map_or_else(Self::Error, cell)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(cell: Option<T>) -> Self {
        cell.map_or(Self::Nothing, Into::into)
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

impl From<VirtAddr> for Cell<'_> {
    fn from(address: VirtAddr) -> Self {
        Self::Address(address)
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Cell<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<usize> for Cell<'_> {
    fn from(number: usize) -> Self {
        Self::Number(number as i128)
    }
}

impl<'a> From<&'a PointerValue> for Cell<'a> {
    fn from(pointer: &'a PointerValue) -> Self {
        Self::Pointer(pointer)
    }
}
