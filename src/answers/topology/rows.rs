//! The wiring as rows for scripts: one for each tie, and one for an interface that has none.

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::model::{Edge, EdgeKind, Node, NodeKind};
use crate::addr::VirtAddr;
use crate::answers::{Cell, Column, Medium, Row, call_outs};

/// A tie of an interface.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TieRow<'a> {
    from: &'a Node,
    tie: Option<(&'a Edge, &'a Node)>,
}

pub(super) fn columns() -> Vec<Column> {
    vec![
        Column::left("VNET"),
        Column::left("INTERFACE"),
        Column::left("ADDRESS"),
        Column::left("TIE"),
        Column::left("LABEL"),
        Column::left("TO"),
        Column::left("TO VNET"),
        Column::left("TO ADDRESS"),
        Column::left("PROBLEMS"),
    ]
}

/// The rows, in the order of the interfaces.
pub(super) fn of<'a>(nodes: &'a [Node], edges: &'a [Edge]) -> Vec<TieRow<'a>> {
    let by_id: FxHashMap<VirtAddr, &Node> = nodes.iter().map(|node| (node.id, node)).collect();
    let mut ties: FxHashMap<VirtAddr, Vec<(&Edge, &Node)>> = FxHashMap::default();
    for edge in edges.iter().filter(|edge| edge.kind != EdgeKind::Holds) {
        if let Some(to) = by_id.get(&edge.to) {
            ties.entry(edge.from).or_default().push((edge, to));
        }
    }
    let mut rows = Vec::new();
    for from in nodes.iter().filter(|node| node.kind == NodeKind::Interface) {
        match ties.get(&from.id) {
            Some(ties) => rows.extend(ties.iter().map(|tie| TieRow { from, tie: Some(*tie) })),
            None => rows.push(TieRow { from, tie: None }),
        }
    }
    rows
}

impl Row for TieRow<'_> {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let vnet = |node: &Node| node.vnet.map(|vnet| vnet.to_string()).into();
        let problems = match self.tie {
            Some((edge, _)) if !edge.problems.is_empty() => call_outs::cell(&edge.problems),
            _ => call_outs::cell(&self.from.problems),
        };
        let mut row = vec![vnet(self.from), (&*self.from.name).into(), self.from.id.into()];
        match self.tie {
            Some((edge, to)) => row.extend([
                edge.kind.name().into(),
                edge.label.as_deref().into(),
                (&*to.name).into(),
                vnet(to),
                to.id.into(),
            ]),
            None => row.extend([const { Cell::Nothing }; 5]),
        }
        row.push(problems);
        vec![row]
    }
}
