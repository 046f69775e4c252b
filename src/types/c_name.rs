//! The names of types in C, in the style of gdb's `whatis`.

use crate::budget::Share;
use crate::types::Types;
use crate::types::model::*;

/// The deepest nesting of function and array types. Real code stays far below it.
const DEEPEST: usize = 32;

/// The most types that one name may contain, and the most bytes. No name in a kernel
/// has a tenth of them.
pub(super) const MOST_PARTS: u64 = 512;
const LONGEST: usize = 8192;

/// The name of an unnamed record or enum, as gdb writes it.
pub(super) const UNNAMED: &str = "{...}";

/// Replaces what is left out: a type within itself, and what exceeds a limit.
const LEFT_OUT: &str = "…";

impl Types {
    /// The type's name: `struct ifnet *`, `counter_u64_t [35]`, `void (*)(int, ...)`.
    pub fn name(&self, id: TypeId) -> String {
        self.declare(id, "")
    }

    /// A declaration of `declarator` with this type: `struct ifnet *if_next`.
    ///
    /// The declarator may have several parts: `*(*x)[3]`.
    pub fn declare(&self, id: TypeId, declarator: &str) -> String {
        let parts = self.budget().share("the name of a type", MOST_PARTS);
        Speller { types: self, parts, within: Vec::new() }.declare(id, declarator.to_owned())
    }
}

/// Spells one type and the types in it.
struct Speller<'t> {
    types: &'t Types,
    parts: Share<'t>,
    /// The types around the current one. Only in a damaged file does a function type have a
    /// parameter of its own type; C cannot write it.
    within: Vec<TypeId>,
}

impl Speller<'_> {
    fn declare(&mut self, id: TypeId, inner: String) -> String {
        let fits = self.within.len() < DEEPEST && inner.len() < LONGEST;
        if !fits || self.within.contains(&id) || self.parts.work(1).is_err() {
            return join(LEFT_OUT, &inner);
        }
        let Ok(found) = self.types.get(id) else { return join("<damaged type>", &inner) };
        self.within.push(id);
        let declared = self.declare_found(&found, inner);
        self.within.pop();
        declared
    }

    fn declare_found(&mut self, found: &Type, inner: String) -> String {
        match found {
            Type::Pointer(pointer) => {
                let suffix = self.is_suffixed(pointer.target);
                let inner = if suffix { format!("(*{inner})") } else { format!("*{inner}") };
                self.declare(pointer.target, inner)
            }
            Type::Qualified(qualified) => self.declare_qualified(qualified, &inner),
            Type::Array(array) => {
                let mut inner = inner;
                for count in &array.counts {
                    inner += &count.map_or("[]".to_owned(), |count| format!("[{count}]"));
                }
                self.declare(array.element, inner)
            }
            Type::Function(function) => {
                let parameters = self.parameters(function);
                self.declare(function.returns, format!("{inner}({parameters})"))
            }
            other => join(&plain_name(other), &inner),
        }
    }

    fn parameters(&mut self, function: &Function) -> String {
        let mut list = String::new();
        for parameter in &function.parameters {
            list += if list.is_empty() { "" } else { ", " };
            // The rest of a list that is too long is replaced once.
            if list.len() >= LONGEST || self.parts.work(1).is_err() {
                return list + LEFT_OUT;
            }
            list += &self.declare(*parameter, String::new());
        }
        match (function.variadic, list.is_empty()) {
            (true, false) => list + ", ...",
            (true, true) => "...".to_owned(),
            (false, true) if function.prototyped => "void".to_owned(),
            (false, _) => list,
        }
    }

    /// The qualifiers of a pointer follow the star; others precede the name.
    fn declare_qualified(&mut self, qualified: &Qualified, inner: &str) -> String {
        let word = match qualified.qualifier {
            Qualifier::Const => "const",
            Qualifier::Volatile => "volatile",
            Qualifier::Restrict => "restrict",
            Qualifier::Atomic => "_Atomic",
        };
        let pointer = matches!(self.types.get(qualified.target).as_deref(), Ok(Type::Pointer(_)));
        if pointer || self.is_qualified_pointer(qualified.target) {
            let word =
                if inner.is_empty() { format!(" {word}") } else { format!(" {word} {inner}") };
            return self.declare(qualified.target, word);
        }
        format!("{word} {}", self.declare(qualified.target, inner.to_owned()))
    }

    fn is_qualified_pointer(&self, mut id: TypeId) -> bool {
        for _ in 0..DEEPEST {
            match self.types.get(id).as_deref() {
                Ok(Type::Qualified(qualified)) => id = qualified.target,
                Ok(Type::Pointer(_)) => return true,
                _ => return false,
            }
        }
        false
    }

    /// Does C write part of this type after the declarator?
    fn is_suffixed(&self, mut id: TypeId) -> bool {
        for _ in 0..DEEPEST {
            match self.types.get(id).as_deref() {
                Ok(Type::Array(_) | Type::Function(_)) => return true,
                Ok(Type::Qualified(qualified)) => id = qualified.target,
                _ => return false,
            }
        }
        false
    }
}

/// The name of a type without a declarator of its own.
fn plain_name(plain: &Type) -> String {
    match plain {
        Type::Base(base) if base.name.is_empty() => format!("<{}-byte type>", base.size),
        Type::Base(base) => base.name.to_string(),
        Type::Typedef(typedef) => typedef.name.to_string(),
        Type::Record(record) => {
            format!("{} {}", record.kind.keyword(), record.name.as_deref().unwrap_or(UNNAMED))
        }
        Type::Enum(enumeration) => {
            format!("enum {}", enumeration.name.as_deref().unwrap_or(UNNAMED))
        }
        _ => "void".into(),
    }
}

fn join(base: &str, inner: &str) -> String {
    if inner.is_empty() { base.to_owned() } else { format!("{base} {inner}") }
}

impl RecordKind {
    /// `struct`, `union` or `class`.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Class => "class",
        }
    }
}
