//! The rest of a broken tail queue, read from its other end.
//!
//! The head of a TAILQ points at the next pointer of its last element, and each
//! element at that of the one before it; the head of a STAILQ leads to its last
//! element alone (`sys/sys/queue.h`).

use super::kind::Kind;
use super::list::List;
use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::value::object::Object;
use crate::walk::{Problem, Trail, Walk};

/// Checks that a list whose last element is `last` ends where its head says. `next` is the path to
/// an element's next pointer.
///
/// # Errors
/// It does not: an element is missing, or the list was being changed.
pub(super) fn agrees(
    head: &Object<'_>,
    kind: &Kind,
    next: &str,
    list: List<'_>,
    last: Option<&Object<'_>>,
) -> Result<(), Problem> {
    let Some(tail) = kind.last else { return Ok(()) };
    let end = match last {
        Some(element) => element.member(next),
        None => head.member(kind.first),
    };
    match (head.pointer(tail), end) {
        // The head of a list that is not made yet is NULL all over.
        (Ok(told), Ok(end)) if told != end.address && !(last.is_none() && told.is_null()) => {
            let at = last.map_or(head.address, |element| element.address);
            let why = format!("the list ends at {at}, but its head says that it ends at {told}");
            Err(Problem::contradiction(list.what(), at, why))
        }
        _ => Ok(()),
    }
}

/// The elements from the last one back to one that `trail` knows, in the order of the list.
///
/// That something is missing is known already, so a second break is no news; what
/// memory from the other end is freed is.
pub(super) fn walk<'t>(
    head: &Object<'t>,
    kind: &Kind,
    link: &str,
    list: List<'_>,
    trail: &mut Trail<'_>,
) -> Walk<Object<'t>> {
    let Some(last) = kind.last else { return Walk::whole(Vec::new()) };
    let mut found = Vec::new();
    let ended = Steps { head, first: kind.first, next: format!("{link}.{}", kind.next) }.run(
        head.pointer(last),
        kind.previous.map(|p| format!("{link}.{p}")),
        list,
        trail,
        &mut found,
    );
    found.reverse();
    match ended {
        Ok(()) => Walk::whole(found),
        Err(problem) => Walk::new(found, problem.into()),
    }
}

struct Steps<'a, 't> {
    head: &'a Object<'t>,
    /// The name of its pointer to the first element.
    first: &'static str,
    /// The path to an element's next pointer.
    next: String,
}

impl<'t> Steps<'_, 't> {
    fn run(
        &self,
        last: Result<VirtAddr, ReadError>,
        previous: Option<String>,
        list: List<'_>,
        trail: &mut Trail<'_>,
        found: &mut Vec<Object<'t>>,
    ) -> Result<(), Problem> {
        let mut place = last.ok();
        while let Some(element) = place.and_then(|place| self.element(place)) {
            // Where the two ends meet, every element has been found.
            if trail.has_seen(element.address) || trail.visit(element.address).is_err() {
                return Ok(());
            }
            // The next element must point back here; otherwise this is not an element.
            let follows = found.last().map_or(VirtAddr::default(), |element| element.address);
            if element.pointer(&self.next) != Ok(follows) {
                return Ok(());
            }
            list.check(&element)?;
            place = previous.as_ref().and_then(|path| element.pointer(path).ok());
            found.push(element);
        }
        Ok(())
    }

    /// The element whose next pointer lies at `place`.
    fn element(&self, place: VirtAddr) -> Option<Object<'t>> {
        let target = self.head.target();
        // An empty list's last pointer leads to the head itself.
        if place.is_null() || place == self.head.address {
            return None;
        }
        let head = self.head.member(self.first).ok()?;
        let types = target.types().ok()?;
        let element = types.pointee(head.type_id).ok()?;
        let before = types.path(element, &self.next).ok()?.offset;
        Some(Object::new(target, element, place.wrapping_add(before.wrapping_neg())))
    }
}
