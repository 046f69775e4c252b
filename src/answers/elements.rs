//! The elements of an answer: kept, or made one by one on demand.

use std::fmt;

use serde::Serialize;
use serde::ser::{SerializeSeq, Serializer};

use super::{Cell, Medium, Row};

/// The elements of an answer, in order.
pub struct Elements<'a, T>(Source<'a, T>);

enum Source<'a, T> {
    Kept(Vec<T>),
    Made {
        each: Box<Each<'a, T>>,
        outline: Box<Outline<'a>>,
    },
    /// Their rows are known only when they are made.
    Again {
        each: Box<Each<'a, T>>,
    },
}

/// Calls its argument with one element after the other until that has enough.
type Each<'a, T> = dyn Fn(&mut dyn FnMut(&T) -> bool) + 'a;

/// Calls its argument with each row, as far as it is known before any element is made.
type Outline<'a> = dyn Fn(&mut dyn FnMut(Vec<Cell<'_>>)) + 'a;

/// Is called with the cells of a row, and with the last of them if that is known.
type See<'f> = dyn FnMut(Vec<Cell<'_>>, Option<Cell<'_>>) + 'f;

impl<'a, T> Elements<'a, T> {
    /// Elements that `each` makes: it calls its argument with one after the other, and stops when
    /// that returns false. It may be asked again, and makes the same again. `outline`
    /// does the same with the rows of all elements without their last cells, from which columns
    /// are laid out before the first element is made.
    pub fn made(
        each: impl Fn(&mut dyn FnMut(&T) -> bool) + 'a,
        outline: impl Fn(&mut dyn FnMut(Vec<Cell<'_>>)) + 'a,
    ) -> Self {
        Self(Source::Made { each: Box::new(each), outline: Box::new(outline) })
    }

    /// The same for elements that must be made to know their rows: if there are too many rows to hold as text,
    /// all are made twice for a table.
    pub fn made_twice(each: impl Fn(&mut dyn FnMut(&T) -> bool) + 'a) -> Self {
        Self(Source::Again { each: Box::new(each) })
    }

    /// Calls `f` with one element after the other.
    ///
    /// # Errors
    /// The first of `f`, which ends it.
    pub fn try_for_each<E>(&self, mut f: impl FnMut(&T) -> Result<(), E>) -> Result<(), E> {
        match &self.0 {
            Source::Kept(elements) => elements.iter().try_for_each(f),
            Source::Made { each, .. } | Source::Again { each } => {
                let mut result = Ok(());
                each(&mut |element| {
                    result = f(element);
                    result.is_ok()
                });
                result
            }
        }
    }

    /// Calls `f` with one element after the other.
    pub fn for_each(&self, mut f: impl FnMut(&T)) {
        let _ = self.try_for_each(|element| {
            f(element);
            Ok::<_, std::convert::Infallible>(())
        });
    }

    /// The elements, if they are kept.
    pub fn kept(&self) -> Option<&[T]> {
        match &self.0 {
            Source::Kept(elements) => Some(elements),
            Source::Made { .. } | Source::Again { .. } => None,
        }
    }
}

impl<T: Clone> Elements<'_, T> {
    /// All elements at once; those that are made are kept from now on.
    pub fn to_vec(&self) -> Vec<T> {
        let mut all = Vec::new();
        self.for_each(|element| all.push(element.clone()));
        all
    }
}

impl<T: Row> Elements<'_, T> {
    /// Calls `f` with the cells of each row that decide the layout of columns, which are all but the last,
    /// and with the last where elements need not be made for it, or were made for the others.
    pub fn outline(&self, medium: Medium, f: &mut See<'_>) {
        let mut whole = |element: &T| {
            for mut row in element.rows(medium) {
                let last = row.pop();
                f(row, last);
            }
        };
        match &self.0 {
            Source::Kept(elements) => elements.iter().for_each(whole),
            Source::Made { outline, .. } => outline(&mut |row| f(row, None)),
            Source::Again { each } => each(&mut |element| {
                whole(element);
                true
            }),
        }
    }
}

impl<T> From<Vec<T>> for Elements<'_, T> {
    fn from(elements: Vec<T>) -> Self {
        Self(Source::Kept(elements))
    }
}

impl<T: Serialize> Serialize for Elements<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(self.kept().map(<[T]>::len))?;
        self.try_for_each(|element| seq.serialize_element(element))?;
        seq.end()
    }
}

impl<T: fmt::Debug> fmt::Debug for Elements<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Kept(elements) => elements.fmt(f),
            Source::Made { .. } | Source::Again { .. } => f.write_str("Elements { .. }"),
        }
    }
}
