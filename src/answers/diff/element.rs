//! What is found about a part of a variable, as an element of the answer.

use std::borrow::Cow;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::addr::VirtAddr;
use crate::answers::variables::Described;
use crate::answers::{Cell, Column, Medium, Row};
use crate::value::Value;
use crate::value::model::{BytesValue, ValueError};
use crate::views::diff::{Change, Kind, Which};

/// Which part of which variable.
#[derive(Debug, Clone)]
pub struct Place {
    /// The variable.
    pub of: Arc<Described>,
    /// The members and elements that lead to the part: `ipi_count`, `[0..3].head`; empty for
    /// the variable itself.
    pub path: Box<str>,
    /// The part's type; empty if it is not known.
    pub type_name: Box<str>,
    /// Where it lies in the vnet.
    pub address: Option<VirtAddr>,
}

/// A part that differs.
#[derive(Debug, Clone)]
pub struct Difference {
    /// What differs.
    pub place: Place,
    /// The value that it is compared with.
    pub old: Value,
    /// Its value in the vnet.
    pub new: Value,
    /// The kind by which it is usually left out.
    pub folded: Option<Kind>,
    /// Rows say the kind.
    pub(super) with_kind: bool,
}

/// A part that cannot be read or not be compared.
#[derive(Debug, Clone)]
pub struct Unknown {
    /// What is unknown.
    pub place: Place,
    /// The side that cannot be read.
    pub side: Option<Which>,
    /// Why.
    pub why: ValueError,
}

/// A part that the two kernels declare differently.
#[derive(Debug, Clone)]
pub struct Changed {
    /// What is declared differently.
    pub place: Place,
    /// How.
    pub change: Change,
    pub(super) with_kind: bool,
}

impl Place {
    /// The variable with the path to the part, as C writes it.
    #[must_use]
    pub fn title(&self) -> String {
        let (name, path) = (&self.of.title, &self.path);
        match path.as_bytes().first() {
            None => name.clone(),
            Some(b'[') => format!("{name}{path}"),
            Some(_) => format!("{name}.{path}"),
        }
    }

    /// The cells before the values.
    fn cells(&self, medium: Medium) -> Vec<Cell<'_>> {
        let type_name = Some(&*self.type_name).filter(|name| !name.is_empty());
        match medium {
            Medium::People => vec![self.title().into(), type_name.into()],
            Medium::Columns | Medium::Lines => vec![
                self.title().into(),
                (&*self.of.variable.module).into(),
                type_name.into(),
                self.address.into(),
            ],
        }
    }

    fn fields<S: SerializeStruct>(&self, fields: &mut S) -> Result<(), S::Error> {
        fields.serialize_field("name", &self.of.variable.name)?;
        fields.serialize_field("module", &self.of.variable.module)?;
        fields.serialize_field("file", &self.of.variable.file)?;
        fields.serialize_field("path", &self.path)?;
        fields.serialize_field("type", &Some(&self.type_name).filter(|name| !name.is_empty()))?;
        fields.serialize_field("address", &self.address)
    }
}

/// The columns for people, with one for the kind of what is usually left out. Scripts always have
/// that column, and it also tells them differences from what is unknown or declared differently.
pub fn columns(kinds: bool) -> Vec<Column> {
    let start = ["NAME", "TYPE"].into_iter().map(Column::left);
    let kind = kinds.then(|| Column::left("KIND"));
    start.chain(kind).chain(["OLD", "NEW"].into_iter().map(Column::left)).collect()
}

impl Row for Difference {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        let mut row = self.place.cells(medium);
        let kind = self.folded.map(Kind::name);
        row.extend(match medium {
            Medium::People => self.with_kind.then(|| kind.into()),
            Medium::Columns | Medium::Lines => Some(kind.unwrap_or("differs").into()),
        });
        let cell = |value| match medium {
            Medium::People => shortened(value),
            Medium::Columns | Medium::Lines => Cow::Borrowed(value),
        };
        row.extend([&self.old, &self.new].map(|value| Cell::Value(cell(value))));
        vec![row]
    }
}

/// A value that fits into a column.
fn shortened(value: &Value) -> Cow<'_, Value> {
    /// Bytes, or characters.
    const LONGEST: usize = 40;
    match value {
        Value::Text(text) => match text.char_indices().nth(LONGEST) {
            Some((end, _)) => Cow::Owned(Value::Text(format!("{}…", &text[..end]).into())),
            None => Cow::Borrowed(value),
        },
        Value::Bytes(bytes) if bytes.bytes.len() > LONGEST => {
            let (shown, rest) = bytes.bytes.split_at(LONGEST);
            let omitted = bytes.omitted.saturating_add(rest.len() as u64);
            Cow::Owned(Value::Bytes(BytesValue { bytes: shown.into(), omitted }))
        }
        value => Cow::Borrowed(value),
    }
}

impl Serialize for Difference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Difference", 9)?;
        self.place.fields(&mut fields)?;
        fields.serialize_field("old", &self.old)?;
        fields.serialize_field("new", &self.new)?;
        fields.serialize_field("folded", &self.folded.map(Kind::name))?;
        fields.end()
    }
}

/// The columns of what is unknown, for people.
pub fn unknown_columns() -> Vec<Column> {
    ["NAME", "TYPE", "SIDE", "WHY"].into_iter().map(Column::left).collect()
}

/// For people, a sentence. For scripts, the columns of a difference, with the error in the place
/// of the value.
impl Row for Unknown {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        let mut row = self.place.cells(medium);
        let why = Cell::Error(&self.why);
        if medium == Medium::People {
            row.extend([self.side.map(Which::name).into(), why]);
            return vec![row];
        }
        row.push("unknown".into());
        row.extend(match self.side {
            Some(Which::Old) => [why, Cell::Nothing],
            Some(Which::New) | None => [Cell::Nothing, why],
        });
        vec![row]
    }
}

impl Serialize for Unknown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Unknown", 8)?;
        self.place.fields(&mut fields)?;
        fields.serialize_field("side", &self.side.map(Which::name))?;
        fields.serialize_field("value", &self.why)?;
        fields.end()
    }
}

impl Changed {
    /// What each side has: whether it has it at all, its type, its size.
    fn values(&self) -> [Cell<'_>; 2] {
        let present = || Cell::from("present");
        match &self.change {
            Change::OnlyOld => [present(), Cell::Nothing],
            Change::OnlyNew => [Cell::Nothing, present()],
            Change::Type { old, new } => [old, new].map(|name| format!("type {name}").into()),
            Change::Size { old, new } => [old, new].map(|size| format!("size {size}").into()),
        }
    }
}

impl Row for Changed {
    fn rows(&self, medium: Medium) -> Vec<Vec<Cell<'_>>> {
        let mut row = self.place.cells(medium);
        row.extend(match medium {
            Medium::People => self.with_kind.then_some(Cell::Nothing),
            Medium::Columns | Medium::Lines => Some(self.change.name().into()),
        });
        row.extend(self.values());
        vec![row]
    }
}

impl Serialize for Changed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Changed", 9)?;
        self.place.fields(&mut fields)?;
        fields.serialize_field("what", self.change.name())?;
        match &self.change {
            Change::OnlyOld | Change::OnlyNew => {
                fields.serialize_field("old", &None::<()>)?;
                fields.serialize_field("new", &None::<()>)?;
            }
            Change::Type { old, new } => {
                fields.serialize_field("old", old)?;
                fields.serialize_field("new", new)?;
            }
            Change::Size { old, new } => {
                fields.serialize_field("old", old)?;
                fields.serialize_field("new", new)?;
            }
        }
        fields.end()
    }
}
