//! Types as they are spelled in casts: `struct ifnet *`, `unsigned long`, `int (*)(void)`.

use super::SyntaxError;
use super::lex::Token;
use super::parser::Parser;
use super::tree::{Derived, TypeBase, TypeName};

/// Parses a type's name: `struct vnet`, `unsigned int`, `ifnet_t *`, `char [16]`.
pub fn parse_type(text: &str) -> Result<TypeName, SyntaxError> {
    let mut parser = Parser::new(text)?;
    let Some(name) = parser.type_name()? else {
        return Err(parser.tokens.unexpected("a type"));
    };
    parser.tokens.end()?;
    Ok(name)
}

impl Parser<'_> {
    /// A type name, if names stand here that could be one.
    pub(super) fn type_name(&mut self) -> Result<Option<TypeName>, SyntaxError> {
        let base = match self.type_of()? {
            Some(base) => base,
            None => match self.named_type()? {
                Some(base) => base,
                None => return Ok(None),
            },
        };
        // `(name[3])` is an element of a variable.
        let is_type = match &base {
            TypeBase::Named { name, .. } => is_type_name(name),
            TypeBase::Of(_) => true,
        };
        let derived = self.declarator(is_type)?;
        Ok(Some(TypeName { base, derived }))
    }

    /// `typeof(expression)`
    fn type_of(&mut self) -> Result<Option<TypeBase>, SyntaxError> {
        if !matches!(self.tokens.peek(), Token::Name("typeof" | "__typeof__" | "__typeof"))
            || self.tokens.peek_behind() != Token::Op("(")
        {
            return Ok(None);
        }
        self.tokens.advance();
        self.tokens.expect("(")?;
        let inner = self.expression()?;
        self.tokens.expect(")")?;
        Ok(Some(TypeBase::Of(Box::new(inner))))
    }

    fn named_type(&mut self) -> Result<Option<TypeBase>, SyntaxError> {
        let mut words: Vec<&str> = Vec::new();
        while let Token::Name(word) = self.tokens.peek() {
            let fits = match words.as_slice() {
                [] => true,
                [tag] if is_tag(tag) => !is_type_spelling(word),
                [first, ..] => BASE_WORDS.contains(first) && BASE_WORDS.contains(&word),
            };
            if !fits && !is_qualifier(word) {
                break;
            }
            self.tokens.advance();
            if !is_qualifier(word) {
                words.push(word);
            }
        }
        match words.as_slice() {
            [] => return Ok(None),
            [tag] if is_tag(tag) => {
                return Err(self.tokens.unexpected("the name of a struct, union or enum"));
            }
            _ => {}
        }
        let mut file = None;
        if let Token::File(path) = self.tokens.peek() {
            self.tokens.advance();
            file = Some(path.into());
        }
        Ok(Some(TypeBase::Named { name: base_type(&words).into(), file }))
    }

    /// What is derived from the type before it: `*`, `[16]`, `(*)(void)`. It has no name in it.
    fn declarator(&mut self, is_type: bool) -> Result<Vec<Derived>, SyntaxError> {
        let mut derived = Vec::new();
        loop {
            match self.tokens.peek() {
                Token::Op("*") => derived.push(Derived::Pointer),
                Token::Name(word) if !derived.is_empty() && is_qualifier(word) => {}
                _ => break,
            }
            self.tokens.advance();
        }
        let group = self.group()?;
        let is_type = is_type || !derived.is_empty() || !group.is_empty();
        let mut suffixes = Vec::new();
        loop {
            if is_type && self.tokens.peek() == Token::Op("[") && self.is_array_suffix() {
                suffixes.push(Derived::Array(self.count()?));
            } else if !group.is_empty() && self.tokens.peek() == Token::Op("(") {
                self.parameters()?;
                suffixes.push(Derived::Function);
            } else {
                break;
            }
        }
        derived.extend(suffixes.into_iter().rev());
        derived.extend(group);
        Ok(derived)
    }

    /// `(*)` with what is derived in it; nothing is consumed if there is none.
    fn group(&mut self) -> Result<Vec<Derived>, SyntaxError> {
        let start = self.tokens.mark();
        if self.tokens.peek() == Token::Op("(") && self.tokens.peek_behind() == Token::Op("*") {
            self.tokens.advance();
            let inner = self.declarator(true)?;
            if self.tokens.accept(")") {
                return Ok(inner);
            }
        }
        self.tokens.go_back(start);
        Ok(Vec::new())
    }

    fn is_array_suffix(&self) -> bool {
        matches!(self.tokens.peek_behind(), Token::Int(_) | Token::Op("]"))
    }

    /// `[16]`, or `[]` for none.
    fn count(&mut self) -> Result<u64, SyntaxError> {
        self.tokens.expect("[")?;
        let count = match self.tokens.peek() {
            Token::Int(count) => {
                self.tokens.advance();
                count.value
            }
            _ => 0,
        };
        self.tokens.expect("]")?;
        Ok(count)
    }

    /// The parameters of a function. They do not affect memory.
    fn parameters(&mut self) -> Result<(), SyntaxError> {
        let mut open = 0usize;
        loop {
            match self.tokens.peek() {
                Token::Op("(") => open += 1,
                Token::Op(")") => open -= 1,
                Token::End => return Err(self.tokens.unexpected("\")\"")),
                _ => {}
            }
            self.tokens.advance();
            if open == 0 {
                return Ok(());
            }
        }
    }
}

impl TypeName {
    /// Can it only be a type?
    pub(super) fn is_sure(&self) -> bool {
        match &self.base {
            TypeBase::Named { name, .. } => !self.derived.is_empty() || is_type_spelling(name),
            TypeBase::Of(_) => true,
        }
    }

    /// Is it what only types are called, as a rule?
    pub(super) fn is_usual(&self) -> bool {
        match &self.base {
            TypeBase::Named { name, .. } => self.is_sure() || is_type_name(name),
            TypeBase::Of(_) => true,
        }
    }
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
            ("char[16]", "char [16]"),
            ("char *[2][3]", "char *[2][3]"),
            ("char (*)[4]", "char (*)[4]"),
            ("int (*)(struct mbuf *, int (*)(void))", "int (*)()"),
            ("int (*[3])(void)", "int (*[3])()"),
            ("void (**)()", "void (**)()"),
            ("typeof(x->y) *", "typeof(...) *"),
        ] {
            assert_eq!(parse_type(text).unwrap().to_string(), name, "{text}");
        }
        for text in [
            "",
            "*",
            "struct",
            "struct a b",
            "a b",
            "3",
            "int x",
            "struct int",
            "int (*",
            "int (*)(",
            "int [",
            "typeof(",
            "int [x]",
        ] {
            assert!(parse_type(text).is_err(), "{text}");
        }
    }
}
