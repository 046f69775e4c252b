//! The page that a report is laid out on.

use std::io::{self, Write};

use rustc_hash::FxHashSet;

use super::form::{Bound, Form, Kind};
use super::room::Room;
use super::words::Words;
use crate::answers::memory::Memory;
use crate::answers::report::{Document, Front, Picture, Section, Topic};
use crate::answers::{Cell, Column, Elements, Medium, Page, Part, Remark, Row};
use crate::render::{decl, memory};
use crate::types::declaration::Declaration;
use crate::walk::Problems;

/// Lines, rows or parts of a section that a report has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// The section.
    pub section: &'static Section,
    /// How many lines, rows and parts.
    pub count: u64,
}

/// What a report does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omitted {
    /// What has no room, by section.
    pub left_out: Vec<LeftOut>,
    /// Why the panic message and the message buffer are left out of a redacted report.
    pub withheld: Option<String>,
}

/// A page that is written as it is laid out. Only one part of a section is held at a time.
pub(super) struct ReportPage<W, F> {
    out: W,
    form: F,
    words: Words,
    /// The bytes that are written.
    written: u64,
    room: Room,
    section: Option<&'static Section>,
    /// Lines or entries that are not ended.
    run: Option<Run>,
    part: Option<OpenPart>,
    /// Parts of this section that have no room.
    lost_parts: u64,
    /// All that this section has no room for.
    lost: u64,
    left_out: Vec<LeftOut>,
    /// What could not be read for an earlier section is not told in full again.
    told: FxHashSet<String>,
}

/// Problems that are remembered.
const MOST_TOLD: usize = 1000;

/// What follows without a break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    kind: RunKind,
    /// How many of them have no room.
    lost: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RunKind {
    Lines,
    Entries,
    CallOuts,
}

/// The part of a section that is being laid out.
struct OpenPart {
    title: String,
    /// It has call-outs.
    open: bool,
    /// There is room for it.
    kept: bool,
}

impl<W: Write, F: Form> ReportPage<W, F> {
    pub fn new(out: W, form: F, words: Words) -> Self {
        Self {
            out,
            form,
            words,
            written: 0,
            room: Room::default(),
            section: None,
            run: None,
            part: None,
            lost_parts: 0,
            lost: 0,
            left_out: Vec::new(),
            told: FxHashSet::default(),
        }
    }

    /// What the report does not say.
    pub fn omitted(self) -> Omitted {
        let withheld = self.words.doubt().map(str::to_owned);
        Omitted { left_out: self.left_out, withheld }
    }

    /// Whether what comes now belongs to a part that has no room.
    fn is_lost(&self) -> bool {
        self.part.as_ref().is_some_and(|part| !part.kept)
    }

    /// Whether this is text that the kernel wrote, in which names cannot be told from other words.
    fn is_withheld(&self) -> bool {
        let is_text = self.section.is_some_and(|section| section.topic == Topic::Messages);
        is_text && self.words.doubt().is_some()
    }

    /// How many bytes are left for what comes now.
    fn left(&self) -> u64 {
        self.room.left(self.written + self.form.made().len() as u64)
    }

    /// Writes what is made, unless it belongs to a part that is not complete.
    fn flush(&mut self) -> io::Result<()> {
        if self.part.is_some() {
            return Ok(());
        }
        self.take()
    }

    fn take(&mut self) -> io::Result<()> {
        self.out.write_all(self.form.made().as_bytes())?;
        self.written += self.form.made().len() as u64;
        self.form.clear();
        Ok(())
    }

    /// Ends lines and entries.
    fn end_run(&mut self) -> io::Result<()> {
        let Some(Run { kind, lost }) = self.run.take() else { return Ok(()) };
        match kind {
            RunKind::Lines => self.form.lines(Bound::End),
            RunKind::Entries => self.form.entries(Bound::End),
            RunKind::CallOuts => {}
        }
        self.say_lost(lost, "line", "lines");
        self.flush()
    }

    /// Says how much has no room.
    fn say_lost(&mut self, lost: u64, one: &str, many: &str) {
        if lost > 0 {
            self.lost += lost;
            let text = match lost {
                1 => format!("1 more {one} is left out"),
                lost => format!("{lost} more {many} are left out"),
            };
            self.form.say(Kind::LeftOut, &text);
        }
    }

    /// Begins lines or entries unless they go on; false if there is no room for more.
    fn go_on(&mut self, kind: RunKind) -> io::Result<bool> {
        if self.run.is_none_or(|run| run.kind != kind) {
            self.end_run()?;
            match kind {
                RunKind::Lines => self.form.lines(Bound::Begin),
                RunKind::Entries => self.form.entries(Bound::Begin),
                RunKind::CallOuts => {}
            }
            self.run = Some(Run { kind, lost: 0 });
        }
        let full = self.left() == 0;
        if let Some(run) = self.run.as_mut().filter(|_| full) {
            run.lost += 1;
        }
        Ok(!full)
    }

    fn say(&mut self, kind: Kind, text: &str) -> io::Result<()> {
        self.end_run()?;
        if !self.is_lost() {
            self.form.say(kind, &self.words.line(text));
        }
        self.flush()
    }

    fn end_part(&mut self) -> io::Result<()> {
        self.end_run()?;
        let Some(part) = self.part.take() else { return Ok(()) };
        self.room.end_part();
        match part.kept {
            true => self.form.fold(&part.title, part.open),
            false => self.lost_parts += 1,
        }
        self.take()
    }

    fn end_section(&mut self) -> io::Result<()> {
        self.end_part()?;
        let Some(section) = self.section.take() else { return Ok(()) };
        let lost = std::mem::take(&mut self.lost_parts);
        self.say_lost(lost, "vnet", "vnets");
        self.form.end_section();
        let count = std::mem::take(&mut self.lost);
        if count > 0 {
            self.left_out.push(LeftOut { section, count });
        }
        self.take()
    }
}

impl<W: Write, F: Form> Page for ReportPage<W, F> {
    fn medium(&self) -> Medium {
        Medium::People
    }

    fn part(&mut self, part: Option<Part>) -> io::Result<()> {
        self.end_part()?;
        if let Some(title) = part.and_then(|part| part.title) {
            let kept = self.room.begin_part(self.written);
            self.part = Some(OpenPart { title: self.words.line(&title), open: false, kept });
        }
        Ok(())
    }

    fn title(&mut self, title: &str) -> io::Result<()> {
        self.end_run()?;
        if !self.is_lost() && self.left() > 0 {
            self.form.title(&self.words.line(title), self.part.is_some());
        }
        self.flush()
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        if self.is_withheld() {
            return Ok(());
        }
        if self.is_lost() || !self.go_on(RunKind::Lines)? {
            return Ok(());
        }
        self.form.line(&self.words.line(line));
        self.flush()
    }

    fn call_out(&mut self, line: &str) -> io::Result<()> {
        if self.is_lost() || !self.go_on(RunKind::CallOuts)? {
            return Ok(());
        }
        if let Some(part) = &mut self.part {
            part.open = true;
        }
        self.form.say(Kind::Fault, &self.words.line(line));
        self.flush()
    }

    fn entry(&mut self, label: &str, cell: &Cell<'_>, note: Option<&str>) -> io::Result<()> {
        if self.is_lost() || !self.go_on(RunKind::Entries)? {
            return Ok(());
        }
        let value = self.words.cell(cell);
        let value = match note {
            Some(note) => format!("{value} {}", self.words.line(note)),
            None => value,
        };
        self.form.entry(self.words.line(label).trim_end(), &value);
        self.flush()
    }

    fn declaration(&mut self, declaration: &Declaration) -> io::Result<()> {
        let mut text = Vec::new();
        decl::write_declaration(&mut text, declaration)?;
        String::from_utf8_lossy(&text).lines().try_for_each(|line| self.line(line))
    }

    fn memory(&mut self, memory: &Memory<'_>) -> io::Result<()> {
        let mut lines = Lines { page: self, line: Vec::new() };
        memory::write(&mut lines, memory)
    }

    fn table<T: Row>(&mut self, columns: &[Column], rows: &Elements<'_, T>) -> io::Result<()> {
        self.end_run()?;
        if self.is_lost() {
            return Ok(());
        }
        // Titles without rows say that nothing was found.
        let begun = self.left() > 0;
        if begun {
            self.form.table(columns);
        }
        let mut lost = 0;
        rows.try_for_each(|element| {
            for row in element.rows(Medium::People) {
                if !begun || self.left() == 0 {
                    lost += 1;
                    continue;
                }
                let cells: Vec<String> = row.iter().map(|cell| self.words.cell(cell)).collect();
                self.form.row(columns, &cells);
                self.flush()?;
            }
            Ok::<_, io::Error>(())
        })?;
        if begun {
            self.form.end_table();
        }
        self.say_lost(lost, "row", "rows");
        self.flush()
    }
}

impl<W: Write, F: Form> Document for ReportPage<W, F> {
    fn front(&mut self, front: &Front) -> io::Result<()> {
        let title = self.words.line(&front.title);
        let about = [Some(&front.about).filter(|about| !about.is_empty()), front.verdict.as_ref()];
        let about = about.into_iter().flatten().map(|line| self.words.line(line));
        let about: Vec<String> = about.collect();
        self.form.front(&title, &about, &front.sections);
        self.flush()
    }

    fn section(&mut self, section: &'static Section) -> io::Result<()> {
        self.end_section()?;
        self.section = Some(section);
        self.room.begin(self.written, section.room);
        self.form.section(section);
        match (self.words.doubt(), section.topic) {
            (Some(doubt), Topic::Summary) => {
                let text = format!(
                    "the panic message and the message buffer are left out: they may have names \
                     that are not known to be names, because {doubt}"
                );
                self.say(Kind::Warning, &text)
            }
            (Some(_), Topic::Messages) => self.say(Kind::Nothing, "left out"),
            _ => self.flush(),
        }
    }

    fn parts(&mut self, count: usize) {
        self.room.share(count as u64);
    }

    fn remark(&mut self, remark: &Remark) -> io::Result<()> {
        let (Remark::Note(text) | Remark::Warning(text)) = remark;
        self.say(remark.into(), text)
    }

    fn problems(&mut self, problems: &Problems) -> io::Result<()> {
        let mut again = 0;
        for problem in problems.iter() {
            let text = problem.to_string();
            match self.told.contains(&text) {
                true => again += 1,
                false => {
                    self.say(Kind::Problem, &text)?;
                    if self.told.len() < MOST_TOLD {
                        self.told.insert(text);
                    }
                }
            }
        }
        match again {
            0 => {}
            1 => self.say(Kind::Problem, "one thing that is told above")?,
            again => self.say(Kind::Problem, &format!("{again} things that are told above"))?,
        }
        match problems.len().saturating_sub(problems.iter().count()) {
            0 => Ok(()),
            more => self.say(Kind::Problem, &format!("{more} more like these")),
        }
    }

    fn nothing(&mut self, why: &str) -> io::Result<()> {
        self.say(Kind::Nothing, why)
    }

    fn picture(&mut self, picture: &Picture<'_>) -> io::Result<()> {
        self.end_run()?;
        if !self.is_lost() {
            let (room, form) = (self.left(), &mut self.form);
            self.words.picture(picture, |picture| form.picture(picture, room));
        }
        self.flush()
    }

    fn end(&mut self) -> io::Result<()> {
        self.end_section()?;
        self.form.end();
        self.take()
    }
}

/// Text that becomes lines of a page.
struct Lines<'a, W: Write, F: Form> {
    page: &'a mut ReportPage<W, F>,
    line: Vec<u8>,
}

impl<W: Write, F: Form> Write for Lines<'_, W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    self.page.line(&String::from_utf8_lossy(&line))?;
                }
                byte => self.line.push(*byte),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
