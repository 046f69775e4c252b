//! Reads the virtual network stacks (VNET) of a FreeBSD kernel out of a crash dump.
//!
//! A kernel file and a memory image go in; an answer about one network stack
//! comes out. The two meet in the [`target`]:
//!
//! ```text
//! source ─► dump ─► paging ─► memory ─┐
//!                                     ├─► target ─► value ─► modules ─► vnet ─► threads ─► views ─► expr ─► session ─► answers ─► render
//! source ─► kernel ─► types ──────────┘                                                                                        └► gdbserver, export
//! ```
//!
//! - [`source`]: a path to bytes. [`dump`]: bytes to physical memory. [`paging`]: kernel addresses to
//!   physical ones. [`memory`]: reads by kernel address.
//! - [`kernel`]: an ELF file to symbols and initial values, as linked and as it runs. [`types`]: DWARF or CTF to C types.
//! - [`target`]: joins a kernel and a dump to a running kernel that never changes. [`value`]: typed reads. [`modules`]: what was loaded into the kernel. [`vnet`]: the list of stacks and where the
//!   variables of each lie. [`threads`]: processes, threads, and their stacks. [`views`]: jails, interfaces, and more. [`expr`]: C-like expressions.
//! - [`session`]: all of these behind one door. [`answers`]: questions, and what each is answered
//!   with. [`render`]: answers to text.
//! - `gdbserver` (with the feature `gdb-server`): what the session reads, by the protocol of gdb.
//! - `export` (with the feature `export`): answers to tables, as Parquet and Arrow.
//! - [`image`]: the same picture backwards, from a scenario to a dump.
//!
//! Nothing is read before it is asked for, and dumps are mapped, never copied. A
//! value that cannot be read is an [error in its place](value::model::ValueError), and what stands around it is
//! still read. Whatever the input, nothing here panics.
//!
//! # Quick start
//!
//! ```
//! use vnetkvm::image;
//! use vnetkvm::render::c;
//! use vnetkvm::session::{Selector, Session};
//! use vnetkvm::value::Limits;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // For real files: Session::open(&Options { kernel: Some(kernel), core, ..Options::default() })
//! let demo = image::demo()?;
//! let session = Session::from_sources(demo.kernel, demo.core)?;
//!
//! // The stacks, in order of creation; each knows the jails that live in it.
//! let vnets = session.vnets()?;
//! assert_eq!(vnets.all.len(), 3);
//! assert_eq!(&*vnets.all[2].jails.as_ref().unwrap()[0].name, "db01");
//!
//! // One of them, and what an expression is worth in it.
//! let web01 = session.select(&Selector::Jail("web01".into()))?.stacks[0];
//! let limits = Limits::default();
//! let name = session.print(web01, "V_ifnet.cstqh_first->if_xname", &limits)?;
//! assert_eq!(name.value.as_str(), Some("lo0"));
//!
//! // Its own copies of variables.
//! for variable in session.variables(&["ip_def*".into()])? {
//!     let (address, value) = session.value(web01, &variable, &limits);
//!     println!("{address} {} = {}", variable.name, c::line(&value));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Programs to begin with
//!
//! Three whole programs are in `examples/`, and `cargo run --example NAME` runs them:
//! `variable` lists the network stacks with what each has in a variable, `interfaces` walks the
//! interfaces of a jail, and `image` builds the image of a machine and reads it back.
//!
//! # Features
//!
//! `cli` (default) adds the program and [`render::page`]; `image` (default) adds the builder,
//! [`image`]; `gdb-server` (default) adds the remote stub for debuggers, `gdbserver`; `export` adds
//! tables as Parquet files and Arrow streams. Without them this is a library that reads kernels and dumps.

#![deny(missing_docs)]

pub mod addr;
pub mod answers;
pub mod arch;
pub mod budget;
pub mod bytes;
pub(crate) mod constants;
pub mod convert;
pub mod dump;
pub mod error;
#[cfg(feature = "export")]
pub mod export;
pub mod expr;
pub mod fault;
#[cfg(feature = "gdb-server")]
pub mod gdbserver;
#[cfg(feature = "image")]
pub mod image;
pub mod kernel;
pub mod memory;
pub mod modules;
pub mod paging;
pub(crate) mod parallel;
pub(crate) mod recent;
pub mod render;
pub mod session;
mod shorten;
pub mod source;
pub mod target;
pub mod threads;
pub mod types;
pub mod value;
pub mod views;
pub mod vnet;
pub mod walk;
pub mod writing;

pub use error::Error;
pub use session::Session;

// The programs in the documentation have to compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/guide.md")]
mod guide {}
#[cfg(doctest)]
#[doc = include_str!("../docs/kgdb.md")]
mod kgdb {}
