//! The words that are known without any context.

use std::cell::OnceCell;

use crate::expr::words;
use crate::kernel::SymbolKind;
use crate::session::{Names, Session};
use crate::views::interfaces::OnList;
use crate::vnet::Stack;

/// The names of a kernel, sorted. They are collected when they are first needed, and are the same
/// in every session of that kernel.
#[derive(Debug, Default)]
pub struct Vocabulary {
    variables: OnceCell<Vec<String>>,
    globals: OnceCell<Vec<String>>,
    types: OnceCell<Vec<String>>,
    sysctls: OnceCell<Vec<String>>,
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
        let mut found: Vec<String> = variables.iter().map(|name| format!("{mark}{name}")).collect();
        found.extend(words().filter(|word| word.starts_with(prefix)).map(Into::into));
        // There are too many to begin with.
        if !prefix.is_empty() {
            found.extend_from_slice(beginning(self.of_globals(session), prefix));
        }
        found.sort_unstable();
        found.dedup();
        found
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

    /// The sysctls and nodes whose names begin so, sorted: each up to the part of its name that
    /// goes on, as `net.` and then `net.inet.`.
    pub fn sysctls(&self, session: &Session, prefix: &str) -> Vec<String> {
        let all = self.sysctls.get_or_init(|| {
            let tree = session.sysctls(&[]).unwrap_or_default();
            sorted(tree.oids.into_iter().map(|oid| oid.name.into()).collect())
        });
        let up_to_dot = |name: &String| {
            let dot = name[prefix.len()..].find('.');
            dot.map_or(&**name, |dot| &name[..=prefix.len() + dot]).to_owned()
        };
        let mut found: Vec<String> = beginning(all, prefix).iter().map(up_to_dot).collect();
        found.dedup();
        found
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
    let names = jails.all().iter().filter(|jail| jail.jid != 0).map(|jail| jail.name.to_string());
    let is_plain = |name: &String| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    sorted(names.filter(|name| name.starts_with(prefix) && is_plain(name)).collect())
}

/// The interfaces of a network stack whose names begin so, sorted.
pub fn interfaces(session: &Session, stack: Stack<'_>, prefix: &str) -> Vec<String> {
    let Ok(copies) = session.copies(stack) else { return Vec::new() };
    let interfaces = OnList::read(&copies).interfaces;
    let names = interfaces.iter().filter_map(|interface| interface.text("if_xname").ok());
    sorted(names.filter(|name| name.starts_with(prefix)).collect())
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
