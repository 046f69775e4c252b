//! Types as they are spelled in casts: `struct ifnet *`, `unsigned long`.

use super::lex::Token;
use super::parse::Parser;
use super::{SyntaxError, TypeName};

/// Parses a type's name: `struct vnet`, `unsigned int`, `ifnet_t *`.
pub fn parse_type(text: &str) -> Result<TypeName, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let Some(name) = parser.type_name()? else {
        return Err(parser.unexpected("a type"));
    };
    parser.end()?;
    Ok(name)
}

impl Parser<'_> {
    /// A type name, if names stand here that could be one.
    pub(super) fn type_name(&mut self) -> Result<Option<TypeName>, SyntaxError> {
        let mut words: Vec<&str> = Vec::new();
        while let Token::Name(word) = self.peek() {
            let fits = match words.as_slice() {
                [] => true,
                [tag] if is_tag(tag) => !is_type_spelling(word),
                [first, ..] => BASE_WORDS.contains(first) && BASE_WORDS.contains(&word),
            };
            if !fits && !is_qualifier(word) {
                break;
            }
            self.advance();
            if !is_qualifier(word) {
                words.push(word);
            }
        }
        match words.as_slice() {
            [] => return Ok(None),
            [tag] if is_tag(tag) => {
                return Err(self.unexpected("the name of a struct, union or enum"));
            }
            _ => {}
        }
        let mut pointers = 0;
        loop {
            match self.peek() {
                Token::Op("*") => pointers += 1,
                Token::Name(word) if pointers > 0 && is_qualifier(word) => {}
                _ => break,
            }
            self.advance();
        }
        Ok(Some(TypeName { base: base_type(&words).into(), pointers }))
    }
}

/// Does `text` begin as only a type can?
pub(super) fn is_type_spelling(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or("");
    is_tag(first) || is_qualifier(first) || BASE_WORDS.contains(&first)
}

fn is_tag(word: &str) -> bool {
    matches!(word, "struct" | "union" | "enum" | "class")
}

fn is_qualifier(word: &str) -> bool {
    matches!(word, "const" | "volatile" | "restrict" | "_Atomic")
}

const BASE_WORDS: [&str; 11] = [
    "void", "char", "short", "int", "long", "signed", "unsigned", "float", "double", "bool",
    "_Bool",
];

/// The words of a type in the order that C usually spells them:
/// `long unsigned int` is `unsigned long`.
fn base_type(words: &[&str]) -> String {
    if !words.iter().all(|word| BASE_WORDS.contains(word)) {
        return words.join(" ");
    }
    let longs = words.iter().filter(|word| **word == "long").count();
    let has = |wanted: &str| words.contains(&wanted);
    let mut spelled = Vec::new();
    if has("unsigned") {
        spelled.push("unsigned");
    } else if has("signed") && has("char") {
        spelled.push("signed");
    }
    spelled.extend(std::iter::repeat_n("long", longs));
    for word in ["short", "void", "char", "float", "double", "bool", "_Bool"] {
        if has(word) {
            spelled.push(word);
        }
    }
    if spelled.is_empty() || spelled == ["unsigned"] {
        spelled.push("int");
    }
    spelled.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_names_are_spelled_one_way() {
        for (text, name) in [
            ("struct vnet", "struct vnet"),
            ("const  struct vnet*", "struct vnet *"),
            ("vnet_t const **", "vnet_t **"),
            ("unsigned", "unsigned int"),
            ("long int unsigned", "unsigned long"),
            ("long long int", "long long"),
            ("short int", "short"),
            ("signed char", "signed char"),
            ("signed", "int"),
            ("long double", "long double"),
            ("_Bool", "_Bool"),
            ("void *", "void *"),
        ] {
            assert_eq!(parse_type(text).unwrap().to_string(), name, "{text}");
        }
        for text in ["", "*", "struct", "struct a b", "a b", "3", "int x", "struct int"] {
            assert!(parse_type(text).is_err(), "{text}");
        }
    }
}
