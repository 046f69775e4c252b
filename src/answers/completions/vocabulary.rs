//! The words that are known without any context.

use std::cell::OnceCell;

use crate::kernel::SymbolKind;
use crate::session::{Names, Session};

/// The words of the expression language.
const LANGUAGE: [&str; 20] = [
    "DPCPU",
    "container_of",
    "count",
    "cpu",
    "curthread",
    "curvnet",
    "enum",
    "jail",
    "max",
    "min",
    "offsetof",
    "sizeof",
    "struct",
    "sum",
    "thread",
    "typeof",
    "union",
    "uniq",
    "unsigned",
    "vnet",
];

/// The names of a kernel, sorted. They are collected when they are first needed, and are the same
/// in every session of that kernel.
#[derive(Debug, Default)]
pub struct Vocabulary {
    variables: OnceCell<Vec<String>>,
    globals: OnceCell<Vec<String>>,
    types: OnceCell<Vec<String>>,
}

impl Vocabulary {
    /// The variables, other globals, functions and words of the language that begin so, sorted. A
    /// variable of vnets may have its `V_`.
    pub fn names(&self, session: &Session, prefix: &str) -> Vec<String> {
        let (mark, bare) = match prefix.strip_prefix("V_") {
            Some(bare) => ("V_", bare),
            None => ("", prefix),
        };
        let variables = beginning(self.of_variables(session), bare);
        let mut words: Vec<String> = variables.iter().map(|name| format!("{mark}{name}")).collect();
        words.extend(LANGUAGE.iter().filter(|word| word.starts_with(prefix)).map(|&it| it.into()));
        // There are too many to begin with.
        if !prefix.is_empty() {
            words.extend_from_slice(beginning(self.of_globals(session), prefix));
        }
        words.sort_unstable();
        words.dedup();
        words
    }

    /// The variables of vnets that begin so, sorted.
    pub fn variables(&self, session: &Session, prefix: &str) -> Vec<String> {
        beginning(self.of_variables(session), prefix).to_vec()
    }

    /// The types that begin with `before` and `prefix`, without the former; sorted.
    pub fn types(&self, session: &Session, before: &str, prefix: &str) -> Vec<String> {
        let types = self
            .types
            .get_or_init(|| session.types().map(|types| types.all_names()).unwrap_or_default());
        let found = beginning(types, &format!("{before}{prefix}"));
        found.iter().map(|name| name[before.len()..].to_owned()).collect()
    }

    fn of_variables(&self, session: &Session) -> &[String] {
        self.variables.get_or_init(|| {
            let all = session.variables(&[]).unwrap_or_default();
            sorted(all.into_iter().map(|variable| variable.name.into()).collect())
        })
    }

    fn of_globals(&self, session: &Session) -> &[String] {
        self.globals.get_or_init(|| {
            let named = session.kernel().symbols().filter(|symbol| {
                matches!(symbol.kind, SymbolKind::Object | SymbolKind::Function)
                    && symbol.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
            sorted(named.map(|symbol| symbol.name.to_owned()).collect())
        })
    }
}

/// The jails whose names begin so, sorted. Names that would need quotation marks are left out.
pub fn plain_jails(session: &Session, prefix: &str) -> Vec<String> {
    let Ok(jails) = session.jails() else { return Vec::new() };
    let names = jails.jails.iter().filter(|jail| jail.jid != 0).map(|jail| jail.name.to_string());
    let is_plain = |name: &String| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    sorted(names.filter(|name| name.starts_with(prefix) && is_plain(name)).collect())
}

/// The names of kept values that begin so, sorted.
pub fn kept(names: Names<'_>, prefix: &str) -> Vec<String> {
    let names = names.kept.map(|kept| kept.names()).unwrap_or_default();
    let names = names.into_iter().map(|name| format!("${name}"));
    names.filter(|name| name.starts_with(prefix)).collect()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}

/// The part of a sorted list that begins so.
fn beginning<'n>(names: &'n [String], prefix: &str) -> &'n [String] {
    let start = names.partition_point(|name| name.as_str() < prefix);
    let rest = &names[start..];
    let len = rest.partition_point(|name| name.starts_with(prefix));
    &rest[..len]
}
