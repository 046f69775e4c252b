//! Follows a path through what serialises itself, and writes what is at its end. What the path
//! leaves aside is never asked to serialise itself, and after the end nothing is asked any more.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use serde::ser::{self, Serialize, SerializeMap as _, SerializeSeq as _};

use super::parse::Step;
use super::trace::Trace;
use crate::render::json::{Failed, JsonWriter, Open};
use crate::render::sanitize;
use crate::value::model::ERROR_IN_PLACE;

/// A serializer that writes what is at the end of a path.
pub(super) struct Select<'a, W> {
    pub out: &'a mut JsonWriter<W>,
    /// The steps that are left.
    pub steps: &'a [Step],
    pub trace: &'a mut Trace,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The rest of the value is of no interest.
    Found,
    /// It could not be written.
    Failed(Failed),
}

/// An open array or object.
pub(super) enum Parts<'a, W> {
    /// At the end of the path, it is written as JSON.
    Json(Open<'a, W>),
    /// The path goes into some of the elements. So many were passed.
    Elements { select: Select<'a, W>, passed: u64 },
    /// The path goes into one of the members.
    Members { select: Select<'a, W>, members: Members },
    /// An error is in the place of a value.
    Error(&'a mut JsonWriter<W>),
    /// The path does not go here.
    Aside,
}

/// What was seen of the members of an object.
#[derive(Default)]
pub(super) struct Members {
    /// The name of the member that comes next.
    next: String,
    names: Vec<String>,
    /// The object may have the member, and has none.
    left_out: bool,
}

impl<'a, W: Write> Select<'a, W> {
    /// Something that has no parts.
    fn scalar(
        self,
        write: impl FnOnce(&mut JsonWriter<W>) -> Result<(), Failed>,
    ) -> Result<(), Stop> {
        if self.steps.is_empty() {
            self.trace.arrive();
            return write(self.out).map_err(Stop::Failed);
        }
        self.lack([]);
        Ok(())
    }

    /// What is here has not what the next step asks for, but perhaps `names`. Any value may be an
    /// error instead, so nobody mistyped the name of one.
    fn lack(self, names: impl IntoIterator<Item = String>) {
        if !is_error(self.steps) {
            self.trace.lack(self.steps.len(), names);
        }
    }

    /// A number or a word that JSON writes as it is written here.
    fn plain(self, value: impl Serialize) -> Result<(), Stop> {
        self.scalar(|out| value.serialize(out))
    }

    /// The same value, for the rest of the path.
    fn rest(&mut self, steps: &'a [Step]) -> Select<'_, W> {
        Select { out: &mut *self.out, steps, trace: &mut *self.trace }
    }

    /// The parts of something that is an array.
    fn array(self) -> Result<Parts<'a, W>, Stop> {
        match self.steps {
            [] => {
                self.trace.arrive();
                let open = ser::Serializer::serialize_seq(self.out, None);
                Ok(Parts::Json(open.map_err(Stop::Failed)?))
            }
            [Step::Member(_), ..] => Ok(self.aside()),
            _ => Ok(Parts::Elements { select: self, passed: 0 }),
        }
    }

    /// The parts of something that is an object.
    fn object(self) -> Result<Parts<'a, W>, Stop> {
        match self.steps {
            [] => {
                self.trace.arrive();
                let open = ser::Serializer::serialize_map(self.out, None);
                Ok(Parts::Json(open.map_err(Stop::Failed)?))
            }
            [Step::Member(_), ..] => {
                Ok(Parts::Members { select: self, members: Members::default() })
            }
            _ => Ok(self.aside()),
        }
    }

    fn aside(self) -> Parts<'a, W> {
        self.lack([]);
        Parts::Aside
    }

    /// The steps that lead into the variant of an enum, if it is the one that is wanted.
    fn into_variant(self, variant: &str) -> Option<Self> {
        match self.steps {
            [Step::Member(name), steps @ ..] if **name == *variant => Some(Self { steps, ..self }),
            _ => {
                self.lack([variant.to_owned()]);
                None
            }
        }
    }
}

impl<W: Write> Parts<'_, W> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        let Self::Elements { select, passed } = self else {
            return match self {
                Self::Json(open) => open.serialize_element(value).map_err(Stop::Failed),
                _ => Ok(()),
            };
        };
        let place = *passed;
        *passed = place.saturating_add(1);
        match select.steps {
            [Step::Index(wanted), steps @ ..] if *wanted == place => {
                value.serialize(select.rest(steps))?;
                Err(Stop::Found)
            }
            [Step::All, steps @ ..] => {
                if place > 0 {
                    select.out.raw(",");
                }
                match value.serialize(select.rest(steps)) {
                    Ok(()) | Err(Stop::Found) => Ok(()),
                    failed => failed,
                }
            }
            _ => Ok(()),
        }
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Stop> {
        let (select, members) = match self {
            Self::Json(open) => return open.serialize_entry(name, value).map_err(Stop::Failed),
            Self::Error(out) => return push_error(out, value),
            Self::Members { select, members } => (select, members),
            Self::Elements { .. } | Self::Aside => return Ok(()),
        };
        if let [Step::Member(wanted), steps @ ..] = select.steps
            && **wanted == *name
        {
            value.serialize(select.rest(steps))?;
            return Err(Stop::Found);
        }
        if select.trace.wants_names(select.steps.len()) {
            members.names.push(name.to_owned());
        }
        Ok(())
    }

    fn end(self) -> Result<(), Stop> {
        match self {
            Self::Json(open) => ser::SerializeMap::end(open).map_err(Stop::Failed),
            Self::Members { select, members } if !members.left_out => {
                select.lack(members.names);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Whether a path goes into the error that may be in the place of any value.
fn is_error(steps: &[Step]) -> bool {
    matches!(steps, [Step::Member(name), ..] if **name == *"error")
}

/// Writes an error as plain rows have it: `<not-dumped: 0x10 is not in the dump>`.
fn push_error<W: Write>(
    out: &mut JsonWriter<W>,
    reason: &(impl Serialize + ?Sized),
) -> Result<(), Stop> {
    let reason = serde_json::to_value(reason).map_err(ser::Error::custom)?;
    let part = |name: &str| reason.get(name).and_then(|part| part.as_str()).unwrap_or_default();
    out.raw(&sanitize::line(&format!("<{}: {}>", part("kind"), part("message"))));
    Ok(())
}

/// Scalars that are written as JSON writes them.
macro_rules! plain {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), Stop> {
            self.plain(value)
        }
    )*};
}

impl<'a, W: Write> ser::Serializer for Select<'a, W> {
    type Ok = ();
    type Error = Stop;
    type SerializeSeq = Parts<'a, W>;
    type SerializeTuple = Parts<'a, W>;
    type SerializeTupleStruct = Parts<'a, W>;
    type SerializeTupleVariant = Parts<'a, W>;
    type SerializeMap = Parts<'a, W>;
    type SerializeStruct = Parts<'a, W>;
    type SerializeStructVariant = Parts<'a, W>;

    plain! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64
    }

    fn serialize_f32(self, number: f32) -> Result<(), Stop> {
        self.serialize_f64(number.into())
    }

    /// JSON has null for what is no number.
    fn serialize_f64(self, number: f64) -> Result<(), Stop> {
        if number.is_finite() { self.plain(number) } else { self.serialize_unit() }
    }

    fn serialize_char(self, c: char) -> Result<(), Stop> {
        self.serialize_str(c.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), Stop> {
        self.scalar(|out| {
            out.raw(&sanitize::line(text));
            Ok(())
        })
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Stop> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Stop> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Stop> {
        value.serialize(self)
    }

    /// Null is nothing, and may stand for anything that has parts.
    fn serialize_unit(self) -> Result<(), Stop> {
        if self.steps.is_empty() {
            self.trace.arrive();
        }
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Stop> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Stop> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        if self.steps.is_empty() {
            return self.scalar(|out| out.serialize_newtype_variant(name, index, variant, value));
        }
        self.into_variant(variant).map_or(Ok(()), |select| value.serialize(select))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a, W>, Stop> {
        self.array()
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a, W>, Stop> {
        self.array()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a, W>, Stop> {
        self.array()
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'a, W>, Stop> {
        if self.steps.is_empty() {
            self.trace.arrive();
            let open = self.out.serialize_tuple_variant(name, index, variant, len);
            return Ok(Parts::Json(open.map_err(Stop::Failed)?));
        }
        self.into_variant(variant).map_or(Ok(Parts::Aside), Self::array)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a, W>, Stop> {
        self.object()
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a, W>, Stop> {
        if name != ERROR_IN_PLACE || is_error(self.steps) {
            return self.object();
        }
        if self.steps.is_empty() {
            self.trace.arrive();
        }
        Ok(Parts::Error(self.out))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Parts<'a, W>, Stop> {
        if self.steps.is_empty() {
            self.trace.arrive();
            let open = self.out.serialize_struct_variant(name, index, variant, len);
            return Ok(Parts::Json(open.map_err(Stop::Failed)?));
        }
        self.into_variant(variant).map_or(Ok(Parts::Aside), Self::object)
    }

    /// Text of any length, which is not held.
    fn collect_str<T: fmt::Display + ?Sized>(self, text: &T) -> Result<(), Stop> {
        struct Fragments<'a, W> {
            out: &'a mut JsonWriter<W>,
            failed: Option<Failed>,
        }
        impl<W: Write> fmt::Write for Fragments<'_, W> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.out.raw(&sanitize::line(text));
                self.out.flush_if_full().map_err(|why| {
                    self.failed = Some(why);
                    fmt::Error
                })
            }
        }
        self.scalar(|out| {
            let mut fragments = Fragments { out, failed: None };
            match (write!(fragments, "{text}"), fragments.failed) {
                (_, Some(why)) => Err(why),
                (written, None) => written.map_err(|why| io::Error::other(why).into()),
            }
        })
    }
}

/// The traits of serde for arrays.
macro_rules! arrays {
    ($($part:ident::$method:ident),*) => {$(
        impl<W: Write> ser::$part for Parts<'_, W> {
            type Ok = ();
            type Error = Stop;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
                self.element(value)
            }

            fn end(self) -> Result<(), Stop> {
                self.end()
            }
        }
    )*};
}

arrays! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
}

/// The traits of serde for objects with names that the program has.
macro_rules! objects {
    ($($part:ident),*) => {$(
        impl<W: Write> ser::$part for Parts<'_, W> {
            type Ok = ();
            type Error = Stop;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Stop> {
                self.member(name, value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), Stop> {
                if let Self::Members { select, members } = self {
                    let wanted = select.steps.first();
                    members.left_out |=
                        matches!(wanted, Some(Step::Member(wanted)) if **wanted == *name);
                }
                Ok(())
            }

            fn end(self) -> Result<(), Stop> {
                self.end()
            }
        }
    )*};
}

objects! { SerializeStruct, SerializeStructVariant }

/// The text of a key, which is a string.
struct Key<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> fmt::Display for Key<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.serialize(f)
    }
}

impl<W: Write> ser::SerializeMap for Parts<'_, W> {
    type Ok = ();
    type Error = Stop;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Stop> {
        match self {
            Self::Json(open) => open.serialize_key(key).map_err(Stop::Failed),
            Self::Members { members, .. } => {
                members.next = Key(key).to_string();
                Ok(())
            }
            Self::Elements { .. } | Self::Error(_) | Self::Aside => Ok(()),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Stop> {
        match self {
            Self::Json(open) => open.serialize_value(value).map_err(Stop::Failed),
            Self::Members { members, .. } => {
                let name = std::mem::take(&mut members.next);
                self.member(&name, value)
            }
            Self::Elements { .. } | Self::Error(_) | Self::Aside => Ok(()),
        }
    }

    fn end(self) -> Result<(), Stop> {
        self.end()
    }
}

impl ser::Error for Stop {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self::Failed(ser::Error::custom(why))
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found => f.write_str("the rest is of no interest"),
            Self::Failed(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Stop {}
