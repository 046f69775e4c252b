//! The commands that do more than ask a session one question, one per file.

pub mod bt;
pub mod completions;
pub mod convert;
pub mod diff;
#[cfg(feature = "export")]
pub mod export;
pub mod gdb;
#[cfg(feature = "gdb-server")]
pub mod gdb_server;
pub mod image;
pub mod info;
pub mod lldb;
pub mod man;
pub mod print;
pub mod read;
pub mod report;
pub mod topology;
pub mod triage;
pub mod type_;
pub mod whatis;
