//! Values as JSON, by the schema that scripts rely on (docs/json-schema.md).
//!
//! Addresses and pointers are strings, `"0x…"`. Integers are numbers, exact up to 2^64 − 1,
//! and strings beyond. A value that could not be read is `{"error": …}`.

use serde::ser::{SerializeMap, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::addr::VirtAddr;
use crate::bytes::{Hex, integer};
use crate::value::model::{
    ArrayValue, BytesValue, ERROR_IN_PLACE, ErrorKind, PointerValue, RecordValue, SymbolAt, Value,
    ValueError,
};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(number) | Self::Char(number) => integer(number, serializer),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            Self::Float(number) => serializer.collect_str(number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Enum(found) => {
                #[derive(Serialize)]
                struct Enumerator<'a> {
                    r#enum: Option<&'a str>,
                    #[serde(serialize_with = "integer")]
                    value: i128,
                }
                let (name, value) = (found.name.as_deref(), found.value);
                Enumerator { r#enum: name, value }.serialize(serializer)
            }
            Self::Counter { sum, address } => {
                #[derive(Serialize)]
                struct Counter {
                    counter: u64,
                    address: VirtAddr,
                }
                Counter { counter: *sum, address: *address }.serialize(serializer)
            }
            Self::Bytes(bytes) => bytes.serialize(serializer),
            Self::Pointer(pointer) if pointer.function => pointer.serialize(serializer),
            Self::Pointer(pointer) => pointer.address.serialize(serializer),
            Self::Record(record) => record.serialize(serializer),
            Self::Array(array) => array.serialize(serializer),
            Self::Told(told) => told.value.serialize(serializer),
            Self::Error(error) => error.serialize(serializer),
        }
    }
}

impl Serialize for ValueError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        InPlace { kind: self.kind.name(), address: self.address, message: &self.message }
            .serialize(serializer)
    }
}

/// An error in the place of a value: `{"error": {"kind": …, "address": …, "message": …}}`.
pub(crate) struct InPlace<'a> {
    /// For scripts: `not-dumped`.
    pub kind: &'a str,
    pub address: Option<VirtAddr>,
    pub message: &'a str,
}

impl Serialize for InPlace<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Reason<'a> {
            kind: &'a str,
            address: Option<VirtAddr>,
            message: &'a str,
        }
        let Self { kind, address, message } = *self;
        let mut error = serializer.serialize_struct(ERROR_IN_PLACE, 1)?;
        error.serialize_field("error", &Reason { kind, address, message })?;
        error.end()
    }
}

/// With its symbol, as functions are shown: `{"pointer": "0x…", "symbol": "tcp_input"}`, and the
/// place in the source, if that was looked up.
impl Serialize for PointerValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("pointer", &self.address)?;
        map.serialize_entry("symbol", &self.symbol())?;
        if let Some(place) = self.place() {
            map.serialize_entry("file", &place.file)?;
            map.serialize_entry("line", &place.line)?;
        }
        map.end()
    }
}

impl Serialize for SymbolAt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for BytesValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("bytes", &Hex(&self.bytes))?;
        if self.omitted > 0 {
            map.serialize_entry("omitted", &self.omitted)?;
        }
        map.end()
    }
}

impl Serialize for RecordValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.members() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Elements that a limit left out become an error after the others.
impl Serialize for ArrayValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for element in self.elements.iter() {
            seq.serialize_element(&*element)?;
        }
        if self.omitted > 0 {
            seq.serialize_element(&omitted(self.omitted))?;
        }
        seq.end()
    }
}

/// What stands for elements that a limit left out.
pub(in crate::value) fn omitted(count: u64) -> ValueError {
    ValueError {
        kind: ErrorKind::Limit,
        address: None,
        message: format!("{count} more elements").into(),
    }
}

/// What was read, or the error in its place.
pub fn or_error<T: Serialize, E: Serialize, S: Serializer>(
    read: &Result<T, E>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match read {
        Ok(value) => value.serialize(serializer),
        Err(why) => why.serialize(serializer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::value::model::{BytesValue, EnumValue};

    fn shown(value: &Value) -> String {
        serde_json::to_string(value).unwrap()
    }

    fn pointer(function: bool, symbol: Option<(&str, u64)>) -> Value {
        let symbol = symbol.map(|(name, offset)| SymbolAt { name: name.into(), offset });
        let address = VirtAddr::new(0xffff_ffff_80b5_c140);
        Value::Pointer(PointerValue::new(address, function).with_symbol(symbol))
    }

    fn enumerator(name: Option<&str>, value: i128) -> Value {
        Value::Enum(EnumValue { name: name.map(Box::from), value }.into())
    }

    #[test]
    fn integers_are_exact() {
        for (number, text) in [
            (0, "0"),
            (i128::from(u64::MAX), "18446744073709551615"),
            (i128::from(i64::MIN), "-9223372036854775808"),
            (i128::from(u64::MAX) + 1, "\"18446744073709551616\""),
            (i128::from(i64::MIN) - 1, "\"-9223372036854775809\""),
        ] {
            assert_eq!(shown(&Value::Int(number)), text);
        }
    }

    #[test]
    fn values_follow_the_schema() {
        let error = ValueError {
            kind: ErrorKind::NotDumped,
            address: Some(VirtAddr::new(16)),
            message: "0x10 is not in the dump".into(),
        };
        for (value, text) in [
            (Value::Bool(false), "false"),
            (Value::Char(65), "65"),
            (Value::Float(0.5), "0.5"),
            (Value::Float(f64::NAN), "\"NaN\""),
            (Value::Text("lo0".into()), "\"lo0\""),
            (enumerator(Some("A"), 3), r#"{"enum":"A","value":3}"#),
            (enumerator(None, -1), r#"{"enum":null,"value":-1}"#),
            (
                Value::Counter { sum: 123, address: VirtAddr::new(0x1000) },
                r#"{"counter":123,"address":"0x1000"}"#,
            ),
            (Value::Bytes(vec![0, 0xab].into()), r#"{"bytes":"00ab"}"#),
            (
                Value::Bytes(BytesValue { bytes: [7].into(), omitted: 3 }),
                r#"{"bytes":"07","omitted":3}"#,
            ),
            (pointer(false, Some(("x", 4))), r#""0xffffffff80b5c140""#),
            (
                pointer(true, Some(("tcp_input", 0))),
                r#"{"pointer":"0xffffffff80b5c140","symbol":"tcp_input"}"#,
            ),
            (pointer(true, None), r#"{"pointer":"0xffffffff80b5c140","symbol":null}"#),
            (
                error.into(),
                r#"{"error":{"kind":"not-dumped","address":"0x10","message":"0x10 is not in the dump"}}"#,
            ),
        ] {
            assert_eq!(shown(&value), text);
        }
    }

    #[test]
    fn records_and_arrays_nest() {
        let array = ArrayValue { elements: vec![Value::Int(1), Value::Int(2)].into(), omitted: 3 };
        let record = RecordValue::new([("a", Value::Array(array))]).with_note("10.0.0.1");
        assert_eq!(
            shown(&Value::Record(record)),
            r#"{"a":[1,2,{"error":{"kind":"limit","address":null,"message":"3 more elements"}}]}"#
        );
    }
}
