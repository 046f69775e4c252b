//! The wiring of network stacks as a graph for Graphviz's dot(1).

use std::io::{self, Write};

use super::picture::{Group, Picture, Tie, line};
use crate::answers::topology::{EdgeKind, Node, Topology};

/// Writes the graph: a cluster for each vnet, an undirected edge for each tie.
///
/// # Errors
/// The output cannot be written.
pub fn write(topology: &Topology, out: &mut dyn Write) -> io::Result<()> {
    let picture = Picture::of(topology);
    writeln!(out, "graph wiring {{")?;
    writeln!(out, "  rankdir = LR;")?;
    writeln!(out, "  node [shape = box, fontname = monospace, fontsize = 10];")?;
    writeln!(out, "  edge [fontname = monospace, fontsize = 9];")?;
    for (at, group) in picture.boxes.iter().enumerate() {
        write_group(out, at, group)?;
    }
    picture.ties.iter().try_for_each(|tie| write_tie(out, tie))?;
    writeln!(out, "}}")
}

fn write_group(out: &mut dyn Write, at: usize, group: &Group<'_>) -> io::Result<()> {
    writeln!(out, "  subgraph cluster_{at} {{")?;
    writeln!(out, "    label = {};", quoted(&[&group.title, &group.note]))?;
    if group.fault {
        writeln!(out, "    color = red; style = dashed;")?;
    }
    for node in &group.interfaces {
        write_node(out, node)?;
    }
    writeln!(out, "  }}")
}

fn write_node(out: &mut dyn Write, node: &Node) -> io::Result<()> {
    let mut lines = vec![line(&node.name)];
    lines.extend(node.addresses.iter().chain(&node.notes).map(|text| line(text)));
    lines.extend(node.problems.iter().map(|problem| line(&format!("! {}", problem.why))));
    let lines: Vec<&str> = lines.iter().map(|text| &**text).collect();
    let fault = if node.problems.is_empty() { "" } else { ", color = red, style = dashed" };
    writeln!(out, "    \"{}\" [label = {}{fault}];", node.id, quoted(&lines))
}

fn write_tie(out: &mut dyn Write, tie: &Tie<'_>) -> io::Result<()> {
    let edge = tie.edge;
    let style = match edge.kind {
        _ if !edge.problems.is_empty() => ", color = red, style = dashed",
        EdgeKind::Vlan => ", style = dashed",
        EdgeKind::Tunnel => ", style = dotted",
        EdgeKind::Bridge | EdgeKind::Lagg => ", penwidth = 2",
        EdgeKind::Epair | EdgeKind::Holds => "",
    };
    let label = edge.label.as_deref().map_or(String::new(), |label| format!(" {}", line(label)));
    let label = quoted(&[&format!("{}{label}", edge.kind.name())]);
    writeln!(out, "  \"{}\" -- \"{}\" [label = {label}{style}];", edge.from, edge.to)
}

/// A string of dot's, with a line for each that is not empty.
fn quoted(lines: &[&str]) -> String {
    let escaped = lines.iter().filter(|text| !text.is_empty());
    let escaped = escaped.map(|text| text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("\"{}\"", escaped.collect::<Vec<_>>().join("\\n"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn strings_end_where_they_should() {
        assert_eq!(quoted(&["a\"b\\", "", "c"]), "\"a\\\"b\\\\\\nc\"");
    }
}
