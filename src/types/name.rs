//! Types spelled as C spells them, the way gdb's `whatis` does.

use crate::types::Types;
use crate::types::model::*;

/// Nested function and array types end long before this in real code.
const MAX_DEPTH: usize = 32;

/// Stands for the name of a record or enum without one, as gdb writes it.
pub(super) const UNNAMED: &str = "{...}";

impl Types {
    /// The type's name: `struct ifnet *`, `counter_u64_t [35]`, `void (*)(int, ...)`.
    pub fn name(&self, id: TypeId) -> String {
        self.declare(id, "")
    }

    /// A declaration of `declarator` with this type: `struct ifnet *if_next`.
    ///
    /// The declarator may itself be of several parts: `*(*x)[3]`.
    pub fn declare(&self, id: TypeId, declarator: &str) -> String {
        self.declare_within(id, declarator.to_owned(), MAX_DEPTH)
    }

    fn declare_within(&self, id: TypeId, inner: String, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else { return join("…", &inner) };
        let Ok(found) = self.get(id) else { return join("<damaged type>", &inner) };
        match &*found {
            Type::Pointer(pointer) => {
                let suffix = self.is_suffixed(pointer.target);
                let inner = if suffix { format!("(*{inner})") } else { format!("*{inner}") };
                self.declare_within(pointer.target, inner, depth)
            }
            Type::Qualified(qualified) => self.declare_qualified(qualified, &inner, depth),
            Type::Array(array) => {
                let mut inner = inner;
                for count in &array.counts {
                    inner += &count.map_or("[]".to_owned(), |count| format!("[{count}]"));
                }
                self.declare_within(array.element, inner, depth)
            }
            Type::Function(function) => {
                let mut parameters: Vec<String> = function
                    .parameters
                    .iter()
                    .map(|&parameter| self.declare_within(parameter, String::new(), depth))
                    .collect();
                if function.variadic {
                    parameters.push("...".into());
                }
                if parameters.is_empty() && function.prototyped {
                    parameters.push("void".into());
                }
                let inner = format!("{inner}({})", parameters.join(", "));
                self.declare_within(function.returns, inner, depth)
            }
            other => join(&plain_name(other), &inner),
        }
    }

    /// Qualifiers of a pointer stand behind the star, others in front of the name.
    fn declare_qualified(&self, qualified: &Qualified, inner: &str, depth: usize) -> String {
        let word = match qualified.qualifier {
            Qualifier::Const => "const",
            Qualifier::Volatile => "volatile",
            Qualifier::Restrict => "restrict",
            Qualifier::Atomic => "_Atomic",
        };
        let pointer = matches!(self.get(qualified.target).as_deref(), Ok(Type::Pointer(_)));
        if pointer || self.is_qualified_pointer(qualified.target) {
            let word =
                if inner.is_empty() { format!(" {word}") } else { format!(" {word} {inner}") };
            return self.declare_within(qualified.target, word, depth);
        }
        format!("{word} {}", self.declare_within(qualified.target, inner.to_owned(), depth))
    }

    fn is_qualified_pointer(&self, mut id: TypeId) -> bool {
        for _ in 0..MAX_DEPTH {
            match self.get(id).as_deref() {
                Ok(Type::Qualified(qualified)) => id = qualified.target,
                Ok(Type::Pointer(_)) => return true,
                _ => return false,
            }
        }
        false
    }

    /// Does C write part of this type behind the declarator?
    fn is_suffixed(&self, mut id: TypeId) -> bool {
        for _ in 0..MAX_DEPTH {
            match self.get(id).as_deref() {
                Ok(Type::Array(_) | Type::Function(_)) => return true,
                Ok(Type::Qualified(qualified)) => id = qualified.target,
                _ => return false,
            }
        }
        false
    }
}

/// The name of a type that has no declarator of its own.
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
