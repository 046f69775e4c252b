//! What an answer is laid out on.

use std::io;

use super::memory::Memory;
use super::{Cell, Column, Elements, Medium, Row};
use crate::types::declaration::Declaration;
use crate::vnet::VnetRef;

/// What an answer is laid out on. Text and values are made safe for a terminal here, not by the
/// answers.
pub trait Page {
    /// What the page is for.
    fn medium(&self) -> Medium;

    /// Begins the part of the answer that is about one vnet; `None` ends it.
    ///
    /// # Errors
    /// It cannot be written, as with everything below.
    fn part(&mut self, part: Option<Part>) -> io::Result<()>;

    /// A title. Only people see it.
    fn title(&mut self, title: &str) -> io::Result<()>;

    /// A line of text. Only people see it.
    fn line(&mut self, line: &str) -> io::Result<()>;

    /// A label, a cell, which may take several lines, and a note behind it. Only people see it.
    fn entry(&mut self, label: &str, cell: &Cell<'_>, note: Option<&str>) -> io::Result<()>;

    /// The declaration of a type with offsets and sizes. Only people see it.
    fn declaration(&mut self, declaration: &Declaration) -> io::Result<()>;

    /// Memory, byte by byte, read as it is written. Only people see it.
    fn memory(&mut self, memory: &Memory<'_>) -> io::Result<()>;

    /// A row for each of the elements, or several.
    fn table<T: Row>(&mut self, columns: &[Column], rows: &Elements<'_, T>) -> io::Result<()>;
}

/// A part of an answer, about one network stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `None` is the one stack of a kernel without VIMAGE.
    pub vnet: Option<VnetRef>,
    /// Above the part, where there are several.
    pub title: Option<String>,
    /// Rows begin with the vnet they belong to.
    pub marked: bool,
}
