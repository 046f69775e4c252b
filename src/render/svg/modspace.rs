//! What module space is used for, as a bar.

use std::io::{self, Write};

use super::text::cut;
use super::{begin, label, rect};
use crate::answers::modspace::{ModuleSpaceMap, Region};
use crate::render::markup::Markup;
use crate::render::picture::line;

const STYLE: &str = "
text { font: 11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2328; }
rect { stroke: #59636e; stroke-width: 1; }
.module { fill: #a5d6ff; } .free { fill: #ffffff; } .lost { fill: #ffb3ad; }
.unknown, .not-yet { fill: #d1d9e0; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } rect { stroke: #9198a1; }
  .module { fill: #0c4a8a; } .free { fill: #0d1117; } .lost { fill: #8e1519; }
  .unknown, .not-yet { fill: #3d444d; }
}
";

const WIDTH: i64 = 960;
const MARGIN: i64 = 8;
const BAR: i64 = 44;
/// Narrower names say nothing.
const LEAST_LABEL: i64 = 40;

/// Writes the drawing: the arena from its first byte to its last, a box for each region.
///
/// # Errors
/// The output cannot be written.
pub fn module_space(space: &ModuleSpaceMap, out: &mut dyn Write) -> io::Result<()> {
    let arena = &space.modspace;
    let mut drawing = Markup::default();
    begin(&mut drawing, (WIDTH, BAR + 50), "Module space", STYLE);
    let bar = WIDTH - 2 * MARGIN;
    let at = |offset: u64| {
        let x = u128::from(offset) * bar as u128 / u128::from(arena.size.max(1));
        MARGIN + i64::try_from(x).unwrap_or(bar).min(bar)
    };
    arena.regions.try_for_each(|region| {
        let start = region.address.offset_from(arena.address).unwrap_or(0);
        let (left, right) = (at(start), at(start.saturating_add(region.size)));
        write_region(&mut drawing, region, left, (right - left).max(1));
        // So that nothing grows with the number of regions.
        out.write_all(drawing.as_str().as_bytes())?;
        drawing.clear();
        Ok::<_, io::Error>(())
    })?;
    let mut x = MARGIN;
    let sizes = [("module", Some(arena.used)), ("free", arena.free), ("lost", arena.lost)];
    for (class, size) in sizes {
        let size = size.map_or("unknown".to_owned(), |size| size.to_string());
        rect(&mut drawing, class, (x, BAR + 26), (14, 12), class);
        let text = format!("{class}: {size} bytes");
        label(&mut drawing, "", (x + 20, BAR + 36), &text);
        x += 40 + text.len() as i64 * 7;
    }
    drawing.raw("</svg>\n");
    out.write_all(drawing.as_str().as_bytes())
}

fn write_region(drawing: &mut Markup, region: &Region, left: i64, width: i64) {
    let name = region.module.as_deref().unwrap_or(region.kind);
    let name = line(name);
    let tooltip = format!("{name}: {} bytes at {}", region.size, region.address);
    rect(drawing, region.kind, (left, MARGIN), (width, BAR), &tooltip);
    if width >= LEAST_LABEL {
        label(drawing, "", (left + 4, MARGIN + 18), &cut(&name, width - 8, 11));
        label(drawing, "", (left + 4, MARGIN + 34), &cut(&region.size.to_string(), width - 8, 11));
    }
}
