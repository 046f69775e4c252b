//! Lines that nobody types: standard input if it is no terminal, and files.

use std::io::{self, BufRead, Read};

use crate::exit::{Failure, Status, report_status};
use crate::limits;
use crate::say::note;

/// In bytes. Whatever has no ends of lines is no script.
const LONGEST: u64 = 1 << 16;

/// How the shell goes on after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The line asked for nothing.
    Nothing,
    /// The line was answered, with this status.
    Next(Status),
    /// The line ends the shell.
    End,
}

/// How a script ended.
pub struct End {
    /// The status of its last line.
    pub status: Status,
    /// It ends the shell.
    pub quits: bool,
}

/// Answers all lines, or those up to the first that ends the shell or cannot be read, or, if the
/// script `stops` there, that says `error:`. `name` is what they are read from.
pub fn run(
    lines: &mut impl BufRead,
    name: &str,
    stops: bool,
    mut answer: impl FnMut(&str) -> Flow,
) -> End {
    let mut last = Status::default();
    for number in 1u64.. {
        let line = match read_line(lines) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(why) => {
                let what = Failure::new(format!("cannot read line {number} of {name}"));
                let status = report_status(Err(what.because(why)), false);
                return End { status, quits: false };
            }
        };
        match answer(&line) {
            Flow::Nothing => {}
            Flow::End => return End { status: last, quits: true },
            Flow::Next(status) => {
                last = status;
                if status.failed {
                    note(&format!("note: in line {number} of {name}"));
                }
                if status.failed && stops || limits::is_stopped() {
                    break;
                }
            }
        }
    }
    End { status: last, quits: false }
}

fn read_line(lines: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    lines.take(LONGEST).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 == LONGEST && !line.ends_with(b"\n") {
        return Err(io::Error::other(format!("it is longer than {LONGEST} bytes")));
    }
    String::from_utf8(line).map(Some).map_err(|_| io::Error::other("it is not UTF-8"))
}
