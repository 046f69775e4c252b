//! How an unfinished line may go on.

use clap::{Arg, ValueHint};
use vnetkvm::answers::completions::{Vocabulary, completions, interfaces, plain_jails};
use vnetkvm::expr::Kept;
use vnetkvm::session::{Names, Place, Session};
use vnetkvm::vnet::Stack;

use super::definition::Definition;
use super::files;
use super::found::{Found, found, whole};
use super::line::OWN;

/// What is known while a line is typed.
pub struct Known<'s> {
    pub definition: &'s Definition,
    pub session: &'s Session,
    pub vocabulary: &'s Vocabulary,
    /// The vnet that the line would be about.
    pub stack: Stack<'s>,
    pub kept: &'s Kept,
}

impl Known<'_> {
    /// `line` ends where the cursor stands.
    pub fn complete(&self, line: &str) -> Found {
        let begins = line.len() - line.trim_start().len();
        let first = line[begins..].split([' ', '\t']).next().unwrap_or_default();
        if begins + first.len() == line.len() {
            return self.first_word(line, begins, first);
        }
        let word = line.rfind([' ', '\t']).map_or(0, |space| space + 1);
        let (start, last) = (word, &line[word..]);
        match first {
            "help" => whole(start, self.commands(last)),
            "source" => files::beginning(start, last, false),
            "jail" => found(start, self.vnets(last, false)),
            "vnet" => found(start, self.vnets(last, true)),
            "let" | "p" => self.expression(line),
            "print" if !last.starts_with('-') => self.expression(line),
            _ if self.definition.command(first).is_some() => {
                self.argument(first, &line[begins + first.len()..start], start, last)
            }
            _ => self.expression(line),
        }
    }

    fn first_word(&self, line: &str, start: usize, first: &str) -> Found {
        let mut commands = self.commands(first);
        commands.extend(OWN.iter().filter(|own| own.starts_with(first)).map(|&own| own.into()));
        commands.sort_unstable();
        commands.dedup();
        let mut names = self.expression(line);
        // Until something is typed, only commands are offered: there are hundreds of variables.
        if first.is_empty() || names.words.is_empty() {
            return whole(start, commands);
        }
        if names.start == start {
            names.words.extend(commands);
            names.words.sort_unstable();
            names.words.dedup();
        }
        names
    }

    fn commands(&self, prefix: &str) -> Vec<String> {
        let names = self.definition.offered().map(|(name, _)| name);
        names.filter(|name| name.starts_with(prefix)).collect()
    }

    fn expression(&self, text: &str) -> Found {
        let names = Names { cpu: None, kept: Some(self.kept) };
        let place = Place { stack: self.stack, names };
        let completed = completions(self.session, self.vocabulary, place, text);
        found(completed.start, completed.words)
    }

    /// A word of a command, behind the words `before`.
    fn argument(&self, command: &str, before: &str, start: usize, word: &str) -> Found {
        if let Some((option, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
            let start = start + option.len() + 1;
            return match self.definition.argument(command, option) {
                Some(argument) => self.value(command, argument, before, start, value),
                None => Found::default(),
            };
        }
        let previous = before.split_whitespace().next_back().unwrap_or_default();
        if previous.starts_with('-')
            && self.definition.option(command, previous) == Some(true)
            && let Some(argument) = self.definition.argument(command, previous)
        {
            return self.value(command, argument, before, start, word);
        }
        if word.starts_with('-') {
            return whole(start, self.definition.options(command, word));
        }
        match self.definition.positional(command) {
            Some(argument) => self.value(command, argument, before, start, word),
            None => Found::default(),
        }
    }

    fn value(
        &self,
        command: &str,
        argument: &Arg,
        before: &str,
        start: usize,
        word: &str,
    ) -> Found {
        let offered = argument.get_possible_values();
        if !offered.is_empty() {
            let names = offered.iter().map(|value| value.get_name().to_owned());
            return whole(start, names.filter(|name| name.starts_with(word)).collect());
        }
        match (argument.get_value_hint(), argument.get_id().as_str(), command) {
            (ValueHint::FilePath | ValueHint::AnyPath, _, _) => {
                files::beginning(start, word, false)
            }
            (ValueHint::DirPath, _, _) => files::beginning(start, word, true),
            (_, "vnet", _) => found(start, self.vnets(word, true)),
            (_, "jail", _) => found(start, self.vnets(word, false)),
            (_, "patterns", "vars" | "counters") | (_, _, "diff" | "gdb") => {
                found(start, self.vocabulary.variables(self.session, word))
            }
            (_, "names", "interfaces") => whole(start, interfaces(self.session, self.stack, word)),
            (_, "names", "sysctl") => found(start, self.vocabulary.sysctls(self.session, word)),
            (_, _, "type") => found(start, self.types(before, word)),
            (_, _, "read" | "whatis") => {
                let completed = self.expression(word);
                Found { start: start + completed.start, ..completed }
            }
            _ => Found::default(),
        }
    }

    fn types(&self, before: &str, prefix: &str) -> Vec<String> {
        let tag = before.split_whitespace().next_back();
        let tag = tag.filter(|word| matches!(*word, "struct" | "union" | "enum"));
        match tag {
            Some(tag) => self.vocabulary.types(self.session, &format!("{tag} "), prefix),
            // The word struct is optional.
            None => {
                let mut names = self.vocabulary.types(self.session, "struct ", prefix);
                names.extend(self.vocabulary.types(self.session, "", prefix));
                names.retain(|name| !name.contains(' '));
                names.extend(
                    ["struct".into()].into_iter().filter(|tag: &String| tag.starts_with(prefix)),
                );
                names.sort_unstable();
                names.dedup();
                names
            }
        }
    }

    /// Jails, and perhaps the numbers of vnets.
    fn vnets(&self, prefix: &str, numbers: bool) -> Vec<String> {
        let mut words = plain_jails(self.session, prefix);
        words.extend(["none".to_owned()].into_iter().filter(|none| none.starts_with(prefix)));
        if let Some(vnets) = self.session.vnets().ok().filter(|_| numbers) {
            let indices = vnets.all.iter().filter_map(|vnet| vnet.index);
            let indices = indices.map(|index| index.to_string());
            words.extend(indices.filter(|index| index.starts_with(prefix)));
        }
        words
    }
}
