//! When two values are the same for whoever compares vnets.

use crate::answers::failure::Failure;
use crate::value::Value;

/// Appends bytes that are the same for the same values of one type. Where a counter lies does not
/// matter, only its sum; nor which address of a vnet cannot be read, only why.
pub(super) fn write(value: Result<&Value, &Failure>, key: &mut Vec<u8>) {
    match value {
        Ok(value) => write_value(value, key),
        Err(failure) => {
            key.push(b'!');
            write_bytes(failure.kind.as_bytes(), key);
            write_bytes(failure.message.as_bytes(), key);
        }
    }
}

fn write_value(value: &Value, key: &mut Vec<u8>) {
    match value {
        Value::Int(number) | Value::Char(number) => write_number(*number, key),
        Value::Bool(yes) => write_number((*yes).into(), key),
        Value::Float(number) => write_number(number.to_bits().into(), key),
        Value::Enum(found) => write_number(found.value, key),
        Value::Pointer(pointer) => write_number(pointer.address.get().into(), key),
        Value::Counter { sum, .. } => write_number((*sum).into(), key),
        Value::Record(record) => {
            key.push(b'{');
            record.members().for_each(|(_, member)| write_value(member, key));
        }
        Value::Array(array) => {
            key.push(b'[');
            write_number(array.elements.len() as i128, key);
            array.elements.iter().for_each(|element| write_value(&element, key));
            write_number(array.omitted.into(), key);
        }
        Value::Text(text) => write_bytes(text.as_bytes(), key),
        Value::Bytes(bytes) => {
            write_bytes(&bytes.bytes, key);
            write_number(bytes.omitted.into(), key);
        }
        Value::Told(told) => write_value(&told.value, key),
        Value::Error(why) => {
            key.push(b'!');
            write_bytes(why.kind.name().as_bytes(), key);
        }
    }
}

fn write_number(number: i128, key: &mut Vec<u8>) {
    key.push(b'=');
    key.extend_from_slice(&number.to_le_bytes());
}

fn write_bytes(bytes: &[u8], key: &mut Vec<u8>) {
    key.push(b'"');
    write_number(bytes.len() as i128, key);
    key.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::VirtAddr;
    use crate::value::model::{ArrayValue, ErrorKind, RecordValue, ValueError};

    fn key(value: &Value) -> Vec<u8> {
        let mut key = Vec::new();
        write(Ok(value), &mut key);
        key
    }

    #[test]
    fn a_counter_is_its_sum() {
        let counter = |sum, at| Value::Counter { sum, address: VirtAddr::new(at) };
        assert_eq!(key(&counter(5, 0x1000)), key(&counter(5, 0x2000)));
        assert_ne!(key(&counter(5, 0x1000)), key(&counter(6, 0x1000)));
    }

    #[test]
    fn unreadable_values_are_the_same_for_the_same_reason() {
        let error = |kind, at| {
            let (address, message) = (Some(VirtAddr::new(at)), format!("{at:#x} is gone").into());
            Value::from(ValueError { kind, address, message })
        };
        let (dumped, mapped) = (ErrorKind::NotDumped, ErrorKind::NotMapped);
        assert_eq!(key(&error(dumped, 0x1000)), key(&error(dumped, 0x2000)));
        assert_ne!(key(&error(dumped, 0x1000)), key(&error(mapped, 0x1000)));
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let array = |numbers: &[i128]| {
            let elements: Vec<Value> = numbers.iter().copied().map(Value::Int).collect();
            Value::Array(ArrayValue { elements: elements.into(), omitted: 0 })
        };
        let two = |a: &[i128], b: &[i128]| {
            key(&Value::Record(RecordValue::new([("a", array(a)), ("b", array(b))])))
        };
        assert_eq!(two(&[1], &[2, 3]), two(&[1], &[2, 3]));
        assert_ne!(two(&[1, 2], &[3]), two(&[1], &[2, 3]));
        let text = |text: &str| key(&Value::Text(text.into()));
        assert_ne!(text("a\""), text("a"));
    }
}
