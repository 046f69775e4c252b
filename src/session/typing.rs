//! The types of expressions, of which nothing is evaluated: a list may be empty, and a pointer lead
//! nowhere.

use super::{Place, Session};
use crate::expr::{self, Expr, ExprKind};
use crate::types::{TypeId, Types};
use crate::value::queue::link;

impl Session {
    /// The type of an expression: of all elements of a list together, that of each. `None` if it
    /// is none or has none. No memory is read.
    pub fn type_of(&self, place: Place<'_>, expression: &str) -> Option<TypeId> {
        self.typing(place)?.of(&expr::parse(expression).ok()?)
    }

    /// The type of the elements of an expression, which is a list, a tree, an array or a pointer.
    pub fn element_type_of(&self, place: Place<'_>, expression: &str) -> Option<TypeId> {
        self.typing(place)?.element(&expr::parse(expression).ok()?)
    }

    fn typing<'s>(&'s self, place: Place<'s>) -> Option<Typing<'s>> {
        Some(Typing { session: self, types: self.types().ok()?, place })
    }
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
            _ => self.session.type_of_parsed(self.place, expr).ok(),
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
        link::element_of(self.types, self.behind_pointer(found)).or_else(|| self.indexed(found))
    }

    fn indexed(&self, id: TypeId) -> Option<TypeId> {
        match self.types.elements(id) {
            Ok(Some((element, _))) => Some(element),
            _ => self.types.pointee(id).ok(),
        }
    }

    /// What a pointer points at, or the type itself.
    fn behind_pointer(&self, id: TypeId) -> TypeId {
        self.types.pointee(id).unwrap_or(id)
    }
}
