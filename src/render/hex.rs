//! Hex dumps in which missing bytes never look like zeros.
//!
//! The layout is that of `hexdump -C`, with full addresses. A byte that cannot
//! be read is two marks in its place, one kind of mark for each reason, and a
//! legend at the end explains those that were used. Equal rows in succession
//! are replaced by a `*`.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::addr::VirtAddr;
use crate::fault::FaultKind;

const ROW: usize = 16;

/// One byte of memory, or the reason why it is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Byte(u8),
    Missing(FaultKind),
}

/// Writes a dump as its bytes come in.
pub struct HexDump<W> {
    out: W,
    /// The address of the first cell in `row`.
    address: VirtAddr,
    row: Vec<Cell>,
    /// The last full row that came: its equals are counted, not written.
    last: Option<Vec<Cell>>,
    squeezed: u64,
    seen: Vec<FaultKind>,
}

impl<W: Write> HexDump<W> {
    /// A dump whose first byte lies at `start`.
    pub fn new(out: W, start: VirtAddr) -> Self {
        Self {
            out,
            address: start,
            row: Vec::with_capacity(ROW),
            last: None,
            squeezed: 0,
            seen: Vec::new(),
        }
    }

    /// The next bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        bytes.iter().try_for_each(|byte| self.push(Cell::Byte(*byte)))
    }

    /// The next `len` bytes cannot be read, because of `kind`.
    pub fn gap(&mut self, kind: FaultKind, len: u64) -> io::Result<()> {
        if len > 0 && !self.seen.contains(&kind) {
            self.seen.push(kind);
        }
        let cell = Cell::Missing(kind);
        let mut left = len;
        while left > 0 {
            self.push(cell)?;
            left -= 1;
            if self.row.is_empty() && self.last.as_ref().is_some_and(|row| same(row, cell)) {
                // Rows of one gap all look alike: a large one costs no more than a small one.
                let rows = left / ROW as u64;
                self.squeezed += rows;
                self.address = self.address.wrapping_add(rows * ROW as u64);
                left %= ROW as u64;
            }
        }
        Ok(())
    }

    /// Writes what is left, and the legend.
    pub fn finish(mut self) -> io::Result<()> {
        // The last row is always written, so that one sees where the dump ends.
        if self.row.is_empty()
            && self.squeezed > 0
            && let Some(last) = self.last.take()
        {
            self.squeezed -= 1;
            self.flush_squeezed()?;
            let start = VirtAddr::new(self.address.get().wrapping_sub(ROW as u64));
            self.write_row(start, &last)?;
        } else if !self.row.is_empty() {
            self.flush_squeezed()?;
            let row = std::mem::take(&mut self.row);
            self.write_row(self.address, &row)?;
        }
        if !self.seen.is_empty() {
            let legend: Vec<String> =
                self.seen.iter().map(|kind| format!("{} {kind}", mark(*kind))).collect();
            writeln!(self.out, "({})", legend.join("; "))?;
        }
        Ok(())
    }

    fn push(&mut self, cell: Cell) -> io::Result<()> {
        self.row.push(cell);
        if self.row.len() < ROW {
            return Ok(());
        }
        let row = std::mem::replace(&mut self.row, Vec::with_capacity(ROW));
        if self.last.as_ref() == Some(&row) {
            self.squeezed += 1;
        } else {
            self.flush_squeezed()?;
            self.write_row(self.address, &row)?;
            self.last = Some(row);
        }
        self.address = self.address.wrapping_add(ROW as u64);
        Ok(())
    }

    fn flush_squeezed(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.squeezed) > 0 {
            writeln!(self.out, "*")?;
        }
        Ok(())
    }

    fn write_row(&mut self, address: VirtAddr, row: &[Cell]) -> io::Result<()> {
        let mut hex = String::with_capacity(3 * ROW + 2);
        let mut text = String::with_capacity(ROW);
        for (index, cell) in row.iter().enumerate() {
            if index == ROW / 2 {
                hex.push(' ');
            }
            match *cell {
                Cell::Byte(byte) => {
                    // Writing to a String cannot fail.
                    let _ = write!(hex, " {byte:02x}");
                    text.push(if matches!(byte, 0x20..=0x7e) { char::from(byte) } else { '.' });
                }
                Cell::Missing(kind) => {
                    let _ = write!(hex, " {}", mark(kind));
                    text.push(' ');
                }
            }
        }
        writeln!(self.out, "{address:#018x} {hex:<49}  |{text}|")
    }
}

fn same(row: &[Cell], cell: Cell) -> bool {
    row.iter().all(|other| *other == cell)
}

/// Two characters that are no hex digits.
fn mark(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::NotMapped => "--",
        FaultKind::NotDumped => "..",
        FaultKind::Truncated => "~~",
        FaultKind::BadAddress | FaultKind::Freed => "??",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(fill: impl FnOnce(&mut HexDump<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        let mut dump = HexDump::new(&mut out, VirtAddr::new(0xffff_ffff_8123_4560));
        fill(&mut dump);
        dump.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bytes_stand_in_rows_of_sixteen() {
        let text = dump(|dump| dump.bytes(b"virtual networks\x00\xff").unwrap());
        assert_eq!(
            text,
            "\
0xffffffff81234560  76 69 72 74 75 61 6c 20  6e 65 74 77 6f 72 6b 73  |virtual networks|
0xffffffff81234570  00 ff                                             |..|
"
        );
    }

    #[test]
    fn missing_bytes_are_marked_and_explained() {
        let text = dump(|dump| {
            dump.bytes(b"AB").unwrap();
            dump.gap(FaultKind::NotMapped, 3).unwrap();
            dump.gap(FaultKind::NotDumped, 2).unwrap();
            dump.bytes(b"C").unwrap();
        });
        assert_eq!(
            text,
            "\
0xffffffff81234560  41 42 -- -- -- .. .. 43                           |AB     C|
(-- not mapped; .. not in the dump)
"
        );
    }

    #[test]
    fn equal_rows_are_squeezed_but_the_last_is_shown() {
        let text = dump(|dump| dump.bytes(&[0; 64]).unwrap());
        let starts: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(starts, ["0xffffffff81234560", "*", "0xffffffff81234590"]);
        let text = dump(|dump| dump.bytes(&[0; 32]).unwrap());
        let starts: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(starts, ["0xffffffff81234560", "0xffffffff81234570"]);
    }

    #[test]
    fn a_gap_of_a_terabyte_costs_nothing() {
        let text = dump(|dump| {
            dump.bytes(b"A").unwrap();
            dump.gap(FaultKind::NotMapped, (1 << 40) + 30).unwrap();
            dump.bytes(b"B").unwrap();
        });
        let starts: Vec<&str> = text.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(
            starts,
            ["0xffffffff81234560", "0xffffffff81234570", "*", "0x000000ff81234570", "(--"]
        );
        assert!(text.contains("-- 42 ") || text.contains(" 42  "), "{text}");
    }

    #[test]
    fn nothing_gives_nothing() {
        assert_eq!(dump(|_| ()), "");
    }
}
