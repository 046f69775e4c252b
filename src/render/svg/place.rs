//! Where boxes and interfaces stand: columns and rows, not yet points.

use crate::render::picture::Picture;

/// Interfaces of a small box that stand side by side in one column of the grid.
pub(super) const BESIDE: usize = 2;
/// A box with more interfaces is as wide as the drawing.
const MOST_IN_COLUMN: usize = 8;

/// The grid that boxes stand in.
pub(super) struct Grid {
    pub columns: usize,
    /// One after the other from the top.
    pub bands: Vec<Band>,
    /// Of each interface, counted through all boxes.
    pub cells: Vec<Cell>,
}

/// Boxes side by side, or one that is as wide as all columns.
pub(super) struct Band {
    pub boxes: Vec<Place>,
    /// How many rows of interfaces the highest has.
    pub rows: usize,
    /// The number of the first of its rows, counted through all bands.
    pub first_row: usize,
}

/// Where a box stands.
pub(super) struct Place {
    /// Its number in the picture.
    pub group: usize,
    pub column: usize,
    /// How many columns it takes.
    pub span: usize,
    pub rows: usize,
}

/// Where an interface stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub column: usize,
    /// Its place among those in its column.
    pub beside: usize,
    /// Counted through all bands.
    pub row: usize,
}

impl Grid {
    pub fn of(picture: &Picture<'_>) -> Self {
        let sizes: Vec<usize> = picture.boxes.iter().map(|group| group.interfaces.len()).collect();
        let columns = columns(&sizes);
        let (wide, small): (Vec<usize>, Vec<usize>) =
            (0..sizes.len()).partition(|at| is_wide(size(&sizes, *at), columns));
        let mut grid = Self { columns, bands: Vec::new(), cells: Vec::new() };
        for group in wide {
            let rows = size(&sizes, group).div_ceil(BESIDE * columns).max(1);
            grid.add(vec![Place { group, column: 0, span: columns, rows }]);
        }
        for chunk in small.chunks(columns) {
            let place = |(column, group): (usize, &usize)| {
                let rows = size(&sizes, *group).div_ceil(BESIDE).max(1);
                Place { group: *group, column, span: 1, rows }
            };
            grid.add(chunk.iter().enumerate().map(place).collect());
        }
        let ends = picture.ties.iter().flat_map(|tie| [(tie.from, tie.to), (tie.to, tie.from)]);
        let mut ties: Vec<(usize, usize)> = ends.collect();
        ties.sort_unstable();
        grid.cells = grid.cells_of(&sizes, &ties);
        grid
    }

    /// The number of rows of interfaces in all bands.
    pub fn rows(&self) -> usize {
        self.bands.last().map_or(0, |band| band.first_row + band.rows)
    }

    fn add(&mut self, boxes: Vec<Place>) {
        let rows = boxes.iter().map(|place| place.rows).max().unwrap_or(1);
        let first_row = self.rows();
        self.bands.push(Band { boxes, rows, first_row });
    }

    /// Small boxes first: those decide where the interfaces of wide ones stand.
    fn cells_of(&self, sizes: &[usize], ties: &[(usize, usize)]) -> Vec<Cell> {
        let mut starts = Vec::with_capacity(sizes.len());
        let mut total = 0;
        for size in sizes {
            starts.push(total);
            total += size;
        }
        let mut cells: Vec<Option<Cell>> = vec![None; total];
        for wide in [false, true] {
            for band in &self.bands {
                for place in band.boxes.iter().filter(|place| (place.span > 1) == wide) {
                    let start = starts.get(place.group).copied().unwrap_or(0);
                    let numbers = start..start + size(sizes, place.group);
                    let wishes = numbers.clone().map(|at| wish(at, &cells, ties)).collect();
                    let slots = slots(place, band.first_row, wishes);
                    for (number, cell) in numbers.zip(slots) {
                        if let Some(known) = cells.get_mut(number) {
                            *known = Some(cell);
                        }
                    }
                }
            }
        }
        cells.into_iter().map(Option::unwrap_or_default).collect()
    }
}

/// The column of what an interface is tied to, where that stands already.
fn wish(at: usize, cells: &[Option<Cell>], ties: &[(usize, usize)]) -> Option<usize> {
    let first = ties.partition_point(|(from, _)| *from < at);
    let ties = ties.get(first..)?.iter().take_while(|(from, _)| *from == at);
    ties.filter_map(|(_, to)| Some((*cells.get(*to)?)?.column)).next()
}

/// A place for each interface of a box: in the column that it wishes for, if there is room.
fn slots(place: &Place, first_row: usize, wishes: Vec<Option<usize>>) -> Vec<Cell> {
    let mut taken = vec![0; place.span];
    let mut slots: Vec<Option<Cell>> = vec![None; wishes.len()];
    let mut take = |offset: usize| {
        let count = taken.get_mut(offset).filter(|count| **count < place.rows * BESIDE)?;
        let (row, beside) = (*count / BESIDE, *count % BESIDE);
        *count += 1;
        Some(Cell { column: place.column + offset, beside, row: first_row + row })
    };
    for (slot, wish) in slots.iter_mut().zip(&wishes) {
        let offset = wish.and_then(|column| column.checked_sub(place.column));
        *slot = offset.and_then(&mut take);
    }
    // The others row by row.
    let mut row_by_row = 0;
    for slot in slots.iter_mut().filter(|slot| slot.is_none()) {
        for _ in 0..place.span * 2 {
            let offset = row_by_row / BESIDE % place.span;
            row_by_row += 1;
            *slot = take(offset);
            if slot.is_some() {
                break;
            }
            row_by_row = row_by_row.next_multiple_of(BESIDE);
        }
    }
    slots.into_iter().map(Option::unwrap_or_default).collect()
}

fn size(sizes: &[usize], at: usize) -> usize {
    sizes.get(at).copied().unwrap_or(0)
}

fn is_wide(size: usize, columns: usize) -> bool {
    columns > 1 && size > MOST_IN_COLUMN
}

/// As many as make a drawing that is somewhat wider than high.
fn columns(sizes: &[usize]) -> usize {
    let root = |number: usize| number.isqrt() + usize::from(number.isqrt().pow(2) < number);
    let small = sizes.iter().filter(|size| **size <= MOST_IN_COLUMN).count();
    let largest = sizes.iter().copied().max().unwrap_or(0);
    let by_boxes = root(small * 7 / 10);
    let by_largest = root(largest / 6);
    by_boxes.max(by_largest).max(sizes.len().min(2)).clamp(1, 12)
}

#[cfg(test)]
mod tests {
    use super::{Place, columns, slots};

    #[test]
    fn interfaces_stand_above_what_they_are_tied_to() {
        let place = Place { group: 0, column: 0, span: 2, rows: 2 };
        let wishes = vec![Some(1), None, Some(1), None, Some(1), Some(9), Some(1), Some(1)];
        let found = slots(&place, 5, wishes);
        let places: Vec<_> = found.iter().map(|it| (it.column, it.row, it.beside)).collect();
        let expected = [
            (1, 5, 0),
            (0, 5, 0),
            (1, 5, 1),
            (0, 5, 1),
            (1, 6, 0),
            (0, 6, 0),
            (1, 6, 1),
            (0, 6, 1),
        ];
        assert_eq!(places, expected);
        assert!(slots(&place, 0, Vec::new()).is_empty());
    }

    #[test]
    fn the_grid_grows_with_boxes_and_with_the_largest_of_them() {
        assert_eq!(columns(&[]), 1);
        assert_eq!(columns(&[3]), 1);
        assert_eq!(columns(&[2, 1]), 2);
        assert_eq!(columns(&[2; 10]), 3);
        assert_eq!(columns(&[2; 100]), 9);
        assert_eq!(columns(&[300]), 8);
        assert_eq!(columns(&[2; 1_000_000]), 12);
    }
}
