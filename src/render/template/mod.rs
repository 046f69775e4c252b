//! Answers by a template: a line for each element, made of the members that the template names.
//!
//! `{vnet.index}\t{name}` takes the path of each pair of braces through an element, as it would be
//! a line of JSON lines, and writes what it finds there. Strings are written without quotation
//! marks and harmless for a terminal, null is nothing, and a value that could not be read is its
//! error, as in plain rows. Arrays and objects are JSON.
//!
//! An element is asked once for each path, and only what the path leads to is read, so that
//! neither the element nor a large value is ever held. A path that no element has is an error,
//! because its name was probably mistyped. Nothing is aligned, computed or filtered here.

mod page;
mod parse;
mod select;
mod trace;

pub use page::TemplatePage;
pub use parse::{Template, TemplateError, TemplateFault};
pub use trace::{NotFound, Wanted};
