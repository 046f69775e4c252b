//! C-like expressions over kernel memory: `V_ifnet.tqh_first->if_xname`.
//!
//! `lex` cuts the text into tokens and `parse` builds an [`Expr`], a small
//! tree in which every node knows its place in the text. Nothing here knows a
//! type or reads memory, so a name is only a name: the evaluator decides whether `foo` is a
//! variable of the chosen vnet and has a member
//! `bar`. There are no assignments, no calls and no comparisons: an expression
//! only reads. `DPCPU(x)` and `cpu(3)` look like calls, but are copies of variables.

mod cursor;
pub(crate) mod eval;
pub(crate) mod integer;
mod lex;
mod operators;
mod parse;
mod type_name;

use std::fmt;
use std::ops::Range;

use integer::Literal;

pub use operators::{Binary, Unary};
pub use parse::{parse, parse_path};
pub use type_name::parse_type;

/// An expression, and its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// The node and its operands.
    pub kind: ExprKind,
    /// Byte range in the parsed text.
    pub span: Range<usize>,
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// A variable; only the evaluator knows whether it exists.
    Name(Name),
    /// An integer constant: `42UL`
    Int(Literal),
    /// A CPU's copy of a DPCPU variable: `DPCPU(nws)`, `DPCPU(nws, 3)`
    Dpcpu {
        /// The variable.
        name: Name,
        /// The CPU's id; `None` is the chosen one.
        cpu: Option<Box<Expr>>,
    },
    /// The `struct pcpu` of the CPU with that id: `cpu(3)`
    Cpu(Box<Expr>),
    /// `base.name`, or `base->name` where `arrow` is set.
    Member {
        /// The struct, or the pointer to it.
        base: Box<Expr>,
        /// The member's name.
        name: Box<str>,
        /// Written with `->` instead of `.`.
        arrow: bool,
    },
    /// `base[index]`
    Index {
        /// The array or pointer.
        base: Box<Expr>,
        /// The number of the element.
        index: Box<Expr>,
    },
    /// `-operand` and its like.
    Unary {
        /// What is done.
        op: Unary,
        /// What it is done to.
        operand: Box<Expr>,
    },
    /// `left + right` and its like.
    Binary {
        /// What is done.
        op: Binary,
        /// The first operand.
        left: Box<Expr>,
        /// The second operand.
        right: Box<Expr>,
    },
    /// `(struct ifnet *)operand`
    Cast {
        /// The type that is cast to.
        to: TypeName,
        /// What is cast.
        operand: Box<Expr>,
    },
    /// `sizeof(struct ifnet)`
    SizeOfType(TypeName),
    /// `sizeof operand`, and `sizeof(name)` if only the types show what `name` is.
    SizeOf(Box<Expr>),
}

/// A variable, `V_ifnet`, or one of several with that name, `ipstat@ip_input.c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The name as written, `V_` included.
    pub name: Box<str>,
    /// What distinguishes variables of one name: the source file, the end of its path, or the
    /// module.
    pub file: Option<Box<str>>,
}

/// A type as it is spelled in a cast: a named type and the pointers to it.
///
/// Qualifiers are dropped, because they do not affect memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// `struct ifnet`, `ifnet_t`; a base type in the order `unsigned long`,
    /// without a redundant `int`: `unsigned int` but `unsigned long`.
    pub base: Box<str>,
    /// What distinguishes types of one name: the file that defines it, or the end of its path.
    pub file: Option<Box<str>>,
    /// The number of `*` behind it.
    pub pointers: usize,
}

/// A variable and the path to one of its members: `ifr[3].ifr_name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// The variable.
    pub name: Name,
    /// From the variable inwards; empty for the variable itself.
    pub steps: Vec<Step>,
}

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `.name`
    Member(Box<str>),
    /// `[index]`
    Index(u64),
}

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

    /// The text with the wrong part underlined, on two lines; of a long text only
    /// the part around it.
    pub fn caret(&self) -> String {
        const LONGEST: usize = 60;
        const BEFORE: usize = 40;
        let width = |range: Range<usize>| self.text.get(range).map_or(0, |s| s.chars().count());
        let (at, total) = (width(0..self.span.start), width(0..self.text.len()));
        let skipped = if total > LONGEST { at.saturating_sub(BEFORE) } else { 0 };
        let shown: String = self.text.chars().skip(skipped).take(LONGEST).collect();
        let before = if skipped > 0 { "…" } else { "" };
        let behind = if total - skipped > LONGEST { "…" } else { "" };
        let indent = " ".repeat(at - skipped + before.chars().count());
        let room = (LONGEST + skipped).saturating_sub(at).max(1);
        let marks = "^".repeat(width(self.span.clone()).clamp(1, room));
        format!("{before}{shown}{behind}\n{indent}{marks}")
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.text.get(..self.span.start).map_or(0, |s| s.chars().count()) + 1;
        write!(f, "{} (column {column})", self.message)
    }
}

impl std::error::Error for SyntaxError {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.file {
            Some(file) => write!(f, "@{file}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        if let Some(file) = &self.file {
            write!(f, "@{file}")?;
        }
        if self.pointers > 0 {
            write!(f, " {}", "*".repeat(self.pointers))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_mistake() {
        let error = parse("V_ifnet..x").unwrap_err();
        assert_eq!(error.caret(), "V_ifnet..x\n        ^");
        assert_eq!(error.to_string(), "expected a member name, found \".\" (column 9)");
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
