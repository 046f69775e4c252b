//! Two sides and how their types correspond.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashSet;

use crate::kernel::Kernel;
use crate::types::model::Type;
use crate::types::{TypeId, Types};
use crate::views::diff::finding::Change;
use crate::views::diff::shape::{Form, Shape, Shapes};
use crate::views::diff::sides::Side;

/// Two sides that are compared.
pub struct Comparison<'a> {
    pub(super) old: &'a Side<'a>,
    pub(super) new: &'a Side<'a>,
    /// Nothing is left out.
    pub(super) all: bool,
    /// Both sides have the same types.
    pub(super) same_types: bool,
    /// Both sides are of the same kernel, at the same addresses.
    pub(super) same_kernel: bool,
    old_shapes: Shapes,
    new_shapes: Shapes,
    /// Types whose differences have been told.
    told: RefCell<FxHashSet<(TypeId, TypeId)>>,
}

impl<'a> Comparison<'a> {
    /// Compares `new` with `old`. With `all`, nothing is left out: what usually is, is marked.
    #[must_use]
    pub fn new(old: &'a Side<'a>, new: &'a Side<'a>, all: bool) -> Self {
        let same_types = std::ptr::eq(old.target, new.target);
        Self {
            same_kernel: same_types || is_same_kernel(old, new),
            old,
            new,
            all,
            same_types,
            old_shapes: Shapes::default(),
            new_shapes: Shapes::default(),
            told: RefCell::default(),
        }
    }

    pub(super) fn shapes(&self, old: TypeId, new: TypeId) -> (Rc<Shape>, Rc<Shape>) {
        let old = match (self.same_types, self.old.types) {
            (false, Some(types)) => self.old_shapes.of(types, old),
            _ => self.new_shape(old),
        };
        (old, self.new_shape(new))
    }

    pub(super) fn new_shape(&self, id: TypeId) -> Rc<Shape> {
        match self.new.types.or(self.old.types) {
            Some(types) => self.new_shapes.of(types, id),
            None => Rc::new(Shape::unknown()),
        }
    }

    /// Whether the same bytes of these types mean the same.
    pub(super) fn same_meaning(&self, old: TypeId, new: TypeId) -> bool {
        if self.same_types {
            return old == new;
        }
        // Of one kernel, a type is the same in both dumps. What counters lead to is not.
        self.same_kernel
            && !self.new.reader.may_hold_sums(new)
            && self.names(old, new).is_some_and(|(old, new)| old == new)
    }

    fn names(&self, old: TypeId, new: TypeId) -> Option<(String, String)> {
        Some((self.old.types?.name(old), self.new.types?.name(new)))
    }

    /// Whether both are characters, of which a pointer leads to a string.
    pub(super) fn are_texts(&self, old: TypeId, new: TypeId) -> bool {
        let is_text = |types: Option<&Types>, id| {
            let found = types.and_then(|types| types.strip(id).ok());
            found.is_some_and(
                |(_, found)| matches!(&*found, Type::Base(base) if &*base.name == "char"),
            )
        };
        is_text(self.old.types, old) && is_text(self.new.types, new)
    }

    /// Whether it is a struct or union of the new side.
    pub(super) fn is_record(&self, id: TypeId) -> bool {
        let found = self.new.types.and_then(|types| types.strip(id).ok());
        found.is_some_and(|(_, found)| matches!(&*found, Type::Record(_)))
    }

    /// How two types of different kernels differ, with the members that only one has; told
    /// once.
    pub(super) fn changes(
        &self,
        old_id: TypeId,
        new_id: TypeId,
        old: &Shape,
        new: &Shape,
    ) -> Vec<(String, Change)> {
        if self.same_kernel || !self.told.borrow_mut().insert((old_id, new_id)) {
            return Vec::new();
        }
        let Some((old_name, new_name)) = self.names(old_id, new_id) else { return Vec::new() };
        let change = Change::between((&old_name, old), (&new_name, new));
        let mut changes: Vec<_> =
            change.map(|change| (String::new(), change)).into_iter().collect();
        if let (Form::Record(_), Form::Record(_)) = (&old.form, &new.form) {
            let members = |types: Option<&Types>, id| {
                types.and_then(|types| types.member_names(id).ok()).unwrap_or_default()
            };
            let (old, new) = (members(self.old.types, old_id), members(self.new.types, new_id));
            changes.extend(missing(&old, &new).map(|name| (name, Change::OnlyOld)));
            changes.extend(missing(&new, &old).map(|name| (name, Change::OnlyNew)));
        }
        changes
    }
}

/// The members, as steps of a path, that `others` does not have.
fn missing<'m>(members: &'m [String], others: &'m [String]) -> impl Iterator<Item = String> + 'm {
    let others: FxHashSet<&str> = others.iter().map(String::as_str).collect();
    let only = members.iter().filter(move |name| !others.contains(name.as_str()));
    only.map(|name| format!(".{name}"))
}

fn is_same_kernel(old: &Side<'_>, new: &Side<'_>) -> bool {
    let (old, new) = (old.target.kernel(), new.target.kernel());
    let same = |old: &Kernel, new: &Kernel| match (old.build_id(), new.build_id()) {
        (Some(old), Some(new)) => old == new,
        _ => {
            let len = |kernel: &Kernel| kernel.main().source().len();
            old.version().is_some() && old.version() == new.version() && len(old) == len(new)
        }
    };
    old.slide() == new.slide() && same(old.linked(), new.linked())
}

impl Change {
    /// How a type differs from one of the same purpose.
    fn between((old_name, old): (&str, &Shape), (new_name, new): (&str, &Shape)) -> Option<Self> {
        if old_name != new_name {
            return Some(Self::Type { old: old_name.into(), new: new_name.into() });
        }
        (old.size != new.size).then_some(Self::Size { old: old.size, new: new.size })
    }
}
