//! The text of a report: without what tells whose machine it was if that is wanted, and in any case
//! without what can act on a terminal.

use super::redact::Redactor;
use crate::answers::Cell;
use crate::answers::report::Picture;
use crate::render::{c, cell, sanitize};

/// No cell is longer than this many characters.
const LONGEST_CELL: usize = 600;

/// Makes text fit for the reader.
#[derive(Debug, Default)]
pub(super) struct Words {
    redactor: Option<Redactor>,
}

impl Words {
    pub fn new(redactor: Option<Redactor>) -> Self {
        Self { redactor }
    }

    /// Why what the kernel wrote as text is left out.
    pub fn doubt(&self) -> Option<&str> {
        self.redactor.as_ref()?.doubt()
    }

    /// Text on one line.
    pub fn line(&self, text: &str) -> String {
        match &self.redactor {
            Some(redactor) => sanitize::line(&redactor.text(text)).into_owned(),
            None => sanitize::line(text).into_owned(),
        }
    }

    /// A cell on one line.
    pub fn cell(&self, cell: &Cell<'_>) -> String {
        let Some(redactor) = &self.redactor else { return cell::text_within(cell, LONGEST_CELL) };
        match cell {
            Cell::Text(text) => c::cut(self.line(text), LONGEST_CELL),
            Cell::Value(value) if !Redactor::shows(value) => "(left out)".to_owned(),
            Cell::Bytes(_) | Cell::Sysctl(..) => "(left out)".to_owned(),
            // A kernel address is no address of the network.
            Cell::Address(_) | Cell::Number(_) | Cell::Nothing => cell::text(cell),
            Cell::Value(_) | Cell::Pointer(_) | Cell::Error(_) => {
                c::cut(redactor.text(&cell::text(cell)), LONGEST_CELL)
            }
        }
    }

    /// Gives `draw` the picture with the same names as the text.
    pub fn picture(&self, picture: &Picture<'_>, draw: impl FnOnce(&Picture<'_>)) {
        match (&self.redactor, picture) {
            (Some(redactor), Picture::Wiring(topology)) => {
                draw(&Picture::Wiring(&redactor.topology(topology)));
            }
            (Some(redactor), Picture::Construction(vnets)) => {
                draw(&Picture::Construction(&redactor.built(vnets)));
            }
            (_, picture) => draw(picture),
        }
    }
}
