//! Values as JSON.

use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{Hex, Integer};
use crate::addr::VirtAddr;
use crate::fault::Fault;
use crate::render::c::SymbolName;
use crate::value::model::{
    ArrayValue, ErrorKind, PointerValue, RecordValue, SymbolAt, Value, ValueError,
};

/// A value as JSON.
#[derive(Debug, Clone, Copy)]
pub struct JsonValue<'a>(pub &'a Value);

impl Serialize for JsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Int(number) | Value::Char(number) => Integer(*number).serialize(serializer),
            Value::Bool(yes) => serializer.serialize_bool(*yes),
            Value::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            Value::Float(number) => serializer.collect_str(number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Enum(found) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("enum", &found.name)?;
                map.serialize_entry("value", &Integer(found.value))?;
                map.end()
            }
            Value::Counter { sum, address } => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("counter", sum)?;
                map.serialize_entry("address", address)?;
                map.end()
            }
            Value::Bytes(bytes) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("bytes", &Hex(&bytes.bytes))?;
                if bytes.omitted > 0 {
                    map.serialize_entry("omitted", &bytes.omitted)?;
                }
                map.end()
            }
            Value::Pointer(pointer) => self::pointer(pointer, serializer),
            Value::Record(record) => self::record(record, serializer),
            Value::Array(array) => self::array(array, serializer),
            Value::Error(error) => JsonError(error).serialize(serializer),
        }
    }
}

/// An error in the place of a value: `{"error": {"kind": …, "address": …, "message": …}}`.
#[derive(Debug, Clone, Copy)]
pub struct JsonError<'a>(pub &'a ValueError);

impl Serialize for JsonError<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("error", &Reason::from(self.0))?;
        map.end()
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Reason<'a> {
    pub kind: &'a str,
    pub address: Option<VirtAddr>,
    pub message: &'a str,
}

impl<'a> From<&'a ValueError> for Reason<'a> {
    fn from(error: &'a ValueError) -> Self {
        Self { kind: error.kind.name(), address: error.address, message: &error.message }
    }
}

/// A fault as it stands in the place of a value's `error`.
#[derive(Debug, Clone, Copy)]
pub struct JsonFault<'a>(pub &'a Fault);

impl Serialize for JsonFault<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Reason::from(&ValueError::from(self.0.clone())).serialize(serializer)
    }
}

/// A value, or the reason why there is none.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum OrError<'a, T> {
    Value(T),
    Error(JsonError<'a>),
}

impl<'a, T> OrError<'a, T> {
    /// What was read, by its own form of JSON.
    pub fn new<V>(read: &'a Result<V, ValueError>) -> Self
    where
        T: From<&'a V>,
    {
        match read {
            Ok(value) => Self::Value(value.into()),
            Err(why) => Self::Error(JsonError(why)),
        }
    }
}

/// Text as the kernel held it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonText<'a>(&'a str);

impl<'a> From<&'a Box<str>> for JsonText<'a> {
    fn from(text: &'a Box<str>) -> Self {
        Self(text)
    }
}

/// A number that fits into 64 bits.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct JsonNumber(i64);

impl From<&i64> for JsonNumber {
    fn from(number: &i64) -> Self {
        Self(*number)
    }
}

/// A pointer with its symbol: `{"pointer": "0x…", "symbol": "tcp_input"}`.
#[derive(Debug, Clone, Copy)]
pub struct JsonPointer<'a>(pub &'a PointerValue);

impl<'a> From<&'a PointerValue> for JsonPointer<'a> {
    fn from(pointer: &'a PointerValue) -> Self {
        Self(pointer)
    }
}

impl Serialize for JsonPointer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Symbol<'a>(&'a SymbolAt);
        impl Serialize for Symbol<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&SymbolName(self.0))
            }
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("pointer", &self.0.address)?;
        map.serialize_entry("symbol", &self.0.symbol().map(Symbol))?;
        map.end()
    }
}

fn pointer<S: Serializer>(pointer: &PointerValue, serializer: S) -> Result<S::Ok, S::Error> {
    match pointer.function {
        true => JsonPointer(pointer).serialize(serializer),
        false => pointer.address.serialize(serializer),
    }
}

fn record<S: Serializer>(record: &RecordValue, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(record.len()))?;
    for (name, value) in record.members() {
        map.serialize_entry(name, &JsonValue(value))?;
    }
    map.end()
}

/// Elements that a limit left out are an error behind the others, never silence.
fn array<S: Serializer>(array: &ArrayValue, serializer: S) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(None)?;
    for element in array.elements.iter() {
        seq.serialize_element(&JsonValue(&element))?;
    }
    if array.omitted > 0 {
        let message = format!("{} more elements", array.omitted).into();
        let error = ValueError { kind: ErrorKind::Limit, address: None, message };
        seq.serialize_element(&JsonError(&error))?;
    }
    seq.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::render::json::write_line;
    use crate::value::model::{BytesValue, EnumValue};

    fn shown(value: &Value) -> String {
        let mut out = Vec::new();
        write_line(&mut out, &JsonValue(value)).unwrap();
        String::from_utf8(out).unwrap().trim_end().to_owned()
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
