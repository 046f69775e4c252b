//! The links of a list that lead backwards.

use super::list::List;
use super::walk;
use crate::value::object::Object;
use crate::walk::{Problem, Problems};

/// Names of a head's first pointer, of a link's next pointer, and of its pointer back
/// (`sys/sys/queue.h`, `sys/contrib/ck/include/ck_queue.h`). Other lists have none.
const KINDS: [(&str, &str, &str); 3] = [
    ("lh_first", "le_next", "le_prev"),
    ("tqh_first", "tqe_next", "tqe_prev"),
    ("clh_first", "cle_next", "cle_prev"),
];

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
    let known = KINDS.into_iter().find(|(first, ..)| head.has(first));
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
            return Ok(Some(Problem::contradiction(list.name, at, why)));
        }
        leads_here = element.member(&next).map_err(|why| unreadable(&element, why))?.address;
    }
    Ok(None)
}
