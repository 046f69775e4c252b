//! Times in seconds.

use crate::value::gathered::Gathered;
use crate::value::model::Value;

/// A struct that holds a time (`sys/sys/_timeval.h`, `sys/sys/_timespec.h`, `sys/sys/time.h`, the
/// same in all releases).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// `struct timeval`: seconds and millionths.
    Timeval,
    /// `struct timespec`: seconds and billionths.
    Timespec,
    /// `struct bintime`: seconds and a fraction of 64 bits.
    Bintime,
}

const NANOSECONDS: i128 = 1_000_000_000;

impl Clock {
    /// The struct of that name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "timeval" => Some(Self::Timeval),
            "timespec" => Some(Self::Timespec),
            "bintime" => Some(Self::Bintime),
            _ => None,
        }
    }

    /// The time in such a struct, `1.500000 s`, unless it is 0.
    pub fn text(self, members: &Gathered<'_>) -> Option<String> {
        let number = |name| members.get(name).and_then(Value::as_i128);
        let (units, digits) = match self {
            Self::Timeval => (number("tv_sec")? * 1_000_000 + number("tv_usec")?, 6),
            Self::Timespec => (number("tv_sec")? * NANOSECONDS + number("tv_nsec")?, 9),
            Self::Bintime => {
                let fraction = (number("frac")? * NANOSECONDS) >> 64;
                (number("sec")? * NANOSECONDS + fraction, 9)
            }
        };
        (units != 0).then(|| seconds(units, digits))
    }
}

/// The time of an `sbintime_t`. Its lower 32 bits are a fraction of a second.
pub fn of_sbintime(number: i128) -> String {
    seconds((number * NANOSECONDS) >> 32, 9)
}

/// A number of units of which a second has 10 to the power of `digits`.
fn seconds(units: i128, digits: usize) -> String {
    let unit = 10u128.pow(digits as u32);
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    format!("{sign}{}.{:0digits$} s", units / unit, units % unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_have_a_fraction() {
        assert_eq!(seconds(1_500_000, 6), "1.500000 s");
        assert_eq!(seconds(-500_000, 6), "-0.500000 s");
        assert_eq!(seconds(7, 9), "0.000000007 s");
    }

    #[test]
    fn an_sbintime_has_32_bits_of_fraction() {
        assert_eq!(of_sbintime(0x1_8000_0000), "1.500000000 s");
        assert_eq!(of_sbintime(-0x8000_0000), "-0.500000000 s");
        assert_eq!(of_sbintime(i64::MAX.into()), "2147483647.999999999 s");
        // A millionth of a second, as SBT_1US rounds it.
        assert_eq!(of_sbintime(4294), "0.000000999 s");
    }
}
