//! Virtual network stacks: the list of vnets, and the variables that every one
//! of them has its own copy of (`sys/net/vnet.c`, `sys/net/vnet.h`).

pub(crate) mod by_address;
mod condition;
mod copies;
pub(crate) mod enum_names;
mod error;
pub(crate) mod layout;
pub mod list;
pub mod locks;
pub mod modspace;
mod pristine;
mod reference;
pub(crate) mod scan;
mod serialize;
mod stack;
mod state;
pub mod sysinit;
pub(crate) mod unloaded;
pub mod variables;

pub use condition::Condition;
pub use copies::{Copies, CopyName};
pub(crate) use enum_names::EnumNames;
pub use error::{VnetCandidate, VnetError, WantedThread, WantedVnet};
pub use list::{Vnet, VnetList};
pub use modspace::ModuleSpace;
pub use pristine::pristine;
pub use reference::{VnetRef, VnetRefs};
pub use stack::Stack;
pub use state::VnetState;
pub use sysinit::{Sysinits, VnetSysinit};
pub use variables::{SetVariable, Variables};
