//! Words of a command line that are options.

use clap::{Arg, Command};

/// The option that a word is, by its id, and whether the next word is its value; `None` if
/// it is none.
pub fn option_of<'d>(word: &str, definition: &'d Command) -> Option<(&'d str, bool)> {
    let takes_value = |arg: &Arg| arg.get_action().takes_values();
    if let Some(long) = word.strip_prefix("--") {
        let (name, has_value) = match long.split_once('=') {
            Some((name, _)) => (name, true),
            None => (long, false),
        };
        let found = definition.get_arguments().find(|arg| arg.get_long() == Some(name));
        return Some(
            found
                .map_or(("", false), |arg| (arg.get_id().as_str(), !has_value && takes_value(arg))),
        );
    }
    let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty())?;
    // `-vN FILE`, `-NFILE`
    for (at, letter) in letters.char_indices() {
        let found = definition.get_arguments().find(|arg| arg.get_short() == Some(letter));
        if let Some(arg) = found.filter(|arg| takes_value(arg)) {
            return Some((arg.get_id().as_str(), letters.len() == at + letter.len_utf8()));
        }
    }
    Some(("", false))
}
