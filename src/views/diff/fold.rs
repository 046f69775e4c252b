//! What differs between any two network stacks, by rule: what a type or a name says of itself,
//! never a list of variables.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::types::model::{Record, Type};
use crate::types::{TypeId, Types};
use crate::value::counter::is_counter;

/// A kind of difference that says nothing about what was configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// In a lock: a struct that begins with a `struct lock_object`.
    Lock,
    /// A `counter_u64_t`, alone or in an array.
    Counter,
    /// A time: `time_t`, `sbintime_t`, `struct timeval`, `struct callout` and the like.
    Time,
    /// A generation number, by its type (`inp_gen_t`) or its name (`ipi_gencnt`).
    Generation,
    /// A pointer that leads to something equal.
    Pointer,
    /// The head of a list that is empty on both sides.
    List,
}

impl Kind {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 6] =
        [Self::Lock, Self::Counter, Self::Time, Self::Generation, Self::Pointer, Self::List];

    /// The name in JSON: `lock`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Counter => "counter",
            Self::Time => "time",
            Self::Generation => "generation",
            Self::Pointer => "pointer",
            Self::List => "list",
        }
    }

    /// The name of several in JSON: `locks`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Lock => "locks",
            Self::Counter => "counters",
            Self::Time => "times",
            Self::Generation => "generations",
            Self::Pointer => "pointers",
            Self::List => "lists",
        }
    }

    /// What so many of them are, for people: `3 locks`.
    fn title(self, count: u64) -> String {
        let (one, many) = match self {
            Self::Lock => ("lock", "locks"),
            Self::Counter => ("counter", "counters"),
            Self::Time => ("time", "times"),
            Self::Generation => ("generation number", "generation numbers"),
            Self::Pointer => ("pointer to equal things", "pointers to equal things"),
            Self::List => ("empty list", "empty lists"),
        };
        format!("{count} {}", if count == 1 { one } else { many })
    }
}

/// How many differences of each kind were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded([u64; Kind::ALL.len()]);

impl Folded {
    /// How many of this kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn add(&mut self, kind: Kind) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Adds those of another part.
    pub fn extend(&mut self, others: &Self) {
        self.0.iter_mut().zip(others.0).for_each(|(count, more)| *count += more);
    }

    fn counts(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL.into_iter().map(|kind| (kind, self.of(kind))).filter(|(_, count)| *count > 0)
    }
}

/// `3 locks, 12 counters`
impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.counts().map(|(kind, count)| kind.title(count)).collect();
        f.write_str(&counts.join(", "))
    }
}

/// `{"locks":3}`. A kind that was not left out has no entry.
impl Serialize for Folded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, count) in self.counts() {
            map.serialize_entry(kind.plural(), &count)?;
        }
        map.end()
    }
}

/// The kind of every value of a type; `None` if its type alone does not say.
pub(super) fn of_type(types: &Types, id: TypeId) -> Option<Kind> {
    if is_counter(types, id) {
        return Some(Kind::Counter);
    }
    let named = typedefs(types, id).into_iter().find_map(|name| of_typedef(&name));
    named.or_else(|| match &*types.resolve(id).ok()?.1 {
        Type::Record(record) => of_record(types, record),
        _ => None,
    })
}

/// Names of times in structs: `sys/sys/_timeval.h`, `time.h` and `callout.h`, 10.4 to main.
const TIMES: [&str; 6] = ["timeval", "timespec", "bintime", "itimerval", "itimerspec", "callout"];

/// Locks by name, beside those that begin with a `struct lock_object`: `sys/sys/_mutex.h`,
/// `_rwlock.h`, `_sx.h`, `_rmlock.h`, 10.4 to main.
const LOCKS: [&str; 6] = ["lock_object", "mtx", "rwlock", "sx", "rmlock", "rmslock"];

fn of_record(types: &Types, record: &Record) -> Option<Kind> {
    let named = |names: &[&str]| record.name.as_deref().is_some_and(|name| names.contains(&name));
    if named(&TIMES) {
        return Some(Kind::Time);
    }
    let first = record.members.first().and_then(|member| types.strip(member.type_id).ok());
    let begins_with_lock = first.is_some_and(|(_, first)| {
        matches!(&*first, Type::Record(first) if first.name.as_deref() == Some("lock_object"))
    });
    (begins_with_lock || named(&LOCKS)).then_some(Kind::Lock)
}

fn of_typedef(name: &str) -> Option<Kind> {
    match name.trim_start_matches('_') {
        "time_t" | "sbintime_t" => Some(Kind::Time),
        name => {
            name.strip_suffix("_t").filter(|name| is_generation(name)).map(|_| Kind::Generation)
        }
    }
}

/// Whether a number of this name counts generations: its last word is `gen`, `gencnt`,
/// `genid` or `generation`.
pub(super) fn is_generation(name: &str) -> bool {
    let last = name.rsplit('_').next().unwrap_or(name);
    matches!(last, "gen" | "gencnt" | "genid" | "generation")
}

/// The names that typedefs give a type, the outermost first.
fn typedefs(types: &Types, mut id: TypeId) -> Vec<Box<str>> {
    /// Typedefs of typedefs end long before this.
    const MOST: usize = 16;
    let mut names = Vec::new();
    for _ in 0..MOST {
        match types.get(id).as_deref() {
            Ok(Type::Typedef(typedef)) => {
                names.push(typedef.name.clone());
                id = typedef.target;
            }
            Ok(Type::Qualified(qualified)) => id = qualified.target,
            _ => break,
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_numbers_are_told_by_the_last_word_of_their_name() {
        for name in ["ipi_gencnt", "so_gencnt", "rnh_gen", "gencnt", "nh_generation", "vt_genid"] {
            assert!(is_generation(name), "{name}");
        }
        for name in ["oxygen", "general", "gen_mode", "ip_defttl", "regen_advance"] {
            assert!(!is_generation(name), "{name}");
        }
        assert_eq!(of_typedef("inp_gen_t"), Some(Kind::Generation));
        assert_eq!(of_typedef("__time_t"), Some(Kind::Time));
        assert_eq!(of_typedef("sbintime_t"), Some(Kind::Time));
        assert_eq!(of_typedef("uint32_t"), None);
    }

    #[test]
    fn counts_are_told_by_kind() {
        let mut folded = Folded::default();
        assert!(folded.is_empty());
        [Kind::Pointer, Kind::Lock, Kind::Pointer].into_iter().for_each(|kind| folded.add(kind));
        assert_eq!(folded.to_string(), "1 lock, 2 pointers to equal things");
        folded.extend(&folded.clone());
        assert_eq!((folded.of(Kind::Pointer), folded.of(Kind::Time)), (4, 0));
        assert_eq!(serde_json::to_string(&folded).unwrap(), r#"{"locks":2,"pointers":4}"#);
    }
}
