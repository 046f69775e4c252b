//! The members that an expression has, by its type alone.

use crate::session::{Place, Session};
use crate::types::TypeId;

/// The members of an expression, or of what it points at, that begin so; sorted.
pub fn of(session: &Session, place: Place<'_>, base: &str, prefix: &str) -> Vec<String> {
    members(session, session.type_of(place, base), prefix)
}

/// The same of the elements of an expression.
pub fn of_element(session: &Session, place: Place<'_>, base: &str, prefix: &str) -> Vec<String> {
    members(session, session.element_type_of(place, base), prefix)
}

fn members(session: &Session, of: Option<TypeId>, prefix: &str) -> Vec<String> {
    let (Ok(types), Some(of)) = (session.types(), of) else { return Vec::new() };
    let record = types.pointee(of).unwrap_or(of);
    let mut names = types.member_names(record).unwrap_or_default();
    names.retain(|name| name.starts_with(prefix));
    names.sort_unstable();
    names.dedup();
    names
}
