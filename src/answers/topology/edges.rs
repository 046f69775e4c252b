//! Nodes and edges out of what is known of each interface.

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use super::model::{Edge, EdgeKind, Node, NodeKind};
use super::{Entry, Wired};
use crate::addr::VirtAddr;
use crate::views::call_out::CallOut;
use crate::views::wiring::Other;
use crate::vnet::VnetRef;

/// The graph.
#[derive(Debug, Default)]
pub(super) struct Wires {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// Of all nodes.
    ids: FxHashSet<VirtAddr>,
    /// The edge of each epair, by the lower and the higher of its ends.
    pairs: FxHashMap<(VirtAddr, VirtAddr), usize>,
}

impl Wires {
    /// The graph of these stacks. `prison` finds the address of a jail's struct prison.
    pub fn of(stacks: &[Wired], prison: impl Fn(i64) -> Option<VirtAddr>) -> Self {
        let mut wires = Self::default();
        for stack in stacks {
            wires.add_stack(stack, &prison);
        }
        let entries = || stacks.iter().flat_map(|stack| &stack.entries);
        entries().for_each(|entry| wires.add_ties(entry));
        wires.add_tunnels(&entries().collect::<Vec<_>>());
        wires
    }

    fn add_stack(&mut self, stack: &Wired, prison: &impl Fn(i64) -> Option<VirtAddr>) {
        if let Some(vnet) = stack.vnet {
            self.add(Node {
                name: format!("vnet {vnet}"),
                listed: Some(vnet.index.is_some()),
                ..node(vnet.address, NodeKind::Vnet, Some(vnet))
            });
        }
        for jail in stack.jails.iter().flatten() {
            let Some(id) = prison(jail.jid) else { continue };
            let name = if jail.jid == 0 { "host".to_owned() } else { jail.title() };
            self.add(Node { name, listed: Some(true), ..node(id, NodeKind::Jail, stack.vnet) });
            self.hold(stack, id);
        }
        for entry in &stack.entries {
            self.add(Node {
                name: entry.title(),
                listed: Some(true),
                driver: entry.driver().map(str::to_owned),
                addresses: entry.addresses.iter().map(|found| found.text.clone()).collect(),
                notes: entry.notes(),
                problems: entry.call_outs.clone(),
                ..node(entry.interface.address, NodeKind::Interface, stack.vnet)
            });
            self.hold(stack, entry.interface.address);
        }
    }

    fn add(&mut self, node: Node) {
        self.ids.insert(node.id);
        self.nodes.push(node);
    }

    fn hold(&mut self, stack: &Wired, what: VirtAddr) {
        if let Some(vnet) = stack.vnet {
            self.tie(vnet.address, what, EdgeKind::Holds, None, None);
        }
    }

    fn add_ties(&mut self, entry: &Entry) {
        let (own, ties) = (entry.interface.address, &entry.ties);
        if let Some(Ok(Some(peer))) = &ties.peer {
            let pair = (own.min(peer.address), own.max(peer.address));
            self.know(entry, peer);
            // The second end tells the same again, or what it has against the first.
            match self.pairs.get(&pair).and_then(|at| self.edges.get_mut(*at)) {
                Some(edge) => edge.problems.extend(peer.problem.clone()),
                None => {
                    self.pairs.insert(pair, self.edges.len());
                    self.tie(own, peer.address, EdgeKind::Epair, None, peer.problem.clone());
                }
            }
        }
        for (kind, others) in [(EdgeKind::Bridge, &ties.members), (EdgeKind::Lagg, &ties.ports)] {
            for other in others.iter().flatten().flatten() {
                self.know(entry, other);
                self.tie(own, other.address, kind, None, other.problem.clone());
            }
        }
        if let Some(Ok(Some(vlan))) = &ties.vlan {
            self.know(entry, &vlan.parent);
            let label = Some(vlan.tag.to_string());
            self.tie(own, vlan.parent.address, EdgeKind::Vlan, label, vlan.parent.problem.clone());
        }
    }

    /// A tunnel leads to the tunnel that has its addresses the other way round, or else to the
    /// interface that has its destination.
    fn add_tunnels(&mut self, entries: &[&Entry]) {
        let mut by_ends = FxHashMap::default();
        let mut by_address = FxHashMap::default();
        for entry in entries {
            if let Some((source, destination)) = entry.outer() {
                by_ends.entry((source, destination)).or_insert(entry.interface.address);
            }
            for found in &entry.interface.addresses {
                by_address.entry(found.ip.ip).or_insert(entry.interface.address);
            }
        }
        let mut done: FxHashSet<(IpAddr, IpAddr)> = FxHashSet::default();
        for entry in entries {
            let Some((source, destination)) = entry.outer() else { continue };
            let own = entry.interface.address;
            if done.contains(&(destination, source)) {
                continue;
            }
            let other = by_ends.get(&(destination, source)).filter(|other| **other != own);
            if let Some(other) = other.or_else(|| by_address.get(&destination)) {
                done.insert((source, destination));
                self.tie(own, *other, EdgeKind::Tunnel, None, None);
            }
        }
    }

    /// An interface that is on no list is known only by what points at it.
    fn know(&mut self, entry: &Entry, other: &Other) {
        if self.ids.contains(&other.address) {
            return;
        }
        let end = entry.other(other);
        self.add(Node {
            name: other.title(),
            listed: other.listed,
            ..node(
                other.address,
                NodeKind::Interface,
                end.vnet.filter(|_| other.listed != Some(false)),
            )
        });
    }

    fn tie(
        &mut self,
        from: VirtAddr,
        to: VirtAddr,
        kind: EdgeKind,
        label: Option<String>,
        problem: Option<CallOut>,
    ) {
        self.edges.push(Edge { from, to, kind, label, problems: problem.into_iter().collect() });
    }

    /// Keeps these vnets and what is in them, and the other ends of their ties.
    pub fn keep(&mut self, vnets: &FxHashSet<VirtAddr>) {
        let inside = |node: &Node| node.vnet.is_some_and(|vnet| vnets.contains(&vnet.address));
        let mut kept: FxHashSet<VirtAddr> =
            self.nodes.iter().filter(|node| inside(node)).map(|node| node.id).collect();
        let ties = |edge: &&Edge| edge.kind != EdgeKind::Holds;
        let others: Vec<VirtAddr> = self
            .edges
            .iter()
            .filter(ties)
            .filter(|edge| kept.contains(&edge.from) || kept.contains(&edge.to))
            .flat_map(|edge| [edge.from, edge.to])
            .collect();
        self.edges.retain(|edge| kept.contains(&edge.from) || kept.contains(&edge.to));
        kept.extend(others);
        // What holds the other ends stays with them.
        let holders: Vec<VirtAddr> = self
            .nodes
            .iter()
            .filter(|node| kept.contains(&node.id))
            .filter_map(|node| node.vnet.map(|vnet| vnet.address))
            .collect();
        kept.extend(holders);
        self.nodes.retain(|node| kept.contains(&node.id));
    }
}

fn node(id: VirtAddr, kind: NodeKind, vnet: Option<VnetRef>) -> Node {
    Node {
        id,
        kind,
        name: String::new(),
        vnet,
        listed: None,
        driver: None,
        addresses: Vec::new(),
        notes: Vec::new(),
        problems: Vec::new(),
    }
}
