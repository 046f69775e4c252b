//! What well-known structs of the kernel mean to people, beside their members.
//!
//! What: addresses, locks, mbufs, times, flags. How: a struct is known by the name of its type and
//! by members that only it has, however a program came to it. What it means is worked out of the
//! members that were read, and stands before them. Flags are known by the names of their struct
//! and member, or by the format that the kernel prints them by. What this refuses to do: guess. A member that could not be read is an error in its
//! own place, and what depends on it is left out.

mod address;
mod bit_names;
mod flags;
mod found;
mod lock;
mod mbuf;
mod number;
mod owner;
mod time;

use crate::types::Types;
use crate::types::model::{Record, TypeId};
use crate::value::lock_word::LockKind;
use crate::value::model::Value;

pub use address::Address;
pub use bit_names::FoundFormats;
pub use found::Found;
pub use mbuf::{MbufHeader, Naming as MbufNaming};
pub use number::NumberMeaning;

use mbuf::Naming;
use time::Clock;

/// A struct that means something to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// An address and nothing else.
    Address(Address),
    /// `struct sockaddr_in` and its like.
    Sockaddr,
    /// A plain `struct sockaddr`.
    SockaddrHeader,
    /// A lock with one word.
    Lock(LockKind),
    /// `struct rmlock`
    Rmlock,
    /// `struct mbuf`
    Mbuf(Naming),
    /// A point in time, or a distance of two.
    Time(Clock),
}

impl Meaning {
    /// That of the type `id`, if it has one.
    pub fn of(types: &Types, id: TypeId, record: &Record) -> Option<Self> {
        let has =
            |name: &str| record.members.iter().any(|member| member.name.as_deref() == Some(name));
        let lock = |kind: LockKind| has(kind.member()).then_some(Self::Lock(kind));
        match record.name.as_deref()? {
            "in_addr" => Some(Self::Address(Address::Inet)),
            "in6_addr" => Some(Self::Address(Address::Inet6)),
            "ether_addr" => Some(Self::Address(Address::Ether)),
            "sockaddr_in" | "sockaddr_in6" | "sockaddr_dl" | "sockaddr_storage" => {
                Some(Self::Sockaddr)
            }
            "sockaddr" => Some(Self::SockaddrHeader),
            "mtx" | "mtx_padalign" => lock(LockKind::Mutex),
            "rwlock" | "rwlock_padalign" => lock(LockKind::Rwlock),
            "sx" | "sx_padalign" => lock(LockKind::Sx),
            "lock" => lock(LockKind::Lockmgr),
            "rmlock" | "rmlock_padalign" => has("rm_activeReaders").then_some(Self::Rmlock),
            "mbuf" => Some(Self::Mbuf(Naming::of(types, id))),
            name => Clock::of(name).map(Self::Time),
        }
    }

    /// What the struct means: text, or the number of an [`Address`].
    pub fn note(self, found: &mut Found<'_, '_>) -> Option<Value> {
        let text = match self {
            Self::Address(kind) => return kind.number(found.bytes).map(Value::Int),
            Self::Sockaddr => address::of_sockaddr(found.bytes, found.target),
            Self::SockaddrHeader => address::of_header(found.target, found.address),
            Self::Lock(kind) => lock::of_word(kind, found),
            Self::Rmlock => lock::of_rmlock(found),
            Self::Mbuf(naming) => mbuf::text(found.members, naming),
            Self::Time(clock) => clock.text(found.members),
        }?;
        found.target.budget().bytes(text.len() as u64).ok()?;
        Some(Value::Text(text.into()))
    }
}
