//! A report as Markdown, as GitHub reads it.
//!
//! Text that could mean something in Markdown, or that GitHub would make a link or a mention of,
//! stands in code spans and code blocks, whose ends no text can forge.

use super::form::{Bound, Form, Kind};
use crate::answers::report::{Picture, Section};
use crate::answers::{Align, Column};

/// Markdown as it is made.
#[derive(Debug, Default)]
pub(super) struct Markdown {
    made: String,
    /// The lines of a code block that is not ended.
    lines: Vec<String>,
}

impl Markdown {
    /// Adds a paragraph.
    fn paragraph(&mut self, text: &str) {
        self.made.push_str(text);
        self.made.push_str("\n\n");
    }
}

impl Form for Markdown {
    fn front(&mut self, title: &str, about: &[String], _: &[&'static Section]) {
        self.paragraph(&format!("# {}", inline(title)));
        about.iter().for_each(|line| self.paragraph(&inline(line)));
    }

    fn section(&mut self, section: &'static Section) {
        self.paragraph(&format!("## {}", section.title));
        self.paragraph(section.about);
    }

    fn end_section(&mut self) {}

    fn fold(&mut self, title: &str, _: bool) {
        self.made.insert_str(0, &format!("### {}\n\n", inline(title)));
    }

    fn title(&mut self, title: &str, in_part: bool) {
        let level = if in_part { "####" } else { "###" };
        self.paragraph(&format!("{level} {}", inline(title)));
    }

    fn lines(&mut self, bound: Bound) {
        if bound == Bound::End {
            let lines = std::mem::take(&mut self.lines);
            let longest = lines.iter().map(|line| backticks(line)).max().unwrap_or(0);
            let fence = "`".repeat(3.max(longest + 1));
            self.paragraph(&format!("{fence}text\n{}\n{fence}", lines.join("\n")));
        }
    }

    fn line(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }

    fn entries(&mut self, bound: Bound) {
        self.made.push_str(match bound {
            Bound::Begin => "| | |\n|---|---|\n",
            Bound::End => "\n",
        });
    }

    fn entry(&mut self, key: &str, value: &str) {
        self.made.push_str(&format!("| {} | {} |\n", cell(key), cell(value)));
    }

    fn table(&mut self, columns: &[Column]) {
        self.made.push('|');
        for column in columns {
            self.made.push_str(&format!(" {} |", cell(&column.title)));
        }
        self.made.push_str("\n|");
        for column in columns {
            self.made.push_str(match column.align {
                Align::Left => "---|",
                Align::Right => "---:|",
            });
        }
        self.made.push('\n');
    }

    fn row(&mut self, _: &[Column], cells: &[String]) {
        self.made.push('|');
        for text in cells {
            self.made.push_str(&format!(" {} |", cell(text)));
        }
        self.made.push('\n');
    }

    fn end_table(&mut self) {
        self.made.push('\n');
    }

    fn say(&mut self, kind: Kind, text: &str) {
        let text = inline(text);
        self.paragraph(&match kind.label() {
            Some(label) => format!("**{label}:** {text}"),
            None => format!("_{text}_"),
        });
    }

    /// What it shows stands below in words.
    fn picture(&mut self, _: &Picture<'_>, _: u64) {}

    fn end(&mut self) {}

    fn made(&self) -> &str {
        &self.made
    }

    fn clear(&mut self) {
        self.made.clear();
    }
}

/// Text within a paragraph or a heading.
fn inline(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { code(text) }
}

/// Text within a table, where a bar ends a cell even in code.
fn cell(text: &str) -> String {
    match is_plain(text) {
        true => text.to_owned(),
        // Before a bar, a backslash would be one of the table.
        false if text.contains("\\|") => entities(text),
        false => code(text).replace('|', "\\|"),
    }
}

/// Whether nothing in the text means anything to Markdown, or to GitHub.
fn is_plain(text: &str) -> bool {
    let tame = |c: char| c.is_alphanumeric() || " ,.:;/+%()'?=-".contains(c);
    let linked = text.contains("://") || text.contains("www.");
    let ends = text.starts_with(' ') || text.ends_with(' ') || text.contains("  ");
    // The first characters may make a list or a heading of it.
    let starts = text.starts_with(|c: char| c.is_alphanumeric() || c == '(');
    let numbered = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['.', ')']);
    text == "-" || text.chars().all(tame) && starts && !linked && !ends && !numbered
}

/// A code span that no backtick in the text can end.
fn code(text: &str) -> String {
    if text.trim().is_empty() {
        return entities(text);
    }
    let fence = "`".repeat(backticks(text) + 1);
    let touches = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let gap = if touches { " " } else { "" };
    format!("{fence}{gap}{text}{gap}{fence}")
}

/// Code in which every character that may mean something is a number.
fn entities(text: &str) -> String {
    let mut out = String::from("<code>");
    for c in text.chars() {
        match c.is_alphanumeric() {
            true => out.push(c),
            false => out.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    out.push_str("</code>");
    out
}

/// The longest run of backticks.
fn backticks(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_means_something_is_code() {
        assert_eq!(inline("vnet 1: web01, up"), "vnet 1: web01, up");
        assert_eq!(inline("a_b"), "`a_b`");
        assert_eq!(inline("`x`"), "`` `x` ``");
        assert_eq!(inline("<img src=x>"), "`<img src=x>`");
        assert_eq!(inline("@someone"), "`@someone`");
        assert_eq!(inline("http://example.org"), "`http://example.org`");
        assert_eq!(inline("- item"), "`- item`");
        assert_eq!(inline("1. item"), "`1. item`");
    }

    #[test]
    fn no_cell_ends_another() {
        assert_eq!(cell("a|b"), "`a\\|b`");
        assert_eq!(cell("a\\|b`"), "<code>a&#92;&#124;b&#96;</code>");
        assert_eq!(cell("-"), "-");
    }
}
