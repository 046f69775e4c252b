//! `whatis`: what addresses are.

mod asked;
mod lines;
mod text;

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Answer, Cell, Column, Elements, Medium, Page, Row};
use crate::addr::VirtAddr;
use crate::answers::failure::Failure;
use crate::value::serialize::InPlace;
use crate::views::whatis::{Described, Whatis};
use crate::walk::Problems;

pub use asked::{Asked, number, parse};
pub use lines::addresses_on;
pub use text::{Token, addresses_in, is_word};

/// What each of some addresses is.
#[derive(Debug)]
pub struct Identities {
    /// One for each address, and for each text that is none.
    pub found: Vec<Identity>,
    problems: Problems,
}

/// An address, and what it is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// As it was written, if it is not a number.
    pub text: Option<Box<str>>,
    /// What it is, or why the text is no address.
    pub found: Result<Described, Failure>,
}

/// What `asked` are, by an index that was made before.
#[must_use]
pub fn whatis(whatis: &Whatis<'_>, asked: &[Asked]) -> Identities {
    let identity = |asked: &Asked| {
        let found = match &asked.address {
            Ok(address) => Ok(whatis.describe(*address)),
            Err(_) => Err(asked.why_not()?),
        };
        Some(Identity { text: asked.text.clone(), found })
    };
    let found = asked.iter().filter_map(identity).collect();
    Identities { found, problems: whatis.problems.clone() }
}

impl Identities {
    /// Whether nothing is known of one of the addresses although the dump has it.
    #[must_use]
    pub fn has_unknown(&self) -> bool {
        let mut found = self.found.iter().filter_map(|identity| identity.found.as_ref().ok());
        found.any(|found| found.mapping.dumped && !found.meaning.is_known())
    }

    fn elements(&self) -> Elements<'_, &Identity> {
        self.found.iter().collect::<Vec<_>>().into()
    }
}

impl Answer for Identities {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        let columns = [Column::left("ADDRESS"), Column::left("KIND"), Column::left("WHAT")];
        page.table(&columns, &self.elements())
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn nothing(&self) -> Option<String> {
        let known = |identity: &Identity| {
            identity.found.as_ref().is_ok_and(|found| found.meaning.is_known())
        };
        let nothing = !self.found.iter().any(known);
        nothing.then(|| match self.found.len() {
            0 => "no address was given".to_owned(),
            1 => "nothing is known about the address".to_owned(),
            _ => "nothing is known about any of the addresses".to_owned(),
        })
    }

    fn unreadable(&self) -> usize {
        self.found.iter().filter(|identity| identity.found.is_err()).count()
    }
}

/// `{"results": […]}`
impl Serialize for Identities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("results", &self.elements())?;
        map.end()
    }
}

impl Identity {
    fn place(&self) -> Cell<'_> {
        match (&self.found, &self.text) {
            (Ok(found), _) => found.address.into(),
            (Err(_), Some(text)) => (&**text).into(),
            (Err(_), None) => Cell::Nothing,
        }
    }

    fn kind(&self) -> &'static str {
        self.found.as_ref().map_or("error", |found| found.meaning.kind())
    }
}

impl Row for Identity {
    const VARIED: bool = true;

    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let what = match &self.found {
            Ok(found) => found.to_string(),
            Err(why) => why.message.to_string(),
        };
        vec![vec![self.place(), self.kind().into(), what.into()]]
    }
}

/// `{"expression": …, "address": …, "kind": …, …, "what": …}`
impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Known<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            expression: Option<&'a str>,
            #[serde(flatten)]
            found: &'a Described,
            what: String,
        }
        #[derive(Serialize)]
        struct Wrong<'a> {
            expression: Option<&'a str>,
            address: Option<VirtAddr>,
            kind: &'static str,
            #[serde(flatten)]
            error: InPlace<'a>,
        }
        let text = self.text.as_deref();
        match &self.found {
            Ok(found) => {
                Known { expression: text, found, what: found.to_string() }.serialize(serializer)
            }
            Err(Failure { kind, message }) => {
                let error = InPlace { kind, address: None, message };
                Wrong { expression: text, address: None, kind: "error", error }
                    .serialize(serializer)
            }
        }
    }
}
