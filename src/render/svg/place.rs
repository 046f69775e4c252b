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
        grid.cells = grid.cells_of(&sizes);
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

    fn cells_of(&self, sizes: &[usize]) -> Vec<Cell> {
        let mut starts = Vec::with_capacity(sizes.len());
        let mut total = 0;
        for size in sizes {
            starts.push(total);
            total += size;
        }
        let mut cells = vec![Cell::default(); total];
        for band in &self.bands {
            for place in &band.boxes {
                let start = starts.get(place.group).copied().unwrap_or(0);
                let across = BESIDE * place.span;
                for number in 0..size(sizes, place.group) {
                    let (row, at) = (number / across, number % across);
                    let column = place.column + at / BESIDE;
                    let cell = Cell { column, beside: at % BESIDE, row: band.first_row + row };
                    if let Some(known) = cells.get_mut(start + number) {
                        *known = cell;
                    }
                }
            }
        }
        cells
    }
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
    use super::columns;

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
