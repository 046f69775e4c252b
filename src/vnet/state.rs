//! What `vnet_state` says of a vnet.

use serde::Serialize;

use crate::constants::SI_SUB_VNET_DONE;
use crate::target::Target;
use crate::vnet::condition::Condition;
use crate::vnet::enum_names::EnumNames;

/// How far construction or destruction has come: the subsystem whose
/// constructors or destructors vnet_alloc or vnet_destroy ran last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VnetState {
    /// `vnet_state` as it is in memory; 0 is never set.
    pub value: u64,
    /// The enumerator in the kernel's `enum sysinit_sub_id`.
    pub name: Option<Box<str>>,
    /// What it means, in words: `up`.
    pub meaning: Box<str>,
}

impl VnetState {
    /// The names of states; empty if the kernel's types do not show them.
    #[must_use]
    pub fn names(target: &Target) -> EnumNames {
        EnumNames::of_element(target, "vnet_constructors", "subsystem").unwrap_or_default()
    }

    /// The meaning of `value`, which may have one of `names`, in a vnet that is vnet0 or not, and on
    /// the list unless it has a condition.
    ///
    /// vnet0 is allocated before any constructor is registered, and its state is
    /// never set: 0 is normal there.
    #[must_use]
    pub fn new(names: &EnumNames, value: u64, default: bool, condition: Option<Condition>) -> Self {
        if value == 0 {
            let meaning = match condition {
                _ if default => "up (never set for vnet0)",
                Some(condition) => condition.meaning(),
                None => "never set",
            };
            return Self { value, name: None, meaning: meaning.into() };
        }
        let name = names.name(value).name;
        let done = match &name {
            Some(name) => &**name == "SI_SUB_VNET_DONE",
            None => value == SI_SUB_VNET_DONE,
        };
        let meaning = match (condition, done) {
            (Some(condition), _) => condition.meaning(),
            (None, true) => "up",
            (None, false) => "incomplete, though it is listed",
        };
        Self { value, name, meaning: meaning.into() }
    }
}
