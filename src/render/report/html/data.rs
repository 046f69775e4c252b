//! Pictures as data within a page.

use std::fmt;
use std::io::{self, Write};

/// A drawing as a `data:` URI (RFC 2397), which needs no escaping within HTML.
#[derive(Debug)]
pub(super) struct DataUri {
    text: String,
    room: usize,
}

impl DataUri {
    /// A drawing that may take so many bytes.
    pub fn new(room: u64) -> Self {
        Self { text: String::new(), room: usize::try_from(room).unwrap_or(usize::MAX) }
    }
}

/// Fails when the room is used up.
impl Write for DataUri {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        for byte in bytes {
            match byte {
                // Browsers take all of these as they are, and none means anything in an attribute.
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' => self.text.push(char::from(*byte)),
                b'-' | b'.' | b'_' | b'/' | b':' | b';' | b'=' | b',' | b'(' | b')' => {
                    self.text.push(char::from(*byte));
                }
                byte => {
                    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
                    self.text.extend(['%', digit(byte >> 4), digit(*byte)]);
                }
            }
        }
        match self.text.len() <= self.room {
            true => Ok(bytes.len()),
            false => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for DataUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "data:image/svg+xml;charset=utf-8,{}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_is_encoded() {
        let mut uri = DataUri::new(100);
        writeln!(uri, "<a b=\"#%&'é\">").unwrap();
        assert_eq!(
            uri.to_string(),
            "data:image/svg+xml;charset=utf-8,%3Ca b=%22%23%25%26%27%C3%A9%22%3E%0A"
        );
        assert!(write!(DataUri::new(5), "<<").is_err());
    }
}
