//! C-like expressions over kernel memory: `V_ifnet[*].if_xname`.
//!
//! `lex` cuts the text into tokens and `parse` builds an [`Expr`], a small
//! tree in which every node knows its place in the text. Nothing here knows a
//! type or reads memory, so a name is only a name: the evaluator decides whether `foo` is a
//! variable of the chosen vnet and has a member
//! `bar`. There are no assignments, and no functions of the kernel are called: an expression
//! only reads. `DPCPU(x)` and `count(x)` look like calls, but are part of the language.

mod cursor;
pub(crate) mod eval;
pub(crate) mod integer;
mod lex;
mod operators;
mod parse;
mod parser;
mod tree;
mod type_name;

use std::fmt;
use std::ops::Range;

use crate::shorten::caret;

pub use eval::{Kept, KeptValue};
pub use operators::{Binary, Function, Logical, Unary, words};
pub use parse::{parse, parse_path};
pub use tree::{Derived, Expr, ExprKind, Name, Path, Step, TypeBase, TypeName};
pub use type_name::parse_type;

/// The text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// The whole text that was parsed.
    pub text: Box<str>,
    /// The bytes of `text` that are wrong; empty where something is missing.
    pub span: Range<usize>,
    /// What is wrong, in words.
    pub message: Box<str>,
}

impl SyntaxError {
    fn new(text: &str, span: Range<usize>, message: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), span, message: message.into() }
    }

    /// The text with the wrong part underlined.
    pub fn caret(&self) -> String {
        caret(&self.text, &self.span)
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.text.get(..self.span.start).map_or(0, |s| s.chars().count()) + 1;
        write!(f, "{} (column {column})", self.message)
    }
}

impl std::error::Error for SyntaxError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_mistake() {
        let error = parse("V_ifnet.->x").unwrap_err();
        assert_eq!(error.caret(), "V_ifnet.->x\n        ^^");
        assert_eq!(error.to_string(), "expected a member name, found \"->\" (column 9)");
    }

    #[test]
    fn of_a_long_text_the_caret_shows_what_is_around_the_mistake() {
        let text = format!("{}b c{}", "a + ".repeat(50), " + d".repeat(50));
        let caret = parse(&text).unwrap_err().caret();
        let (shown, marks) = caret.split_once('\n').unwrap();
        assert_eq!(shown.chars().count(), 62);
        assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        let at = marks.find('^').unwrap();
        assert_eq!(shown.chars().nth(at), Some('c'), "{caret}");
        let error = parse(&"x".repeat(500).replacen('x', ".", 1)).unwrap_err();
        assert_eq!(error.caret().lines().next().unwrap().chars().count(), 61);
    }

    #[test]
    fn a_caret_counts_characters_not_bytes() {
        let error = parse("é").unwrap_err();
        assert_eq!(error.caret(), "é\n^");
        let error = parse("a + é").unwrap_err();
        assert_eq!(error.caret(), "a + é\n    ^");
    }
}
