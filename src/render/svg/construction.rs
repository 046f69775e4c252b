//! How far vnets have come with their construction, as time lines.

use std::io::{self, Write};

use super::text::cut;
use super::{begin, label, rect};
use crate::answers::report::Built;
use crate::answers::sysinit::Course;
use crate::render::markup::Markup;
use crate::render::picture::line;
use crate::views::construction::{Direction, Phase};

const STYLE: &str = "
text { font: 11px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2328; }
rect { stroke: #59636e; stroke-width: 1; }
.done { fill: #7ee2a8; } .now { fill: #ffd33d; } .todo { fill: #ffffff; stroke-dasharray: 3 2; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; } rect { stroke: #9198a1; }
  .done { fill: #1a7f37; } .now { fill: #9e6a03; } .todo { fill: #0d1117; }
}
";

const LABEL: i64 = 300;
const STEP: i64 = 18;
const ROW: i64 = 22;
const BAR: i64 = 14;
const HEAD: i64 = 130;
const AFTER: i64 = 330;
/// More vnets that are up are counted, not drawn.
const MOST_UP: usize = 60;
/// More vnets that are not up are counted too.
const MOST_MOVING: usize = 100;

/// Writes the drawing: a line for each vnet, on which its subsystems stand in the order in which
/// they are built. What is torn down goes from right to left.
///
/// # Errors
/// The output cannot be written.
pub fn construction(vnets: &[Built], out: &mut dyn Write) -> io::Result<()> {
    let (mut up, mut moving) = (0, 0);
    let drawn: Vec<&Built> = vnets
        .iter()
        .filter(|vnet| {
            let (count, most) = match vnet.stage.phase {
                Phase::Up => (&mut up, MOST_UP),
                _ => (&mut moving, MOST_MOVING),
            };
            *count += 1;
            *count <= most
        })
        .collect();
    let axis = axis(&drawn);
    let lines: i64 = drawn.iter().map(|vnet| vnet.stage.courses.len().max(1) as i64).sum();
    let width = LABEL + axis.len() as i64 * STEP + AFTER;
    let mut drawing = Markup::default();
    let title = "How far each vnet has come";
    begin(&mut drawing, (width, HEAD + lines * ROW + 50), title, STYLE);
    for (place, name) in axis.iter().enumerate() {
        let (x, y) = (LABEL + place as i64 * STEP + STEP / 2, HEAD - 8);
        let turn = format!("translate({x} {y}) rotate(-60)");
        let name = cut(&short(name), HEAD - 10, 11);
        drawing.tag("text", &[("transform", &turn)]).text(name).end("text").raw("\n");
    }
    let mut y = HEAD;
    for vnet in &drawn {
        y = write_vnet(&mut drawing, vnet, &axis, y);
    }
    let more = vnets.len() - drawn.len();
    if more > 0 {
        label(&mut drawing, "", (8, y + BAR), &format!("and {more} more"));
    }
    write_legend(&mut drawing, y + ROW + 6);
    drawing.raw("</svg>\n");
    out.write_all(drawing.as_str().as_bytes())
}

/// The lines of one vnet; where the next begin.
fn write_vnet(drawing: &mut Markup, vnet: &Built, axis: &[&str], mut y: i64) -> i64 {
    label(drawing, "", (8, y + BAR - 3), &cut(&line(&vnet.title), LABEL - 16, 11));
    for course in &vnet.stage.courses {
        for (class, names) in
            [("done", &course.done), ("now", &course.in_progress), ("todo", &course.to_come)]
        {
            for (start, len) in runs(axis, names) {
                let x = LABEL + start as i64 * STEP;
                let size = (len as i64 * STEP - 1, BAR);
                rect(drawing, class, (x, y), size, &line(&names.join(", ")));
            }
        }
        let way = match (vnet.stage.phase, course.direction) {
            (Phase::Up | Phase::Destroyed, _) => vnet.stage.phase.name().to_owned(),
            (_, Direction::Up) => words("→ being built", course),
            (_, Direction::Down) => words("← being torn down", course),
        };
        let x = LABEL + axis.len() as i64 * STEP + 10;
        label(drawing, "", (x, y + BAR - 3), &cut(&line(&way), AFTER - 16, 11));
        y += ROW;
    }
    if vnet.stage.courses.is_empty() { y + ROW } else { y }
}

fn words(way: &str, course: &Course) -> String {
    let now: Vec<String> = course.in_progress.iter().map(|name| short(name)).collect();
    if now.is_empty() { way.to_owned() } else { format!("{way}: {}", now.join(", ")) }
}

fn write_legend(drawing: &mut Markup, y: i64) {
    let mut x = LABEL;
    for (class, text) in [("done", "done"), ("now", "in progress"), ("todo", "to come")] {
        rect(drawing, class, (x, y), (STEP, BAR), text);
        label(drawing, "", (x + STEP + 6, y + BAR - 3), text);
        x += STEP + 30 + text.len() as i64 * 7;
    }
}

/// All subsystems in the order in which they are built.
fn axis<'a>(vnets: &[&'a Built]) -> Vec<&'a str> {
    let mut axis: Vec<&str> = Vec::new();
    for course in vnets.iter().flat_map(|vnet| &vnet.stage.courses) {
        let names = [&course.done, &course.in_progress, &course.to_come].into_iter().flatten();
        let mut names: Vec<&str> = names.map(String::as_str).collect();
        if course.direction == Direction::Down {
            names.reverse();
        }
        let mut next = 0;
        for name in names {
            next = match axis.iter().position(|known| *known == name) {
                Some(known) => known + 1,
                None => {
                    axis.insert(next.min(axis.len()), name);
                    next + 1
                }
            };
        }
    }
    axis
}

/// Where these names stand without a gap: starts and lengths.
fn runs(axis: &[&str], names: &[String]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (place, name) in axis.iter().enumerate() {
        if !names.iter().any(|wanted| wanted == name) {
            continue;
        }
        match runs.last_mut() {
            Some((start, len)) if *start + *len == place => *len += 1,
            _ => runs.push((place, 1)),
        }
    }
    runs
}

/// A subsystem without what all have in common.
fn short(name: &str) -> String {
    line(name.strip_prefix("SI_SUB_").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn neighbours_are_one_box() {
        let names = ["a", "b", "d"].map(str::to_owned);
        assert_eq!(runs(&["a", "b", "c", "d"], &names), [(0, 2), (3, 1)]);
        assert_eq!(runs(&["a"], &[]), []);
    }
}
