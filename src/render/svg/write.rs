//! The drawing's elements.

use std::io::{self, Write};

use super::place::{Grid, Place};
use super::route::{CELL_HEIGHT, CELL_WIDTH, GAP, Net, Routes, TITLE_HEIGHT};
use super::text::cut;
use crate::answers::topology::{EdgeKind, Node};
use crate::render::markup::Escaped;
use crate::render::picture::{Group, Picture, line};

/// Not every program that shows drawings knows variables of CSS.
const STYLE: &str = "\
text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1f2328; }
.paper, .cell { fill: #ffffff; }
.box { fill: #f0f3f6; }
.box, .cell { stroke: #8c959f; }
.title { font-size: 13px; font-weight: bold; }
.name { font-size: 12px; font-weight: bold; }
.small { font-size: 10px; }
text.small { fill: #59636e; }
.wire { fill: none; stroke-width: 1.5; stroke-linecap: round; }
.epair { stroke: #0969da; }
.bridge { stroke: #1a7f37; }
.vlan { stroke: #8250df; stroke-dasharray: 6 4; }
.lagg { stroke: #9a6700; stroke-width: 2.5; }
.tunnel { stroke: #bc4c00; stroke-dasharray: 2 4; }
.bad, .fault { stroke: #cf222e; stroke-width: 2; stroke-dasharray: 5 3; }
text.wrong { fill: #cf222e; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .paper, .cell { fill: #0d1117; }
  .box { fill: #1c232c; }
  .box, .cell { stroke: #656c76; }
  text.small { fill: #9198a1; }
  .epair { stroke: #58a6ff; }
  .bridge { stroke: #3fb950; }
  .vlan { stroke: #ab7df8; }
  .lagg { stroke: #d29922; }
  .tunnel { stroke: #f0883e; }
  .bad, .fault { stroke: #ff7b72; }
  text.wrong { fill: #ff7b72; }
}
";

/// The height of a line of text below the boxes.
const LINE: i64 = 18;
/// The legend needs as much.
const LEAST_WIDTH: i64 = 620;
/// More faults are counted, not told.
const MOST_FAULTS: usize = 20;

pub(super) fn drawing(
    out: &mut dyn Write,
    picture: &Picture<'_>,
    grid: &Grid,
    routes: &Routes,
) -> io::Result<()> {
    let told = picture.faults.len().min(MOST_FAULTS);
    let more = picture.faults.len() - told;
    let lines = 1 + told + usize::from(more > 0);
    let width = routes.width.max(LEAST_WIDTH);
    let height = routes.height + lines as i64 * LINE + GAP;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">"
    )?;
    writeln!(out, "<title id=\"title\">How the network stacks are wired</title>")?;
    writeln!(out, "<desc id=\"desc\">{}</desc>", Escaped(&description(picture)))?;
    writeln!(out, "<style>\n{STYLE}</style>")?;
    writeln!(out, "<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>")?;
    for (band, y) in grid.bands.iter().zip(&routes.band_y) {
        for place in &band.boxes {
            if let Some(group) = picture.boxes.get(place.group) {
                write_box(out, group, place, *y, band.first_row, routes)?;
            }
        }
    }
    // What is wrong is on top.
    let nodes: Vec<&Node> =
        picture.boxes.iter().flat_map(|group| &group.interfaces).copied().collect();
    for fault in [false, true] {
        for net in routes.nets.iter().filter(|net| net.fault == fault) {
            write_net(out, &nodes, net, grid, routes)?;
        }
    }
    for (at, (node, label)) in nodes.iter().zip(labels(picture, nodes.len())).enumerate() {
        write_cell(out, node, routes.cell_at(grid, at), label)?;
    }
    write_legend(out, routes, !picture.faults.is_empty())?;
    let mut y = routes.height + LINE;
    for fault in picture.faults.iter().take(told) {
        y += LINE;
        let text = cut(fault, width - 2 * GAP, 10);
        writeln!(
            out,
            "<text class=\"small wrong\" x=\"{GAP}\" y=\"{y}\">{}<title>{}</title></text>",
            Escaped(&text),
            Escaped(fault)
        )?;
    }
    if more > 0 {
        y += LINE;
        writeln!(out, "<text class=\"small wrong\" x=\"{GAP}\" y=\"{y}\">and {more} more</text>")?;
    }
    writeln!(out, "</svg>")
}

fn description(picture: &Picture<'_>) -> String {
    let interfaces: usize = picture.boxes.iter().map(|group| group.interfaces.len()).sum();
    format!(
        "{} boxes with {interfaces} interfaces, {} ties between them, {} faults",
        picture.boxes.len(),
        picture.ties.len(),
        picture.faults.len()
    )
}

fn write_box(
    out: &mut dyn Write,
    group: &Group<'_>,
    place: &Place,
    y: i64,
    first_row: usize,
    routes: &Routes,
) -> io::Result<()> {
    let (left, right) = routes.across(place.column, place.span);
    let bottom = routes.below(first_row + place.rows - 1);
    let bad = if group.fault { " bad" } else { "" };
    writeln!(out, "<g><title>{}</title>", Escaped(&format!("{} {}", group.title, group.note)))?;
    writeln!(
        out,
        "<rect class=\"box{bad}\" x=\"{left}\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
        right - left,
        bottom - y
    )?;
    let (x, room) = (left + GAP, routes.across(place.column, 1).1 - left - 2 * GAP);
    let lines = [("title", &group.title, 17, 13), ("small", &group.note, TITLE_HEIGHT - 7, 10)];
    for (class, text, below, size) in lines {
        let text = cut(text, room, size);
        writeln!(
            out,
            "<text class=\"{class}\" x=\"{x}\" y=\"{}\">{}</text>",
            y + below,
            Escaped(&text)
        )?;
    }
    writeln!(out, "</g>")
}

fn write_cell(
    out: &mut dyn Write,
    node: &Node,
    (x, y): (i64, i64),
    label: Option<&str>,
) -> io::Result<()> {
    let bad = if node.problems.is_empty() && node.listed != Some(false) { "" } else { " bad" };
    writeln!(out, "<g><title>{}</title>", Escaped(&tooltip(node)))?;
    writeln!(
        out,
        "<rect class=\"cell{bad}\" x=\"{x}\" y=\"{y}\" width=\"{CELL_WIDTH}\" \
         height=\"{CELL_HEIGHT}\" rx=\"4\"/>"
    )?;
    let room = CELL_WIDTH - 12;
    let label = label.map(|label| format!("vlan {}", line(label)));
    let taken = label.as_ref().map_or(0, |label| label.chars().count() as i64 * 6 + 6);
    let name = cut(&line(&node.name), room - taken, 12);
    writeln!(
        out,
        "<text class=\"name\" x=\"{}\" y=\"{}\">{}</text>",
        x + 6,
        y + 15,
        Escaped(&name)
    )?;
    if let Some(label) = label {
        writeln!(
            out,
            "<text class=\"small\" text-anchor=\"end\" x=\"{}\" y=\"{}\">{}</text>",
            x + CELL_WIDTH - 6,
            y + 15,
            Escaped(&label)
        )?;
    }
    let below = match (&*node.addresses, &*node.notes) {
        ([], []) if node.listed == Some(false) => "on no list".to_owned(),
        ([], []) => return writeln!(out, "</g>"),
        ([], [note, ..]) => line(note),
        ([address], _) => line(address),
        ([address, rest @ ..], _) => format!("{} +{}", line(address), rest.len()),
    };
    let below = cut(&below, room, 10);
    writeln!(
        out,
        "<text class=\"small\" x=\"{}\" y=\"{}\">{}</text></g>",
        x + 6,
        y + 29,
        Escaped(&below)
    )
}

fn tooltip(node: &Node) -> String {
    let mut words = vec![line(&node.name), node.id.to_string()];
    words.extend(node.addresses.iter().chain(&node.notes).map(|text| line(text)));
    words.extend(node.problems.iter().map(|problem| line(&format!("! {}", problem.why))));
    words.join("; ")
}

/// The number of the VLAN that each interface is.
fn labels<'a>(picture: &Picture<'a>, interfaces: usize) -> Vec<Option<&'a str>> {
    let mut labels = vec![None; interfaces];
    for tie in picture.ties.iter().filter(|tie| tie.edge.kind == EdgeKind::Vlan) {
        if let Some(label) = labels.get_mut(tie.from) {
            *label = tie.edge.label.as_deref();
        }
    }
    labels
}

fn write_net(
    out: &mut dyn Write,
    nodes: &[&Node],
    net: &Net,
    grid: &Grid,
    routes: &Routes,
) -> io::Result<()> {
    let class = if net.fault { "fault" } else { net.kind.name() };
    let name = |cell: usize| nodes.get(cell).map_or(String::new(), |node| line(&node.name));
    // A tooltip does not need the names of hundreds.
    let names: Vec<String> = net.pins.iter().take(8).map(|pin| name(pin.cell)).collect();
    let more = if net.pins.len() > names.len() { " …" } else { "" };
    let title = format!("{}: {}{more}", net.kind.name(), names.join(" – "));
    write!(out, "<g><title>{}</title><path class=\"wire {class}\" d=\"", Escaped(&title))?;
    for [(x1, y1), (x2, y2)] in routes.lines(grid, net) {
        write!(out, "M{x1} {y1}L{x2} {y2}")?;
    }
    writeln!(out, "\"/></g>")
}

fn write_legend(out: &mut dyn Write, routes: &Routes, faults: bool) -> io::Result<()> {
    let y = routes.height;
    let kinds = ["epair", "bridge", "vlan", "lagg", "tunnel"].into_iter();
    let is_drawn =
        |kind: &&str| routes.nets.iter().any(|net| !net.fault && net.kind.name() == *kind);
    let kinds = kinds.filter(is_drawn).map(|kind| (kind, kind));
    let fault = faults.then_some(("fault", "fault: see below"));
    let mut x = GAP;
    for (class, text) in kinds.chain(fault) {
        let (middle, end) = (y + LINE / 2, x + 30);
        writeln!(out, "<path class=\"wire {class}\" d=\"M{x} {middle}L{end} {middle}\"/>")?;
        writeln!(
            out,
            "<text class=\"small\" x=\"{}\" y=\"{}\">{text}</text>",
            end + 6,
            middle + 4
        )?;
        x = end + 6 + text.len() as i64 * 6 + 24;
    }
    Ok(())
}
