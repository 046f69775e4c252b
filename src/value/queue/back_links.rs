//! The links of a list that lead backwards.

use super::kind::Kind;
use super::list::List;
use super::walk;
use crate::value::object::Object;
use crate::walk::{Problem, Problems};

/// The first element of the list at `head` that does not point back at the pointer that leads to
/// it; `None` if all do, or if such lists have no pointers back.
///
/// # Errors
/// What keeps the walk from the end of the list.
pub fn wrong_back_link(
    head: &Object<'_>,
    link: &str,
    list: List<'_>,
) -> Result<Option<Problem>, Problem> {
    let mut problems = Problems::default();
    let elements = walk(*head, link, list).take(&mut problems);
    problems.none()?;
    let known = Kind::of(head).and_then(|kind| Some((kind.first, kind.next, kind.previous?)));
    let Some((first, next, previous)) = known else { return Ok(None) };
    let (next, previous) = (format!("{link}.{next}"), format!("{link}.{previous}"));
    let unreadable = |object: &Object<'_>, why| list.element(object.address, why);
    let mut leads_here = head.member(first).map_err(|why| unreadable(head, why))?.address;
    for element in elements {
        let at = element.address;
        let told = element.pointer(&previous).map_err(|why| unreadable(&element, why))?;
        if told != leads_here {
            let what = list.element;
            let why = format!("the {what} at {at} points back at {told}, not at {leads_here}");
            return Ok(Some(Problem::contradiction(list.what(), at, why)));
        }
        leads_here = element.member(&next).map_err(|why| unreadable(&element, why))?.address;
    }
    Ok(None)
}
