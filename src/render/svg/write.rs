//! The drawing's elements.

use std::fmt::Display;
use std::io::{self, Write};

use super::place::{Grid, Place};
use super::route::{CELL_HEIGHT, CELL_WIDTH, GAP, Net, Routes, TITLE_HEIGHT};
use super::text::cut;
use crate::answers::topology::{EdgeKind, Node};
use crate::render::markup::Markup;
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
    let mut drawing = Drawing { out, made: Markup::default() };
    let told = picture.faults.len().min(MOST_FAULTS);
    let more = picture.faults.len() - told;
    let lines = 1 + told + usize::from(more > 0);
    let width = routes.width.max(LEAST_WIDTH);
    let height = routes.height + lines as i64 * LINE + GAP;
    drawing.begin(width, height, &description(picture))?;
    for (band, y) in grid.bands.iter().zip(&routes.band_y) {
        for place in &band.boxes {
            if let Some(group) = picture.boxes.get(place.group) {
                drawing.group(group, place, *y, band.first_row, routes)?;
            }
        }
    }
    // What is wrong is on top.
    let nodes: Vec<&Node> =
        picture.boxes.iter().flat_map(|group| &group.interfaces).copied().collect();
    for fault in [false, true] {
        for net in routes.nets.iter().filter(|net| net.fault == fault) {
            drawing.net(&nodes, net, grid, routes)?;
        }
    }
    for (at, (node, label)) in nodes.iter().zip(labels(picture, nodes.len())).enumerate() {
        drawing.cell(node, routes.cell_at(grid, at), label)?;
    }
    drawing.legend(routes, !picture.faults.is_empty())?;
    let mut y = routes.height + LINE;
    for fault in picture.faults.iter().take(told) {
        y += LINE;
        drawing.text("small wrong", (GAP, y), &cut(fault, width - 2 * GAP, 10));
        drawing.made.element("title", fault).end("text").raw("\n");
    }
    if more > 0 {
        y += LINE;
        drawing.text("small wrong", (GAP, y), &format!("and {more} more"));
        drawing.made.end("text").raw("\n");
    }
    drawing.made.raw("</svg>\n");
    drawing.flush()
}

/// A drawing that is written as it is made.
struct Drawing<'a> {
    out: &'a mut dyn Write,
    made: Markup,
}

impl Drawing<'_> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(self.made.as_str().as_bytes())?;
        self.made.clear();
        Ok(())
    }

    fn begin(&mut self, width: i64, height: i64, description: &str) -> io::Result<()> {
        let view = format!("0 0 {width} {height}");
        self.made.tag(
            "svg",
            &[
                ("xmlns", &"http://www.w3.org/2000/svg"),
                ("width", &width),
                ("height", &height),
                ("viewBox", &view),
                ("role", &"img"),
                ("aria-labelledby", &"title desc"),
            ],
        );
        self.made.raw("\n<title id=\"title\">How the network stacks are wired</title>\n");
        self.made.raw("<desc id=\"desc\">").text(description).raw("</desc>\n");
        self.made.raw("<style>\n").raw(STYLE).raw("</style>\n");
        self.made.empty("rect", &[("class", &"paper"), ("width", &width), ("height", &height)]);
        self.made.raw("\n");
        self.flush()
    }

    /// Text that is not ended.
    fn text(&mut self, class: &str, (x, y): (i64, i64), text: &str) {
        self.made.tag("text", &[("class", &class), ("x", &x), ("y", &y)]).text(text);
    }

    fn line_of_text(&mut self, class: &str, at: (i64, i64), text: &str) {
        self.text(class, at, text);
        self.made.end("text").raw("\n");
    }

    fn rect(&mut self, class: &str, (x, y): (i64, i64), (width, height): (i64, i64), round: i64) {
        let attributes: [(_, &dyn Display); 6] = [
            ("class", &class),
            ("x", &x),
            ("y", &y),
            ("width", &width),
            ("height", &height),
            ("rx", &round),
        ];
        self.made.empty("rect", &attributes).raw("\n");
    }

    /// A box with its titles.
    fn group(
        &mut self,
        group: &Group<'_>,
        place: &Place,
        y: i64,
        first_row: usize,
        routes: &Routes,
    ) -> io::Result<()> {
        let (left, right) = routes.across(place.column, place.span);
        let bottom = routes.below(first_row + place.rows - 1);
        let class = if group.fault { "box bad" } else { "box" };
        let tooltip = format!("{} {}", group.title, group.note);
        self.made.raw("<g>").element("title", tooltip).raw("\n");
        self.rect(class, (left, y), (right - left, bottom - y), 6);
        let (x, room) = (left + GAP, routes.across(place.column, 1).1 - left - 2 * GAP);
        self.line_of_text("title", (x, y + 17), &cut(&group.title, room, 13));
        self.line_of_text("small", (x, y + TITLE_HEIGHT - 7), &cut(&group.note, room, 10));
        self.made.raw("</g>\n");
        self.flush()
    }

    /// An interface.
    fn cell(&mut self, node: &Node, (x, y): (i64, i64), label: Option<&str>) -> io::Result<()> {
        let sound = node.problems.is_empty() && node.listed != Some(false);
        let class = if sound { "cell" } else { "cell bad" };
        self.made.raw("<g>").element("title", tooltip(node)).raw("\n");
        self.rect(class, (x, y), (CELL_WIDTH, CELL_HEIGHT), 4);
        let room = CELL_WIDTH - 12;
        let label = label.map(|label| format!("vlan {}", line(label)));
        let taken = label.as_ref().map_or(0, |label| label.chars().count() as i64 * 6 + 6);
        self.line_of_text("name", (x + 6, y + 15), &cut(&line(&node.name), room - taken, 12));
        if let Some(label) = label {
            let attributes: [(_, &dyn Display); 4] = [
                ("class", &"small"),
                ("text-anchor", &"end"),
                ("x", &(x + CELL_WIDTH - 6)),
                ("y", &(y + 15)),
            ];
            self.made.tag("text", &attributes).text(label).end("text").raw("\n");
        }
        if let Some(below) = below(node) {
            self.text("small", (x + 6, y + 29), &cut(&below, room, 10));
            self.made.end("text");
        }
        self.made.raw("</g>\n");
        self.flush()
    }

    /// The lines between the interfaces that are tied together.
    fn net(&mut self, nodes: &[&Node], net: &Net, grid: &Grid, routes: &Routes) -> io::Result<()> {
        let class = if net.fault { "fault" } else { net.kind.name() };
        let name = |cell: usize| nodes.get(cell).map_or(String::new(), |node| line(&node.name));
        // A tooltip does not need the names of hundreds.
        let names: Vec<String> = net.pins.iter().take(8).map(|pin| name(pin.cell)).collect();
        let more = if net.pins.len() > names.len() { " …" } else { "" };
        let title = format!("{}: {}{more}", net.kind.name(), names.join(" – "));
        let ways = routes.lines(grid, net).into_iter();
        let path: String =
            ways.map(|[(x1, y1), (x2, y2)]| format!("M{x1} {y1}L{x2} {y2}")).collect();
        self.made.raw("<g>").element("title", title);
        self.wire(class, &path);
        self.made.raw("</g>\n");
        self.flush()
    }

    fn wire(&mut self, class: &str, path: &str) {
        let class = format!("wire {class}");
        self.made.empty("path", &[("class", &class), ("d", &path)]);
    }

    fn legend(&mut self, routes: &Routes, faults: bool) -> io::Result<()> {
        let y = routes.height;
        let kinds = ["epair", "bridge", "vlan", "lagg", "tunnel"].into_iter();
        let is_drawn =
            |kind: &&str| routes.nets.iter().any(|net| !net.fault && net.kind.name() == *kind);
        let kinds = kinds.filter(is_drawn).map(|kind| (kind, kind));
        let fault = faults.then_some(("fault", "fault: see below"));
        let mut x = GAP;
        for (class, text) in kinds.chain(fault) {
            let (middle, end) = (y + LINE / 2, x + 30);
            self.wire(class, &format!("M{x} {middle}L{end} {middle}"));
            self.made.raw("\n");
            self.line_of_text("small", (end + 6, middle + 4), text);
            x = end + 6 + text.len() as i64 * 6 + 24;
        }
        self.flush()
    }
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

/// What stands below the name of an interface.
fn below(node: &Node) -> Option<String> {
    match (&*node.addresses, &*node.notes) {
        ([], []) if node.listed == Some(false) => Some("on no list".to_owned()),
        ([], []) => None,
        ([], [note, ..]) => Some(line(note)),
        ([address], _) => Some(line(address)),
        ([address, rest @ ..], _) => Some(format!("{} +{}", line(address), rest.len())),
    }
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
