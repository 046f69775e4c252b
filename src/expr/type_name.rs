//! Types as they are spelled in casts: `struct ifnet *`, `unsigned long`.

use super::cursor::Cursor;
use super::lex::Token;
use super::{SyntaxError, TypeName};

/// Parses a type's name: `struct vnet`, `unsigned int`, `ifnet_t *`.
pub fn parse_type(text: &str) -> Result<TypeName, SyntaxError> {
    let mut tokens = Cursor::new(text)?;
    let Some(name) = type_name(&mut tokens)? else {
        return Err(tokens.unexpected("a type"));
    };
    tokens.end()?;
    Ok(name)
}

/// A type name, if names stand here that could be one.
pub(super) fn type_name(tokens: &mut Cursor<'_>) -> Result<Option<TypeName>, SyntaxError> {
    let mut words: Vec<&str> = Vec::new();
    while let Token::Name(word) = tokens.peek() {
        let fits = match words.as_slice() {
            [] => true,
            [tag] if is_tag(tag) => !is_type_spelling(word),
            [first, ..] => BASE_WORDS.contains(first) && BASE_WORDS.contains(&word),
        };
        if !fits && !is_qualifier(word) {
            break;
        }
        tokens.advance();
        if !is_qualifier(word) {
            words.push(word);
        }
    }
    match words.as_slice() {
        [] => return Ok(None),
        [tag] if is_tag(tag) => {
            return Err(tokens.unexpected("the name of a struct, union or enum"));
        }
        _ => {}
    }
    let mut file = None;
    if let Token::File(path) = tokens.peek() {
        tokens.advance();
        file = Some(path.into());
    }
    let mut pointers = 0;
    loop {
        match tokens.peek() {
            Token::Op("*") => pointers += 1,
            Token::Name(word) if pointers > 0 && is_qualifier(word) => {}
            _ => break,
        }
        tokens.advance();
    }
    Ok(Some(TypeName { base: base_type(&words).into(), file, pointers }))
}

/// Does `text` begin as only a type can?
pub(super) fn is_type_spelling(text: &str) -> bool {
    let first = text.split(' ').next().unwrap_or("");
    is_tag(first) || is_qualifier(first) || BASE_WORDS.contains(&first)
}

/// Is `name` what only types are called, as a rule?
pub(super) fn is_type_name(name: &str) -> bool {
    is_type_spelling(name) || name.ends_with("_t") || SYS_TYPES.contains(&name)
}

/// C's own types as `sys/sys/types.h` also calls them.
const SYS_TYPES: [&str; 8] =
    ["u_char", "u_short", "u_int", "u_long", "unchar", "ushort", "uint", "ulong"];

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
            ("struct elf_file@kern/link_elf.c *", "struct elf_file@kern/link_elf.c *"),
        ] {
            assert_eq!(parse_type(text).unwrap().to_string(), name, "{text}");
        }
        for text in ["", "*", "struct", "struct a b", "a b", "3", "int x", "struct int"] {
            assert!(parse_type(text).is_err(), "{text}");
        }
    }
}
