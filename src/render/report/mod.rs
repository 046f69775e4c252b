//! A report as HTML or Markdown.
//!
//! How: `page.rs` is the page that a report is laid out on. It knows how much room each section
//! has, and what must be on one line. `html/` and `markdown.rs` are the two forms that it is
//! written in.

mod form;
mod html;
mod markdown;
mod page;
mod room;
mod words;

use std::io::{self, Write};

use crate::answers::report::Report;

pub use page::LeftOut;

/// Writes the report as one HTML file that needs no other; what has no room in it.
///
/// # Errors
/// The output cannot be written.
pub fn write_html(report: &Report<'_>, out: impl Write) -> io::Result<Vec<LeftOut>> {
    write(report, out, html::Html::default())
}

/// Writes the report as Markdown, as GitHub reads it; what has no room in it.
///
/// # Errors
/// The output cannot be written.
pub fn write_markdown(report: &Report<'_>, out: impl Write) -> io::Result<Vec<LeftOut>> {
    write(report, out, markdown::Markdown::default())
}

fn write(report: &Report<'_>, out: impl Write, form: impl form::Form) -> io::Result<Vec<LeftOut>> {
    let mut page = page::ReportPage::new(out, form, words::Words::default());
    report.lay_out(&mut page)?;
    Ok(page.left_out())
}
