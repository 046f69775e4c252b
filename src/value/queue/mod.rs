//! Walks of queue(3) lists.
//!
//! The names of a list's head and links show its kind, so no
//! caller says "this is a TAILQ": LIST, SLIST, STAILQ, TAILQ and their CK forms
//! (`sys/sys/queue.h`, `sys/contrib/ck/include/ck_queue.h`). Where a release made a
//! tree of a list, the tree is walked. A tail queue that breaks off, or that ends
//! where its head does not say, is walked from its other end too. On a running machine a
//! list that breaks off is walked again: it may have changed meanwhile.

mod back_links;
mod backward;
mod kind;
pub mod link;
mod list;

use crate::value::object::Object;
use crate::value::tree;
use crate::walk::{Problem, Problems, Trail, Walk, settle};

use kind::{KINDS, Kind};

pub use back_links::wrong_back_link;
pub use list::List;

/// Walks the list at `head`, whose elements are linked by their member `link`.
pub fn walk<'t>(head: Object<'t>, link: &str, list: List<'_>) -> Walk<Object<'t>> {
    let mut trail = Trail::new(head.target().budget());
    walk_on(head, link, list, &mut trail)
}

/// The same for one of several lists that must not share an element: `trail` knows those
/// of the others.
pub fn walk_on<'t>(
    head: Object<'t>,
    link: &str,
    list: List<'_>,
    trail: &mut Trail<'_>,
) -> Walk<Object<'t>> {
    walk_with(head, link, list, trail, |_, _| ()).map(|(element, ())| element)
}

/// The same with what `see` reads of each element when the walk comes to it. Its memory is at hand
/// then, as it may no more be when a list of thousands has been walked. The trail is the walk's, for lists
/// that begin in its elements.
pub fn walk_with<'t, T>(
    head: Object<'t>,
    link: &str,
    list: List<'_>,
    trail: &mut Trail<'_>,
    mut see: impl FnMut(&Object<'t>, &mut Trail<'_>) -> T,
) -> Walk<(Object<'t>, T)> {
    let is_live = head.target().memory().is_live();
    let same =
        |(one, _): &(Object<'_>, T), (other, _): &(Object<'_>, T)| one.address == other.address;
    settle(is_live, trail, same, |trail| walk_once(head, link, list, trail, &mut see))
}

fn walk_once<'t, T>(
    head: Object<'t>,
    link: &str,
    list: List<'_>,
    trail: &mut Trail<'_>,
    see: &mut impl FnMut(&Object<'t>, &mut Trail<'_>) -> T,
) -> Walk<(Object<'t>, T)> {
    let kind = match Kind::of(&head) {
        None if tree::is_head(&head) => {
            let found = tree::walk(head, link, list, trail);
            return found.map(|element| (element, see(&element, trail)));
        }
        // The error for a head of another kind names the pointer that it lacks.
        known => known.unwrap_or(&KINDS[0]),
    };
    let next = format!("{link}.{}", kind.next);
    let mut elements = Vec::new();
    let add = |element: Object<'t>, trail: &mut Trail<'_>| {
        elements.push((element, see(&element, trail)));
    };
    let ended = forward(&head, kind, &next, list, trail, add);
    let last = elements.last().map(|(element, _)| element);
    let ended = ended.and_then(|()| backward::agrees(&head, kind, &next, list, last));
    let Err(problem) = ended else { return Walk::whole(elements) };
    let mut problems = Problems::from(problem);
    let rest = backward::walk(&head, kind, link, list, trail).take(&mut problems);
    elements.extend(rest.into_iter().map(|element| (element, see(&element, trail))));
    Walk::new(elements, problems)
}

/// Whether the kernel has initialised this list. An empty tail queue ends at its own head,
/// never at NULL; other lists do not show it.
#[must_use]
pub fn is_made(head: &Object<'_>) -> bool {
    let tail = Kind::of(head).and_then(|kind| Some((kind.first, kind.last?)));
    let Some((first, last)) = tail else { return true };
    let is_set = |member| head.pointer(member).map_or(true, |value| !value.is_null());
    is_set(first) || is_set(last)
}

/// Of a head whose first pointer has this name, the name of the pointer to the end of the list;
/// `Some(None)` if such heads have none, and `None` if no head has such a pointer.
pub(crate) fn last_of(first: &str) -> Option<Option<&'static str>> {
    let kind = KINDS.iter().find(|kind| kind.first == first);
    kind.map(|kind| kind.last).or((first == "rbh_root").then_some(None))
}

/// What to say of a list that is not initialised.
pub const NOT_MADE: &str =
    "the kernel has not initialised the list yet, or the dump has zeros in its place";

/// Calls `add` with the elements from the first on. `path` leads to an element's next pointer.
fn forward<'t>(
    head: &Object<'t>,
    kind: &Kind,
    path: &str,
    list: List<'_>,
    trail: &mut Trail<'_>,
    mut add: impl FnMut(Object<'t>, &mut Trail<'_>),
) -> Result<(), Problem> {
    let mut next = pointed_at(head, kind.first, list)?;
    while let Some(element) = next {
        let at = element.address;
        trail.visit(at).map_err(|why| list.problem(at, why))?;
        list.check(&element)?;
        next = match pointed_at(&element, path, list) {
            Ok(next) => next,
            // Its first byte is missing, so it is not an element.
            Err(problem) if element.probe().is_err() => return Err(problem),
            Err(problem) => {
                add(element, trail);
                return Err(problem);
            }
        };
        add(element, trail);
    }
    Ok(())
}

/// The element that a pointer of the list leads to, freed or not.
fn pointed_at<'t>(
    object: &Object<'t>,
    path: &str,
    list: List<'_>,
) -> Result<Option<Object<'t>>, Problem> {
    object.follow_anywhere(path).map_err(|why| list.unreadable(object.address, why))
}
