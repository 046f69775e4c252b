//! Questions and their answers.
//!
//! A question is a function from a [`Session`](crate::Session) to an [`Answer`]: plain data,
//! public and serialisable. Nothing here knows a terminal or an option of the command
//! line, and nothing is printed. An answer lays itself out on a [`Page`] or serialises itself,
//! and [`render`](crate::render) turns that into text.
//!
//! Long answers are streamed. Their elements are [made when they are asked for](Elements) and
//! not kept, so that memory does not grow with what is printed.

mod call_outs;
mod cell;
mod chosen;
mod date;
mod elements;
mod later;
mod list;
mod page;
mod per_vnet;
mod progress;

pub mod backtraces;
pub mod checks;
pub mod completions;
pub mod converted;
pub mod counters;
pub mod diff;
pub mod eventhandlers;
pub mod expressions;
pub mod failure;
pub mod gdb;
pub mod info;
pub mod interfaces;
pub mod jails;
pub mod locks;
pub mod memory;
pub mod messages;
pub mod modspace;
pub mod modules;
pub mod neighbors;
pub mod pcpu;
pub mod pivot;
pub mod recursions;
pub mod report;
pub mod routes;
pub mod sockets;
pub mod sysctls;
pub mod sysinit;
pub mod threads;
pub mod topology;
pub mod triage;
pub mod types;
pub mod variables;
pub mod vnets;
pub mod whatis;

use std::io;

use serde::Serialize;

use crate::error::Error;
use crate::walk::Problems;

pub use backtraces::backtraces;
pub use cell::{Align, Cell, Column, Medium, Row};
pub use checks::checks;
pub use chosen::Chosen;
pub use converted::convert;
pub use counters::counters;
pub use diff::diff;
pub use elements::Elements;
pub use eventhandlers::eventhandlers;
pub use expressions::expressions;
pub use gdb::gdb;
pub use info::{info, info_of_dump};
pub use interfaces::interfaces;
pub use jails::jails;
pub(crate) use list::serialize_known;
pub use list::{Element, List};
pub use locks::locks;
pub use memory::memory;
pub use messages::{messages, messages_of_dump};
pub use modspace::modspace;
pub use modules::modules;
pub use neighbors::neighbors;
pub(crate) use page::About;
pub use page::{Page, Part};
pub use pcpu::pcpu;
pub use per_vnet::PerVnet;
pub use progress::Progress;
pub use recursions::recursions;
pub use report::{report, report_of_dump};
pub use routes::routes;
pub use sockets::sockets;
pub use sysctls::sysctls;
pub use sysinit::{construction, sysinits};
pub use threads::threads;
pub use topology::topology;
pub use triage::triage;
pub use types::types;
pub use variables::{variables, variables_side_by_side};
pub use vnets::vnets;
pub use whatis::whatis;

/// The answer to one question. As JSON it serialises itself: the members of the object that
/// is printed. For people and for scripts that want rows it is laid out on a page.
pub trait Answer: Serialize {
    /// Lays the answer out: titles, lines and tables, one after the other.
    ///
    /// # Errors
    /// Those of the page.
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()>;

    /// What could not be read, and what is unknown as a result.
    fn problems(&self) -> Problems {
        Problems::default()
    }

    /// What a person should know before reading the answer.
    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }

    /// The vnets that the answer is about, if any.
    fn chosen(&self) -> Option<&Chosen<'_>> {
        None
    }

    /// Takes the reasons why parts of the question have no answer.
    fn take_missed(&mut self) -> Vec<Error> {
        Vec::new()
    }

    /// Why the answer is empty, if it is; a sentence without a full stop.
    fn nothing(&self) -> Option<String> {
        None
    }

    /// Whether it found what it looks for, such as differences.
    fn found(&self) -> bool {
        false
    }

    /// Whether its problems, its remarks, and whether there is nothing in it, are known only when it has been
    /// laid out or serialised, or when its unreadable values have been counted.
    fn tells_later(&self) -> bool {
        false
    }

    /// The number of values that could not be read. For a streamed answer, this reads all values
    /// to count them.
    fn unreadable(&self) -> usize {
        0
    }
}

/// A remark about an answer, which is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// It explains the answer.
    Note(String),
    /// It says why the answer may be incomplete or uncertain.
    Warning(String),
}

/// A part without content is empty.
impl<A: Answer> Answer for Option<A> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        self.as_ref().map_or(Ok(()), |answer| answer.lay_out(page))
    }

    fn unreadable(&self) -> usize {
        self.as_ref().map_or(0, Answer::unreadable)
    }
}

/// What the tests of answers share: the demo image, and what its answers look like.
#[cfg(all(test, feature = "cli"))]
mod testing {
    use serde_json::Value;

    use super::{Answer, Medium};
    use crate::image;
    use crate::render::json::{Document, write_document};
    use crate::render::page::TextPage;
    use crate::render::table::Style;
    use crate::session::Session;

    /// A session of the demo image.
    pub fn demo() -> &'static Session {
        let demo = image::demo().unwrap();
        Box::leak(Box::new(Session::from_sources(demo.kernel, demo.core).unwrap()))
    }

    /// The answer as JSON, without what every document has.
    pub fn json(answer: &impl Answer) -> Value {
        let mut out = Vec::new();
        write_document(&mut out, &Document::new(answer)).unwrap();
        let mut json: Value = serde_json::from_slice(&out).unwrap();
        json.as_object_mut().unwrap().retain(|key, _| key != "schema_version" && key != "problems");
        json
    }

    /// Panics unless the object has these keys and no others.
    #[track_caller]
    pub fn assert_keys(json: &Value, keys: &[&str]) {
        let mut wanted = keys.to_vec();
        wanted.sort_unstable();
        let found: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(found, wanted);
    }

    /// The answer as text.
    pub fn laid_out(answer: &impl Answer, medium: Medium) -> String {
        let mut out = Vec::new();
        let mut page = TextPage::new(&mut out, medium, Style::default());
        answer.lay_out(&mut page).unwrap();
        page.finish().unwrap();
        String::from_utf8(out).unwrap()
    }
}
