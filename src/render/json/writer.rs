//! Writes JSON into a buffer, and the buffer to where it goes.
//!
//! Nearly all of a long answer is names of members, small integers and addresses. They are copied
//! here without another look: serde_json, which writes a few bytes at a time through two layers,
//! takes three times as long. It still writes what is rare: floats, and strings with characters
//! that have to be escaped.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use serde::ser::{self, Serialize};

use super::escape::{escape, is_plain};

/// The buffer is written when it has so many bytes.
const FULL: usize = 32 << 10;

/// A serializer of one JSON value.
pub(in crate::render) struct JsonWriter<W> {
    out: W,
    buffer: Vec<u8>,
    /// Arrays and objects that are open.
    depth: usize,
    /// The elements of an answer's outermost arrays stand on lines of their own.
    lines: bool,
}

/// A value could not be written.
#[derive(Debug)]
pub(in crate::render) struct Failed(io::Error);

/// An open array or object.
pub(in crate::render) struct Open<'a, W> {
    writer: &'a mut JsonWriter<W>,
    close: u8,
    first: bool,
    /// Another object is around it, which closes with it.
    wrapped: bool,
}

impl<W: Write> JsonWriter<W> {
    pub fn new(out: W, lines: bool) -> Self {
        Self { out, buffer: Vec::with_capacity(2 * FULL), depth: 0, lines }
    }

    /// Ends a line.
    pub fn end_line(&mut self) -> Result<(), Failed> {
        self.buffer.push(b'\n');
        self.flush_if_full()
    }

    /// Writes what is left in the buffer.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)
    }

    /// Writes text as it is, which is no JSON.
    pub fn raw(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    /// Writes the buffer if it has enough for that.
    #[inline]
    pub fn flush_if_full(&mut self) -> Result<(), Failed> {
        if self.buffer.len() >= FULL {
            self.out.write_all(&self.buffer).map_err(Failed)?;
            self.buffer.clear();
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, text: &str) {
        self.buffer.push(b'"');
        self.fragment(text);
        self.buffer.push(b'"');
    }

    /// Text inside of a string.
    #[inline]
    fn fragment(&mut self, text: &str) {
        if is_plain(text.as_bytes()) {
            self.buffer.extend_from_slice(text.as_bytes());
        } else {
            escape(&mut self.buffer, text);
        }
    }

    #[inline]
    fn integer(&mut self, number: impl itoa::Integer) {
        self.buffer.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }

    #[inline]
    fn open(&mut self, open: u8, close: u8) -> Open<'_, W> {
        self.buffer.push(open);
        self.depth += 1;
        Open { writer: self, close, first: true, wrapped: false }
    }

    /// `{"VARIANT":`
    fn variant(&mut self, variant: &str) {
        self.buffer.push(b'{');
        self.depth += 1;
        self.string(variant);
        self.buffer.push(b':');
    }

    fn end_variant(&mut self) {
        self.buffer.push(b'}');
        self.depth -= 1;
    }
}

impl<'a, W: Write> ser::Serializer for &'a mut JsonWriter<W> {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Open<'a, W>;
    type SerializeTuple = Open<'a, W>;
    type SerializeTupleStruct = Open<'a, W>;
    type SerializeTupleVariant = Open<'a, W>;
    type SerializeMap = Open<'a, W>;
    type SerializeStruct = Open<'a, W>;
    type SerializeStructVariant = Open<'a, W>;

    fn serialize_bool(self, yes: bool) -> Result<(), Failed> {
        self.buffer.extend_from_slice(if yes { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, number: i8) -> Result<(), Failed> {
        self.serialize_i64(number.into())
    }

    fn serialize_i16(self, number: i16) -> Result<(), Failed> {
        self.serialize_i64(number.into())
    }

    fn serialize_i32(self, number: i32) -> Result<(), Failed> {
        self.serialize_i64(number.into())
    }

    #[inline]
    fn serialize_i64(self, number: i64) -> Result<(), Failed> {
        self.integer(number);
        Ok(())
    }

    fn serialize_u8(self, number: u8) -> Result<(), Failed> {
        self.serialize_u64(number.into())
    }

    fn serialize_u16(self, number: u16) -> Result<(), Failed> {
        self.serialize_u64(number.into())
    }

    fn serialize_u32(self, number: u32) -> Result<(), Failed> {
        self.serialize_u64(number.into())
    }

    #[inline]
    fn serialize_u64(self, number: u64) -> Result<(), Failed> {
        self.integer(number);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<(), Failed> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Failed> {
        serde_json::to_writer(&mut self.buffer, &number).map_err(|why| Failed(why.into()))
    }

    fn serialize_char(self, c: char) -> Result<(), Failed> {
        self.serialize_str(c.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), Failed> {
        self.string(text);
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Failed> {
        self.collect_seq(bytes)
    }

    fn serialize_none(self) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Failed> {
        self.buffer.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Failed> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.end_variant();
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a, W>, Failed> {
        Ok(self.open(b'[', b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a, W>, Failed> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a, W>, Failed> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a, W>, Failed> {
        self.variant(variant);
        Ok(Open { wrapped: true, ..self.open(b'[', b']') })
    }

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a, W>, Failed> {
        Ok(self.open(b'{', b'}'))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a, W>, Failed> {
        Ok(self.open(b'{', b'}'))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a, W>, Failed> {
        self.variant(variant);
        Ok(Open { wrapped: true, ..self.open(b'{', b'}') })
    }

    /// Text of any length, which is not held.
    fn collect_str<T: fmt::Display + ?Sized>(self, text: &T) -> Result<(), Failed> {
        struct Fragments<'a, W> {
            writer: &'a mut JsonWriter<W>,
            failed: Option<Failed>,
        }
        impl<W: Write> fmt::Write for Fragments<'_, W> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.writer.fragment(text);
                self.writer.flush_if_full().map_err(|why| {
                    self.failed = Some(why);
                    fmt::Error
                })
            }
        }
        self.buffer.push(b'"');
        let mut fragments = Fragments { writer: &mut *self, failed: None };
        let written = write!(fragments, "{text}");
        match (written, fragments.failed) {
            (_, Some(why)) => return Err(why),
            (Err(why), None) => return Err(Failed(io::Error::other(why))),
            (Ok(()), None) => {}
        }
        self.buffer.push(b'"');
        Ok(())
    }
}

impl<W: Write> Open<'_, W> {
    #[inline]
    fn separate(&mut self) {
        if !self.first {
            self.writer.buffer.push(b',');
        }
        self.first = false;
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.separate();
        if self.writer.lines && self.writer.depth == 2 {
            self.writer.buffer.push(b'\n');
        }
        value.serialize(&mut *self.writer)?;
        self.writer.flush_if_full()
    }

    #[inline]
    fn entry<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Failed> {
        self.separate();
        self.writer.string(name);
        self.writer.buffer.push(b':');
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn close(self) -> Result<(), Failed> {
        self.writer.buffer.push(self.close);
        self.writer.depth -= 1;
        if self.wrapped {
            self.writer.end_variant();
        }
        self.writer.flush_if_full()
    }
}

/// The traits of serde for what is written as an array.
macro_rules! arrays {
    ($($part:ident::$method:ident),*) => {$(
        impl<W: Write> ser::$part for Open<'_, W> {
            type Ok = ();
            type Error = Failed;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.element(value)
            }

            #[inline]
            fn end(self) -> Result<(), Failed> {
                self.close()
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

/// The traits of serde for what is written as an object with names that the program has.
macro_rules! objects {
    ($($part:ident),*) => {$(
        impl<W: Write> ser::$part for Open<'_, W> {
            type Ok = ();
            type Error = Failed;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Failed> {
                self.entry(name, value)
            }

            #[inline]
            fn end(self) -> Result<(), Failed> {
                self.close()
            }
        }
    )*};
}

objects! { SerializeStruct, SerializeStructVariant }

impl<W: Write> ser::SerializeMap for Open<'_, W> {
    type Ok = ();
    type Error = Failed;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.separate();
        // The keys of answers are strings.
        key.serialize(&mut *self.writer)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.writer.buffer.push(b':');
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn end(self) -> Result<(), Failed> {
        self.close()
    }
}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self(io::Error::other(why.to_string()))
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Failed {}

impl From<io::Error> for Failed {
    fn from(why: io::Error) -> Self {
        Self(why)
    }
}

impl From<Failed> for io::Error {
    fn from(Failed(why): Failed) -> Self {
        why
    }
}
