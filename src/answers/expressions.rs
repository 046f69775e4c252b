//! `print`: C expressions in the chosen vnets.

mod mbufs;

use std::borrow::Cow;
use std::io;
use std::rc::Rc;

use serde::Serialize;

use super::failure::{Failure, value_or_failure};
use super::pivot::{Pivot, Subject};
use super::variables::why_untyped;
use super::{Answer, Cell, Chosen, Column, Element, Elements, Medium, Page, PerVnet, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::expr::eval::{ExprError, KeptValue};
use crate::kernel::LinkerSet;
use crate::session::{Evaluation, Names, Place, Printed, Session};
use crate::target::ReadError;
use crate::value::model::ValueError;
use crate::value::{Format, FormatError, Limits, Value, ValueReader};
use crate::vnet::{Stack, VnetRef};
use crate::walk::Problems;

/// The values of expressions in one vnet.
#[derive(Debug, Serialize)]
pub struct Results {
    /// One for each expression, in the order in which they were given.
    pub results: Elements<'static, Evaluated>,
    /// What stands before each on a line for people, if all vnets were asked for.
    #[serde(skip)]
    vnet: Option<Box<str>>,
}

/// An expression, and its value or the reason why it has none.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluated {
    /// As it was written.
    pub expression: Box<str>,
    /// `None` if it is unknown.
    #[serde(rename = "type")]
    pub type_name: Option<Box<str>>,
    /// Where the value lies; `None` if it was computed rather than read.
    pub address: Option<VirtAddr>,
    /// Its value. A value that cannot be read is itself a `Value`; a `Failure` means the
    /// expression is wrong.
    #[serde(serialize_with = "value_or_failure")]
    pub value: Result<Value, Failure>,
}

/// Expressions that were evaluated in each of the chosen vnets, and whose values are not read yet.
pub struct Evaluations<'s> {
    session: &'s Session,
    chosen: Chosen<'s>,
    asked: Vec<Asked>,
    /// For each vnet, what each expression came to.
    outcomes: Vec<Vec<Outcome<'s>>>,
    missed: Vec<Error>,
    remarks: Vec<Remark>,
}

/// Evaluates the expressions in each of the chosen vnets.
///
/// A [`Format`] may stand before an expression: `/x V_ip_defttl`. One that stands alone is for all
/// expressions that follow.
///
/// # Errors
/// There is no such CPU, or no such format. The types of modules cannot be looked for. Nobody waits
/// for the answer any more.
pub fn expressions<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    names: Names<'s>,
    expressions: &[String],
) -> Result<Evaluations<'s>, Error> {
    if let Some(cpu) = names.cpu {
        session.cpu(cpu)?;
    }
    let (outcomes, missed, remarks) = Default::default();
    let asked = Asked::all(expressions)?;
    let mut all = Evaluations { session, chosen, asked, outcomes, missed, remarks };
    all.evaluate(names)?;
    let mut outcomes = all.outcomes.iter().flatten();
    if outcomes.any(Outcome::is_untyped) {
        all.remarks.extend(why_untyped_variables(session, &all.asked)?);
    }
    Ok(all)
}

impl<'s> Evaluations<'s> {
    fn evaluate(&mut self, names: Names<'s>) -> Result<(), Error> {
        let alone = self.chosen.stacks.len() * self.asked.len() == 1;
        let mut stories = Vec::new();
        for stack in &self.chosen.stacks {
            self.session.go_on()?;
            let mut outcomes = Vec::new();
            for Asked { text, .. } in &self.asked {
                outcomes.push(match self.session.evaluate(Place { stack: *stack, names }, text) {
                    Ok(evaluation) => {
                        note(&mut self.remarks, &evaluation);
                        self.remarks.extend(doubts(*stack, text, &evaluation));
                        Outcome::Value(evaluation)
                    }
                    Err(Error::Expr {
                        source: ExprError::Read(ReadError::Fault(fault)), ..
                    }) if !alone => Outcome::Fault(ValueError::from(fault)),
                    Err(why) => {
                        let failure = Failure::from(&why);
                        // A remark that is the same in several vnets is given once.
                        let story = why.story();
                        if !stories.contains(&story) {
                            stories.push(story);
                            self.missed.push(why);
                        }
                        Outcome::Failure(failure)
                    }
                });
            }
            self.outcomes.push(outcomes);
        }
        Ok(())
    }

    /// The value of a single expression in a single vnet, for later ones to name.
    pub fn to_keep(&self) -> Option<KeptValue> {
        match &self.outcomes[..] {
            [only] => match &only[..] {
                [Outcome::Value(evaluation)] => Some(evaluation.to_keep()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Why there is no answer, if no expression has a value.
    fn nothing(&self) -> Option<String> {
        let mut outcomes = self.outcomes.iter().flatten();
        let none = outcomes.all(|outcome| matches!(outcome, Outcome::Failure(_)));
        none.then(|| "no expression has a value".to_owned())
    }

    /// The values side by side, a column for each vnet.
    pub fn side_by_side(self, limits: &Limits) -> Pivot<'s> {
        let nothing = self.nothing();
        let Self { session, chosen, asked, outcomes, missed, remarks } = self;
        let reader = with_places(session, limits);
        let subjects =
            asked.iter().map(|asked| Subject { name: asked.text.as_str().into(), type_name: None });
        let subjects = subjects.collect();
        let formats: Vec<Format> = asked.iter().map(|asked| asked.format).collect();
        let ask = move |_: &[Stack<'s>], place: usize, f: &mut dyn FnMut(_)| {
            let reader = reader.clone().for_people(formats.get(place).copied().unwrap_or_default());
            let outcomes = outcomes.iter().filter_map(|outcomes| outcomes.get(place));
            outcomes.for_each(|outcome| f(outcome.read(session, &reader).value));
        };
        Pivot::new(chosen, subjects, ask).with(Problems::default(), remarks, missed, nothing)
    }

    /// The values, as much of each as `limits` allows to read.
    pub fn read(self, limits: &Limits) -> PerVnet<'s, Results> {
        let nothing = self.nothing();
        let Self { session, chosen, asked, outcomes, missed, remarks } = self;
        let reader = with_places(session, limits);
        let marks = marks(&chosen);
        let of_vnet = move |place: usize, _| {
            // None were evaluated if nobody waits for them any more.
            let outcomes = outcomes.get(place).into_iter().flatten();
            let results = outcomes.zip(&asked).map(|(outcome, Asked { text, format })| Evaluated {
                expression: text.as_str().into(),
                ..outcome.read(session, &reader.clone().for_people(*format))
            });
            let vnet = marks.get(place).cloned();
            Results { results: results.collect::<Vec<_>>().into(), vnet }
        };
        let answer = PerVnet::by_place(chosen, of_vnet);
        PerVnet { remarks, missed, nothing, titled: false, ..answer }
    }
}

/// A reader that tells where functions are in the source.
fn with_places<'s>(session: &'s Session, limits: &Limits) -> ValueReader<'s> {
    session.reader(limits).with_places(Rc::new(session.target().code()))
}

/// What stands before the values of each vnet on lines for people; nothing if only one was asked
/// for.
fn marks(chosen: &Chosen<'_>) -> Vec<Box<str>> {
    if !chosen.all {
        return Vec::new();
    }
    let vnets = chosen.stacks.iter().filter_map(|stack| stack.vnet());
    let titles: Vec<String> = vnets.map(|vnet| format!("vnet {}", VnetRef::from(vnet))).collect();
    let width = titles.iter().map(String::len).max().unwrap_or_default();
    titles.iter().map(|title| format!("{title:width$}  ").into()).collect()
}

/// An expression, and how its value is written.
#[derive(Debug)]
struct Asked {
    text: String,
    format: Format,
}

impl Asked {
    fn all(expressions: &[String]) -> Result<Vec<Self>, FormatError> {
        let (mut all, mut format) = (Vec::new(), Format::default());
        for text in expressions {
            match Format::take(text)? {
                (Some(following), "") => format = following,
                (own, text) => {
                    all.push(Self { text: text.into(), format: own.unwrap_or(format) });
                }
            }
        }
        match (&*all, expressions.last()) {
            ([], Some(letters)) => {
                Err(FormatError::NothingFollows { letters: letters.as_str().into() })
            }
            _ => Ok(all),
        }
    }
}

/// What an expression came to in a vnet.
enum Outcome<'s> {
    Value(Evaluation<'s>),
    /// Memory cannot be read on the way to the value. Among several expressions or vnets, this is
    /// an error in the value's place.
    Fault(ValueError),
    Failure(Failure),
}

impl Outcome<'_> {
    fn is_untyped(&self) -> bool {
        match self {
            Self::Value(evaluation) => evaluation.is_untyped(),
            Self::Fault(_) => false,
            Self::Failure(_) => true,
        }
    }

    /// What is shown of it, without the expression.
    fn read(&self, session: &Session, reader: &ValueReader<'_>) -> Evaluated {
        let expression = Box::default();
        let value = match self {
            Self::Value(evaluation) => {
                let Printed { type_name, address, value, .. } = session.read(evaluation, reader);
                let type_name = Some(type_name).filter(|name| !name.is_empty());
                return Evaluated { expression, type_name, address, value: Ok(value) };
            }
            Self::Fault(why) => Ok(why.clone().into()),
            Self::Failure(why) => Err(why.clone()),
        };
        Evaluated { expression, type_name: None, address: None, value }
    }
}

/// Adds what explains a value, if nothing has said it yet.
fn note(remarks: &mut Vec<Remark>, evaluation: &Evaluation<'_>) {
    for note in &evaluation.notes {
        let note = Remark::Note(note.to_string());
        if !remarks.contains(&note) {
            remarks.push(note);
        }
    }
}

fn doubts(stack: Stack<'_>, text: &str, evaluation: &Evaluation<'_>) -> Vec<Remark> {
    let place = stack.vnet().map_or(String::new(), |vnet| format!("{}: ", vnet.title()));
    let doubts = evaluation.remarks.iter();
    doubts.map(|doubt| Remark::Warning(format!("{place}{text}: {doubt}"))).collect()
}

/// Why the types of modules' variables in the expressions are unknown.
fn why_untyped_variables(session: &Session, asked: &[Asked]) -> Result<Vec<Remark>, Error> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = asked.iter().flat_map(|asked| asked.text.split(|c| !is_part(c)));
    let words: Vec<&str> = words.map(|word| word.strip_prefix("V_").unwrap_or(word)).collect();
    why_untyped(session, |module| {
        LinkerSet::ALL.into_iter().any(|set| {
            let names = module.set_symbols(set).map(|symbol| symbol.name);
            let mut bare = names.filter_map(|name| name.strip_prefix(set.prefix()));
            bare.any(|name| words.contains(&name))
        })
    })
}

impl Answer for Results {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() != Medium::People {
            return page.table(&columns(), &self.results);
        }
        self.results.try_for_each(|one| {
            let Ok(value) = &one.value else { return Ok(()) };
            let (vnet, text) = (self.vnet.as_deref().unwrap_or_default(), &one.expression);
            let label = match &one.type_name {
                None => format!("{vnet}{text} = "),
                Some(type_name) => format!("{vnet}{text} = ({type_name}) "),
            };
            page.entry(&label, &Cell::Value(Cow::Borrowed(value)), None)
        })
    }

    fn unreadable(&self) -> usize {
        let mut count = 0;
        self.results.for_each(|one| count += one.unreadable());
        count
    }
}

fn columns() -> [Column; 4] {
    [
        Column::left("EXPRESSION"),
        Column::left("TYPE"),
        Column::left("ADDRESS"),
        Column::left("VALUE"),
    ]
}

impl Element for Evaluated {
    const ARRAY: &'static str = "results";

    fn unreadable(&self) -> usize {
        self.value.as_ref().map_or(1, Value::unreadable)
    }
}

/// Unknown parts are empty cells. Expressions without a value are reported elsewhere.
impl Row for Evaluated {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let Ok(value) = &self.value else { return Vec::new() };
        let address = self.address.map_or(String::new(), |address| address.to_string());
        vec![vec![
            (&*self.expression).into(),
            self.type_name.as_deref().unwrap_or_default().into(),
            address.into(),
            Cell::Value(Cow::Borrowed(value)),
        ]]
    }
}
