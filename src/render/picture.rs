//! What a drawing of the wiring shows: boxes with interfaces in them, and the ties between those.

use rustc_hash::FxHashMap;

use super::sanitize;
use crate::addr::VirtAddr;
use crate::answers::topology::{Edge, EdgeKind, Node, NodeKind, Topology};

/// Boxes and the ties between what is in them.
pub(super) struct Picture<'a> {
    /// One for each vnet, and perhaps a last one for interfaces that are on no list.
    pub boxes: Vec<Group<'a>>,
    pub ties: Vec<Tie<'a>>,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

/// A vnet, or what is in none.
pub(super) struct Group<'a> {
    /// `vnet 1: web01`
    pub title: String,
    /// Below the title: the vnet's address.
    pub note: String,
    pub interfaces: Vec<&'a Node>,
    /// It is not on the list of vnets.
    pub fault: bool,
}

/// A tie between the interfaces with these numbers, counted through all boxes.
pub(super) struct Tie<'a> {
    pub edge: &'a Edge,
    pub from: usize,
    pub to: usize,
}

impl<'a> Picture<'a> {
    pub fn of(topology: &'a Topology) -> Self {
        let mut boxes: Vec<Group<'a>> = Vec::new();
        let mut places: FxHashMap<Option<VirtAddr>, usize> = FxHashMap::default();
        let mut jails: FxHashMap<VirtAddr, Vec<&str>> = FxHashMap::default();
        for node in &topology.nodes {
            if let (NodeKind::Jail, Some(vnet)) = (node.kind, node.vnet) {
                jails.entry(vnet.address).or_default().push(&node.name);
            }
        }
        for node in topology.nodes.iter().filter(|node| node.kind == NodeKind::Vnet) {
            let jails = jails.get(&node.id).map_or(String::new(), |jails| jails.join(", "));
            let between = if jails.is_empty() { "" } else { ": " };
            places.insert(Some(node.id), boxes.len());
            boxes.push(Group {
                title: line(&format!("{}{between}{jails}", node.name)),
                note: node.id.to_string(),
                interfaces: Vec::new(),
                fault: node.listed == Some(false),
            });
        }
        let stacks = !boxes.is_empty();
        let lost = |node: &Node| node.listed == Some(false);
        for node in topology.nodes.iter().filter(|node| node.kind == NodeKind::Interface) {
            let key = node.vnet.map(|vnet| vnet.address);
            let at = *places.entry(key).or_insert_with(|| {
                let none = if stacks { "in no known vnet" } else { "network stack" };
                boxes.push(Group {
                    title: key.map_or(none.to_owned(), |key| format!("vnet {key}")),
                    note: String::new(),
                    interfaces: Vec::new(),
                    fault: lost(node),
                });
                boxes.len() - 1
            });
            if let Some(group) = boxes.get_mut(at) {
                group.interfaces.push(node);
            }
        }
        let ties = ties(&boxes, &topology.edges);
        let interfaces = || boxes.iter().flat_map(|group| &group.interfaces);
        let faults = interfaces().flat_map(|node| {
            node.problems.iter().map(|problem| line(&format!("{}: {}", node.name, problem.why)))
        });
        Self { faults: faults.collect(), ties, boxes }
    }
}

fn ties<'a>(boxes: &[Group<'a>], edges: &'a [Edge]) -> Vec<Tie<'a>> {
    let interfaces = boxes.iter().flat_map(|group| &group.interfaces);
    let numbers: FxHashMap<VirtAddr, usize> =
        interfaces.enumerate().map(|(at, node)| (node.id, at)).collect();
    let ties = edges.iter().filter(|edge| edge.kind != EdgeKind::Holds).filter_map(|edge| {
        Some(Tie { edge, from: *numbers.get(&edge.from)?, to: *numbers.get(&edge.to)? })
    });
    ties.collect()
}

/// One line without control characters.
pub(super) fn line(text: &str) -> String {
    sanitize::line(text).to_string()
}
