//! `topology`: how all network stacks are wired.

mod edges;
mod model;
mod rows;
mod tree;

use std::io;

use rustc_hash::FxHashSet;
use serde::Serialize;

use super::interfaces::Entry;
use super::{Answer, Chosen, Elements, Medium, Page};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::Session;
use crate::views::interfaces::Conditions;
use crate::vnet::list::JailRef;
use crate::vnet::{Vnet, VnetRef};
use crate::walk::Problems;

pub use model::{Edge, EdgeKind, Node, NodeKind};

use edges::Wires;

/// How network stacks are wired: vnets, jails and interfaces, and what ties them together.
#[derive(Debug, Clone, Serialize)]
pub struct Topology {
    /// Vnets, each followed by its jails and interfaces; then interfaces that are on no list.
    pub nodes: Vec<Node>,
    /// What holds what, and what is tied to what.
    pub edges: Vec<Edge>,
    #[serde(skip)]
    stacks: Vec<Wired>,
    #[serde(skip)]
    problems: Problems,
}

/// A network stack with its interfaces.
#[derive(Debug, Clone)]
struct Wired {
    /// `None` without VIMAGE.
    vnet: Option<VnetRef>,
    /// `vnet 1 (0xfffff80003a51800): web01`
    title: String,
    /// Those that live in it; `None` if they are unknown.
    jails: Option<Vec<JailRef>>,
    entries: Vec<Entry>,
}

/// How all stacks are wired; with `chosen`, how those are, and what they are tied to.
///
/// # Errors
/// The kernel has no debug information, or nobody waits for the answer any more.
pub fn topology(session: &Session, chosen: Option<&Chosen<'_>>) -> Result<Topology, Error> {
    let network = session.network()?;
    let known = session.known_vnets()?;
    let mut problems = network.problems.clone();
    let mut stacks = Vec::new();
    for stack in &network.stacks {
        session.go_on()?;
        let conditions =
            Conditions::of(&stack.copies, &stack.list, &network.shared, known.as_ref());
        problems.extend(conditions.problems.clone());
        let counters = session.counters();
        let read = |object| Entry::read(&object, &network, &conditions, known.as_ref(), counters);
        let entries: Vec<Entry> = stack.list.all().map(read).collect();
        entries.iter().for_each(|entry| problems.extend(entry.interface.problems.clone()));
        let vnet = stack.copies.vnet();
        stacks.push(Wired {
            vnet: vnet.map(VnetRef::from),
            title: vnet.map_or_else(|| "the network stack".to_owned(), Vnet::title_with_jails),
            jails: vnet.and_then(|vnet| vnet.jails.clone()),
            entries,
        });
    }
    let jails = |jid: i64| -> Option<VirtAddr> {
        session.jails().ok()?.numbered(jid).map(|jail| jail.address)
    };
    session.go_on()?;
    let mut wires = Wires::of(&stacks, jails);
    if let Some(chosen) = chosen {
        let wanted: FxHashSet<VirtAddr> =
            chosen.stacks.iter().filter_map(|it| it.vnet()).map(|vnet| vnet.address).collect();
        stacks.retain(|stack| stack.vnet.is_some_and(|vnet| wanted.contains(&vnet.address)));
        wires.keep(&wanted);
        problems.extend(chosen.problems.clone());
    }
    let Wires { nodes, edges, .. } = wires;
    Ok(Topology { nodes, edges, stacks, problems })
}

impl Answer for Topology {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        match page.medium() {
            Medium::People => tree::lay_out(page, &self.stacks),
            Medium::Columns => {
                let rows: Vec<rows::TieRow<'_>> = rows::of(&self.nodes, &self.edges);
                page.table(&rows::columns(), &Elements::from(rows))
            }
            Medium::Lines => {
                let nodes: Vec<&Node> = self.nodes.iter().collect();
                page.table(&[], &Elements::from(nodes))?;
                let edges: Vec<&Edge> = self.edges.iter().collect();
                page.table(&[], &Elements::from(edges))
            }
        }
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn nothing(&self) -> Option<String> {
        self.nodes.is_empty().then(|| "no network stack is known".to_owned())
    }

    fn unreadable(&self) -> usize {
        let entries = self.stacks.iter().flat_map(|stack| &stack.entries);
        entries.filter(|entry| entry.is_unreadable()).count()
    }
}
