//! `print`: C expressions in the chosen vnets.

use std::borrow::Cow;
use std::io;

use serde::{Serialize, Serializer};

use super::variables::why_untyped;
use super::{Answer, Cell, Chosen, Column, Element, Elements, Medium, Page, PerVnet, Remark, Row};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::expr::eval::ExprError;
use crate::kernel::LinkerSet;
use crate::session::{Names, Place, Printed, Session};
use crate::target::ReadError;
use crate::value::model::ValueError;
use crate::value::serialize::InPlace;
use crate::value::{Format, FormatError, Limits, Value, ValueReader};
use crate::vnet::Stack;

/// The values of expressions in one vnet.
#[derive(Debug, Serialize)]
pub struct Results {
    /// One for each expression, in the order in which they were given.
    pub results: Elements<'static, Evaluated>,
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

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of error for scripts: `no-such-name`, `bad-expression`, or that of a value that
    /// cannot be read.
    pub kind: &'static str,
    /// The error and its causes, in one sentence.
    pub message: Box<str>,
}

/// The values of the expressions in each of the chosen vnets, as much of each as `limits` allows
/// to read.
///
/// A [`Format`] may stand before an expression: `/x V_ip_defttl`. One that stands alone is for all
/// expressions that follow.
///
/// # Errors
/// There is one expression and one vnet, and it has no value there: as [`Session::print`]. There
/// is no such CPU, or no such format.
pub fn expressions<'s>(
    session: &'s Session,
    chosen: Chosen<'s>,
    names: Names<'s>,
    expressions: &[String],
    limits: &Limits,
) -> Result<PerVnet<'s, Results>, Error> {
    if let Some(cpu) = names.cpu {
        session.cpu(cpu)?;
    }
    let asked = Asked::all(expressions)?;
    let alone = chosen.stacks.len() * asked.len() == 1;
    let trial = Trial::of(session, &chosen, names, &asked, alone)?;
    let reader = session.reader(limits);
    let of_vnet = move |stack: Stack<'s>| {
        let place = Place { stack, names };
        let evaluated = asked.iter().map(|asked| {
            let reader = reader.clone().for_people(asked.format);
            Evaluated::new(&asked.text, print(session, &reader, place, &asked.text, alone))
        });
        Results { results: evaluated.collect::<Vec<_>>().into() }
    };
    let nothing = (!trial.answered).then(|| "no expression has a value".to_owned());
    let answer = PerVnet::new(chosen, of_vnet);
    Ok(PerVnet { remarks: trial.remarks, missed: trial.missed, nothing, ..answer })
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

/// The remarks to give before the values, which are not kept.
struct Trial {
    /// At least one expression has a value.
    answered: bool,
    missed: Vec<Error>,
    remarks: Vec<Remark>,
}

impl Trial {
    fn of(
        session: &Session,
        chosen: &Chosen<'_>,
        names: Names<'_>,
        asked: &[Asked],
        alone: bool,
    ) -> Result<Self, Error> {
        // This is enough to know whether there is a value, and of what kind.
        let reader = session.reader(&Limits { elements: 1, depth: 1, string: 0 });
        let mut trial = Self { answered: false, missed: Vec::new(), remarks: Vec::new() };
        let (mut untyped, mut stories) = (false, Vec::new());
        for stack in &chosen.stacks {
            for Asked { text, .. } in asked {
                match print(session, &reader, Place { stack: *stack, names }, text, alone) {
                    Ok(printed) => {
                        trial.answered = true;
                        untyped |= matches!(printed.value, Value::Bytes(_));
                        trial.note(&printed);
                        trial.remarks.extend(remarks(*stack, &printed));
                    }
                    // A remark that is the same in several vnets is given once.
                    Err(why) => {
                        untyped = true;
                        let story = why.story();
                        if !stories.contains(&story) {
                            stories.push(story);
                            trial.missed.push(why);
                        }
                    }
                }
            }
        }
        if untyped {
            trial.remarks.extend(why_untyped_variables(session, asked)?);
        }
        Ok(trial)
    }

    /// Adds what explains a value, if nothing has said it yet.
    fn note(&mut self, printed: &Printed) {
        for note in &printed.notes {
            let note = Remark::Note(note.to_string());
            if !self.remarks.contains(&note) {
                self.remarks.push(note);
            }
        }
    }
}

/// Among several expressions or vnets, memory that cannot be read on the way to a value is an
/// error in its place.
fn print(
    session: &Session,
    reader: &ValueReader<'_>,
    place: Place<'_>,
    text: &str,
    alone: bool,
) -> Result<Printed, Error> {
    match session.print_by(reader, place, text) {
        Err(Error::Expr { source: ExprError::Read(ReadError::Fault(fault)), .. }) if !alone => {
            Ok(Printed {
                expression: text.into(),
                type_name: "".into(),
                address: None,
                value: ValueError::from(fault).into(),
                notes: Vec::new(),
                remarks: Vec::new(),
            })
        }
        printed => printed,
    }
}

fn remarks(stack: Stack<'_>, printed: &Printed) -> Vec<Remark> {
    let place = stack.vnet().map_or(String::new(), |vnet| format!("{}: ", vnet.title()));
    let remarks = printed.remarks.iter();
    let remarks = remarks.map(|remark| format!("{place}{}: {remark}", printed.expression));
    remarks.map(Remark::Warning).collect()
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

impl Evaluated {
    fn new(text: &str, printed: Result<Printed, Error>) -> Self {
        match printed {
            Ok(Printed { expression, type_name, address, value, .. }) => {
                let type_name = Some(type_name).filter(|name| !name.is_empty());
                Self { expression, type_name, address, value: Ok(value) }
            }
            Err(why) => {
                let value = Err(Failure::from(&why));
                Self { expression: text.into(), type_name: None, address: None, value }
            }
        }
    }
}

impl From<&Error> for Failure {
    fn from(why: &Error) -> Self {
        let kind = match why {
            Error::Expr { source: ExprError::NoCopyOfCpu { why, .. }, .. } => why.kind.name(),
            why if why.is_no_match() => "no-such-name",
            _ => "bad-expression",
        };
        let message = match std::error::Error::source(why) {
            Some(_) => {
                why.story().split_once(": ").map_or_else(String::new, |(_, rest)| rest.into())
            }
            None => why.to_string(),
        };
        Self { kind, message: message.into() }
    }
}

impl Answer for Results {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() != Medium::People {
            return page.table(&columns(), &self.results);
        }
        self.results.try_for_each(|one| {
            let Ok(value) = &one.value else { return Ok(()) };
            let label = match &one.type_name {
                None => format!("{} = ", one.expression),
                Some(type_name) => format!("{} = ({type_name}) ", one.expression),
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

fn value_or_failure<S: Serializer>(
    value: &Result<Value, Failure>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Ok(value) => value.serialize(serializer),
        Err(Failure { kind, message }) => {
            InPlace { kind, address: None, message }.serialize(serializer)
        }
    }
}
