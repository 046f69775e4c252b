//! The page that an answer is laid out on.

use std::io;

use serde::Serialize;

use super::memory::Memory;
use super::{Cell, Column, Elements, Medium, Row};
use crate::types::declaration::Declaration;
use crate::vnet::VnetRef;

/// The page that an answer is laid out on. The page makes text and values safe for a terminal,
/// not the answers.
pub trait Page {
    /// The kind of reader that the page is for.
    fn medium(&self) -> Medium;

    /// Begins the part of the answer that is about one vnet; `None` ends it.
    ///
    /// # Errors
    /// The output cannot be written; the same holds for all methods below.
    fn part(&mut self, part: Option<Part>) -> io::Result<()>;

    /// A title, only for people.
    fn title(&mut self, title: &str) -> io::Result<()>;

    /// A line of text, only for people.
    fn line(&mut self, line: &str) -> io::Result<()>;

    /// A line that says what is wrong in the kernel's own state, only for people.
    fn call_out(&mut self, line: &str) -> io::Result<()> {
        self.line(&format!("! {line}"))
    }

    /// A label, a cell that may take several lines, and a note after it; only for people.
    fn entry(&mut self, label: &str, cell: &Cell<'_>, note: Option<&str>) -> io::Result<()>;

    /// The declaration of a type with offsets and sizes, only for people.
    fn declaration(&mut self, declaration: &Declaration) -> io::Result<()>;

    /// A hex dump of memory that is read as it is written, only for people.
    fn memory(&mut self, memory: &Memory<'_>) -> io::Result<()>;

    /// A table with one or more rows for each element.
    fn table<T: Row>(&mut self, columns: &[Column], rows: &Elements<'_, T>) -> io::Result<()>;
}

/// A part of an answer, about one network stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `None` is the one stack of a kernel without VIMAGE.
    pub vnet: Option<VnetRef>,
    /// The title above the part if there are several parts.
    pub title: Option<String>,
    /// Rows begin with the vnet that they belong to.
    pub marked: bool,
}

/// A part of an answer, or an element of it, in JSON: its vnet comes first.
#[derive(Debug, Serialize)]
pub(crate) struct About<T> {
    /// `None` is the one stack of a kernel without VIMAGE.
    pub vnet: Option<VnetRef>,
    #[serde(flatten)]
    pub what: T,
}
