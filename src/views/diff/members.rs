//! Values, structs and unions, member by member.

use std::rc::Rc;

use crate::budget;
use crate::types::Field;
use crate::value::model::Value;
use crate::views::diff::comparison::Comparison;
use crate::views::diff::finding::{Finding, Which};
use crate::views::diff::fold::{self, Kind};
use crate::views::diff::shape::{Form, Member, Members, Shape};
use crate::views::diff::sides::Side;
use crate::views::diff::walk::{Context, Pair, Walk, value};

/// The deepest nesting of structs, arrays and pointers.
const DEEPEST: usize = 64;

impl Walk<'_, '_> {
    /// Compares one part.
    pub fn pair(&mut self, pair: Pair<'_>, context: Context<'_>, out: &mut Vec<Finding>) {
        if self.differs {
            return;
        }
        let allowed = budget::level("the value", self.level, DEEPEST);
        if let Err(why) = allowed.and_then(|()| self.share.work(1)) {
            return self.unknown(pair, None, why.into(), out);
        }
        let (old, new) = self.comparison.shapes(pair.old.type_id, pair.new.type_id);
        if self.is_same(&pair, &old, &new) {
            return;
        }
        let sizes =
            [(Which::Old, pair.old.missing(old.size)), (Which::New, pair.new.missing(new.size))];
        if let Some((side, why)) = sizes.into_iter().find_map(|(side, why)| Some((side, why?))) {
            return self.unknown(pair, Some(side), why.clone(), out);
        }
        let named = matches!(new.form, Form::Whole) && fold::is_generation(context.name);
        let own = new.kind.or(named.then_some(Kind::Generation));
        let mut inner = Context { within: context.within.or(own), ..context };
        if inner.tell && !context.anonymous {
            let (one, other) = ((pair.old.type_id, &*old), (pair.new.type_id, &*new));
            let left_out = inner.within.is_some() && !self.comparison.all;
            inner.tell = !left_out && self.comparison.is_new(one, other);
            if inner.tell {
                self.tell_changes(pair, &old, &new, out);
            }
        }
        let start = out.len();
        self.level += 1;
        self.form(pair, (&old, &new), inner, out);
        self.level -= 1;
        if let (None, Some(kind)) = (context.within, own) {
            self.fold(kind, start, out);
        }
    }

    /// Whether nothing can differ, because all bytes are the same and mean the same.
    fn is_same(&self, pair: &Pair<'_>, old: &Shape, new: &Shape) -> bool {
        let Pair { old: one, new: other } = pair;
        if one.bits.is_some() || !self.comparison.same_meaning(one.type_id, other.type_id) {
            return false;
        }
        match (one.bytes(old.size), other.bytes(new.size)) {
            (Some(Ok(one)), Some(Ok(other))) => one == other,
            _ => false,
        }
    }

    fn form(
        &mut self,
        pair: Pair<'_>,
        (old, new): (&Rc<Shape>, &Rc<Shape>),
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        if pair.old.bits.is_some() || pair.new.bits.is_some() {
            return self.whole_value(pair, context, out);
        }
        match (&old.form, &new.form) {
            (Form::Counter, Form::Counter) => self.counter(pair, (old, new), context, out),
            (Form::Pointer(one), Form::Pointer(other)) => {
                self.pointer(pair, (old.size, *one), (new.size, *other), context, out);
            }
            (Form::Record(old), Form::Record(new)) => self.record(pair, old, new, context, out),
            (Form::Array(old), Form::Array(new)) => {
                self.dimension(pair, (old, &old.counts), (new, &new.counts), context, out);
            }
            (Form::Nothing(why), _) => {
                self.unknown(pair, Some(Which::Old), why.clone().into(), out);
            }
            (_, Form::Nothing(why)) => {
                self.unknown(pair, Some(Which::New), why.clone().into(), out);
            }
            (Form::Whole, Form::Whole) => self.whole_value(pair, context, out),
            // Its type is told; a number and a struct have nothing in common.
            _ => {}
        }
    }

    /// A number, or what is compared like one.
    fn whole_value(&mut self, pair: Pair<'_>, context: Context<'_>, out: &mut Vec<Finding>) {
        let Comparison { old, new, .. } = self.comparison;
        let (old, new) = (value(old, pair.old), value(new, pair.new));
        if !means_the_same(&old, &new) {
            self.values(pair, old, new, context.within, out);
        }
    }

    fn counter(
        &mut self,
        pair: Pair<'_>,
        (old, new): (&Shape, &Shape),
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        let (one, other) = match self.pointers(pair, old.size, new.size) {
            Ok(both) => both,
            Err((which, why)) => return self.unknown(pair, Some(which), why, out),
        };
        if self.proving {
            return;
        }
        let sums = |side: &Side<'_>, pointer| side.counter(self.variable, pointer);
        let Comparison { old, new, all, .. } = self.comparison;
        if old.is_initial() && !all {
            // Whatever is counted: it did not exist before.
            let (one, other) = (old.reader.plain_pointer(one), new.reader.plain_pointer(other));
            return self.values(pair, one, other, context.within, out);
        }
        let (one, other) = (sums(old, one), sums(new, other));
        let same = match (&one, &other) {
            (Value::Counter { sum: one, .. }, Value::Counter { sum: other, .. }) => one == other,
            (Value::Pointer(_), Value::Pointer(_)) => true,
            _ => false,
        };
        if !same {
            self.values(pair, one, other, context.within, out);
        }
    }

    fn record(
        &mut self,
        pair: Pair<'_>,
        old: &Members,
        new: &Members,
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        if let (Some(one), Some(other)) = (&old.head, &new.head) {
            return self.head(pair, (one, old), (other, new), context, out);
        }
        if new.union {
            return self.union(pair, old, new, context, out);
        }
        for (number, member) in new.all.iter().enumerate() {
            self.member(pair, (old, new), (number, member), context, out);
        }
    }

    /// The members of a union are the same bytes: the largest that differs says it.
    fn union(
        &mut self,
        pair: Pair<'_>,
        old: &Members,
        new: &Members,
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        let size = |member: &Member| {
            let shape = self.comparison.new_shape(member.field.type_id);
            (member.field.bits.is_none(), shape.size)
        };
        let mut members: Vec<(usize, &Member)> = new.all.iter().enumerate().collect();
        members.sort_by_key(|(_, member)| std::cmp::Reverse(size(member)));
        let (start, folded) = (out.len(), self.folded);
        for member in members {
            self.member(pair, (old, new), member, context, out);
            if out.len() > start || self.folded != folded {
                return;
            }
        }
    }

    pub(super) fn member(
        &mut self,
        pair: Pair<'_>,
        (old, new): (&Members, &Members),
        (number, member): (usize, &Member),
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        let Some(found) = self.old_field(pair, old, new, number, member) else { return };
        let part = match found {
            Some(field) => Pair { old: pair.old.part(field), new: pair.new.part(member.field) },
            // The members of an anonymous struct are looked for among those of the whole.
            None => Pair { old: pair.old, new: pair.new.part(member.field) },
        };
        match &member.name {
            Some(name) => self.step(part, name, context, out),
            None => self.pair(part, Context { anonymous: true, ..context }, out),
        }
    }

    /// The old side's member; `None` if it has none, and `Some(None)` if the new side's is
    /// anonymous and the types differ.
    fn old_field(
        &self,
        pair: Pair<'_>,
        old: &Members,
        new: &Members,
        number: usize,
        member: &Member,
    ) -> Option<Option<Field>> {
        if self.comparison.same_types && pair.old.type_id == pair.new.type_id {
            return Some(Some(member.field));
        }
        let Some(name) = &member.name else {
            // An anonymous member in the same place of a struct of the same shape.
            let same = old.all.len() == new.all.len();
            let twin = old.all.get(number).filter(|twin| same && twin.name.is_none());
            return Some(twin.map(|twin| twin.field));
        };
        let types = self.comparison.old.types?;
        types.member(pair.old.type_id, name).ok().map(Some)
    }

    /// A part behind a member's name.
    pub(super) fn step(
        &mut self,
        part: Pair<'_>,
        name: &str,
        context: Context<'_>,
        out: &mut Vec<Finding>,
    ) {
        let start = out.len();
        self.pair(part, Context { name, anonymous: false, ..context }, out);
        let step = format!(".{name}");
        out[start..].iter_mut().for_each(|finding| finding.below(&step));
    }
}

/// Whether two values are the same, whatever the sizes of their types.
fn means_the_same(old: &Value, new: &Value) -> bool {
    if old == new && !matches!(old, Value::Error(_)) {
        return true;
    }
    let number = |value: &Value| match value {
        Value::Enum(found) => Some(found.value),
        Value::Bool(yes) => Some(i128::from(*yes)),
        Value::Int(number) | Value::Char(number) => Some(*number),
        _ => None,
    };
    number(old).is_some_and(|old| number(new) == Some(old))
}
