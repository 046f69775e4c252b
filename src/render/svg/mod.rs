//! Drawings in SVG.
//!
//! [`write()`] draws the wiring of network stacks: a box for each vnet, with the names of its jails as title and its interfaces inside; a
//! line for each tie. What is wrong is red and dashed, and told below.
//!
//! How: the boxes stand in a grid. Lines run only where no text is: below the rows of interfaces,
//! and between the columns of the grid, each on a track of its own (`place.rs`, `route.rs`). All
//! members of a bridge, ports of a lagg, or VLANs of a parent hang on one line.
//!
//! What it refuses to do: it measures no fonts. Text is in a monospaced font and cut to the room
//! that it has; the whole is in a tooltip.

mod construction;
mod modspace;
mod place;
mod route;
mod text;
mod write;

use std::io::{self, Write};

use super::markup::Markup;
use super::picture::Picture;
use crate::answers::topology::Topology;

pub use construction::construction;
pub use modspace::module_space;

/// Writes the drawing of the wiring.
///
/// # Errors
/// The output cannot be written.
pub fn write(topology: &Topology, out: &mut dyn Write) -> io::Result<()> {
    let picture = Picture::of(topology);
    let grid = place::Grid::of(&picture);
    let routes = route::Routes::of(&picture, &grid);
    write::drawing(out, &picture, &grid, &routes)
}

/// Begins a drawing that tells in a title what it shows.
fn begin(drawing: &mut Markup, (width, height): (i64, i64), title: &str, style: &'static str) {
    let view = format!("0 0 {width} {height}");
    let attributes: [(_, &dyn std::fmt::Display); 5] = [
        ("xmlns", &"http://www.w3.org/2000/svg"),
        ("width", &width),
        ("height", &height),
        ("viewBox", &view),
        ("role", &"img"),
    ];
    drawing.tag("svg", &attributes).element("title", title);
    drawing.raw("<style>").raw(style).raw("</style>\n");
}

/// A rectangle with a tooltip.
fn rect(
    drawing: &mut Markup,
    class: &str,
    (x, y): (i64, i64),
    (width, height): (i64, i64),
    tooltip: &str,
) {
    let attributes: [(_, &dyn std::fmt::Display); 5] =
        [("class", &class), ("x", &x), ("y", &y), ("width", &width), ("height", &height)];
    drawing.tag("rect", &attributes).element("title", tooltip).end("rect").raw("\n");
}

/// Text that begins at a point.
fn label(drawing: &mut Markup, class: &str, (x, y): (i64, i64), text: &str) {
    drawing.tag("text", &[("class", &class), ("x", &x), ("y", &y)]).text(text);
    drawing.end("text").raw("\n");
}
