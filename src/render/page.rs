//! The page that answers are laid out on: aligned tables for people, tabs for scripts, a JSON
//! object a line for programs.

use std::io::{self, Write};

use super::cell::{text, text_within};
use super::held::HeldRows;
use super::lines::Lines;
use super::table::{Style, Table, fit};
use super::{c, decl, json, memory, sanitize, sysctl};
use crate::answers::memory::Memory;
use crate::answers::{About, Cell, Column, Elements, Medium, Page, Part, Row};
use crate::types::declaration::Declaration;

use super::sanitize::SafeWriter;

/// A page that is written as it is laid out.
#[derive(Debug)]
pub struct TextPage<W> {
    out: W,
    medium: Medium,
    style: Style,
    /// Lines for people that are not written yet.
    lines: Lines,
    /// Whether something has been written.
    started: bool,
    part: Option<Part>,
    /// The title of a part of which nothing has been written yet.
    due: Option<String>,
}

impl<W: Write> TextPage<W> {
    /// A page that writes to `out`; `style` matters to people only.
    pub fn new(out: W, medium: Medium, style: Style) -> Self {
        let lines = Lines::new(style);
        Self { out, medium, style, lines, started: false, part: None, due: None }
    }

    /// Writes what is still held.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<()> {
        self.lines.write(&mut self.out)
    }

    fn for_people(&self) -> bool {
        self.medium == Medium::People
    }

    /// Something is about to be written. A part that has nothing for people has no title either.
    fn begin(&mut self) -> io::Result<()> {
        if let Some(title) = self.due.take() {
            self.write_title(&title)?;
        }
        self.started = true;
        Ok(())
    }

    fn write_title(&mut self, title: &str) -> io::Result<()> {
        if !self.for_people() {
            return Ok(());
        }
        let gap = if self.started { "\n" } else { "" };
        self.started = true;
        let title = sanitize::line(title);
        let title = match self.style.color {
            true => format!("{gap}\x1b[1;4m{title}\x1b[0m"),
            false => format!("{gap}{title}"),
        };
        self.lines.text(title, &mut self.out)
    }

    /// The output, for what is no line of a table.
    fn out(&mut self) -> io::Result<SafeWriter<&mut W>> {
        self.lines.write(&mut self.out)?;
        Ok(SafeWriter(&mut self.out))
    }

    fn aligned<T: Row>(&mut self, columns: &[Column], rows: &Elements<'_, T>) -> io::Result<()> {
        let leading = |row: &[Cell<'_>]| -> Vec<String> {
            row.iter().zip(columns).map(|(cell, column)| within(cell, column.most)).collect()
        };
        let mut table = Table::new(columns);
        let mut held = HeldRows::default();
        rows.outline(self.medium, &mut |row, last| {
            let mut cells = leading(&row);
            table.measure(&cells);
            match last {
                // A value that has less room has other words, not only fewer.
                Some(last) if !matches!(last, Cell::Value(_)) => {
                    cells.push(within(&last, most(None, columns)));
                    held.add(&cells);
                }
                _ => held.give_up(),
            }
        });
        let (lines, out) = (&mut self.lines, &mut self.out);
        lines.start(&table, out)?;
        let [of_text, of_value] =
            [false, true].map(|value| most(table.room(self.style, value), columns));
        match held.rows() {
            Some(mut rows) => rows.try_for_each(|row| {
                let Some((last, cells)) = row.split_last() else { return Ok(()) };
                lines.row(cells, fit((*last).to_owned(), of_text), out)
            }),
            None => rows.try_for_each(|element| {
                element.rows(self.medium).iter().try_for_each(|row| {
                    let Some((last, cells)) = row.split_last() else { return Ok(()) };
                    let room = if matches!(last, Cell::Value(_)) { of_value } else { of_text };
                    lines.row(&leading(cells), fit(within(last, room), room), out)
                })
            }),
        }
    }

    fn tabbed<T: Row>(&mut self, rows: &Elements<'_, T>) -> io::Result<()> {
        let part = self.part.as_ref().filter(|part| part.marked);
        let vnet = part.map(|part| part.vnet.map_or("-".to_owned(), |vnet| vnet.to_string()));
        rows.try_for_each(|element| {
            element.rows(self.medium).iter().try_for_each(|row| {
                if let Some(vnet) = &vnet {
                    write!(self.out, "{vnet}\t")?;
                }
                for (place, cell) in row.iter().enumerate() {
                    self.out.write_all(if place > 0 { b"\t" } else { b"" })?;
                    match cell {
                        // It may have megabytes.
                        Cell::Bytes(bytes) => write!(self.out, "{bytes}")?,
                        cell => self.out.write_all(text(cell).as_bytes())?,
                    }
                }
                self.out.write_all(b"\n")
            })
        })
    }

    fn json_lines<T: Row>(&mut self, rows: &Elements<'_, T>) -> io::Result<()> {
        let mut lines = json::Lines::new(&mut self.out);
        match &self.part {
            None => rows.try_for_each(|element| lines.write(element)),
            Some(Part { vnet, .. }) => {
                rows.try_for_each(|element| lines.write(&About { vnet: *vnet, what: element }))
            }
        }?;
        lines.finish()
    }
}

impl<W: Write> Page for TextPage<W> {
    fn medium(&self) -> Medium {
        self.medium
    }

    fn part(&mut self, part: Option<Part>) -> io::Result<()> {
        self.due = part.as_ref().and_then(|part| part.title.clone());
        self.part = part;
        Ok(())
    }

    fn title(&mut self, title: &str) -> io::Result<()> {
        if let Some(due) = self.due.take() {
            self.write_title(&due)?;
        }
        self.write_title(title)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        if !self.for_people() {
            return Ok(());
        }
        self.begin()?;
        self.lines.text(sanitize::line(line).into(), &mut self.out)
    }

    fn entry(&mut self, label: &str, cell: &Cell<'_>, note: Option<&str>) -> io::Result<()> {
        if !self.for_people() {
            return Ok(());
        }
        self.begin()?;
        let label = sanitize::line(label);
        let cell = match cell {
            Cell::Value(value) => c::block(value, label.chars().count()),
            Cell::Sysctl(oid, sysctl) => sysctl::value(oid, sysctl, Some(&label)),
            cell => text(cell),
        };
        let (gap, note) = note.map_or(("", "".into()), |note| (" ", sanitize::line(note)));
        writeln!(self.out()?, "{label}{cell}{gap}{note}")
    }

    fn declaration(&mut self, declaration: &Declaration) -> io::Result<()> {
        if !self.for_people() {
            return Ok(());
        }
        let follows = self.started;
        self.begin()?;
        let mut out = self.out()?;
        if follows {
            writeln!(out)?;
        }
        decl::write_declaration(&mut out, declaration)
    }

    fn memory(&mut self, memory: &Memory<'_>) -> io::Result<()> {
        if !self.for_people() {
            return Ok(());
        }
        self.begin()?;
        memory::write(self.out()?.0, memory)
    }

    fn table<T: Row>(&mut self, columns: &[Column], rows: &Elements<'_, T>) -> io::Result<()> {
        self.begin()?;
        match self.medium {
            Medium::People => self.aligned(columns, rows),
            Medium::Columns => self.tabbed(rows),
            Medium::Lines => self.json_lines(rows),
        }
    }
}

/// The characters that a cell of the last column has room for.
fn most(room: Option<usize>, columns: &[Column]) -> Option<usize> {
    let own = columns.last().and_then(|column| column.most);
    room.into_iter().chain(own).min()
}

/// A cell, cut to `room` characters.
fn within(cell: &Cell<'_>, room: Option<usize>) -> String {
    room.map_or_else(|| text(cell), |room| text_within(cell, room))
}
