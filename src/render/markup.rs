//! HTML, XML and what is written into them. Only this file knows how text is escaped.

use std::fmt::{self, Write};

/// Markup that is being made. Tags are written in the program; everything else is escaped, so that
/// no text of a dump can become a tag.
#[derive(Debug, Default)]
pub(crate) struct Markup(String);

/// Names and values, which are escaped.
type Attributes<'a> = [(&'static str, &'a dyn fmt::Display)];

impl Markup {
    /// Adds markup that stands in the program.
    pub fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text.
    pub fn text(&mut self, text: impl fmt::Display) -> &mut Self {
        // Writing to a String cannot fail.
        let _ = write!(Escaping(&mut self.0), "{text}");
        self
    }

    /// Adds a tag with attributes: `<td class="n">`.
    pub fn tag(&mut self, name: &'static str, attributes: &Attributes<'_>) -> &mut Self {
        self.start(name, attributes).raw(">")
    }

    /// Adds an element of XML without content: `<rect width="4"/>`.
    pub fn empty(&mut self, name: &'static str, attributes: &Attributes<'_>) -> &mut Self {
        self.start(name, attributes).raw("/>")
    }

    fn start(&mut self, name: &'static str, attributes: &Attributes<'_>) -> &mut Self {
        self.raw("<").raw(name);
        for (key, value) in attributes {
            self.raw(" ").raw(key).raw("=\"").text(value).raw("\"");
        }
        self
    }

    /// Adds an element with text: `<td>4</td>`.
    pub fn element(&mut self, name: &'static str, text: impl fmt::Display) -> &mut Self {
        self.tag(name, &[]).text(text).end(name)
    }

    /// Adds the tag that ends an element.
    pub fn end(&mut self, name: &'static str) -> &mut Self {
        self.raw("</").raw(name).raw(">")
    }

    /// Adds other markup.
    pub fn append(&mut self, markup: &Self) -> &mut Self {
        self.0.push_str(&markup.0);
        self
    }

    /// What has been made so far.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Forgets what has been made so far.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Escapes what is written through it.
struct Escaping<'a>(&'a mut String);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write!(self.0, "{}", Escaped(text))
    }
}

/// Text whose characters have no meaning in XML.
struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            // XML 1.0 has no other control characters, and no such code points.
            '\t' | '\n' => f.write_str(" "),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => f.write_str("\u{fffd}"),
            c => write!(f, "{c}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            Escaped("<a b=\"c\">&'\u{1b}").to_string(),
            "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}"
        );
    }

    #[test]
    fn only_the_program_writes_tags() {
        let mut markup = Markup::default();
        let hostile = "\"><script>";
        markup.tag("td", &[("title", &hostile)]).text(hostile).end("td").element("b", 3);
        let safe = "&quot;&gt;&lt;script&gt;";
        assert_eq!(markup.as_str(), format!("<td title=\"{safe}\">{safe}</td><b>3</b>"));
    }
}
