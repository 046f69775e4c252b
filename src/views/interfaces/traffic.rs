//! What an interface counts: packets, bytes, errors, drops.
//!
//! Since 11, if_counters has a per-CPU counter for each member of enum ift_counter, and
//! if_get_counter is the function that is asked for them. A driver may have its own, and may
//! keep numbers elsewhere. Before, if_data has plain numbers (`sys/net/if_var.h`).

use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::Object;
use crate::value::counter::Counters;
use crate::value::model::{ErrorKind, ValueError};
use crate::views::interfaces::Field;

/// The counters, in the order of enum ift_counter, by the names that JSON has.
pub const COUNTERS: [&str; 12] = [
    "ipackets",
    "ierrors",
    "opackets",
    "oerrors",
    "collisions",
    "ibytes",
    "obytes",
    "imcasts",
    "omcasts",
    "iqdrops",
    "oqdrops",
    "noproto",
];

/// What an interface has counted.
#[derive(Debug, Clone)]
pub struct Traffic {
    /// By the names of [`COUNTERS`]; `None` for a counter that the kernel does not have.
    counts: Vec<Option<Field<u64>>>,
    /// The driver's own function that is asked for the counters, if it has one.
    pub counted_by: Option<Box<str>>,
}

impl Traffic {
    /// Reads and sums the counters of `interface`.
    pub fn read(interface: &Object<'_>, counters: &Counters) -> Self {
        let counted_by = own_function(interface);
        let summed = interface.has("if_counters");
        let count = |index: usize, name: &&str| {
            if !summed {
                let path = format!("if_data.ifi_{name}");
                return interface.has(&path).then(|| Ok(interface.uint(&path)?));
            }
            let count = sum(interface, counters, index);
            Some(count.and_then(|count| believed(count, counted_by.as_deref(), interface)))
        };
        let counts = COUNTERS.iter().enumerate().map(|(at, name)| count(at, name)).collect();
        Self { counts, counted_by }
    }

    /// Nothing, for the same reason.
    pub fn unknown(why: &ValueError) -> Self {
        Self { counts: vec![Some(Err(why.clone())); COUNTERS.len()], counted_by: None }
    }

    /// The counter of that name; `None` if the kernel does not have it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field<u64>> {
        let at = COUNTERS.iter().position(|known| *known == name)?;
        self.counts.get(at)?.as_ref()
    }

    /// Puts what `counts` has for each counter in its place.
    pub(in crate::views) fn set(&mut self, counts: Vec<Field<u64>>) {
        self.counts = counts.into_iter().map(Some).collect();
    }
}

/// The per-CPU counter with that number.
pub(in crate::views) fn sum(
    interface: &Object<'_>,
    counters: &Counters,
    index: usize,
) -> Field<u64> {
    let target = interface.target();
    let first = interface.member("if_counters")?.address;
    let place = first.wrapping_add(index as u64 * target.arch().pointer_size());
    let pointer = target.memory().pointer(place)?;
    counters.sum(target, pointer)
}

/// A driver that is asked for its counters counts some itself. If the kernel's counter has not
/// counted anything either, nothing is known.
fn believed(count: u64, counted_by: Option<&str>, interface: &Object<'_>) -> Field<u64> {
    match counted_by {
        Some(function) if count == 0 => Err(ValueError {
            kind: ErrorKind::Stale,
            address: Some(interface.address),
            message: format!("the driver counts it: ask {function}").into(),
        }),
        _ => Ok(count),
    }
}

/// The name of if_get_counter, unless it is the kernel's own.
fn own_function(interface: &Object<'_>) -> Option<Box<str>> {
    let function = interface.pointer("if_get_counter").ok()?.non_null()?;
    let name = name_of(interface.target(), function);
    (name != "if_get_counter_default").then(|| name.into())
}

fn name_of(target: &Target, function: VirtAddr) -> String {
    match target.symbolize(function) {
        Some((symbol, 0)) => symbol.name.to_owned(),
        _ => function.to_string(),
    }
}
