//! Values of sysctls the way sysctl(8) prints them (`sbin/sysctl/sysctl.c`, 12.1).

use super::{c, sanitize};
use crate::value::model::Value;
use crate::views::sysctls::{Oid, Sysctl};

/// The number of bytes shown of an opaque value, as with sysctl -o.
const SHOWN_BYTES: usize = 16;

/// The value in text: a number, numbers with spaces between them, a string as it is;
/// a struct in C syntax; `(handler NAME)` if there is none. A struct that is too
/// wide for a line with `label` in front is broken over several; without a label,
/// nothing is.
pub fn value(oid: &Oid, sysctl: &Sysctl, label: Option<&str>) -> String {
    match (&sysctl.value, &oid.handler) {
        (Some(record @ Value::Record(_)), _) => match label {
            Some(label) => c::block(record, label.chars().count()),
            None => c::line(record),
        },
        (Some(value), _) => text(&oid.format, value),
        (None, Some(handler)) => format!("(handler {})", sanitize::line(&handler.to_string())),
        (None, None) => "(no handler)".to_owned(),
    }
}

fn text(format: &str, value: &Value) -> String {
    match value {
        Value::Int(number) => temperature(format, *number).unwrap_or_else(|| number.to_string()),
        Value::Text(text) => {
            let lines = text.trim_end_matches('\n').split('\n').map(sanitize::line);
            lines.collect::<Vec<_>>().join("\n")
        }
        Value::Array(array) => {
            let numbers = array.elements.iter().map(|element| text(format, &element));
            numbers.collect::<Vec<_>>().join(" ")
        }
        Value::Bytes(bytes) => {
            let shown = bytes.bytes.iter().take(SHOWN_BYTES).map(|byte| format!("{byte:02x}"));
            let len = bytes.bytes.len();
            let more = if len > SHOWN_BYTES { "..." } else { "" };
            let (format, shown) = (sanitize::line(format), shown.collect::<String>());
            format!("Format:{format} Length:{len} Dump:0x{shown}{more}")
        }
        other => c::line(other),
    }
}

/// Degrees Celsius of a number whose format says that it is a temperature: `IK` are
/// tenths of a kelvin, and `IK3` thousandths.
fn temperature(format: &str, number: i128) -> Option<String> {
    let precision = format.strip_prefix("IK")?;
    let precision = match precision.bytes().next() {
        None => 1,
        Some(digit @ b'0'..=b'9') => u32::from(digit - b'0'),
        Some(_) => return None,
    };
    if number < 0 {
        return None;
    }
    let kelvin = number as f64 / 10f64.powi(precision as i32);
    Some(format!("{:.*}C", precision as usize, kelvin - 273.15))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::model::ArrayValue;

    #[test]
    fn numbers_and_strings_look_as_in_sysctl() {
        let numbers =
            ArrayValue { elements: vec![Value::Int(1), Value::Int(-2)].into(), omitted: 0 };
        for (format, value, shown) in [
            ("I", Value::Int(-5), "-5"),
            ("QU", Value::Int(u64::MAX.into()), "18446744073709551615"),
            ("L", Value::Array(numbers), "1 -2"),
            (
                "A",
                Value::Text("FreeBSD 12.1\n  root\x1b[1m\n".into()),
                "FreeBSD 12.1\n  root\\033[1m",
            ),
            ("IK", Value::Int(3001), "27.0C"),
            ("IK3", Value::Int(300_150), "27.000C"),
            ("IK", Value::Int(-1), "-1"),
            ("S,feat", Value::Bytes(vec![1, 0xab].into()), "Format:S,feat Length:2 Dump:0x01ab"),
        ] {
            assert_eq!(text(format, &value), shown, "{format}");
        }
        let long = text("S", &Value::Bytes(vec![0; 17].into()));
        assert!(long.ends_with("0000..."), "{long}");
    }
}
