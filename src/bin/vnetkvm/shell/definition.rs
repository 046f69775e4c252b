//! The commands and options that a line may have.

use clap::{Arg, Command};

use crate::hints;
use crate::option_word::option_of;
use crate::usage;

/// Commands that have nothing to do with the dump that is open, or that wait for others.
const REFUSED: &[&str] = &["completions", "gdb-server", "help", "image", "man", "shell"];

/// The definition of the command line, with the options of all commands at each.
pub struct Definition(Command);

impl Definition {
    pub fn new() -> Self {
        let mut definition = usage::command();
        definition.build();
        Self(definition)
    }

    /// The names of the commands that the shell runs, each with one line about it.
    pub fn offered(&self) -> impl Iterator<Item = (String, String)> {
        let commands = self.0.get_subcommands();
        let offered = commands.filter(|command| !REFUSED.contains(&command.get_name()));
        offered.map(|command| {
            let about = command.get_about().map(ToString::to_string);
            (command.get_name().to_owned(), about.unwrap_or_default())
        })
    }

    pub fn command(&self, name: &str) -> Option<&Command> {
        self.0.find_subcommand(name)
    }

    /// The options of a command that begin so.
    pub fn options(&self, command: &str, prefix: &str) -> Vec<String> {
        let arguments = self.command(command).into_iter().flat_map(Command::get_arguments);
        let offered = arguments.filter(|argument| !argument.is_hide_set());
        let offered = offered.filter(|argument| !usage::is_of_opening(argument.get_id().as_str()));
        let words = offered.filter_map(|argument| Some(format!("--{}", argument.get_long()?)));
        words.filter(|word| word.starts_with(prefix)).collect()
    }

    /// The option that a word names.
    pub fn argument(&self, command: &str, word: &str) -> Option<&Arg> {
        let command = self.command(command)?;
        let (id, _) = option_of(word, command)?;
        command.get_arguments().find(|argument| argument.get_id() == id)
    }

    /// What a command takes that is no option.
    pub fn positional(&self, command: &str) -> Option<&Arg> {
        self.command(command)?.get_positionals().next()
    }

    /// The commands that a word may have been meant for: one whose name is like it, or those for what
    /// another program shows.
    pub fn commands_like(&self, word: &str) -> Vec<String> {
        let known = hints::instead_of(word);
        if !known.is_empty() {
            return known;
        }
        let furthest = if word.len() < 5 { 1 } else { 2 };
        let names = self.offered().map(|(name, _)| (strsim::osa_distance(&name, word), name));
        let near = names.filter(|(distance, _)| *distance <= furthest);
        near.min().map(|(_, name)| name).into_iter().collect()
    }

    /// Whether the value of the option `word` is the next word; `None` if it is no option of the
    /// command. Two dashes always begin an option.
    pub fn option(&self, command: &str, word: &str) -> Option<bool> {
        let (id, takes_next) = option_of(word, self.command(command)?)?;
        (word.starts_with("--") || !id.is_empty()).then_some(takes_next)
    }
}
