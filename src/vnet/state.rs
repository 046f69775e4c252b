//! What `vnet_state` says of a vnet.

use crate::constants::SI_SUB_VNET_DONE;
use crate::error::ReadError;
use crate::target::Target;
use crate::types::model::Type;
use crate::value::Object;
use crate::vnet::condition::Condition;

/// How far construction or destruction has come: the subsystem whose
/// constructors or destructors vnet_alloc or vnet_destroy ran last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VnetState {
    pub value: u64,
    /// The enumerator in the kernel's `enum sysinit_sub_id`.
    pub name: Option<Box<str>>,
    /// `up`, or what else it means, in words.
    pub meaning: Box<str>,
}

impl VnetState {
    /// The meaning of `value` in a vnet that is vnet0 or not, and on the list unless
    /// it has a condition.
    ///
    /// vnet0 is allocated before any constructor is registered and its state is
    /// never set: 0 there is healthy for ever.
    pub fn new(target: &Target, value: u64, default: bool, condition: Option<Condition>) -> Self {
        if value == 0 {
            let meaning = match condition {
                _ if default => "up (vnet0's is never set)",
                Some(condition) => condition.meaning(),
                None => "never set",
            };
            return Self { value, name: None, meaning: meaning.into() };
        }
        let name = subsystem_name(target, value).unwrap_or(None);
        let done = match &name {
            Some(name) => &**name == "SI_SUB_VNET_DONE",
            None => value == SI_SUB_VNET_DONE,
        };
        let meaning = match (condition, done) {
            (Some(condition), _) => condition.meaning(),
            (None, true) => "up",
            (None, false) => "listed, though its constructors have not all run",
        };
        Self { value, name, meaning: meaning.into() }
    }
}

/// The enumerator of this value in the type of `vnet_sysinit.subsystem`, which
/// the list of constructors leads to.
fn subsystem_name(target: &Target, value: u64) -> Result<Option<Box<str>>, ReadError> {
    let types = target.types()?;
    let head = Object::global(target, "vnet_constructors")?;
    let sysinit = types.pointee(types.member(head.type_id, "tqh_first")?.type_id)?;
    let (_, subsystem) = types.resolve(types.member(sysinit, "subsystem")?.type_id)?;
    let Type::Enum(subsystems) = &*subsystem else { return Ok(None) };
    let named = subsystems.enumerators.iter().find(|e| e.value == i128::from(value));
    Ok(named.map(|enumerator| enumerator.name.clone()))
}
