//! `vars`: the virtualized variables of the chosen vnets, with their values; and what `pcpu`, which
//! lists those of CPUs, has in common with it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::pivot::{Pivot, Subject};
use super::{Cell, Chosen, Column, Element, Elements, List, Medium, PerVnet, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::modules::Module;
use crate::session::{CopyOf, Matches, Session};
use crate::value::{Format, Limits, Value, ValueReader};
use crate::vnet::{SetVariable, Stack};
use crate::walk::Problems;

/// A variable in one network stack or on one CPU. Its value is read when it is asked for.
#[derive(Debug, Clone)]
pub struct Variable<'s> {
    /// What is the same in every copy.
    pub of: Arc<Described>,
    /// Whose copy it is.
    pub copy: CopyOf<'s>,
    session: &'s Session,
    reader: Rc<ValueReader<'s>>,
}

/// What is the same in every copy of a variable.
#[derive(Debug)]
pub struct Described {
    /// Its name, size, type and the place of its master copy.
    pub variable: SetVariable,
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
    let Found { described, problems, remarks, missed, nothing } = Found::of(session, patterns)?;
    let described: Arc<[Arc<Described>]> = described.into();
    let reader = Rc::new(session.reader(limits).for_people(Format::default()));
    let of_stack = move |stack: Stack<'s>| {
        let copies = vec![CopyOf::Stack(stack)];
        Copies { copies, session, reader: reader.clone(), all: described.clone() }.list()
    };
    let answer = PerVnet::new(chosen, of_stack);
    Ok(PerVnet { problems, remarks, missed, nothing, ..answer })
}

/// The same variables side by side, a column for each of the chosen vnets.
///
/// # Errors
/// As [`variables`].
pub fn variables_side_by_side<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    patterns: &[String],
    limits: &Limits,
) -> Result<Pivot<'s>, Error> {
    let Found { described, problems, remarks, missed, nothing } = Found::of(session, patterns)?;
    let subjects = described.iter().map(|of| Subject {
        name: of.title.as_str().into(),
        type_name: of.type_name.as_deref().map(Box::from),
    });
    let subjects = subjects.collect();
    let reader = session.reader(limits);
    let ask = move |stacks: &[Stack<'s>], place: usize, f: &mut dyn FnMut(_)| {
        let Some(Described { variable, .. }) = described.get(place).map(|of| &**of) else { return };
        stacks.iter().for_each(|stack| f(Ok(session.value_by(&reader, *stack, variable).1)));
    };
    Ok(Pivot::new(chosen, subjects, ask).with(problems, remarks, missed, nothing))
}

/// What patterns match, and what is to be said of them.
struct Found {
    described: Vec<Arc<Described>>,
    problems: Problems,
    remarks: Vec<Remark>,
    missed: Vec<Error>,
    /// Why there is no answer, if there is none.
    nothing: Option<String>,
}

impl Found {
    fn of(session: &Session, patterns: &[String]) -> Result<Self, Error> {
        let Matches { variables, missed, problems } = session.matches(patterns)?;
        let remarks = untyped_modules(session, &variables)?;
        let described = described(session, variables);
        let nothing = described.is_empty().then(|| "no variable matches".to_owned());
        let missed = missed.into_iter().map(Error::from).collect();
        Ok(Self { described, problems, remarks, missed, nothing })
    }
}

/// Copies of some variables.
#[derive(Clone)]
pub(super) struct Copies<'s> {
    /// Whose copies: of each variable one after the other.
    pub copies: Vec<CopyOf<'s>>,
    pub session: &'s Session,
    pub reader: Rc<ValueReader<'s>>,
    pub all: Arc<[Arc<Described>]>,
}

impl<'s> Copies<'s> {
    /// A list of them.
    pub fn list(self) -> List<'s, Variable<'s>> {
        let outlined = self.clone();
        let each = move |f: &mut dyn FnMut(&Variable<'s>) -> bool| self.each(f);
        List::new(columns(), Elements::made(each, move |f| outlined.outline(f)))
    }

    /// All of them, made when their turn comes.
    pub fn variables(&self) -> impl Iterator<Item = Variable<'s>> {
        let copies = |of: &Arc<Described>| {
            let of = Arc::clone(of);
            let (session, reader) = (self.session, Rc::clone(&self.reader));
            self.copies.iter().map(move |copy| Variable {
                of: Arc::clone(&of),
                copy: *copy,
                session,
                reader: Rc::clone(&reader),
            })
        };
        self.all.iter().flat_map(copies)
    }

    fn each(&self, f: &mut dyn FnMut(&Variable<'s>) -> bool) {
        for variable in self.variables() {
            if !f(&variable) {
                return;
            }
        }
    }

    fn outline(&self, f: &mut dyn FnMut(Vec<Cell<'_>>)) {
        self.variables().for_each(|variable| f(variable.outline().into()));
    }
}

impl Variable<'_> {
    /// Of this copy; `None` where there is none.
    pub fn address(&self) -> Option<VirtAddr> {
        self.copy.copy_of(self.session.target(), self.of.variable.master).ok()
    }

    /// Its value, or the reason why there is none.
    pub fn value(&self) -> Value {
        self.session.value_by(&self.reader, self.copy, &self.of.variable).1
    }

    /// Its cells without the value.
    pub(super) fn outline(&self) -> [Cell<'_>; 5] {
        self.of.cells(self.address())
    }
}

impl Described {
    fn cells(&self, address: Option<VirtAddr>) -> [Cell<'_>; 5] {
        [
            (&*self.title).into(),
            address.into(),
            self.variable.size.into(),
            self.type_name.as_deref().into(),
            (&*self.variable.module).into(),
        ]
    }
}

pub(super) fn columns() -> Vec<Column> {
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
        vec![self.outline().into_iter().chain([value]).collect()]
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
        let SetVariable { name, symbol, master, size, module, file, .. } = &self.of.variable;
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
struct Reading<'a, 's>(&'a Variable<'s>);

impl Serialize for Reading<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Variable { of, copy, session, reader } = self.0;
        session.serialize_value(reader, *copy, &of.variable, serializer)
    }
}

/// The variables with their types, and names that are unique.
pub(super) fn described(session: &Session, variables: Vec<SetVariable>) -> Vec<Arc<Described>> {
    let types = session.types().ok();
    let mut same: HashMap<&str, Vec<&SetVariable>> = HashMap::new();
    for variable in &variables {
        same.entry(&variable.name).or_default().push(variable);
    }
    let title = |variable: &SetVariable| match same.get(&*variable.name) {
        Some(same) if same.len() > 1 => format!("{}@{}", variable.name, variable.told_by(same)),
        _ => variable.name.to_string(),
    };
    let titles: Vec<String> = variables.iter().map(title).collect();
    let described = variables.into_iter().zip(titles).map(|(variable, title)| {
        let type_name = types.zip(variable.type_id).map(|(types, id)| types.name(id));
        Arc::new(Described { variable, type_name, title })
    });
    described.collect()
}

/// Which modules' variables are shown as bytes, because no file has their types.
pub(super) fn untyped_modules(
    session: &Session,
    variables: &[SetVariable],
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
