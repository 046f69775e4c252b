//! The members of a record while it is being read.
//!
//! Nearly always all of them are there, and the record shares their names with the others of
//! its type. Only where some are left out does it get names of its own.

use std::sync::Arc;

use crate::value::model::{Value, ValueError};
use crate::value::record::{MemberNames, RecordValue};

/// The members of a record that is being read.
pub(in crate::value) struct Gathered<'p> {
    names: &'p Arc<MemberNames>,
    /// How many of the names belong to values that are there or left out.
    used: usize,
    /// The names of the values, where some of them were left out.
    own: Option<Vec<Arc<str>>>,
    values: Vec<Value>,
}

impl<'p> Gathered<'p> {
    /// None yet of the members with these names; a note may follow.
    pub fn of(names: &'p Arc<MemberNames>, noted: bool) -> Self {
        let values = Vec::with_capacity(names.names.len() + usize::from(noted));
        Self { names, used: 0, own: None, values }
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn names_used(&self) -> usize {
        self.used
    }

    /// Adds the value of the next name.
    pub fn push(&mut self, value: Value) {
        if let Some(own) = &mut self.own {
            own.extend(self.names.names.get(self.used).cloned());
        }
        self.used += 1;
        self.values.push(value);
    }

    /// Continues after the first `used` names.
    pub fn use_names(&mut self, used: usize) {
        self.used = used;
    }

    /// Adds the members of an anonymous record.
    pub fn append(&mut self, anonymous: RecordValue) {
        for (name, value) in anonymous.names.names.iter().zip(anonymous.values) {
            self.push_named(Arc::clone(name), value);
        }
    }

    /// Puts the reason in the place of members that have no names to stand for them, once
    /// among those from `start` on.
    pub fn leave_out(&mut self, start: usize, why: ValueError) {
        const LEFT_OUT: &str = "...";
        let value = Value::Error(why.into());
        let last_name = self.own.as_ref().and_then(|own| own.last());
        let known = last_name.is_some_and(|name| &**name == LEFT_OUT)
            && self.values.get(start..).and_then(<[Value]>::last) == Some(&value);
        if !known {
            self.push_named(LEFT_OUT.into(), value);
        }
    }

    fn push_named(&mut self, name: Arc<str>, value: Value) {
        let known = || self.names.names.iter().take(self.values.len()).cloned().collect();
        self.own.get_or_insert_with(known).push(name);
        self.values.push(value);
    }

    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(self.place(name)?)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let place = self.place(name)?;
        self.values.get_mut(place)
    }

    fn place(&self, name: &str) -> Option<usize> {
        let names = self.own.as_deref().unwrap_or(&self.names.names);
        names.iter().position(|known| &**known == name)
    }

    pub fn into_record(mut self, note: Option<Value>) -> RecordValue {
        self.values.extend(note);
        let names = match self.own {
            None => Arc::clone(self.names),
            Some(names) => {
                let address = self.names.address;
                Arc::new(MemberNames { names: names.into(), address })
            }
        };
        RecordValue::of(names, self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::model::ErrorKind;

    fn names(names: &[&str]) -> Arc<MemberNames> {
        let names = names.iter().map(|name| Arc::from(*name)).collect();
        Arc::new(MemberNames { names, address: None })
    }

    fn why() -> ValueError {
        ValueError { kind: ErrorKind::Limit, address: None, message: "too much".into() }
    }

    fn told(record: &RecordValue) -> Vec<(&str, &Value)> {
        record.members().collect()
    }

    #[test]
    fn a_whole_record_shares_its_names() {
        let names = names(&["a", "b"]);
        let mut members = Gathered::of(&names, true);
        members.push(Value::Int(1));
        members.push(Value::Int(2));
        let record = members.into_record(Some(Value::Text("note".into())));
        assert!(Arc::ptr_eq(&record.names, &names));
        assert_eq!(told(&record), [("a", &Value::Int(1)), ("b", &Value::Int(2))]);
        assert_eq!(record.note().as_deref(), Some("note"));
    }

    #[test]
    fn what_is_left_out_has_its_reason_once() {
        // Of the anonymous record with b and c only the first was read.
        let names = names(&["a", "b", "c", "d", "e"]);
        let mut members = Gathered::of(&names, false);
        members.push(Value::Int(1));
        let behind = members.names_used() + 2;
        members.push(Value::Int(2));
        members.leave_out(1, why());
        members.use_names(behind);
        members.push(Value::Int(4));
        members.leave_out(0, why());
        members.leave_out(0, why());
        let error = Value::from(why());
        let expected = [
            ("a", &Value::Int(1)),
            ("b", &Value::Int(2)),
            ("...", &error),
            ("d", &Value::Int(4)),
            ("...", &error),
        ];
        assert_eq!(told(&members.into_record(None)), expected);
    }

    #[test]
    fn an_anonymous_record_may_bring_its_names() {
        let names = names(&["a", "z"]);
        let mut members = Gathered::of(&names, false);
        members.push(Value::Int(1));
        members.append(RecordValue::new([("x", Value::Int(2))]).with_note("none of the members"));
        members.push(Value::Int(3));
        let record = members.into_record(None);
        let expected = [("a", &Value::Int(1)), ("x", &Value::Int(2)), ("z", &Value::Int(3))];
        assert_eq!((told(&record), record.note()), (expected.to_vec(), None));
    }
}
