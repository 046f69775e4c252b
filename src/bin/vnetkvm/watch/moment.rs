//! When an answer was made.

use jiff::{Timestamp, ZonedDateTime};

/// A time, with the zone that people here use.
pub struct Moment(ZonedDateTime);

impl Moment {
    pub fn now() -> Self {
        Self(ZonedDateTime::now())
    }

    /// For people: the local time, as `2026-11-26 20:26:12`.
    pub fn local(&self) -> String {
        self.0.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// For programs: the time in UTC, as `2026-11-26T20:26:12.345Z`.
    pub fn stamp(&self) -> String {
        stamp(self.0.timestamp())
    }
}

fn stamp(time: Timestamp) -> String {
    format!("{time:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_milliseconds_in_utc() {
        let time = Timestamp::from_millisecond(1_795_724_772_005).unwrap();
        assert_eq!(stamp(time), "2026-11-26T20:26:12.005Z");
    }
}
