//! A dump that is converted in memory, and what the answer says.

use std::io::Cursor;

use serde_json::Value;
use vnetkvm::answers::converted::Question;
use vnetkvm::answers::{self, Answer};
use vnetkvm::convert::Form;
use vnetkvm::render::json::{self, Document};
use vnetkvm::{Error, Session};

pub fn convert(
    session: &Session,
    form: Form,
    only_mapped: bool,
) -> Result<(Vec<u8>, Value), Error> {
    ask(session, Question { form, wanted: None, only_mapped, redact: false })
}

pub fn ask(session: &Session, question: Question<'_>) -> Result<(Vec<u8>, Value), Error> {
    let mut out = Cursor::new(Vec::new());
    let answer = answers::convert(session, question, &mut out, &mut |_| {})?;
    Ok((out.into_inner(), json(&answer)["converted"][0].clone()))
}

/// An answer as a program gets it.
pub fn json(answer: &impl Answer) -> Value {
    let mut out = Vec::new();
    json::write_document(&mut out, &Document::new(answer)).unwrap();
    serde_json::from_slice(&out).unwrap()
}
