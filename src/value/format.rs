//! How numbers are written for people: gdb's letters after `print`.
//!
//! What: [`Format`] is what stands behind the slash of `print /x`. How: [`Format::take`] finds
//! it before an expression, and a [`ValueReader`](super::ValueReader) that has one adds the text
//! to each number that it reads. The numbers themselves stay what they are.

use std::str::FromStr;

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::bits;
use crate::value::model::SymbolAt;

/// What people are shown of values: the letters of gdb's `print /x`.
///
/// The default shows numbers as their types say, and values that people read as such.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Format {
    /// How numbers are written; `None` is as their types say.
    pub letter: Option<Letter>,
    /// `/r`: structs and numbers as they are, without what they mean.
    pub raw: bool,
}

/// How numbers are written, or bytes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letter {
    /// `/x`: hexadecimal.
    Hex,
    /// `/z`: hexadecimal, with zeros up to the size of the type.
    PaddedHex,
    /// `/o`: octal.
    Octal,
    /// `/t`: binary.
    Binary,
    /// `/d`: decimal, signed whatever the type says.
    Signed,
    /// `/u`: decimal, unsigned whatever the type says.
    Unsigned,
    /// `/c`: the lowest byte as a number and a character.
    Character,
    /// `/a`: an address, with the symbol that it is in.
    Address,
    /// `/s`: bytes as strings; all else as its type says.
    String,
}

/// Why letters are no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no such letter.
    #[error("/{letters}: there is no format {letter:?}; the letters are {}", Format::LETTERS)]
    NoSuchLetter {
        /// What stands behind the slash.
        letters: Box<str>,
        /// The first letter that is none.
        letter: char,
    },
    /// Letters say how expressions are written, and there is none.
    #[error("{letters}: no expression follows")]
    NothingFollows {
        /// As they were written.
        letters: Box<str>,
    },
    /// A count or a size, which are for reading memory.
    #[error("/{letters}: {letter:?} has no meaning here: a value has its own size and is one")]
    NoMeaning {
        /// What stands behind the slash.
        letters: Box<str>,
        /// The first character without a meaning.
        letter: char,
    },
}

impl Format {
    /// All letters, as messages list them.
    const LETTERS: &str = "x, z, o, t, d, u, c, a, s and r";

    /// The format that `text` begins with, and what is behind it: `/x V_ip_defttl`. Without a
    /// slash there is none.
    ///
    /// # Errors
    /// What stands behind the slash is no format.
    pub fn take(text: &str) -> Result<(Option<Self>, &str), FormatError> {
        let trimmed = text.trim_start();
        if !trimmed.starts_with('/') {
            return Ok((None, text));
        }
        let (letters, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
        Ok((Some(letters.parse()?), rest.trim_start()))
    }

    /// Are structs and numbers shown with what they mean?
    pub(in crate::value) fn means(self) -> bool {
        !self.raw && matches!(self.letter, None | Some(Letter::String))
    }
}

/// From `/x`. Of several letters the last is used, as in gdb; `r` goes with any.
impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let letters = text.strip_prefix('/').unwrap_or(text);
        let mut format = Self::default();
        for letter in letters.chars() {
            let error = || letters.into();
            format.letter = Some(match letter {
                'r' => {
                    format.raw = true;
                    continue;
                }
                'x' => Letter::Hex,
                'z' => Letter::PaddedHex,
                'o' => Letter::Octal,
                't' => Letter::Binary,
                'd' => Letter::Signed,
                'u' => Letter::Unsigned,
                'c' => Letter::Character,
                'a' => Letter::Address,
                's' => Letter::String,
                'b' | 'h' | 'w' | 'g' | 'i' | '0'..='9' | '-' => {
                    return Err(FormatError::NoMeaning { letters: error(), letter });
                }
                _ => return Err(FormatError::NoSuchLetter { letters: error(), letter }),
            });
        }
        Ok(format)
    }
}

/// A number as its bits, whatever its type calls it.
#[derive(Debug, Clone, Copy)]
pub(in crate::value) struct Bits {
    /// The bits; no higher ones are set.
    pub raw: u128,
    /// How many bits the type has.
    pub width: u64,
    pub signed: bool,
    /// The number, if it has a fraction.
    pub float: Option<f64>,
}

impl Bits {
    /// A number of that many bits; higher ones of `raw` are cut off.
    pub fn new(raw: u128, width: u64, signed: bool) -> Self {
        let mask = if width >= 128 { u128::MAX } else { (1 << width) - 1 };
        Self { raw: raw & mask, width, signed, float: None }
    }

    /// The number as `letter` writes it; `None` if it leaves numbers as they are.
    pub fn text(self, letter: Letter, target: &Target) -> Option<String> {
        let raw = self.raw;
        Some(match letter {
            Letter::Hex => format!("{raw:#x}"),
            Letter::PaddedHex => format!("{raw:#0digits$x}", digits = self.width as usize / 4 + 2),
            Letter::Octal if raw == 0 => "0".to_owned(),
            Letter::Octal => format!("0{raw:o}"),
            Letter::Binary => format!("{raw:b}"),
            Letter::Signed => bits::sign_extend(raw, self.width).to_string(),
            Letter::Unsigned => raw.to_string(),
            Letter::Address => address(self.whole() as u64, target),
            Letter::Character | Letter::String => return None,
        })
    }

    /// Its lowest byte as a character, of the type's sign.
    pub fn character(self) -> i128 {
        let byte = self.whole() & 0xff;
        if self.signed { bits::sign_extend(byte as u128, 8) } else { byte }
    }

    /// The number, without a fraction.
    pub fn whole(self) -> i128 {
        match self.float {
            Some(float) => float as i128,
            None if self.signed => bits::sign_extend(self.raw, self.width),
            None => self.raw as i128,
        }
    }
}

/// `0xffffffff80b5c140 <tcp_input+4>`
fn address(raw: u64, target: &Target) -> String {
    let address = VirtAddr::new(target.arch().wrap(raw));
    match target.label(address) {
        Some((name, offset)) => {
            let symbol = SymbolAt { name: name.into(), offset };
            format!("{address} <{symbol}>")
        }
        None => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Format, FormatError> {
        text.parse()
    }

    #[test]
    fn letters_are_those_of_gdb() {
        let letter = |text| of(text).unwrap().letter;
        assert_eq!(letter("/x"), Some(Letter::Hex));
        assert_eq!(letter("t"), Some(Letter::Binary));
        // gdb takes the last one.
        assert_eq!(letter("/xd"), Some(Letter::Signed));
        assert_eq!(of("/rx").unwrap(), Format { letter: Some(Letter::Hex), raw: true });
        assert_eq!(of("/xr").unwrap(), Format { letter: Some(Letter::Hex), raw: true });
        assert_eq!(of("/").unwrap(), Format::default());
    }

    #[test]
    fn what_is_no_format_is_said() {
        for (text, message) in [
            ("/q", "/q: there is no format 'q'; the letters are x, z, o, t, d, u, c, a, s and r"),
            ("/xb", "/xb: 'b' has no meaning here: a value has its own size and is one"),
            ("/2x", "/2x: '2' has no meaning here: a value has its own size and is one"),
        ] {
            assert_eq!(of(text).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_format_stands_before_an_expression() {
        let hex = Format { letter: Some(Letter::Hex), raw: false };
        assert_eq!(Format::take(" /x V_a / 2"), Ok((Some(hex), "V_a / 2")));
        assert_eq!(Format::take("/x"), Ok((Some(hex), "")));
        assert_eq!(Format::take("V_a /x"), Ok((None, "V_a /x")));
        assert!(Format::take("/V_a").is_err());
    }

    #[test]
    fn a_number_has_the_bits_of_its_type() {
        let minus = Bits::new(-5i128 as u128, 16, true);
        assert_eq!((minus.raw, minus.whole(), minus.character()), (0xfffb, -5, -5));
        let byte = Bits::new(200, 8, false);
        assert_eq!((byte.whole(), byte.character()), (200, 200));
        assert_eq!(Bits::new(300, 32, true).character(), 44);
        let float = Bits { float: Some(-2.5), ..Bits::new(0xc020_0000, 32, true) };
        assert_eq!((float.whole(), float.character()), (-2, -2));
    }
}
