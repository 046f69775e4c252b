//! Answers to text: C, tables, JSON, hex dumps, gdb scripts, drawings.
//!
//! Everything here takes finished models and writes characters. Nothing reads
//! memory, looks up a symbol or decides what to show; what a dump holds may be
//! hostile, so every string passes through [`sanitize`] on its way out.

pub mod c;
mod cell;
#[cfg(feature = "cli")]
pub mod changes;
pub mod decl;
pub mod dot;
pub mod gdb;
pub mod gdb_python;
#[cfg(feature = "cli")]
mod held;
pub mod hex;
pub mod json;
#[cfg(feature = "cli")]
mod lines;
pub mod lldb_python;
pub(crate) mod markup;
mod memory;
#[cfg(feature = "cli")]
pub mod page;
mod picture;
pub mod report;
pub mod sanitize;
pub mod svg;
pub mod sysctl;
#[cfg(feature = "cli")]
pub mod table;
pub mod template;
