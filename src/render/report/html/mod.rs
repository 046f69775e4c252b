//! A report as one HTML file that fetches nothing.
//!
//! How: sections with headings, parts that fold, tables, and pictures as data. Without its script
//! the page is complete; the script filters rows and lines, and opens what is folded.
//! The page's own policy allows that script and that style by their hashes, and nothing else.

mod data;

use super::form::{Bound, Form, Kind};
use crate::answers::report::{Picture, Section};
use crate::answers::{Align, Column};
use crate::render::markup::Markup;
use crate::render::svg;
use data::DataUri;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The hashes of the two, with which the policy lets a browser use them.
const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-YqiU9RY/rA6yz3DAoX4ym7Rp1rVz6KYaIkTa7GsgxjE='; \
    script-src 'sha256-6SC8BakBSEQZEpI6SrFhQcqwYyMIfM+iDZk0DtjrrjI='; \
    img-src data:; base-uri 'none'; form-action 'none'";

/// HTML as it is made.
#[derive(Debug, Default)]
pub(in crate::render::report) struct Html(Markup);

impl Form for Html {
    fn front(&mut self, title: &str, about: &[String], sections: &[&'static Section]) {
        let page = &mut self.0;
        page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.tag("meta", &[("http-equiv", &"Content-Security-Policy"), ("content", &POLICY)]);
        page.raw("\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        page.raw("<meta name=\"referrer\" content=\"no-referrer\">\n");
        page.tag("meta", &[("name", &"generator"), ("content", &GENERATOR)]).raw("\n");
        page.element("title", title).raw("\n<style>").raw(STYLE).raw("</style>\n");
        page.raw("</head>\n<body>\n<header>\n").element("h1", title).raw("\n");
        for line in about {
            page.element("p", line).raw("\n");
        }
        page.raw("</header>\n");
        page.raw("<nav aria-label=\"Sections\"><ul>\n");
        for section in sections {
            let target = format!("#{}", section.id);
            page.raw("<li>").tag("a", &[("href", &target)]).text(section.title).raw("</a></li>\n");
        }
        page.raw("</ul></nav>\n<main>\n");
    }

    fn section(&mut self, section: &'static Section) {
        let page = &mut self.0;
        page.tag("section", &[("id", &section.id)]).raw("\n").element("h2", section.title);
        page.raw("\n<p class=\"about\">").text(section.about).raw("</p>\n");
    }

    fn end_section(&mut self) {
        self.0.raw("</section>\n");
    }

    fn fold(&mut self, title: &str, open: bool) {
        let inside = std::mem::take(&mut self.0);
        let page = &mut self.0;
        page.raw(if open { "<details open>" } else { "<details>" });
        page.raw("<summary>").element("h3", title).raw("</summary>\n");
        page.append(&inside).raw("</details>\n");
    }

    fn title(&mut self, title: &str, in_part: bool) {
        self.0.element(if in_part { "h4" } else { "h3" }, title).raw("\n");
    }

    fn lines(&mut self, bound: Bound) {
        self.0.raw(if bound == Bound::Begin { "<pre>\n" } else { "</pre>\n" });
    }

    fn line(&mut self, line: &str) {
        self.0.text(line).raw("\n");
    }

    fn entries(&mut self, bound: Bound) {
        let begin = "<div class=\"wide\"><table class=\"entries\"><tbody>\n";
        self.0.raw(if bound == Bound::Begin { begin } else { "</tbody></table></div>\n" });
    }

    fn entry(&mut self, key: &str, value: &str) {
        self.0.raw("<tr><th scope=\"row\">").text(key).raw("</th><td>").text(value);
        self.0.raw("</td></tr>\n");
    }

    fn table(&mut self, columns: &[Column]) {
        self.0.raw("<div class=\"wide\"><table><thead><tr>");
        for column in columns {
            match column.align {
                Align::Left => self.0.raw("<th>"),
                Align::Right => self.0.raw("<th class=\"n\">"),
            };
            self.0.text(&column.title).raw("</th>");
        }
        self.0.raw("</tr></thead><tbody>\n");
    }

    fn row(&mut self, columns: &[Column], cells: &[String]) {
        self.0.raw("<tr>");
        for (place, cell) in cells.iter().enumerate() {
            match columns.get(place).map(|column| column.align) {
                Some(Align::Right) => self.0.raw("<td class=\"n\">"),
                _ => self.0.raw("<td>"),
            };
            self.0.text(cell).raw("</td>");
        }
        self.0.raw("</tr>\n");
    }

    fn end_table(&mut self) {
        self.0.raw("</tbody></table></div>\n");
    }

    fn say(&mut self, kind: Kind, text: &str) {
        self.0.raw(match kind {
            Kind::Fault => "<p class=\"fault\">",
            Kind::Problem => "<p class=\"problem\">",
            Kind::Warning => "<p class=\"warning\">",
            Kind::Note | Kind::Nothing | Kind::LeftOut => "<p class=\"note\">",
        });
        if let Some(label) = kind.label() {
            self.0.element("b", label).raw(": ");
        }
        self.0.text(text).raw("</p>\n");
    }

    fn picture(&mut self, picture: &Picture<'_>, room: u64) {
        let mut data = DataUri::new(room);
        // Text cannot fail to be written; a picture that does not fit is left out.
        let drawn = match picture {
            Picture::Wiring(topology) => svg::write(topology, &mut data),
            Picture::ModuleSpace(space) => svg::module_space(space, &mut data),
            Picture::Construction(vnets) => svg::construction(vnets, &mut data),
        };
        match drawn {
            Ok(()) => {
                let attributes: [(_, &dyn std::fmt::Display); 2] =
                    [("src", &data), ("alt", &picture.about())];
                self.0.raw("<figure>").tag("img", &attributes).raw("</figure>\n");
            }
            Err(_) => self.say(Kind::LeftOut, "the picture is left out: it is too large"),
        }
    }

    fn end(&mut self) {
        self.0.raw("</main>\n<script>").raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
    }

    fn made(&self) -> &str {
        self.0.as_str()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

const GENERATOR: &str = concat!("vnetkvm ", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    /// A browser refuses what has another hash.
    #[test]
    fn the_policy_names_the_script_and_the_style() {
        for (kind, text) in [("style", STYLE), ("script", SCRIPT)] {
            let hash = BASE64_STANDARD.encode(Sha256::digest(text));
            let source = format!("{kind}-src 'sha256-{hash}';");
            assert!(POLICY.contains(&source), "POLICY must have {source}");
            assert!(!text.contains("</"), "{kind} would end early");
        }
    }
}
