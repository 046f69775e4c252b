//! The options that ask a command again and again.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;

/// Whether and how often to ask again.
#[derive(Debug, Args)]
#[command(next_help_heading = "Watching")]
pub struct WatchArgs {
    /// Answer again every so many seconds, and mark what changed
    ///
    /// The dump is opened anew for each answer: it may be live memory, or a file that a
    /// hypervisor writes. On a terminal, a table is drawn in place; everything else follows one
    /// after the other. Ctrl-C ends the program with status 0.
    #[arg(long, value_name = "SECONDS", global = true, value_parser = seconds)]
    #[arg(allow_negative_numbers = true)]
    pub watch: Option<Duration>,

    /// With --watch, end after this many answers, with the status of the last
    #[arg(long, value_name = "N", global = true, value_parser = answers)]
    #[arg(allow_negative_numbers = true)]
    pub count: Option<NonZeroU64>,
}

/// The shortest time between two answers.
const SHORTEST: f64 = 0.1;

/// A number of seconds, which may have a fraction.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok();
    let seconds = seconds.filter(|seconds| !seconds.is_nan());
    let seconds = seconds.ok_or("not a number of seconds such as 2 or 0.5")?;
    if seconds < SHORTEST {
        return Err(format!("the shortest time is {SHORTEST} seconds"));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| "too many seconds".to_owned())
}

/// A number of answers.
fn answers(text: &str) -> Result<NonZeroU64, String> {
    let number: u64 = text.parse().map_err(|_| "not a number of answers such as 10".to_owned())?;
    NonZeroU64::new(number).ok_or_else(|| "there is at least one answer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_is_named_in_plain_words() {
        assert_eq!(answers("3"), Ok(NonZeroU64::new(3).unwrap()));
        assert_eq!(answers("0"), Err("there is at least one answer".to_owned()));
        for wrong in ["abc", "-1", "1.5", ""] {
            assert_eq!(answers(wrong), Err("not a number of answers such as 10".to_owned()));
        }
        let soon = Err("not a number of seconds such as 2 or 0.5".to_owned());
        assert_eq!((seconds("NaN"), seconds("soon")), (soon.clone(), soon));
        assert_eq!(seconds("-1"), Err("the shortest time is 0.1 seconds".to_owned()));
        assert_eq!(seconds("inf"), Err("too many seconds".to_owned()));
    }

    #[test]
    fn a_time_has_at_least_a_tenth_of_a_second() {
        assert_eq!(seconds("0.1"), Ok(Duration::from_millis(100)));
        assert_eq!(seconds("2"), Ok(Duration::from_secs(2)));
        for wrong in ["0", "0.09", "-1", "nan", "inf", "1e30", "", "2s", "1,5"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
