//! `type`: declarations with offsets, sizes and holes.

mod rows;

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Answer, Elements, Medium, Page, Remark};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::types::declaration::Declaration;
use crate::types::{Definition, TypeError, Types};

/// The declarations of some types, in the order of their names; if a name has several
/// different types, all of them.
#[derive(Debug)]
pub struct Declarations {
    /// The types that were found.
    pub declarations: Vec<Declaration>,
    /// Which names have several types.
    pub remarks: Vec<Remark>,
    /// Why names match no type.
    pub missed: Vec<Error>,
}

/// The types of a kernel with these names: `struct vnet`, `ifnet_t *`. A bare name is
/// that of a typedef or base type, or else a tag.
pub fn types(kernel: &Kernel, types: &Types, names: &[String]) -> Declarations {
    let mut answer =
        Declarations { declarations: Vec::new(), remarks: Vec::new(), missed: Vec::new() };
    for name in names {
        match find(types, name) {
            Ok(found) => {
                answer.remarks.extend(several(&found));
                answer.declarations.extend(found);
            }
            Err(why) => answer.missed.push(missing(kernel, name, why)),
        }
    }
    answer
}

/// The types of that name: one, or several that are different.
fn find(types: &Types, name: &str) -> Result<Vec<Declaration>, TypeError> {
    let mut definitions = types.definitions(name);
    for tag in ["struct", "union", "enum"] {
        match (&definitions, types.definitions(&format!("{tag} {name}"))) {
            (Err(bare), Ok(tagged)) if bare.is_no_match() => definitions = Ok(tagged),
            (Err(bare), Err(why)) if bare.is_no_match() && is_elsewhere(&why) => {
                definitions = Err(why);
            }
            _ => {}
        }
    }
    let definitions = definitions?;
    // If all files share a type, the file does not matter.
    let by_file = definitions.len() > 1 || name.contains('@');
    let declared = definitions.into_iter().map(|Definition { type_id, file }| {
        let declaration = types.declaration(type_id)?;
        Ok(Declaration { file: file.filter(|_| by_file), ..declaration })
    });
    declared.collect()
}

/// Whether files other than the named one have it.
fn is_elsewhere(why: &TypeError) -> bool {
    match why {
        TypeError::NotInFile { elsewhere, .. } => !elsewhere.is_empty(),
        TypeError::Numbered { .. } => true,
        _ => false,
    }
}

fn several(declarations: &[Declaration]) -> Option<Remark> {
    let [first, _, ..] = declarations else { return None };
    let (count, name, one) = (declarations.len(), &first.name, first.full_name());
    Some(Remark::Note(format!(
        "there are {count} different types named {name}; ask for one as \"{one}\""
    )))
}

/// Why there is no such type; perhaps a variable has the name.
fn missing(kernel: &Kernel, name: &str, why: TypeError) -> Error {
    let bare = name.strip_prefix("V_").unwrap_or(name);
    let symbols = [name.to_owned(), format!("vnet_entry_{bare}")];
    let variable = symbols.iter().any(|symbol| kernel.symbol(symbol).is_some());
    match variable && why.is_no_match() {
        true => Error::NotAType { name: name.to_owned(), source: why },
        false => Error::NoSuchType(why),
    }
}

impl Answer for Declarations {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        if page.medium() == Medium::People {
            return self.declarations.iter().try_for_each(|one| page.declaration(one));
        }
        let all: Vec<&Declaration> = self.declarations.iter().collect();
        // The columns depend on the kind of type.
        page.table(&[], &Elements::from(all))
    }

    fn remarks(&self) -> Vec<Remark> {
        self.remarks.clone()
    }

    fn take_missed(&mut self) -> Vec<Error> {
        std::mem::take(&mut self.missed)
    }

    fn nothing(&self) -> Option<String> {
        self.declarations.is_empty().then(|| "no type has that name".to_owned())
    }
}

/// `{"type": …}`, or `{"types": […]}` where there are several.
impl Serialize for Declarations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.declarations.as_slice() {
            [one] => map.serialize_entry("type", one)?,
            several => map.serialize_entry("types", several)?,
        }
        map.end()
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;
    use crate::answers::testing::{assert_keys, demo, json, laid_out};

    fn answer(names: &[&str]) -> Declarations {
        let (session, names) = (demo(), names.iter().map(ToString::to_string));
        types(session.kernel().linked(), session.types().unwrap(), &names.collect::<Vec<_>>())
    }

    #[test]
    fn one_type_is_an_object_and_several_are_an_array() {
        let one = answer(&["struct vnet"]);
        let document = json(&one);
        assert_keys(&document, &["type"]);
        assert_keys(&document["type"], &["name", "kind", "size", "members"]);
        assert_eq!(json(&answer(&["vnet", "int"]))["types"][1]["kind"], "type");

        let people = laid_out(&one, Medium::People);
        assert!(people.starts_with("struct vnet {"), "{people}");
        let columns = laid_out(&one, Medium::Columns);
        assert!(columns.starts_with("struct vnet\tvnet_le\t"), "{columns}");
        assert!(columns.lines().all(|line| line.split('\t').count() == 7), "{columns}");
        assert!(laid_out(&one, Medium::Lines).starts_with(r#"{"name":"struct vnet","#));
    }

    #[test]
    fn what_is_not_a_type_is_told_apart_from_what_is_nothing() {
        let mut answer = answer(&["V_tcbinfo", "no_such_thing", "int"]);
        let missed = answer.take_missed();
        assert!(matches!(&missed[0], Error::NotAType { name, .. } if name == "V_tcbinfo"));
        assert!(matches!(missed[1], Error::NoSuchType(TypeError::NotFound { .. })));
        assert_eq!(answer.declarations.len(), 1);
    }
}
