//! An answer that is an array of elements.

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Answer, Column, Elements, Page, Remark, Row};
use crate::walk::Problems;

/// An element of a [`List`].
pub trait Element: Row {
    /// The name of the array in JSON: `locks`.
    const ARRAY: &'static str;

    /// The number of its values that could not be read.
    fn unreadable(&self) -> usize {
        0
    }
}

/// An answer that is an array of elements: a table, or an array in JSON.
#[derive(Debug)]
pub struct List<'a, T> {
    /// The elements, kept or made on demand.
    pub elements: Elements<'a, T>,
    /// One column for each cell of an element's rows.
    pub columns: Vec<Column>,
    /// What could not be read, and what is unknown as a result.
    pub problems: Problems,
    /// There are no elements, but some may exist that could not be read: null in JSON.
    pub unknown: bool,
    /// Why the list is empty, if it is.
    pub nothing: Option<String>,
    /// What a person should know before reading the list.
    pub remarks: Vec<Remark>,
}

impl<'a, T> List<'a, T> {
    /// A list of these elements.
    pub fn new(columns: Vec<Column>, elements: impl Into<Elements<'a, T>>) -> Self {
        Self {
            elements: elements.into(),
            columns,
            problems: Problems::default(),
            unknown: false,
            nothing: None,
            remarks: Vec::new(),
        }
    }

    /// Adds the problems that may have hidden elements.
    pub fn with_problems(self, problems: Problems) -> Self {
        Self { problems, ..self }
    }

    /// Adds the reason why it is empty, if it is.
    pub fn or_nothing(self, why: impl FnOnce() -> String) -> Self {
        let empty = self.elements.kept().is_some_and(<[T]>::is_empty);
        Self { nothing: empty.then(why), ..self }
    }
}

impl<T: Element> Answer for List<'_, T> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        page.table(&self.columns, &self.elements)
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn nothing(&self) -> Option<String> {
        self.nothing.clone()
    }

    fn unreadable(&self) -> usize {
        let mut count = 0;
        self.elements.for_each(|element| count += element.unreadable());
        count
    }
}

impl<T: Element> Serialize for List<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let elements = Some(&self.elements).filter(|_| !self.unknown);
        map.serialize_entry(T::ARRAY, &elements)?;
        map.end()
    }
}

/// An answer that is one array of elements: null if there are none, but some may exist that
/// could not be read.
///
/// # Errors
/// Those of the serializer.
pub(crate) fn serialize_known<S: Serializer>(
    serializer: S,
    array: &'static str,
    elements: &(impl Serialize + ?Sized),
    empty: bool,
    problems: &Problems,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    let known = Some(elements).filter(|_| !empty || problems.is_empty());
    map.serialize_entry(array, &known)?;
    map.end()
}
