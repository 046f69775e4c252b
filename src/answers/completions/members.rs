//! The members that an expression has, by its type alone.

use crate::expr::{self, Expr, ExprKind};
use crate::session::{Place, Session};
use crate::types::model::Type;
use crate::types::{TypeId, Types};

/// What ends the name of a list's first member, or of a tree's root (`sys/sys/queue.h`,
/// `sys/sys/tree.h`).
const FIRSTS: [&str; 2] = ["_first", "_root"];

/// The members of an expression, or of what it points at, that begin so; sorted.
pub fn of(session: &Session, place: Place<'_>, base: &str, prefix: &str) -> Vec<String> {
    members(session, prefix, |typing| typing.of(&expr::parse(base).ok()?), place)
}

/// The same of the elements of an expression.
pub fn of_element(session: &Session, place: Place<'_>, base: &str, prefix: &str) -> Vec<String> {
    members(session, prefix, |typing| typing.element(&expr::parse(base).ok()?), place)
}

fn members<'s>(
    session: &'s Session,
    prefix: &str,
    type_of: impl FnOnce(&Typing<'s>) -> Option<TypeId>,
    place: Place<'s>,
) -> Vec<String> {
    let Ok(types) = session.types() else { return Vec::new() };
    let typing = Typing { session, types, place };
    let found = type_of(&typing).and_then(|id| types.member_names(typing.behind_pointer(id)).ok());
    let mut names = found.unwrap_or_default();
    names.retain(|name| name.starts_with(prefix));
    names.sort_unstable();
    names.dedup();
    names
}

/// The types of expressions, in which lists may be of any length.
struct Typing<'s> {
    session: &'s Session,
    types: &'s Types,
    place: Place<'s>,
}

impl Typing<'_> {
    /// The type of an expression; of many elements, the type of each.
    fn of(&self, expr: &Expr) -> Option<TypeId> {
        match &expr.kind {
            ExprKind::Member { base, name, .. } => {
                let record = self.behind_pointer(self.of(base)?);
                Some(self.types.member(record, name).ok()?.type_id)
            }
            ExprKind::All(base)
            | ExprKind::Along { base, .. }
            | ExprKind::Filter { base, .. }
            | ExprKind::Slice { base, .. } => self.element(base),
            ExprKind::Index { base, .. } => self.indexed(self.of(base)?),
            _ => self.session.type_of(self.place, expr).ok(),
        }
    }

    /// The type of the elements of an expression.
    fn element(&self, expr: &Expr) -> Option<TypeId> {
        let found = self.of(expr)?;
        let is_many = matches!(
            expr.kind,
            ExprKind::All(_) | ExprKind::Along { .. } | ExprKind::Filter { .. }
        );
        if is_many && !matches!(self.types.elements(found), Ok(Some(_))) {
            return Some(found);
        }
        if let Ok(Some((element, _))) = self.types.elements(found) {
            return Some(element);
        }
        let head = self.behind_pointer(found);
        let names = self.types.member_names(head).ok()?;
        let is_first = |name: &&String| FIRSTS.iter().any(|end| name.ends_with(end));
        match names.iter().find(is_first) {
            Some(first) => {
                let first = self.types.member(head, first).ok()?.type_id;
                self.types.pointee(first).ok()
            }
            None => self.indexed(found),
        }
    }

    fn indexed(&self, id: TypeId) -> Option<TypeId> {
        match self.types.elements(id) {
            Ok(Some((element, _))) => Some(element),
            _ => self.types.pointee(id).ok(),
        }
    }

    /// What a pointer points at, or the type itself.
    fn behind_pointer(&self, id: TypeId) -> TypeId {
        match self.types.resolve(id) {
            Ok((_, kind)) if matches!(*kind, Type::Pointer(_)) => {
                self.types.pointee(id).unwrap_or(id)
            }
            _ => id,
        }
    }
}
