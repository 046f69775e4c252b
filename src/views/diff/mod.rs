//! What differs between two copies of the virtualized variables: a vnet's and the initial
//! values, two vnets', or those of one vnet in two dumps.
//!
//! What: for each variable its members that differ, with both values. Equal changes of neighbouring
//! elements are told once. What differs between any two stacks (locks, counters, times and so on)
//! is left out by the rules in `fold.rs`, and counted.
//!
//! How: bytes are compared first, and only a variable whose bytes differ is taken apart. Types come
//! from each side's own kernel; members are matched by name if these are two builds. A
//! pointer differs if it leads to something else: to another part of its own copies, another
//! symbol, or something with other contents.
//!
//! What it refuses to do: what cannot be read on either side is no difference. It is unknown, with
//! the reason.

mod arrays;
mod changes;
mod comparison;
mod finding;
mod fold;
mod initial;
mod lists;
mod members;
mod pointers;
mod ranges;
mod shape;
mod sides;
mod variable;
mod walk;

pub use comparison::Comparison;
pub use finding::{Change, Finding, Findings, What, Which};
pub use fold::{Folded, Kind};
pub use initial::{InitialValues, Origin};
pub use sides::Side;
