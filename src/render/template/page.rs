//! The page that an answer is laid out on by a template.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::parse::{Part as Piece, Step, Template};
use super::select::{Select, Stop};
use super::trace::{NotFound, Trace};
use crate::answers::memory::Memory;
use crate::answers::{About, Cell, Column, Elements, Medium, Page, Part, Row};
use crate::render::json::JsonWriter;
use crate::types::declaration::Declaration;

/// A page with a line for each element, which is written as it is laid out.
pub struct TemplatePage<'t, W> {
    out: JsonWriter<W>,
    template: &'t Template,
    part: Option<Part>,
    /// Elements have a vnet, because they are parts of an answer about one.
    have_vnet: bool,
    /// What each path came to, in the order of the template.
    traces: Vec<Trace>,
    /// The types of elements that the answer may have, and whether what there was of each had all
    /// members that there can be.
    types: BTreeMap<&'static str, bool>,
}

impl<'t, W: Write> TemplatePage<'t, W> {
    /// A page that writes to `out`.
    pub fn new(out: W, template: &'t Template) -> Self {
        Self {
            out: JsonWriter::new(out, false),
            template,
            part: None,
            have_vnet: false,
            traces: template.parts.iter().map(|_| Trace::default()).collect(),
            types: BTreeMap::new(),
        }
    }

    /// Writes what has been kept back, and says what no element has. Nothing is missed as long as
    /// elements that the answer may have did not occur: they could have had it.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn finish(self) -> io::Result<Option<NotFound>> {
        self.out.finish()?;
        if self.types.values().any(|had_all| !had_all) {
            return Ok(None);
        }
        let mut paths = self.template.parts.iter().zip(&self.traces);
        let mut missed = paths.find_map(|(piece, trace)| match piece {
            Piece::Text(_) => None,
            Piece::Path(steps) => trace.not_found(steps),
        });
        if let Some(missed) = missed.as_mut().filter(|missed| missed.path == missed.name)
            && self.have_vnet
        {
            missed.names.push("vnet".to_owned());
        }
        Ok(missed)
    }

    fn element<T: Row>(&mut self, element: &T) -> io::Result<()> {
        for (piece, trace) in self.template.parts.iter().zip(&mut self.traces) {
            let out = &mut self.out;
            let walked = match (piece, &self.part) {
                (Piece::Text(text), _) => {
                    out.raw(text);
                    continue;
                }
                (Piece::Path(steps), None) => element.serialize(Select { out, steps, trace }),
                (Piece::Path(steps), Some(part)) => along(steps, part, element, out, trace),
            };
            match walked {
                Ok(()) | Err(Stop::Found) => {}
                Err(Stop::Failed(why)) => return Err(why.into()),
            }
        }
        Ok(match self.template.ends_itself() {
            true => self.out.flush_if_full(),
            false => self.out.end_line(),
        }?)
    }
}

/// Follows a path through an element of a part of the answer, which has a vnet.
fn along<T: Row, W: Write>(
    steps: &[Step],
    part: &Part,
    element: &T,
    out: &mut JsonWriter<W>,
    trace: &mut Trace,
) -> Result<(), Stop> {
    match steps {
        [] => About { vnet: part.vnet, what: element }.serialize(Select { out, steps, trace }),
        [Step::Member(name), steps @ ..] if **name == *"vnet" => {
            part.vnet.serialize(Select { out, steps, trace })
        }
        // Not as a part of something else: only the element itself tells what it leaves out.
        _ => element.serialize(Select { out, steps, trace }),
    }
}

impl<W: Write> Page for TemplatePage<'_, W> {
    fn medium(&self) -> Medium {
        Medium::Lines
    }

    fn part(&mut self, part: Option<Part>) -> io::Result<()> {
        self.part = part;
        Ok(())
    }

    fn title(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn line(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn entry(&mut self, _: &str, _: &Cell<'_>, _: Option<&str>) -> io::Result<()> {
        Ok(())
    }

    fn declaration(&mut self, _: &Declaration) -> io::Result<()> {
        Ok(())
    }

    fn memory(&mut self, _: &Memory<'_>) -> io::Result<()> {
        Ok(())
    }

    fn table<T: Row>(&mut self, _: &[Column], rows: &Elements<'_, T>) -> io::Result<()> {
        let mut occurred = false;
        self.have_vnet |= self.part.is_some();
        rows.try_for_each(|element| {
            occurred = true;
            self.element(element)
        })?;
        *self.types.entry(std::any::type_name::<T>()).or_default() |= occurred && !T::VARIED;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::render::template::Wanted;
    use crate::value::model::{ErrorKind, ValueError};

    /// An element that is a JSON object, or one that has an error in the place of a value.
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Element {
        Json(Value),
        Unread {
            name: &'static str,
            value: ValueError,
        },
        Rare {
            name: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            rare: Option<f64>,
        },
    }

    impl Row for Element {
        fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
            Vec::new()
        }
    }

    fn written(template: &str, elements: Vec<Element>) -> (String, Option<NotFound>) {
        let template = Template::parse(template).unwrap();
        let mut out = Vec::new();
        let mut page = TemplatePage::new(&mut out, &template);
        page.table(&[], &Elements::from(elements)).unwrap();
        let missed = page.finish().unwrap();
        (String::from_utf8(out).unwrap(), missed)
    }

    /// What one JSON object gives.
    #[track_caller]
    fn assert_gives(template: &str, object: Value, line: &str) {
        let (written, missed) = written(template, vec![Element::Json(object)]);
        assert_eq!((written.as_str(), missed), (format!("{line}\n").as_str(), None), "{template}");
    }

    fn unread() -> Element {
        let (kind, message) = (ErrorKind::NotDumped, "0x10 is\nnot in the dump".into());
        Element::Unread { name: "a", value: ValueError { kind, address: None, message } }
    }

    #[test]
    fn scalars_are_written_without_marks() {
        for (value, line) in [
            (json!("web01 \\ \"x\""), "web01 \\ \"x\""),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(i64::MIN), "-9223372036854775808"),
            (json!(0.5), "0.5"),
            (json!(true), "true"),
            (json!(null), ""),
            (json!([1, "a", null]), "[1,\"a\",null]"),
            (json!({"b": {"c": "\u{1b}"}}), "{\"b\":{\"c\":\"\\u001b\"}}"),
            (json!("a\n\t\u{1b}[7m\u{202e}"), "a\\n\\t\\033[7m\\u202e"),
        ] {
            assert_gives("{v}", json!({ "v": value.clone() }), line);
            assert_gives("{v[*].w}", json!({"v": [{ "w": value }]}), line);
        }
    }

    #[test]
    fn paths_lead_through_members_and_arrays() {
        let object = json!({
            "name": "lo0", "vnet": {"index": 3}, "empty": [], "none": null,
            "list": [{"n": 1, "of": [10, 11]}, {"n": 2, "of": []}, {"of": [30]}],
        });
        for (template, line) in [
            ("{name}\\t{vnet.index}", "lo0\t3"),
            ("{{{name}}} {.vnet.index}", "{lo0} 3"),
            ("{list[1].n}{list[0].of[1]}", "211"),
            ("{list[*].n}", "1,2,"),
            ("{list[*].of[*]}", "10,11,,30"),
            ("{list[*].of}", "[10,11],[],[30]"),
            ("<{list[9].n}{empty[0].x}{empty[*]}{none.any[2]}>", "<>"),
            ("{vnet}", "{\"index\":3}"),
        ] {
            assert_gives(template, object.clone(), line);
        }
        assert_gives("{}", json!({"a": [1]}), "{\"a\":[1]}");
    }

    #[test]
    fn a_template_may_end_the_line_itself() {
        let names = || ["a", "b"].map(|name| Element::Json(json!({ "name": name }))).into();
        assert_eq!(written("{name}", names()).0, "a\nb\n");
        assert_eq!(written("{name}\\n", names()).0, "a\nb\n");
        assert_eq!(written("{name}\\0", names()).0, "a\0b\0");
    }

    #[test]
    fn an_error_stands_where_the_path_meets_it() {
        let told = "<not-dumped: 0x10 is\\nnot in the dump>";
        for (template, line) in [
            ("{name}={value}", format!("a={told}\n")),
            ("{value.x[3].y} {value[*]}", format!("{told} {told}\n")),
            ("{value.error.kind}", "not-dumped\n".to_owned()),
        ] {
            assert_eq!(written(template, vec![unread()]), (line, None));
        }
        // Of the kernel's own members, none is an error.
        assert_gives("{v.error}", json!({"v": {"error": {"kind": "x"}}}), "{\"kind\":\"x\"}");
        assert_gives("{v}", json!({"v": {"error": 5}}), "{\"error\":5}");
    }

    #[test]
    fn a_name_that_no_element_has_is_missed() {
        let elements = || {
            vec![
                Element::Json(json!({"name": "x", "in": {"index": 1}, "either": 5})),
                Element::Json(json!({"name": "y", "in": null, "either": {"deep": 1}})),
            ]
        };
        for (template, path, names) in [
            ("{name}{nmae}", "nmae", &["either", "in", "name"][..]),
            ("{in.indx}", "in.indx", &["index"]),
            ("{in.index.x}", "in.index.x", &[]),
        ] {
            let missed = written(template, elements()).1.unwrap();
            assert_eq!((missed.path.as_str(), missed.wanted), (path, Wanted::Member));
            assert_eq!(missed.names, names);
        }
        let missed = written("{in[0]}", elements()).1.unwrap();
        assert_eq!((missed.path.as_str(), missed.wanted), ("in", Wanted::Elements));
        // One element has it, or could have it, or there is none.
        assert_eq!(written("{in.index}{either.deep}", elements()).1, None);
        assert_eq!(written("{any}", Vec::new()).1, None);
        let rare = |rare| vec![Element::Rare { name: "a", rare }];
        assert_eq!(written("{name}{rare}", rare(None)), ("a\n".to_owned(), None));
        assert_eq!(written("{rare}", rare(Some(f64::NAN))), ("\n".to_owned(), None));
        assert!(written("{raer}", rare(None)).1.is_some());
        // Any value may be an error.
        assert_eq!(written("{name}{name.error.kind}", elements()).1, None);
    }

    #[test]
    fn the_vnet_of_a_part_is_a_member_of_its_elements() {
        let template = Template::parse("{vnet.index} {name} {}").unwrap();
        let mut out = Vec::new();
        let mut page = TemplatePage::new(&mut out, &template);
        page.part(Some(Part { vnet: None, title: None, marked: true })).unwrap();
        let elements = vec![Element::Json(json!({"name": "x"}))];
        page.table(&[], &Elements::from(elements)).unwrap();
        assert_eq!(page.finish().unwrap(), None);
        assert_eq!(String::from_utf8(out).unwrap(), " x {\"vnet\":null,\"name\":\"x\"}\n");
    }
}
