//! Two sides and how their types correspond.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::kernel::Kernel;
use crate::types::model::Type;
use crate::types::{TypeId, Types};
use crate::value::number::is_char;
use crate::views::diff::shape::{Shape, Shapes};
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
    /// Types that are the same in two dumps of one kernel.
    same: RefCell<FxHashMap<(TypeId, TypeId), bool>>,
    /// Structs whose differences have been told, by name.
    pub(super) told: RefCell<FxHashSet<String>>,
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
            same: RefCell::default(),
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
        if !self.same_kernel {
            return false;
        }
        let same = |old, new| {
            let names = self.names(old, new);
            let counts = self.new.reader.may_hold_sums(new);
            !counts && names.is_some_and(|(old, new)| old == new)
        };
        *self.same.borrow_mut().entry((old, new)).or_insert_with(|| same(old, new))
    }

    pub(super) fn names(&self, old: TypeId, new: TypeId) -> Option<(String, String)> {
        Some((self.old.types?.name(old), self.new.types?.name(new)))
    }

    /// Whether both are characters, of which a pointer leads to a string.
    pub(super) fn are_texts(&self, old: TypeId, new: TypeId) -> bool {
        let is_text = |types: Option<&Types>, id| {
            let found = types.and_then(|types| types.strip(id).ok());
            found.is_some_and(|(_, found)| matches!(&*found, Type::Base(base) if is_char(base)))
        };
        is_text(self.old.types, old) && is_text(self.new.types, new)
    }

    /// Whether it is a struct or union of the new side.
    pub(super) fn is_record(&self, id: TypeId) -> bool {
        let found = self.new.types.and_then(|types| types.strip(id).ok());
        found.is_some_and(|(_, found)| matches!(&*found, Type::Record(_)))
    }
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
