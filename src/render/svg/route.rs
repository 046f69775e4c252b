//! Where the lines run: nets of interfaces that are tied together, and the tracks that each net
//! has below the rows and between the columns.

use std::collections::BTreeMap;

use super::place::{BESIDE, Grid};
use crate::answers::topology::EdgeKind;
use crate::render::picture::Picture;

pub(super) const CELL_WIDTH: i64 = 156;
pub(super) const CELL_HEIGHT: i64 = 36;
/// Between two interfaces, and between interfaces and the border of their box.
pub(super) const GAP: i64 = 10;
pub(super) const TITLE_HEIGHT: i64 = 38;
/// Between two lines.
const TRACK: i64 = 7;
/// Between lines and boxes.
const MARGIN: i64 = 10;

/// Interfaces that hang on one line.
pub(super) struct Net {
    pub kind: EdgeKind,
    pub fault: bool,
    /// Numbers of interfaces. The first is the bridge, the lagg, the parent, or one end.
    pub pins: Vec<Pin>,
    /// Between which columns it runs, and on which track; `None` if all its pins are in one row.
    vertical: Option<(usize, usize)>,
    /// Its track below each of its rows.
    horizontal: BTreeMap<usize, usize>,
}

/// Where a net touches an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pin {
    pub cell: usize,
    /// The place among the pins of that interface, and how many those are.
    place: (usize, usize),
}

/// All nets, and the points that everything is at.
pub(super) struct Routes {
    pub nets: Vec<Net>,
    /// The left edge of each column.
    column_x: Vec<i64>,
    /// The first track to the left of each column, and after the last.
    gutter_x: Vec<i64>,
    /// The top of each row of interfaces.
    row_y: Vec<i64>,
    /// The first track below each row.
    channel_y: Vec<i64>,
    /// The top of each band.
    pub band_y: Vec<i64>,
    pub width: i64,
    pub height: i64,
}

impl Routes {
    pub fn of(picture: &Picture<'_>, grid: &Grid) -> Self {
        let mut nets = nets(picture);
        let gutters = choose_gutters(&mut nets, grid);
        let (column_x, gutter_x, width) = columns(grid, &gutters);
        let mut routes = Self {
            nets,
            column_x,
            gutter_x,
            row_y: Vec::new(),
            channel_y: Vec::new(),
            band_y: Vec::new(),
            width,
            height: 0,
        };
        let channels = routes.choose_channels(grid);
        routes.set_rows(grid, &channels);
        routes
    }

    /// The upper left corner of an interface.
    pub fn cell_at(&self, grid: &Grid, cell: usize) -> (i64, i64) {
        let Some(cell) = grid.cells.get(cell) else { return (0, 0) };
        let x = get(&self.column_x, cell.column) + GAP + cell.beside as i64 * (CELL_WIDTH + GAP);
        (x, get(&self.row_y, cell.row))
    }

    /// The left and right edges of a box that begins in `column` and takes `span` of them.
    pub fn across(&self, column: usize, span: usize) -> (i64, i64) {
        let last = (column + span).saturating_sub(1);
        (get(&self.column_x, column), get(&self.column_x, last) + column_width())
    }

    /// Below the interfaces of a row, where a box ends that has no more.
    pub fn below(&self, row: usize) -> i64 {
        get(&self.row_y, row) + CELL_HEIGHT + GAP
    }

    /// The point where a pin leaves its interface.
    pub fn pin_at(&self, grid: &Grid, pin: Pin) -> (i64, i64) {
        let (x, y) = self.cell_at(grid, pin.cell);
        (x + pin_offset(pin), y + CELL_HEIGHT)
    }

    /// The lines of a net: pairs of points.
    pub fn lines(&self, grid: &Grid, net: &Net) -> Vec<[(i64, i64); 2]> {
        let mut lines = Vec::new();
        let trunk =
            net.vertical.map(|(gutter, track)| get(&self.gutter_x, gutter) + track as i64 * TRACK);
        let mut heights = Vec::new();
        for (row, track) in &net.horizontal {
            let y = get(&self.channel_y, *row) + *track as i64 * TRACK;
            heights.push(y);
            let mut xs: Vec<i64> = trunk.into_iter().collect();
            for pin in net.pins.iter().filter(|pin| row_of(grid, pin.cell) == *row) {
                let (x, bottom) = self.pin_at(grid, *pin);
                lines.push([(x, bottom), (x, y)]);
                xs.push(x);
            }
            if let (Some(left), Some(right)) = (xs.iter().min(), xs.iter().max()) {
                lines.push([(*left, y), (*right, y)]);
            }
        }
        if let (Some(x), Some(top), Some(bottom)) =
            (trunk, heights.iter().min(), heights.iter().max())
        {
            lines.push([(x, *top), (x, *bottom)]);
        }
        lines
    }

    /// Gives each net a track below each of its rows; the number of tracks below each row.
    fn choose_channels(&mut self, grid: &Grid) -> Vec<usize> {
        let mut wanted: BTreeMap<usize, Vec<(i64, i64, usize)>> = BTreeMap::new();
        for (at, net) in self.nets.iter().enumerate() {
            let trunk = net
                .vertical
                .map(|(gutter, track)| get(&self.gutter_x, gutter) + track as i64 * TRACK);
            let mut rows: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
            for pin in &net.pins {
                let (x, _) = self.cell_at(grid, pin.cell);
                rows.entry(row_of(grid, pin.cell)).or_default().push(x + pin_offset(*pin));
            }
            for (row, mut xs) in rows {
                xs.extend(trunk);
                let (left, right) = (xs.iter().min().copied(), xs.iter().max().copied());
                let ends = (left.unwrap_or(0), right.unwrap_or(0), at);
                wanted.entry(row).or_default().push(ends);
            }
        }
        let mut counts = vec![0; grid.rows()];
        for (row, wanted) in wanted {
            let tracks = tracks(wanted, TRACK);
            if let Some(count) = counts.get_mut(row) {
                *count = tracks.iter().map(|(_, track)| track + 1).max().unwrap_or(0);
            }
            for (net, track) in tracks {
                if let Some(net) = self.nets.get_mut(net) {
                    net.horizontal.insert(row, track);
                }
            }
        }
        counts
    }

    fn set_rows(&mut self, grid: &Grid, channels: &[usize]) {
        let mut y = MARGIN;
        for band in &grid.bands {
            self.band_y.push(y);
            y += TITLE_HEIGHT;
            for row in band.first_row..band.first_row + band.rows {
                self.row_y.push(y);
                let channel = y + CELL_HEIGHT + GAP + MARGIN;
                self.channel_y.push(channel);
                let tracks = channels.get(row).copied().unwrap_or(0) as i64;
                y = channel + tracks * TRACK + if tracks > 0 { MARGIN } else { 0 };
            }
            y += MARGIN;
        }
        self.height = y;
    }
}

/// One net for each epair and tunnel, and one for each bridge, lagg, and parent of VLANs. A tie
/// that is wrong is a net of its own.
fn nets(picture: &Picture<'_>) -> Vec<Net> {
    let mut hubs: BTreeMap<(usize, &'static str), usize> = BTreeMap::new();
    let mut nets: Vec<Net> = Vec::new();
    for tie in &picture.ties {
        let kind = tie.edge.kind;
        let fault = !tie.edge.problems.is_empty();
        // A VLAN is tied to its parent.
        let (hub, other) =
            if kind == EdgeKind::Vlan { (tie.to, tie.from) } else { (tie.from, tie.to) };
        let shared = !fault && matches!(kind, EdgeKind::Bridge | EdgeKind::Lagg | EdgeKind::Vlan);
        let pin = |cell| Pin { cell, place: (0, 1) };
        let known = hubs.get(&(hub, kind.name())).filter(|_| shared);
        match known.and_then(|at| nets.get_mut(*at)) {
            Some(net) => net.pins.push(pin(other)),
            None => {
                if shared {
                    hubs.insert((hub, kind.name()), nets.len());
                }
                let pins = vec![pin(hub), pin(other)];
                nets.push(Net { kind, fault, pins, vertical: None, horizontal: BTreeMap::new() });
            }
        }
    }
    spread_pins(&mut nets);
    nets
}

/// Several nets of one interface leave it side by side.
fn spread_pins(nets: &mut [Net]) {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for pin in nets.iter_mut().flat_map(|net| &mut net.pins) {
        let count = counts.entry(pin.cell).or_default();
        pin.place.0 = *count;
        *count += 1;
    }
    for pin in nets.iter_mut().flat_map(|net| &mut net.pins) {
        pin.place.1 = counts.get(&pin.cell).copied().unwrap_or(1);
    }
}

/// Chooses for each net in several rows between which columns it runs, and gives it a track there;
/// the number of tracks in each place.
fn choose_gutters(nets: &mut [Net], grid: &Grid) -> Vec<usize> {
    let mut wanted: BTreeMap<usize, Vec<(i64, i64, usize)>> = BTreeMap::new();
    for (at, net) in nets.iter().enumerate() {
        let rows: Vec<usize> = net.pins.iter().map(|pin| row_of(grid, pin.cell)).collect();
        let (Some(top), Some(bottom)) = (rows.iter().min(), rows.iter().max()) else { continue };
        if top == bottom {
            continue;
        }
        // The middle of the pins, in halves of a column.
        let place = |pin: &Pin| {
            let cell = grid.cells.get(pin.cell).copied().unwrap_or_default();
            cell.column * BESIDE + cell.beside
        };
        let mut places: Vec<usize> = net.pins.iter().map(place).collect();
        places.sort_unstable();
        let middle = places.get(places.len() / 2).copied().unwrap_or(0);
        let gutter = (middle + 1) / BESIDE;
        wanted.entry(gutter).or_default().push((*top as i64, *bottom as i64, at));
    }
    let mut counts = vec![0; grid.columns + 1];
    for (gutter, wanted) in wanted {
        // A line may begin in the row in which another ends only on another track.
        let tracks = tracks(wanted, 0);
        if let Some(count) = counts.get_mut(gutter) {
            *count = tracks.iter().map(|(_, track)| track + 1).max().unwrap_or(0);
        }
        for (net, track) in tracks {
            if let Some(net) = nets.get_mut(net) {
                net.vertical = Some((gutter, track));
            }
        }
    }
    counts
}

/// The left edges of columns, the first tracks beside them, and the width of all.
fn columns(grid: &Grid, gutters: &[usize]) -> (Vec<i64>, Vec<i64>, i64) {
    let (mut column_x, mut gutter_x) = (Vec::new(), Vec::new());
    let mut x = 0;
    for column in 0..=grid.columns {
        x += MARGIN;
        gutter_x.push(x);
        let tracks = gutters.get(column).copied().unwrap_or(0) as i64;
        x += tracks * TRACK + if tracks > 0 { MARGIN - TRACK } else { 0 };
        if column < grid.columns {
            x += MARGIN / 2;
            column_x.push(x);
            x += column_width();
        }
    }
    (column_x, gutter_x, x + MARGIN)
}

fn column_width() -> i64 {
    BESIDE as i64 * (CELL_WIDTH + GAP) + GAP
}

fn pin_offset(pin: Pin) -> i64 {
    let (at, of) = pin.place;
    CELL_WIDTH * (at as i64 + 1) / (of as i64 + 1)
}

fn row_of(grid: &Grid, cell: usize) -> usize {
    grid.cells.get(cell).map_or(0, |cell| cell.row)
}

fn get(places: &[i64], at: usize) -> i64 {
    places.get(at).copied().unwrap_or(0)
}

/// Gives each stretch (start, end, owner) the first track on which it is at least `apart` behind
/// the one before: pairs of owner and track.
fn tracks(mut stretches: Vec<(i64, i64, usize)>, apart: i64) -> Vec<(usize, usize)> {
    stretches.sort_unstable();
    let mut ends: Vec<i64> = Vec::new();
    let mut tracks = Vec::with_capacity(stretches.len());
    for (start, end, owner) in stretches {
        let free = ends.iter().position(|last| last + apart < start);
        let track = free.unwrap_or(ends.len());
        match ends.get_mut(track) {
            Some(last) => *last = end,
            None => ends.push(end),
        }
        tracks.push((owner, track));
    }
    tracks
}

#[cfg(test)]
mod tests {
    use super::tracks;

    #[test]
    fn stretches_share_a_track_only_if_they_do_not_touch() {
        let found = tracks(vec![(0, 10, 0), (5, 20, 1), (12, 30, 2), (10, 11, 3)], 0);
        assert_eq!(found, [(0, 0), (1, 1), (3, 2), (2, 0)]);
        assert_eq!(tracks(vec![(0, 10, 0), (12, 30, 2)], 5), [(0, 0), (2, 1)]);
    }
}
