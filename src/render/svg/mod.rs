//! A drawing of the wiring of network stacks, in SVG.
//!
//! What: a box for each vnet, with the names of its jails as title and its interfaces inside; a
//! line for each tie. What is wrong is red and dashed, and told below.
//!
//! How: the boxes stand in a grid. Lines run only where no text is: below the rows of interfaces,
//! and between the columns of the grid, each on a track of its own (`place.rs`, `route.rs`). All
//! members of a bridge, ports of a lagg, or VLANs of a parent hang on one line.
//!
//! What it refuses to do: it measures no fonts. Text is in a monospaced font and cut to the room
//! that it has; the whole is in a tooltip.

mod place;
mod route;
mod text;
mod write;

use std::io::{self, Write};

use super::picture::Picture;
use crate::answers::topology::Topology;

/// Writes the drawing.
///
/// # Errors
/// The output cannot be written.
pub fn write(topology: &Topology, out: &mut dyn Write) -> io::Result<()> {
    let picture = Picture::of(topology);
    let grid = place::Grid::of(&picture);
    let routes = route::Routes::of(&picture, &grid);
    write::drawing(out, &picture, &grid, &routes)
}
