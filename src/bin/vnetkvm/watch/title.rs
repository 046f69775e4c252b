//! The title of what is watched: how often, and which command.

use std::time::Duration;

use clap::Command;
use unicode_width::UnicodeWidthStr;
use vnetkvm::render::sanitize;

use crate::option_word::option_of;

/// Options that only say that and how often to ask again.
const WATCHING: &[&str] = &["watch", "count"];

/// A title, which may be too long for its line.
pub struct Title {
    /// `Every 2s`
    every: String,
    /// The program's name.
    program: String,
    /// The options before the command.
    options: String,
    /// The command and what follows it.
    command: String,
}

impl Title {
    /// The title for a command line, which `definition` describes.
    pub fn new(pause: Duration, words: &[String], definition: &Command) -> Self {
        let (mut options, mut command) = (Vec::new(), Vec::new());
        let mut rest = words.iter().skip(1);
        while let Some(word) = rest.next() {
            let is_word = command.contains(&"--");
            let option = if is_word { None } else { option_of(word, definition) };
            let is_command = option.is_none() && command.is_empty();
            let part = match is_command || !command.is_empty() {
                true => &mut command,
                false => &mut options,
            };
            let value = option.filter(|(_, is_next)| *is_next).and_then(|_| rest.next());
            let is_watching = option.is_some_and(|(id, _)| WATCHING.contains(&id));
            if !is_watching {
                part.extend([Some(word), value].into_iter().flatten().map(String::as_str));
            }
        }
        let line = |words: &[&str]| sanitize::line(&words.join(" ")).into_owned();
        Self {
            every: format!("Every {}s", pause.as_secs_f64()),
            program: words.first().map_or(String::new(), |name| sanitize::line(name).into_owned()),
            options: line(&options),
            command: line(&command),
        }
    }

    /// The title for a line with so many columns. If it has no room for all, the command comes
    /// first.
    pub fn for_width(&self, width: usize) -> String {
        let Self { every, program, options, command } = self;
        let gap = if options.is_empty() { "" } else { " " };
        let whole = format!("{every}: {program}{gap}{options} {command}");
        if whole.width() <= width {
            return whole;
        }
        match options.is_empty() {
            true => format!("{every}: {command}"),
            false => format!("{every}: {command} ({options})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage;

    fn title(line: &str) -> Title {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Title::new(Duration::from_millis(500), &words, &usage::command())
    }

    #[test]
    fn options_about_watching_are_left_out() {
        for line in [
            "./v -N k -M q.raw --watch 0.5 --count 4 vnets",
            "./v --watch=0.5 -N k -M q.raw vnets --count=4",
            "./v -N k --count 4 -M q.raw vnets --watch 0.5",
        ] {
            assert_eq!(title(line).for_width(80), "Every 0.5s: ./v -N k -M q.raw vnets", "{line}");
        }
        let whole = "Every 0.5s: v vars -- --watch 1";
        assert_eq!(title("v --watch 1 vars -- --watch 1").for_width(80), whole);
    }

    #[test]
    fn the_command_comes_first_where_all_has_no_room() {
        let narrow = |line: &str| title(line).for_width(20);
        assert_eq!(
            narrow("v -N k -M vars vars --jail a"),
            "Every 0.5s: vars --jail a (-N k -M vars)"
        );
        assert_eq!(narrow("v -vN k --demo vars x"), "Every 0.5s: vars x (-vN k --demo)");
        assert_eq!(narrow("v vars a_long_name"), "Every 0.5s: vars a_long_name");
        assert_eq!(title("v vars a").for_width(20), "Every 0.5s: v vars a");
    }
}
