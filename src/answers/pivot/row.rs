//! A row: which values occur, and which vnets have each.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::answers::failure::{Failure, value_or_failure};
use crate::answers::{Cell, Medium, Row};
use crate::value::Value;
use crate::vnet::VnetRef;

/// The values of one variable or expression.
#[derive(Debug, Clone)]
pub struct Pivoted {
    /// The variable or the expression.
    pub name: Box<str>,
    /// Its type; `None` if it is unknown or may differ.
    pub type_name: Option<Box<str>>,
    /// The values in the order in which they first occur.
    pub values: Vec<Shared>,
    /// The place in `values` of each vnet's value.
    pub(super) places: Vec<usize>,
}

/// A value, and the vnets that have it.
#[derive(Debug, Clone, Serialize)]
pub struct Shared {
    /// In the order in which they were chosen.
    pub vnets: Vec<VnetRef>,
    /// The value, or why the expression has none.
    #[serde(serialize_with = "value_or_failure")]
    pub value: Result<Value, Failure>,
}

impl Shared {
    /// In all vnets that have it.
    pub(super) fn unreadable(&self) -> usize {
        self.vnets.len() * self.value.as_ref().map_or(1, Value::unreadable)
    }

    pub(super) fn cell(&self) -> Cell<'_> {
        match &self.value {
            Ok(value) => Cell::Value(Cow::Borrowed(value)),
            Err(Failure { kind, message }) => format!("<{kind}: {message}>").into(),
        }
    }
}

impl Pivoted {
    /// The value of the vnet at a place among the chosen ones.
    pub(super) fn value(&self, vnet: usize) -> Option<&Shared> {
        self.values.get(*self.places.get(vnet)?)
    }
}

/// For scripts: the name and the values of all vnets, in full.
impl Row for Pivoted {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let values = self.places.iter().filter_map(|place| self.values.get(*place));
        vec![std::iter::once((&*self.name).into()).chain(values.map(Shared::cell)).collect()]
    }
}

impl Serialize for Pivoted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("type", &self.type_name)?;
        map.serialize_entry("values", &self.values)?;
        map.end()
    }
}
