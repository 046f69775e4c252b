//! Values as a program needs them: a number, a string, a member by its path.
//!
//! What: whether a value is of some kind, and what is in it, without a `match` over
//! all kinds. How: `as_…` gives `None` for a value of another kind, including an unreadable one
//! ([`Value::error`] says which). [`Value::get`] says what is missing.
//! What this refuses to do: read memory. A path cannot follow a pointer;
//! [`Session::print`](crate::Session::print) evaluates expressions that do.

use std::borrow::Cow;

use crate::addr::VirtAddr;
use crate::value::model::{ArrayValue, Elements, PointerValue, RecordValue, Value, ValueError};

/// Why a path leads to no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The text is not a path of members and indexes.
    #[error("`{path}` is not a path such as `a.b[2].c`: byte {at} does not belong there")]
    Syntax {
        /// The whole path.
        path: Box<str>,
        /// The first byte that does not belong, from 0.
        at: usize,
    },
    /// The struct or union has no member of that name.
    #[error("{} has no member `{name}`", place(within))]
    NoMember {
        /// The path to the struct or union; empty for the value itself.
        within: Box<str>,
        /// The member that it does not have.
        name: Box<str>,
    },
    /// The index is past the end of the array.
    #[error("{} has no element {index}: it has {len}", place(within))]
    NoElement {
        /// The path to the array; empty for the value itself.
        within: Box<str>,
        /// The element that was asked for, from 0.
        index: u64,
        /// The number of elements in the array.
        len: usize,
    },
    /// The element is in the array, but a limit left it out.
    #[error("element {index} of {} was left out: only {len} were read", place(within))]
    Omitted {
        /// The path to the array; empty for the value itself.
        within: Box<str>,
        /// The element that was asked for, from 0.
        index: u64,
        /// The number of elements that were read.
        len: usize,
    },
    /// Only structs and unions have members.
    #[error("{} is {found}, which has no members", place(within))]
    NotARecord {
        /// The path to the value; empty for the value itself.
        within: Box<str>,
        /// What is there instead: `an integer`.
        found: &'static str,
    },
    /// Only arrays have elements.
    #[error("{} is {found}, which has no elements", place(within))]
    NotAnArray {
        /// The path to the value; empty for the value itself.
        within: Box<str>,
        /// What is there instead: `an integer`.
        found: &'static str,
    },
    /// The path continues into a value that could not be read.
    #[error("{} could not be read", place(within))]
    Unreadable {
        /// The path to the value; empty for the value itself.
        within: Box<str>,
        /// Why not.
        #[source]
        why: ValueError,
    },
}

fn place(within: &str) -> Cow<'_, str> {
    match within {
        "" => "the value".into(),
        within => format!("`{within}`").into(),
    }
}

impl Value {
    /// The number of an integer, a character, an enum, or the sum of a counter.
    #[must_use]
    pub fn as_i128(&self) -> Option<i128> {
        match self.plain() {
            Self::Int(number) | Self::Char(number) => Some(*number),
            Self::Enum(found) => Some(found.value),
            Self::Counter { sum, .. } => Some((*sum).into()),
            _ => None,
        }
    }

    /// The same, if it fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.as_i128()?.try_into().ok()
    }

    /// The same, if it fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.as_i128()?.try_into().ok()
    }

    /// A `float`, `double` or `long double`, as the host's `f64`.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self.plain() {
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// A `bool`, or `_Bool`; `None` for a number.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.plain() {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The text in a char array, or the text that a `char *` points to.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self.plain() {
            Self::Text(text) => Some(text),
            Self::Pointer(pointer) => pointer.text(),
            _ => None,
        }
    }

    /// The bytes of something that has no known type.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self.plain() {
            Self::Bytes(bytes) => Some(&bytes.bytes),
            _ => None,
        }
    }

    /// A pointer of any type, with what is known of its target.
    #[must_use]
    pub fn as_pointer(&self) -> Option<&PointerValue> {
        match self.plain() {
            Self::Pointer(pointer) => Some(pointer),
            _ => None,
        }
    }

    /// The kernel address that a pointer, or a counter's pointer, holds.
    #[must_use]
    pub fn as_address(&self) -> Option<VirtAddr> {
        match self.plain() {
            Self::Pointer(PointerValue { address, .. }) | Self::Counter { address, .. } => {
                Some(*address)
            }
            _ => None,
        }
    }

    /// A struct or union.
    #[must_use]
    pub fn as_record(&self) -> Option<&RecordValue> {
        match self.plain() {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    /// An array, unless it is text.
    #[must_use]
    pub fn as_array(&self) -> Option<&ArrayValue> {
        match self.plain() {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// Why the value could not be read; `None` if it was.
    #[must_use]
    pub fn error(&self) -> Option<&ValueError> {
        match self.plain() {
            Self::Error(why) => Some(why),
            _ => None,
        }
    }

    /// The members of a struct or union in their order; empty for other values.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.as_record().into_iter().flat_map(RecordValue::members)
    }

    /// The elements of an array in their order; empty for other values.
    pub fn elements(&self) -> impl Iterator<Item = Cow<'_, Value>> {
        self.as_array().into_iter().flat_map(|array| &array.elements)
    }

    /// The value at a path of members and indexes, such as `a.b[2].c`. An element is
    /// borrowed where it is kept as a value; numbers are kept as bytes and made into
    /// values here. The empty path leads to the value itself.
    ///
    /// ```
    /// use vnetkvm::value::Value;
    /// # use vnetkvm::value::model::{RecordValue, ArrayValue};
    /// # let numbers = vec![Value::Int(16), Value::Int(3)];
    /// # let data = Value::Array(ArrayValue { elements: numbers.into(), omitted: 0 });
    /// # let value = Value::Record(RecordValue::new([("sa_data", data)]));
    ///
    /// assert_eq!(value.get("sa_data[1]")?.as_u64(), Some(3));
    /// let error = value.get("sa_data[2]").unwrap_err();
    /// assert_eq!(error.to_string(), "`sa_data` has no element 2: it has 2");
    /// # Ok::<(), vnetkvm::value::PathError>(())
    /// ```
    ///
    /// # Errors
    /// The text is not such a path, or names something that is not there. A value that could not
    /// be read is an error only if the path continues into it.
    pub fn get(&self, path: &str) -> Result<Cow<'_, Value>, PathError> {
        let mut here = Cow::Borrowed(self);
        let mut rest = path;
        while !rest.is_empty() {
            let at = path.len() - rest.len();
            let within = path.get(..at).unwrap_or_default();
            let (step, left) = Step::first(rest, at == 0)
                .map_err(|bytes| PathError::Syntax { path: path.into(), at: at + bytes })?;
            here = match here {
                Cow::Borrowed(value) => value.step(&step, within)?,
                Cow::Owned(value) => Cow::Owned(value.step(&step, within)?.into_owned()),
            };
            rest = left;
        }
        Ok(here)
    }

    fn step(&self, step: &Step<'_>, within: &str) -> Result<Cow<'_, Value>, PathError> {
        let within = || Box::from(within);
        match (self, step) {
            (Self::Error(why), _) => {
                Err(PathError::Unreadable { within: within(), why: (**why).clone() })
            }
            (Self::Record(_), Step::Member(name)) => {
                let found = self.members().find(|(member, _)| member == name);
                let (_, value) = found.ok_or_else(|| PathError::NoMember {
                    within: within(),
                    name: (*name).into(),
                })?;
                Ok(Cow::Borrowed(value))
            }
            (other, Step::Member(_)) => {
                Err(PathError::NotARecord { within: within(), found: other.kind() })
            }
            (Self::Array(array), Step::Element(index)) => {
                let found = usize::try_from(*index).ok().and_then(|at| array.elements.get(at));
                let (index, len) = (*index, array.elements.len());
                found.ok_or_else(|| match index < array.omitted.saturating_add(len as u64) {
                    true => PathError::Omitted { within: within(), index, len },
                    false => PathError::NoElement { within: within(), index, len },
                })
            }
            (other, Step::Element(_)) => {
                Err(PathError::NotAnArray { within: within(), found: other.kind() })
            }
        }
    }

    /// Its kind, in words: "an integer".
    fn kind(&self) -> &'static str {
        match self.plain() {
            Self::Int(_) => "an integer",
            Self::Bool(_) => "a boolean",
            Self::Char(_) => "a character",
            Self::Float(_) => "a floating-point number",
            Self::Enum(_) => "an enum",
            Self::Pointer(_) => "a pointer",
            Self::Record(_) => "a struct or union",
            Self::Array(_) => "an array",
            Self::Text(_) => "a text",
            Self::Counter { .. } => "a counter",
            Self::Bytes(_) => "bytes of no known type",
            Self::Error(_) => "an error",
            Self::Told(_) => "a value shown in another form",
        }
    }
}

enum Step<'p> {
    Member(&'p str),
    Element(u64),
}

impl<'p> Step<'p> {
    /// The first step of a path and what follows, or the number of bytes before the
    /// error. A dot stands before each member but the first of all.
    fn first(path: &'p str, is_start: bool) -> Result<(Self, &'p str), usize> {
        if let Some(inside) = path.strip_prefix('[') {
            let end = inside.find(|other: char| !other.is_ascii_digit());
            let (digits, rest) = inside.split_at(end.unwrap_or(inside.len()));
            let rest = rest.strip_prefix(']').ok_or(1 + digits.len())?;
            return Ok((Self::Element(digits.parse().map_err(|_| 1usize)?), rest));
        }
        let name = match path.strip_prefix('.') {
            Some(name) if !is_start => name,
            None if is_start => path,
            _ => return Err(0),
        };
        let end = name.find(['.', '[', ']']).unwrap_or(name.len());
        match name.split_at(end) {
            ("", _) => Err(path.len() - name.len()),
            (name, rest) => Ok((Self::Member(name), rest)),
        }
    }
}

/// The elements of an array, one after the other.
#[derive(Debug, Clone)]
pub struct ElementsIter<'v> {
    elements: &'v Elements,
    next: usize,
}

impl<'v> Iterator for ElementsIter<'v> {
    type Item = Cow<'v, Value>;

    fn next(&mut self) -> Option<Self::Item> {
        let element = self.elements.get(self.next)?;
        self.next += 1;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.elements.len().saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for ElementsIter<'_> {}

impl<'v> IntoIterator for &'v Elements {
    type Item = Cow<'v, Value>;
    type IntoIter = ElementsIter<'v>;

    fn into_iter(self) -> ElementsIter<'v> {
        ElementsIter { elements: self, next: 0 }
    }
}
