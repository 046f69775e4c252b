//! Why an expression has no value.

use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::expr::eval::ExprError;
use crate::value::Value;
use crate::value::serialize::InPlace;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of error for scripts: `no-such-name`, `bad-expression`, or that of a value that
    /// cannot be read.
    pub kind: &'static str,
    /// The error and its causes, in one sentence.
    pub message: Box<str>,
}

impl From<&Error> for Failure {
    fn from(why: &Error) -> Self {
        let kind = match why {
            Error::Expr { source: ExprError::NoCopyOfCpu { why, .. }, .. } => why.kind.name(),
            why if why.is_no_match() => "no-such-name",
            _ => "bad-expression",
        };
        let message = match std::error::Error::source(why) {
            Some(_) => {
                why.story().split_once(": ").map_or_else(String::new, |(_, rest)| rest.into())
            }
            None => why.to_string(),
        };
        Self { kind, message: message.into() }
    }
}

/// The value, or an error in its place.
pub(super) fn value_or_failure<S: Serializer>(
    value: &Result<Value, Failure>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Ok(value) => value.serialize(serializer),
        Err(Failure { kind, message }) => {
            InPlace { kind, address: None, message }.serialize(serializer)
        }
    }
}
