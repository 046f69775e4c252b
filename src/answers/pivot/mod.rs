//! Variables and expressions side by side: a row for each, a column for each vnet, so that the vnet
//! that differs is seen at once.
//!
//! What: of each row, the values that occur, and the vnets that have each. How: a row is made when
//! its turn comes, and keeps every value once, whatever the number of vnets. For people, vnets
//! that have equal values in all rows share a column, for which all rows are made once before.
//! What it refuses: it compares nothing that is not shown. Values of pointers differ between vnets
//! even if what they lead to does not.

mod columns;
mod key;
mod row;

use std::collections::HashMap;
use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use super::failure::Failure;
use super::{Answer, Chosen, Elements, Medium, Page, Remark};
use crate::error::Error;
use crate::value::Value;
use crate::vnet::{Stack, VnetRef};
use crate::walk::Problems;

use columns::{Columns, InColumns};
pub use row::{Pivoted, Shared};

/// Rows and the values that they have in each of the chosen vnets.
pub struct Pivot<'s> {
    chosen: Chosen<'s>,
    subjects: Vec<Subject>,
    ask: Ask<'s>,
    problems: Problems,
    remarks: Vec<Remark>,
    missed: Vec<Error>,
    nothing: Option<String>,
}

/// What a row is about.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// The variable or the expression.
    pub name: Box<str>,
    /// `None` if it is unknown, or may differ between vnets.
    pub type_name: Option<Box<str>>,
}

/// Calls its last argument with the value that the subject at a place among the subjects has in
/// each of the stacks, in their order.
type Ask<'s> = Box<dyn Fn(&[Stack<'s>], usize, &mut dyn FnMut(Result<Value, Failure>)) + 's>;

impl<'s> Pivot<'s> {
    /// A row for each of the subjects.
    pub(super) fn new(
        chosen: Chosen<'s>,
        subjects: Vec<Subject>,
        ask: impl Fn(&[Stack<'s>], usize, &mut dyn FnMut(Result<Value, Failure>)) + 's,
    ) -> Self {
        Self {
            chosen,
            subjects,
            ask: Box::new(ask),
            problems: Problems::default(),
            remarks: Vec::new(),
            missed: Vec::new(),
            nothing: None,
        }
    }

    /// Adds what was found while the question was understood; `nothing` says why there is no
    /// answer, if there is none.
    pub(super) fn with(
        self,
        problems: Problems,
        remarks: Vec<Remark>,
        missed: Vec<Error>,
        nothing: Option<String>,
    ) -> Self {
        Self { problems, remarks, missed, nothing, ..self }
    }

    /// The rows, each made when its turn comes.
    pub fn rows(&self) -> impl Iterator<Item = Pivoted> {
        self.subjects.iter().enumerate().map(|(place, subject)| self.row(place, subject))
    }

    fn row(&self, subject: usize, Subject { name, type_name }: &Subject) -> Pivoted {
        let mut values: Vec<Shared> = Vec::new();
        let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
        let (mut places, mut key) = (Vec::new(), Vec::new());
        let stacks = &self.chosen.stacks[..];
        let mut vnets = stacks.iter().map(|stack| stack.vnet());
        (self.ask)(stacks, subject, &mut |value| {
            key.clear();
            key::write(value.as_ref(), &mut key);
            let at = known.get(&key).copied().unwrap_or_else(|| {
                known.insert(key.clone(), values.len());
                values.push(Shared { vnets: Vec::new(), value });
                values.len() - 1
            });
            places.push(at);
            if let (Some(shared), Some(Some(vnet))) = (values.get_mut(at), vnets.next()) {
                shared.vnets.push(vnet.into());
            }
        });
        Pivoted { name: name.clone(), type_name: type_name.clone(), values, places }
    }

    fn each(&self, f: &mut dyn FnMut(&Pivoted) -> bool) {
        for row in self.rows() {
            if !f(&row) {
                return;
            }
        }
    }

    fn each_in<'c>(&self, columns: &'c Columns, f: &mut dyn FnMut(&InColumns<'c>) -> bool) {
        for row in self.rows() {
            if !f(&InColumns { row, columns }) {
                return;
            }
        }
    }

    /// The vnets, as many as there are values in a row.
    fn vnets(&self) -> Vec<Option<VnetRef>> {
        self.chosen.stacks.iter().map(|stack| stack.vnet().map(VnetRef::from)).collect()
    }
}

impl Answer for Pivot<'_> {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() != Medium::People {
            return page.table(&[], &Elements::made_twice(|f| self.each(f)));
        }
        let columns = Columns::of(&self.vnets(), self.rows());
        let rows = Elements::made_twice(|f| self.each_in(&columns, f));
        page.table(&columns.titles(), &rows)
    }

    fn problems(&self) -> Problems {
        let mut problems = self.problems.clone();
        problems.extend(self.chosen.problems.clone());
        problems
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn chosen(&self) -> Option<&Chosen<'_>> {
        Some(&self.chosen)
    }

    fn take_missed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.missed)
    }

    fn nothing(&self) -> Option<String> {
        self.nothing.clone()
    }

    fn unreadable(&self) -> usize {
        self.rows().flat_map(|row| row.values).map(|shared| shared.unreadable()).sum()
    }
}

impl Serialize for Pivot<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("pivot", &Rows(self))?;
        map.end()
    }
}

struct Rows<'a, 's>(&'a Pivot<'s>);

impl Serialize for Rows<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.subjects.len()))?;
        self.0.rows().try_for_each(|row| seq.serialize_element(&row))?;
        seq.end()
    }
}
