//! `type`: splits the words into names of types, and opens the kernel that has them.

use vnetkvm::answers;
use vnetkvm::error::TypeError;
use vnetkvm::kernel::Kernel;
use vnetkvm::session::MissingTypes;
use vnetkvm::types::Types;

use crate::args::Globals;
use crate::exit::{Failure, Outcome};
use crate::output::show;
use crate::{context, hints, limits};

pub fn run(globals: &Globals, words: &[String]) -> anyhow::Result<Outcome> {
    let names = names(words)?;
    context::with_kernel(globals, |kernel| {
        let wanted = globals.input.wanted_types();
        let types = Types::load_from(kernel, wanted).map_err(|why| no_types(kernel, why))?;
        limits::set_budget(globals, types.budget(), types.budget().allowance());
        show(globals, answers::types(kernel, &types, &names))
    })
}

fn no_types(kernel: &Kernel, why: TypeError) -> anyhow::Error {
    let missing = MissingTypes::of(kernel, &why);
    Failure::new("the kernel's types are not available")
        .hint(hints::missing_types(&missing))
        .because(why)
}

/// Splits the words into names of types. A name may have several words: `struct vnet`,
/// `unsigned long`, `ifnet_t *`. `@MODULE.ko` is an error: only the types of the kernel file are
/// searched.
fn names(words: &[String]) -> Result<Vec<String>, Failure> {
    const TAGS: [&str; 4] = ["struct", "union", "enum", "class"];
    const BASE: [&str; 8] =
        ["unsigned", "signed", "long", "short", "int", "char", "double", "_Complex"];
    let mut names: Vec<String> = Vec::new();
    for word in words {
        let word = word.trim();
        if word.is_empty() {
            return Err(Failure::new("the name of a type is empty")
                .hint("use a name such as `struct vnet`"));
        }
        if let Some((name, module)) = word.split_once('@').filter(|(_, at)| at.ends_with(".ko")) {
            let what = format!("{word}: only the types of the kernel file are searched");
            return Err(Failure::new(what)
                .hint(format!("name the module instead: `vnetkvm -N {module} type {name}`")));
        }
        let goes_on = names.last().is_some_and(|name| {
            let last = name.rsplit(' ').next().unwrap_or_default();
            let qualified = ["const", "volatile"].contains(&last);
            let pointer = word.chars().all(|c| matches!(c, '*' | ' '));
            let base = BASE.contains(&last) && BASE.contains(&word);
            TAGS.contains(&last) || qualified || pointer || base
        });
        match names.last_mut().filter(|_| goes_on) {
            Some(name) => *name = format!("{name} {word}"),
            None => names.push(word.to_owned()),
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_several_words() {
        for (words, wanted) in [
            (&["struct", "vnet"][..], &["struct vnet"][..]),
            (&["struct vnet", "ifnet"], &["struct vnet", "ifnet"]),
            (&["struct", "vnet", "union", "x"], &["struct vnet", "union x"]),
            (&["unsigned", "long", "int", "u_int"], &["unsigned long int", "u_int"]),
            (&["const", "struct", "vnet", "*"], &["const struct vnet *"]),
            (&["a", "b"], &["a", "b"]),
        ] {
            let words: Vec<String> = words.iter().map(ToString::to_string).collect();
            assert_eq!(names(&words).unwrap(), wanted);
        }
        assert!(names(&[String::new()]).is_err());
        assert!(names(&["vnet".to_owned(), " ".to_owned()]).is_err());
    }
}
