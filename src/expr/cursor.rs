//! The tokens of a text and how far they are read.

use std::ops::Range;

use super::SyntaxError;
use super::lex::{Spanned, Token, lex};

/// A place among the tokens of a text. Whoever reads on by recursion is bounded by
/// their number, which the lexer bounds.
pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<Spanned<'a>>,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, SyntaxError> {
        Ok(Self { text, tokens: lex(text)?, at: 0 })
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.tokens.get(self.at).map_or(Token::End, |spanned| spanned.token)
    }

    /// The token after the next.
    pub(super) fn peek_behind(&self) -> Token<'a> {
        self.tokens.get(self.at + 1).map_or(Token::End, |spanned| spanned.token)
    }

    pub(super) fn span(&self) -> Range<usize> {
        let end = self.text.len();
        self.tokens.get(self.at).map_or(end..end, |spanned| spanned.span.clone())
    }

    /// Where the token before this one ends.
    pub(super) fn last_end(&self) -> usize {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        last.map_or(0, |spanned| spanned.span.end)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn accept(&mut self, op: &str) -> bool {
        let found = matches!(self.peek(), Token::Op(found) if found == op);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, op: &str) -> Result<(), SyntaxError> {
        match self.accept(op) {
            true => Ok(()),
            false => Err(self.unexpected(&format!("\"{op}\""))),
        }
    }

    pub(super) fn end(&self) -> Result<(), SyntaxError> {
        match self.peek() {
            Token::End => Ok(()),
            _ => Err(self.unexpected("an operator or the end")),
        }
    }

    pub(super) fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.text.get(self.span()) {
            None | Some("") => "the end".to_owned(),
            Some(found) => format!("\"{found}\""),
        };
        self.error(format!("expected {wanted}, found {found}"))
    }

    /// How far it has come, to go back to.
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    pub(super) fn go_back(&mut self, mark: usize) {
        self.at = mark;
    }

    /// An error about the token that stands here.
    pub(super) fn error(&self, message: impl Into<Box<str>>) -> SyntaxError {
        self.error_at(self.span(), message)
    }

    pub(super) fn error_at(&self, span: Range<usize>, message: impl Into<Box<str>>) -> SyntaxError {
        SyntaxError::new(self.text, span, message)
    }
}
