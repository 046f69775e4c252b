//! `vars`: the virtualized variables of the chosen vnets, with their values.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{Cell, Chosen, Column, Element, Elements, List, Medium, PerVnet, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::modules::Module;
use crate::session::{Matches, Session};
use crate::value::{Limits, Value, ValueReader};
use crate::vnet::{Stack, VnetVariable};

/// A virtualized variable in one network stack. Its value is read when it is asked for.
#[derive(Debug, Clone)]
pub struct Variable<'s> {
    /// What is the same in every vnet.
    pub of: Arc<Described>,
    /// The stack whose copy it is.
    pub stack: Stack<'s>,
    session: &'s Session,
    reader: Rc<ValueReader<'s>>,
}

/// What is the same in every vnet about a variable.
#[derive(Debug)]
pub struct Described {
    /// Its name, size, type and the place of its master copy.
    pub variable: VnetVariable,
    /// `None` if no file has its type.
    pub type_name: Option<String>,
    /// Its name, with its file if other variables have the same name: `ip_id@netinet/ip_id.c`.
    pub title: String,
}

/// The variables that match the patterns, or all, in each of the chosen vnets. Of their values, as
/// much as `limits` allows is read.
///
/// # Errors
/// The kernel is not the dump's, or its variables are unknown. A pattern that matches
/// none is [reported with the answer](super::Answer::take_missed).
pub fn variables<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    patterns: &[String],
    limits: &Limits,
) -> Result<PerVnet<'s, List<'s, Variable<'s>>>, Error> {
    let Matches { variables, missed, problems } = session.matches(patterns)?;
    let remarks = untyped_modules(session, &variables)?;
    let described: Arc<[Arc<Described>]> = described(session, variables).into();
    let reader = Rc::new(session.reader(limits));
    let nothing = described.is_empty().then(|| "no variable matches".to_owned());
    let of_stack = move |stack: Stack<'s>| {
        let copies = Copies { stack, session, reader: reader.clone(), all: described.clone() };
        let outlined = copies.clone();
        let each = move |f: &mut dyn FnMut(&Variable<'s>) -> bool| copies.each(f);
        List::new(columns(), Elements::made(each, move |f| outlined.outline(f)))
    };
    let answer = PerVnet::new(chosen, of_stack);
    let missed = missed.into_iter().map(Error::from).collect();
    Ok(PerVnet { problems, remarks, missed, nothing, ..answer })
}

/// One stack's copies of some variables.
#[derive(Clone)]
struct Copies<'s> {
    stack: Stack<'s>,
    session: &'s Session,
    reader: Rc<ValueReader<'s>>,
    all: Arc<[Arc<Described>]>,
}

impl<'s> Copies<'s> {
    fn variables(&self) -> impl Iterator<Item = Variable<'s>> {
        self.all.iter().map(|of| Variable {
            of: Arc::clone(of),
            stack: self.stack,
            session: self.session,
            reader: Rc::clone(&self.reader),
        })
    }

    fn each(&self, f: &mut dyn FnMut(&Variable<'s>) -> bool) {
        for variable in self.variables() {
            if !f(&variable) {
                return;
            }
        }
    }

    fn outline(&self, f: &mut dyn FnMut(Vec<Cell<'_>>)) {
        self.variables().for_each(|variable| f(variable.of.cells(variable.address()).into()));
    }
}

impl Variable<'_> {
    /// Of the stack's copy; 0 where it has none.
    pub fn address(&self) -> VirtAddr {
        self.session.address(self.stack, &self.of.variable)
    }

    /// Its value, or the reason why there is none.
    pub fn value(&self) -> Value {
        self.session.value_by(&self.reader, self.stack, &self.of.variable).1
    }
}

impl Described {
    fn cells(&self, address: VirtAddr) -> [Cell<'_>; 5] {
        [
            (&*self.title).into(),
            address.into(),
            self.variable.size.into(),
            self.type_name.as_deref().into(),
            (&*self.variable.module).into(),
        ]
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::left("NAME"),
        Column::left("ADDRESS"),
        Column::right("SIZE"),
        Column::left("TYPE"),
        Column::left("MODULE"),
        Column::left("VALUE"),
    ]
}

impl Row for Variable<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let value = Cell::Value(Cow::Owned(self.value()));
        vec![self.of.cells(self.address()).into_iter().chain([value]).collect()]
    }
}

impl Element for Variable<'_> {
    const ARRAY: &'static str = "variables";

    fn unreadable(&self) -> usize {
        self.value().unreadable()
    }
}

impl Serialize for Variable<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let VnetVariable { name, symbol, master, size, module, file, .. } = &self.of.variable;
        let mut fields = serializer.serialize_struct("Variable", 9)?;
        fields.serialize_field("name", name)?;
        fields.serialize_field("symbol", symbol)?;
        fields.serialize_field("address", &self.address())?;
        fields.serialize_field("master", master)?;
        fields.serialize_field("size", size)?;
        fields.serialize_field("type", &self.of.type_name)?;
        fields.serialize_field("module", module)?;
        fields.serialize_field("file", file)?;
        fields.serialize_field("value", &Reading(self))?;
        fields.end()
    }
}

/// The value of a variable, which is read as it is serialised.
struct Reading<'a>(&'a Variable<'a>);

impl Serialize for Reading<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Variable { of, stack, session, reader } = self.0;
        session.serialize_value(reader, *stack, &of.variable, serializer)
    }
}

/// The variables with their types, and names that are unique.
pub(super) fn described(session: &Session, variables: Vec<VnetVariable>) -> Vec<Arc<Described>> {
    let types = session.types().ok();
    let mut count: HashMap<Box<str>, usize> = HashMap::new();
    for variable in &variables {
        *count.entry(variable.name.clone()).or_default() += 1;
    }
    let described = variables.into_iter().map(|variable| {
        let type_name = types.zip(variable.type_id).map(|(types, id)| types.name(id));
        let title = match variable.qualifier() {
            Some(qualifier) if count.get(&variable.name) > Some(&1) => {
                format!("{}@{qualifier}", variable.name)
            }
            _ => variable.name.to_string(),
        };
        Arc::new(Described { variable, type_name, title })
    });
    described.collect()
}

/// Which modules' variables are shown as bytes, because no file has their types.
pub(super) fn untyped_modules(
    session: &Session,
    variables: &[VnetVariable],
) -> Result<Vec<Remark>, Error> {
    let untyped = variables.iter().filter(|variable| variable.type_id.is_none());
    let names: BTreeSet<&str> = untyped.map(|variable| &*variable.module).collect();
    match names.iter().any(|name| *name != "kernel") {
        true => why_untyped(session, |module| names.contains(&*module.name)),
        false => Ok(Vec::new()),
    }
}

/// Why no file has the types of these modules' variables.
pub(super) fn why_untyped(
    session: &Session,
    wanted: impl Fn(&Module) -> bool,
) -> Result<Vec<Remark>, Error> {
    let modules = session.modules()?.modules().filter(|module| wanted(module));
    Ok(modules.flat_map(Module::without_types).map(Remark::Warning).collect())
}
