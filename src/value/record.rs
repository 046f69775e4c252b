//! The value of a struct or union: values, and names that all records of its type share.

use std::borrow::Cow;
use std::sync::Arc;

use crate::value::meaning::Address;
use crate::value::model::Value;

/// A struct or union. Members of anonymous members stand among the others.
///
/// An array may have thousands of records of one type, so the names are kept once for
/// all of them.
#[derive(Debug, Clone)]
pub struct RecordValue {
    pub(in crate::value) names: Arc<MemberNames>,
    /// One for each name, followed by the note if there is one.
    pub(in crate::value) values: Box<[Value]>,
}

/// The names of a record's members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::value) struct MemberNames {
    pub names: Box<[Arc<str>]>,
    /// What a note that is a number stands for.
    pub address: Option<Address>,
}

impl RecordValue {
    /// A record of these members.
    pub fn new<N: Into<Arc<str>>>(members: impl IntoIterator<Item = (N, Value)>) -> Self {
        let (names, values): (Vec<Arc<str>>, Vec<Value>) =
            members.into_iter().map(|(name, value)| (name.into(), value)).unzip();
        Self::of(Arc::new(MemberNames { names: names.into(), address: None }), values)
    }

    /// `values` has one for each name, and one more where there is a note.
    pub(in crate::value) fn of(names: Arc<MemberNames>, values: Vec<Value>) -> Self {
        Self { names, values: values.into() }
    }

    /// The same record with another note.
    pub fn with_note(self, note: impl Into<Box<str>>) -> Self {
        let count = self.names.names.len();
        let members = self.values.into_iter().take(count);
        Self { values: members.chain([Value::Text(note.into())]).collect(), ..self }
    }

    /// Forgets what a member that is a record means, if it is not that record.
    pub(in crate::value) fn forget_note(&mut self, name: &str) {
        let at = self.names.names.iter().position(|known| &**known == name);
        if let Some(Value::Record(record)) = at.and_then(|at| self.values.get_mut(at)) {
            let count = record.names.names.len();
            let values = std::mem::take(&mut record.values);
            record.values = values.into_iter().take(count).collect();
        }
    }

    /// The members in their order, each with its name.
    #[must_use]
    pub fn members(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + DoubleEndedIterator {
        self.names.names.iter().map(|name| &**name).zip(&self.values)
    }

    /// The members' values, in their order.
    pub fn values_mut(&mut self) -> &mut [Value] {
        self.values.get_mut(..self.names.names.len()).unwrap_or_default()
    }

    /// What it means to a network engineer: `10.0.0.1:22` for a sockaddr_in.
    #[must_use]
    pub fn note(&self) -> Option<Cow<'_, str>> {
        match self.values.get(self.names.names.len())? {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Int(raw) => Some(self.names.address?.text(*raw as u128).into()),
            _ => None,
        }
    }

    /// The number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.names.len()
    }

    /// Whether it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for RecordValue {
    fn eq(&self, other: &Self) -> bool {
        let names = Arc::ptr_eq(&self.names, &other.names);
        if names || self.names == other.names {
            return self.values == other.values;
        }
        self.members().eq(other.members()) && self.note() == other.note()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_equal_by_what_they_say() {
        let names = |names: &[&str], address| {
            let names = names.iter().map(|name| Arc::from(*name)).collect();
            Arc::new(MemberNames { names, address })
        };
        let address = names(&["s_addr"], Some(Address::Inet));
        let kept = RecordValue::of(address.clone(), vec![Value::Int(1), Value::Int(0x0a00_0001)]);
        let made = RecordValue::new([("s_addr", Value::Int(1))]);
        assert_eq!(kept.note().as_deref(), Some("10.0.0.1"));
        assert_ne!(kept, made);
        assert_eq!(kept, made.clone().with_note("10.0.0.1"));
        assert_eq!(kept.clone().with_note("x"), made.with_note("x"));
        assert_ne!(kept, RecordValue::of(address, vec![Value::Int(2), Value::Int(0x0a00_0001)]));
        assert_eq!(kept.members().collect::<Vec<_>>(), [("s_addr", &Value::Int(1))]);
    }

    #[test]
    fn a_note_is_no_member() {
        let mut record = RecordValue::new([("a", Value::Int(1))]).with_note("one");
        assert_eq!((record.len(), record.values_mut().len()), (1, 1));
        assert_eq!(record.with_note("two").note().as_deref(), Some("two"));
    }
}
