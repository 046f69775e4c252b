//! Reads the virtual network stacks (VNET) of a FreeBSD kernel out of a crash dump.

pub mod addr;
pub mod arch;
pub mod bytes;
pub mod constants;
pub mod dump;
pub mod error;
pub mod expr;
pub mod image;
pub mod kernel;
pub mod memory;
pub mod paging;
pub mod render;
pub mod session;
pub mod source;
pub mod target;
pub mod types;
pub mod value;
pub mod views;
pub mod vnet;

pub use error::Error;
pub use session::Session;
