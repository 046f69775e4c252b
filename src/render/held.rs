//! The rows of a table as text, held while columns are measured.

/// The most bytes of text that are held.
const MOST: usize = 4 << 20;

/// Rows of cells, until there are too many of them.
#[derive(Debug, Default)]
pub(super) struct HeldRows {
    text: String,
    /// Where in `text` each cell ends.
    ends: Vec<u32>,
    /// How many cells each row has.
    rows: Vec<u32>,
    is_full: bool,
}

impl HeldRows {
    /// Adds a row.
    pub(super) fn add(&mut self, cells: &[String]) {
        let len: usize = cells.iter().map(String::len).sum();
        self.is_full |= self.text.len() + len > MOST;
        if self.is_full {
            return;
        }
        for cell in cells {
            self.text.push_str(cell);
            self.ends.push(self.text.len() as u32);
        }
        self.rows.push(cells.len() as u32);
    }

    /// A row has a cell whose text depends on the room that it has: they are not held.
    pub(super) fn give_up(&mut self) {
        self.is_full = true;
    }

    /// The cells of each row; `None` if not all are held.
    pub(super) fn rows(&self) -> Option<impl Iterator<Item = Vec<&str>>> {
        let mut start = 0;
        let mut cells = self.ends.iter().map(move |end| {
            let cell = self.text.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            cell
        });
        let row = move |len: &u32| cells.by_ref().take(*len as usize).collect();
        (!self.is_full).then(|| self.rows.iter().map(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_come_back_as_they_were() {
        let mut held = HeldRows::default();
        let rows: [&[&str]; 4] = [&["a", "", "bc"], &[], &["ä"], &["", ""]];
        rows.iter().for_each(|cells| held.add(&row(cells)));
        assert_eq!(held.rows().unwrap().collect::<Vec<_>>(), rows);
    }

    #[test]
    fn too_many_are_not_held() {
        let mut held = HeldRows::default();
        let long = "x".repeat(MOST / 2);
        held.add(&row(&[&long, &long]));
        assert_eq!(held.rows().unwrap().count(), 1);
        held.add(&row(&["x"]));
        assert!(held.rows().is_none());
        held.add(&row(&[""]));
        assert!(held.rows().is_none());
    }
}
