//! The places and names of a variable's counters.
//!
//! VNET_PCPUSTAT of a statistics struct is an array of sizeof(struct)/8 counters
//! (`sys/net/vnet.h`, 10.4 to main), and only its name says which struct
//! that was. So a struct is accepted if its size fits and its name is the array's,
//! apart from digits, underscores and a plural (ipsec4stat, struct
//! ipsecstat). If there is none, the counters have numbers.

use crate::budget::Share;
use crate::types::model::{Member, Type};
use crate::types::{TypeError, TypeId, Types};
use crate::value::counter::is_counter;

/// A counter in a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterPlace {
    /// `ips_total`, `icps_inhist[3]`; `[3]` if only its index is known.
    pub name: Box<str>,
    /// Bytes from the start of the variable to its `counter_u64_t`.
    pub offset: u64,
}

/// Bytes that each counter stands for in a statistics struct.
const COUNTER: u64 = 8;

/// The most counters that a variable has.
const MAX_PLACES: usize = 1 << 16;

/// The deepest nesting of structs and arrays.
const MAX_DEPTH: usize = 8;

/// The most members and elements that are searched for the counters of one variable.
const MOST_PARTS: u64 = 1 << 18;

/// What [`descend`] searches, and its remaining budget.
struct Parts<'t> {
    types: &'t Types,
    share: Share<'t>,
    found: Vec<CounterPlace>,
}

impl<'t> Parts<'t> {
    fn new(types: &'t Types) -> Self {
        let share = types.budget().share("what has the counters", MOST_PARTS);
        Self { types, share, found: Vec::new() }
    }
}

/// The counters in a variable of type `id`. If the variable is itself a counter, it is
/// called `name`.
///
/// # Errors
/// The debug information is damaged.
pub fn places(types: &Types, id: TypeId, name: &str) -> Result<Vec<CounterPlace>, TypeError> {
    let mut parts = Parts::new(types);
    collect(&mut parts, id, &Path::start(), MAX_DEPTH)?;
    let mut found = parts.found;
    if let [CounterPlace { name: single, .. }] = &mut found[..]
        && single.is_empty()
    {
        *single = name.into();
    }
    Ok(found)
}

/// Whether the type is an array of counters and nothing else, as a VNET_PCPUSTAT is.
///
/// # Errors
/// The debug information is damaged.
pub fn is_counter_array(types: &Types, id: TypeId) -> Result<bool, TypeError> {
    Ok(match &*types.strip(id)?.1 {
        Type::Array(array) => array.counts.len() == 1 && is_counter(types, array.element),
        _ => false,
    })
}

/// The struct that names `count` counters of the array `name`.
pub fn statistics(types: &Types, name: &str, count: u64) -> Option<TypeId> {
    let fits = |id: &TypeId| types.size_of(*id).ok() == count.checked_mul(COUNTER);
    let singular = name.strip_suffix('s').unwrap_or(name);
    let digitless: String = name.chars().filter(|c| !c.is_ascii_digit()).collect();
    let likely = [name, singular, &digitless];
    let likely = likely.iter().filter_map(|name| types.struct_named(name));
    likely.into_iter().find(fits).or_else(|| {
        let wanted = bare_name(name);
        let counts = |id: &TypeId| {
            let names = slot_names(types, *id, count);
            names.is_ok_and(|names| names.iter().all(Option::is_some))
        };
        let similar = types.structs_where(|name| bare_name(name) == wanted);
        similar.into_iter().find(|id| fits(id) && counts(id))
    })
}

/// A name without the parts that differ between an array and its struct.
fn bare_name(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !c.is_ascii_digit() && *c != '_').collect();
    kept.trim_end_matches('s').to_owned()
}

/// The names of the members that `count` counters stand for, by position; `None`
/// if there is no member of 8 bytes.
///
/// # Errors
/// It is not a struct, or the debug information is damaged.
pub fn slot_names(
    types: &Types,
    statistics: TypeId,
    count: u64,
) -> Result<Vec<Option<Box<str>>>, TypeError> {
    let mut leaves = Parts::new(types);
    types.member_names(statistics)?;
    collect_words(&mut leaves, statistics, &Path::start(), MAX_DEPTH)?;
    let mut names = vec![None; usize::try_from(count).unwrap_or(0).min(MAX_PLACES)];
    for CounterPlace { name, offset } in leaves.found {
        let slot = usize::try_from(offset / COUNTER).unwrap_or(usize::MAX);
        if let Some(slot) = names.get_mut(slot).filter(|_| offset % COUNTER == 0) {
            *slot = Some(name);
        }
    }
    Ok(names)
}

/// Gives places in an array the names of a struct's members.
pub fn rename(places: &mut [CounterPlace], names: &[Option<Box<str>>]) {
    for (place, name) in places.iter_mut().zip(names) {
        if let Some(name) = name {
            place.name = name.clone();
        }
    }
}

/// The C path to a part of a variable, and its offset in the variable.
#[derive(Clone)]
struct Path {
    text: String,
    offset: u64,
}

impl Path {
    fn start() -> Self {
        Self { text: String::new(), offset: 0 }
    }

    fn member(&self, member: &Member) -> Self {
        let text = match &member.name {
            None => self.text.clone(),
            Some(name) if self.text.is_empty() => name.to_string(),
            Some(name) => format!("{}.{name}", self.text),
        };
        Self { text, offset: self.offset.saturating_add(member.offset) }
    }

    fn element(&self, index: u64, size: u64) -> Self {
        let text = format!("{}[{index}]", self.text);
        Self { text, offset: self.offset.saturating_add(index.saturating_mul(size)) }
    }

    fn place(&self) -> CounterPlace {
        CounterPlace { name: self.text.as_str().into(), offset: self.offset }
    }
}

fn collect(parts: &mut Parts<'_>, id: TypeId, at: &Path, depth: usize) -> Result<(), TypeError> {
    if is_counter(parts.types, id) {
        parts.found.push(at.place());
        return Ok(());
    }
    descend(parts, id, at, depth, collect)
}

/// The 8-byte numbers in a struct.
fn collect_words(
    parts: &mut Parts<'_>,
    id: TypeId,
    at: &Path,
    depth: usize,
) -> Result<(), TypeError> {
    if let Type::Base(base) = &*parts.types.strip(id)?.1 {
        if base.size == COUNTER {
            parts.found.push(at.place());
        }
        return Ok(());
    }
    descend(parts, id, at, depth, collect_words)
}

type Collect = fn(&mut Parts<'_>, TypeId, &Path, usize) -> Result<(), TypeError>;

/// Collects from the members of a struct, or the elements of an array.
fn descend(
    parts: &mut Parts<'_>,
    id: TypeId,
    at: &Path,
    depth: usize,
    collect: Collect,
) -> Result<(), TypeError> {
    let Some(depth) = depth.checked_sub(1) else { return Ok(()) };
    // A type that is only declared has no members.
    match &*parts.types.strip(id)?.1 {
        Type::Record(record) => {
            for member in record.members.iter().filter(|member| member.bits.is_none()) {
                parts.share.work(1)?;
                collect(parts, member.type_id, &at.member(member), depth)?;
            }
        }
        Type::Array(array) => {
            let counts = array.counts.iter().map(|count| count.unwrap_or(0));
            let Some(count) = counts.reduce(u64::saturating_mul).filter(|count| *count > 0) else {
                return Ok(());
            };
            // All elements have the same members as the first.
            let size = parts.types.size_of(array.element)?;
            let before = parts.found.len();
            for index in 0..count {
                parts.share.work(1)?;
                collect(parts, array.element, &at.element(index, size), depth)?;
                if parts.found.len() == before || parts.found.len() >= MAX_PLACES {
                    break;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_arrays_and_of_their_structs_are_alike() {
        for (array, structure) in [
            ("ipsec4stat", "ipsecstat"),
            ("foo_stats", "foostat"),
            ("carpstats", "carpstats"),
            ("pfsyncstats", "pfsyncstat"),
        ] {
            assert_eq!(bare_name(array), bare_name(structure), "{array}");
        }
        assert_ne!(bare_name("tcps_states"), bare_name("tcpstat"));
        assert_ne!(bare_name("ipstat"), bare_name("icmpstat"));
    }
}
