//! Where answers go: to standard output, in the form that was asked for, with what
//! could not be read noted for `--strict`.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;
use vnetkvm::render::json::{self, Document, JsonVnetRef};
use vnetkvm::render::sanitize::{self, SafeWriter};
use vnetkvm::render::table::Table;
use vnetkvm::value::model::{ErrorKind, Value};
use vnetkvm::vnet::Vnet;
use vnetkvm::walk::{Problem, Problems};

use crate::args::{Format, OutputArgs};
use crate::exit::{Failure, Outcome};
use crate::limits;
use crate::say::{hint, warning};
use crate::stdout::Stdout;

pub struct Output {
    format: Format,
    strict: bool,
    color: bool,
    out: Stdout,
    unreadable: usize,
    problems: Problems,
}

impl Output {
    pub fn new(args: &OutputArgs) -> Self {
        let choice = anstream::AutoStream::choice(&io::stdout());
        Self {
            format: if args.json { Format::Json } else { args.format },
            strict: args.strict,
            color: choice != anstream::ColorChoice::Never,
            out: Stdout::new(),
            unreadable: 0,
            problems: Problems::default(),
        }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// The width of the terminal, if the answer goes to one and is meant for people.
    pub fn width(&self) -> Option<usize> {
        if self.format != Format::Table || !io::stdout().is_terminal() {
            return None;
        }
        terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
    }

    /// Takes note of what could not be read, for `--strict`.
    pub fn inspect(&mut self, value: &Value) {
        if self.strict {
            self.unreadable += errors(value);
        }
    }

    /// Takes note of so many things that could not be read, for `--strict`.
    pub fn count_errors(&mut self, count: usize) {
        if self.strict {
            self.unreadable += count;
        }
    }

    /// Tells what could not be read: on the terminal once, in JSON with the answer, and
    /// to `--strict`.
    pub fn problems(&mut self, problems: &Problems) {
        let known = self.problems.clone();
        self.problems.extend(problems.clone());
        let told = |problem: &&Problem| known.iter().any(|known| known == *problem);
        problems.iter().filter(|problem| !told(problem)).for_each(|new| warning(&new.to_string()));
        let more = problems.len().saturating_sub(problems.iter().count());
        if more > 0 {
            warning(&format!("and {more} more of the kind"));
        }
    }

    /// The elements of a list for JSON: `None`, which becomes null, where none was found
    /// and the list could not be read to its end.
    pub fn listed<T>(&self, elements: Vec<T>) -> Option<Vec<T>> {
        (!elements.is_empty() || self.problems.is_empty()).then_some(elements)
    }

    pub fn table(&mut self, table: Table) -> io::Result<()> {
        match self.format {
            Format::Plain => table.write_plain(&mut self.out),
            _ => {
                let width = self.width();
                table.write_aligned(&mut self.out, width, self.color)
            }
        }
    }

    /// A JSON document with this body.
    pub fn document<T: Serialize>(&mut self, body: T) -> io::Result<()> {
        json::write_document(&mut self.out, &Document::new(body, &self.problems))
    }

    /// One line of JSON lines.
    pub fn json_line<T: Serialize>(&mut self, element: &T) -> io::Result<()> {
        json::write_line(&mut self.out, element)
    }

    /// A JSON document of answers about vnets: the answer itself, or with `all`
    /// an array of answers.
    pub fn vnet_documents<'a, T: Serialize>(
        &mut self,
        answers: impl Iterator<Item = (Option<&'a Vnet>, T)>,
        all: bool,
    ) -> io::Result<()> {
        #[derive(Serialize)]
        struct AllVnets<T> {
            vnets: Vec<T>,
        }
        let about = |(vnet, answer): (Option<&'a Vnet>, T)| About::new(vnet, answer);
        let mut answers: Vec<About<T>> = answers.map(about).collect();
        match answers.pop() {
            Some(one) if !all && answers.is_empty() => self.document(one),
            last => {
                answers.extend(last);
                self.document(AllVnets { vnets: answers })
            }
        }
    }

    /// One line of JSON lines that says which vnet it is about: lines get
    /// sorted, cut and mixed.
    pub fn vnet_line<T: Serialize>(&mut self, vnet: Option<&Vnet>, element: &T) -> io::Result<()> {
        self.json_line(&About::new(vnet, element))
    }

    /// A title above what is about this vnet.
    pub fn vnet_title(&mut self, vnet: Option<&Vnet>) -> io::Result<()> {
        match vnet {
            Some(vnet) => self.title(&vnet.title()),
            None => Ok(()),
        }
    }

    /// Text in no particular form, in which nothing can act on a terminal.
    pub fn text(&mut self) -> impl Write {
        SafeWriter(&mut self.out)
    }

    /// One line of text, whatever is in it.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", sanitize::line(text))
    }

    /// A title above a part of an answer, in tables only.
    pub fn title(&mut self, title: &str) -> io::Result<()> {
        if self.format != Format::Table {
            return Ok(());
        }
        let gap = if self.out.is_empty() { "" } else { "\n" };
        let title = sanitize::line(title);
        match self.color {
            true => writeln!(self.out, "{gap}\x1b[1;4m{title}\x1b[0m"),
            false => writeln!(self.out, "{gap}{title}"),
        }
    }

    /// Writes the rest of it, unless `--strict` finds it wanting.
    pub fn finish(self, outcome: Outcome) -> anyhow::Result<Outcome> {
        let way_out = "without --strict the answer is shown, with the reasons in their places";
        if self.unreadable > 0 {
            let plural = if self.unreadable == 1 { "value" } else { "values" };
            let what = format!("{} {plural} in the answer could not be read", self.unreadable);
            return Err(Failure::new(what).hint(way_out).into());
        }
        if let (true, Err(problem)) = (self.strict, self.problems.none()) {
            let what = "the answer is not whole, because something could not be read";
            return Err(Failure::new(what).hint(way_out).because(problem));
        }
        if let Some(why) = limits::reached() {
            let what = "the answer is not whole, because it would cost too much";
            if self.strict {
                return Err(Failure::new(what).hint(way_out).because(why));
            }
            warning(&format!("{what}: {why}"));
            limits::option(&why).into_iter().for_each(hint);
        }
        self.out.finish()?;
        Ok(outcome)
    }
}

/// An answer and the vnet that it is about.
#[derive(Serialize)]
struct About<T> {
    vnet: Option<JsonVnetRef>,
    #[serde(flatten)]
    answer: T,
}

impl<T> About<T> {
    fn new(vnet: Option<&Vnet>, answer: T) -> Self {
        Self { vnet: vnet.map(JsonVnetRef::from), answer }
    }
}

/// The number of errors in a value; what a limit left out is none.
fn errors(value: &Value) -> usize {
    match value {
        Value::Error(error) => usize::from(error.kind != ErrorKind::Depth),
        Value::Record(record) => record.members().map(|(_, value)| errors(value)).sum(),
        Value::Array(array) => array.elements.sum_of(errors),
        _ => 0,
    }
}
