//! Virtual network stacks: the list of vnets, and the variables that every one
//! of them has its own copy of (`sys/net/vnet.c`, `sys/net/vnet.h`).

mod layout;
pub mod list;
mod state;
pub mod unlisted;
pub mod variables;

pub use list::{Vnet, VnetList};
pub use state::VnetState;
pub use variables::{Variables, VnetVariable};
