//! A report as HTML or Markdown.
//!
//! How: `page.rs` is the page that a report is laid out on. It knows how much room each section
//! has, and what must be on one line. `redact/` takes out of it what tells whose machine it was. `html/` and `markdown.rs` are the two forms that it is
//! written in.

mod form;
mod html;
mod markdown;
mod page;
mod redact;
mod room;
mod words;

use std::io::{self, Write};

use crate::answers::report::Report;

use form::Form;
use html::Html;
use markdown::Markdown;
use page::ReportPage;
use redact::Redactor;
use words::Words;

pub use page::{LeftOut, Omitted};

/// A form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One HTML file that needs no other.
    Html,
    /// Markdown as GitHub reads it.
    Markdown,
}

/// Writes the report; returns what it does not say. If it is `redacted`, names and addresses that tell
/// whose machine it was are replaced by placeholders.
///
/// # Errors
/// The output cannot be written.
pub fn write(
    report: &Report<'_>,
    style: Style,
    redacted: bool,
    out: impl Write,
) -> io::Result<Omitted> {
    let redactor = redacted.then(|| Redactor::new(&report.identities()));
    let words = Words::new(redactor);
    match style {
        Style::Html => lay_out(report, ReportPage::new(out, Html::default(), words)),
        Style::Markdown => lay_out(report, ReportPage::new(out, Markdown::default(), words)),
    }
}

fn lay_out<W: Write, F: Form>(
    report: &Report<'_>,
    mut page: ReportPage<W, F>,
) -> io::Result<Omitted> {
    report.lay_out(&mut page)?;
    Ok(page.omitted())
}
