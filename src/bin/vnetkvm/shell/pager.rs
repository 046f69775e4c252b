//! Answers on a terminal: page by page if they are long, and in whole lines, so that they can be
//! stopped between any two.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use rustix::termios::{tcgetattr, tcsetattr};
use terminal_size::{Height, Width, terminal_size};
use unicode_width::UnicodeWidthChar;

use super::interrupt;
use crate::limits;
use crate::stdout::stopped;

const QUESTION: &str = "-- more: space for a page, enter for a line, G for the rest, q to stop --";

/// Writes to standard output, and asks before it goes on to another page.
pub struct Pager {
    /// The beginning of a line whose end was not written yet.
    line: Vec<u8>,
    /// The rows of the terminal that were written since its user was asked.
    used: usize,
    pages: bool,
    /// The user does not want the rest at once.
    asks: bool,
}

impl Pager {
    pub fn new() -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
        Self {
            line: Vec::new(),
            used: 0,
            pages: io::stdout().is_terminal() && !is_dumb,
            asks: true,
        }
    }

    /// Another line was typed, and its answer begins.
    pub fn begin(&mut self) {
        self.line.clear();
        self.used = 0;
        self.asks = true;
    }

    /// Writes a line without an end, if the answer ends with one.
    pub fn finish(&mut self) -> io::Result<()> {
        if self.line.is_empty() || limits::is_stopped() {
            return Ok(());
        }
        self.line.push(b'\n');
        let line = std::mem::take(&mut self.line);
        let mut out = BufWriter::new(io::stdout().lock());
        self.show(&line, &mut out)?;
        out.flush()
    }

    fn show(&mut self, line: &[u8], out: &mut BufWriter<StdoutLock<'_>>) -> io::Result<()> {
        if limits::is_stopped() {
            return Err(stopped());
        }
        if let Some((Width(width), Height(height))) =
            terminal_size().filter(|_| self.pages && self.asks)
        {
            let rows = rows(&String::from_utf8_lossy(line), usize::from(width));
            let page = usize::from(height).saturating_sub(1).max(1);
            if self.used > 0 && self.used + rows > page {
                out.flush()?;
                self.used = match ask(out)? {
                    Reply::Page => 0,
                    Reply::Line => page.saturating_sub(rows),
                    Reply::Rest => {
                        self.asks = false;
                        0
                    }
                    Reply::Stop => {
                        interrupt::stop();
                        return Err(stopped());
                    }
                };
            }
            self.used += rows;
        }
        out.write_all(line)
    }
}

impl Write for Pager {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = BufWriter::new(io::stdout().lock());
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if let Err(why) = self.show(&line, &mut out) {
                    // What was shown before is not taken back.
                    out.flush()?;
                    return Err(why);
                }
            }
        }
        out.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many rows a line takes on a terminal. Escape sequences take no room.
fn rows(line: &str, width: usize) -> usize {
    let mut columns = 0;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => {
                chars.by_ref().find(char::is_ascii_alphabetic);
            }
            '\t' => columns = (columns / 8 + 1) * 8,
            c => columns += c.width().unwrap_or(0),
        }
    }
    columns.div_ceil(width.max(1)).max(1)
}

enum Reply {
    Page,
    Line,
    Rest,
    Stop,
}

/// Asks whether to go on, and waits for a key.
fn ask(out: &mut impl Write) -> io::Result<Reply> {
    let _raw = Keys::take()?;
    out.write_all(QUESTION.as_bytes())?;
    out.flush()?;
    let reply = loop {
        let mut key = [0];
        match rustix::io::read(io::stdin(), &mut key) {
            Ok(0) => break Reply::Stop,
            Ok(_) => match key[0] {
                b' ' | b'f' => break Reply::Page,
                b'\r' | b'\n' | b'j' => break Reply::Line,
                b'G' => break Reply::Rest,
                // Ctrl-C, Ctrl-D
                b'q' | b'Q' | 3 | 4 => break Reply::Stop,
                _ => {}
            },
            Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    };
    out.write_all(b"\r\x1b[K")?;
    Ok(reply)
}

/// A terminal that gives each key as it is typed, and does not show it.
struct Keys(Termios);

impl Keys {
    fn take() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &modes)?;
        Ok(Self(before))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to restore.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_take_several_rows() {
        for (line, width, expected) in [
            ("\n", 80, 1),
            ("abcd\n", 4, 1),
            ("abcde\n", 4, 2),
            ("\x1b[1mabcd\x1b[0m\n", 4, 1),
            ("日本日\n", 4, 2),
            ("a\tb\n", 8, 2),
            ("abc", 0, 3),
        ] {
            assert_eq!(rows(line, width), expected, "{line:?}");
        }
    }
}
