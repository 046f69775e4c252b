//! Templates as they are written: text, paths in braces, and escapes as in printf(1).

use std::fmt;
use std::ops::Range;

use crate::shorten::caret;

/// What is written for each element of an answer: `{vnet.index}\t{name}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    pub(super) parts: Vec<Part>,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// It is written as it is.
    Text(String),
    /// What is written is found along a path; the element itself is at the end of an empty one.
    Path(Vec<Step>),
}

/// A step of a path, into a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name`
    Member(Box<str>),
    /// `[3]`
    Index(u64),
    /// `[*]`
    All,
}

/// The text is not a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The whole text.
    pub text: Box<str>,
    /// The bytes of `text` that are wrong.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub fault: TemplateFault,
}

/// What is wrong with a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateFault {
    /// `{name`
    #[error("this brace is not closed")]
    Unclosed,
    /// `name}`
    #[error("this brace closes nothing")]
    Unopened,
    /// `{vnet.}`
    #[error("the name of a member is missing")]
    NoName,
    /// `{name:>10}`
    #[error("{0:?} cannot stand in a path")]
    Character(char),
    /// `{addresses[-1]}`
    #[error("an index is a number, or * for all elements")]
    Index,
    /// `\q`
    #[error("there is no such escape")]
    Escape,
    /// `{{name}}`
    #[error("the template names no member")]
    NoPath,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A path or an escape is wrong, or there is no path.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let failed =
            |(span, fault): (Range<usize>, _)| TemplateError { text: text.into(), span, fault };
        let parts = parts(text).map_err(failed)?;
        if !parts.iter().any(|part| matches!(part, Part::Path(_))) {
            return Err(failed((0..text.len(), TemplateFault::NoPath)));
        }
        Ok(Self { text: text.into(), parts })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it ends what it writes by itself, with a new line or a NUL.
    pub(super) fn ends_itself(&self) -> bool {
        matches!(self.parts.last(), Some(Part::Text(text)) if text.ends_with(['\n', '\0']))
    }
}

/// The bytes that are wrong, and why.
type Wrong = (Range<usize>, TemplateFault);

fn parts(text: &str) -> Result<Vec<Part>, Wrong> {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let at = text.len() - rest.len();
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        let next = behind.chars().next();
        rest = match (c, next) {
            ('{', Some('{')) | ('}', Some('}')) => {
                plain.push(c);
                behind.get(1..).unwrap_or_default()
            }
            ('{', _) => {
                let inner = behind.split(['{', '}']).next().unwrap_or_default();
                let Some(behind) = behind.get(inner.len()..).and_then(|it| it.strip_prefix('}'))
                else {
                    return Err((at..at + 1, TemplateFault::Unclosed));
                };
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Path(path(inner, at + 1)?));
                behind
            }
            ('}', _) => return Err((at..at + 1, TemplateFault::Unopened)),
            ('\\', next) => {
                plain.push(match next {
                    Some('t') => '\t',
                    Some('n') => '\n',
                    Some('0') => '\0',
                    Some('\\') => '\\',
                    next => {
                        let end = at + 1 + next.map_or(0, char::len_utf8);
                        return Err((at..end, TemplateFault::Escape));
                    }
                });
                behind.get(1..).unwrap_or_default()
            }
            _ => {
                plain.push(c);
                behind
            }
        };
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// The path `text`, which begins at the byte `start` of the template. It may begin with a dot.
fn path(text: &str, start: usize) -> Result<Vec<Step>, Wrong> {
    let mut steps = Vec::new();
    let mut rest = text.strip_prefix('.').unwrap_or(text);
    if rest.is_empty() {
        return Ok(steps);
    }
    loop {
        let (name, behind) = split_name(rest);
        let at = start + text.len() - rest.len();
        match behind.chars().next() {
            Some(c) if !['.', '['].contains(&c) => {
                let at = at + name.len();
                return Err((at..at + c.len_utf8(), TemplateFault::Character(c)));
            }
            _ if name.is_empty() => return Err((at..at, TemplateFault::NoName)),
            _ => steps.push(Step::Member(name.into())),
        }
        rest = indices(behind, start + text.len() - behind.len(), &mut steps)?;
        let Some(member) = rest.strip_prefix('.') else { break };
        rest = member;
    }
    match rest.chars().next() {
        None => Ok(steps),
        Some(c) => {
            let at = start + text.len() - rest.len();
            Err((at..at + c.len_utf8(), TemplateFault::Character(c)))
        }
    }
}

/// Takes the indices that `text` begins with, and gives what is behind them.
fn indices<'t>(text: &'t str, start: usize, steps: &mut Vec<Step>) -> Result<&'t str, Wrong> {
    let mut rest = text;
    while let Some(inner) = rest.strip_prefix('[') {
        let at = start + text.len() - rest.len();
        let wrong = |end: usize| (at..at + end, TemplateFault::Index);
        let (index, behind) = inner.split_once(']').ok_or_else(|| wrong(rest.len()))?;
        steps.push(match index {
            "*" => Step::All,
            // parse() would take a plus sign.
            _ if index.starts_with(|c: char| c.is_ascii_digit()) => {
                Step::Index(index.parse().map_err(|_| wrong(index.len() + 2))?)
            }
            _ => return Err(wrong(index.len() + 2)),
        });
        rest = behind;
    }
    Ok(rest)
}

/// The name that `text` begins with, and what is behind it.
fn split_name(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '$')));
    text.split_at(end.unwrap_or(text.len()))
}

impl TemplateError {
    /// The template with the wrong part underlined.
    pub fn caret(&self) -> String {
        caret(&self.text, &self.span)
    }
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for TemplateError {}

/// A path as it is written, without braces.
pub(super) fn shown(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Member(name) if text.is_empty() => text.push_str(name),
            Step::Member(name) => text.extend([".", name]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::All => text.push_str("[*]"),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_and_paths() {
        let parts = Template::parse("a{{\\t{b.c-d[7][*].e}\\\\}}{}{.f}").unwrap().parts;
        let member = |name: &str| Step::Member(name.into());
        assert_eq!(
            parts,
            [
                Part::Text("a{\t".to_owned()),
                Part::Path(vec![
                    member("b"),
                    member("c-d"),
                    Step::Index(7),
                    Step::All,
                    member("e")
                ]),
                Part::Text("\\}".to_owned()),
                Part::Path(vec![]),
                Part::Path(vec![member("f")]),
            ]
        );
        let Part::Path(steps) = &parts[1] else { panic!() };
        assert_eq!(shown(steps), "b.c-d[7][*].e");
    }

    #[test]
    fn a_mistake_is_underlined() {
        use TemplateFault::{Character, Escape, Index, NoName, NoPath, Unclosed, Unopened};
        for (text, fault, marks) in [
            ("é {name", Unclosed, "  ^"),
            ("{a{b}", Unclosed, "^"),
            ("{a}}", Unopened, "   ^"),
            ("{a..b}", NoName, "   ^"),
            ("{a.}", NoName, "   ^"),
            ("{a b}", Character(' '), "  ^"),
            ("{[0]}", NoName, " ^"),
            ("{a[0]b}", Character('b'), "     ^"),
            ("{a]}", Character(']'), "  ^"),
            ("{ab[-1]}", Index, "   ^^^^"),
            ("{a[+1]}", Index, "  ^^^^"),
            ("{a[]}", Index, "  ^^"),
            ("{a[1}", Index, "  ^^"),
            ("{a[18446744073709551616]}", Index, "  ^^^^^^^^^^^^^^^^^^^^^^"),
            ("{a}\\é", Escape, "   ^^"),
            ("{a}\\", Escape, "   ^"),
            ("{{a}}", NoPath, "^^^^^"),
            ("", NoPath, "^"),
        ] {
            let error = Template::parse(text).unwrap_err();
            assert_eq!(error.fault, fault, "{text}");
            assert_eq!(error.caret(), format!("{text}\n{marks}"));
        }
    }
}
