//! Hints for templates that are wrong, and for paths that no element of the answer has.

use vnetkvm::render::template::{NotFound, TemplateFault, Wanted};
use vnetkvm::types::most_similar;

use super::suggestion::did_you_mean;

pub fn mistake(fault: &TemplateFault) -> &'static str {
    match fault {
        TemplateFault::Unclosed | TemplateFault::Unopened => {
            "a path has braces around it, as in {name}; {{ and }} are braces themselves"
        }
        TemplateFault::Escape => r"the escapes are \t, \n, \0 and \\",
        TemplateFault::NoPath => {
            "a path has one pair of braces, as in {name}; {{ and }} are braces themselves"
        }
        _ => {
            "a path is made of names and indices: {name}, {vnet.index}, {addresses[0]}, {frames[*].function}"
        }
    }
}

pub fn not_found(missed: &NotFound) -> String {
    let NotFound { wanted, name, names, .. } = missed;
    if *wanted == Wanted::Elements {
        return "`--format jsonl` shows what the elements have".to_owned();
    }
    let near = most_similar(names.clone(), |known| known, name);
    did_you_mean(&near).unwrap_or_else(|| match &names[..] {
        [] => "it has no members; `--format jsonl` shows what the elements have".to_owned(),
        names => {
            const SHOWN: usize = 16;
            let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>();
            let more = if names.len() > SHOWN { ", …" } else { "" };
            format!("there are {}{more}", shown.join(", "))
        }
    })
}
