//! The wiring of network stacks as a graph.

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::answers::{Cell, Medium, Row};
use crate::views::call_out::CallOut;
use crate::vnet::VnetRef;

/// A vnet, a jail or an interface.
#[derive(Debug, Clone, Serialize)]
pub struct Node {
    /// The address of its struct vnet, prison or ifnet.
    pub id: VirtAddr,
    /// What it is.
    pub kind: NodeKind,
    /// The interface's or jail's name, or the vnet's number or address.
    pub name: String,
    /// The vnet that it is in; of a vnet, itself. `None` for an interface that is in none.
    pub vnet: Option<VnetRef>,
    /// Whether it is on the kernel's list of its kind; `None` if that is unknown.
    pub listed: Option<bool>,
    /// The driver of an interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The IP addresses of an interface, and the outer ones of a tunnel.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// What is known only in words: the owner of a tun, a tie whose types are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is wrong in the kernel's own state.
    pub problems: Vec<CallOut>,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A network stack.
    Vnet,
    /// An interface.
    Interface,
    /// A jail.
    Jail,
}

/// Something that holds two nodes together.
#[derive(Debug, Clone, Serialize)]
pub struct Edge {
    /// A vnet, a bridge, a lagg, a VLAN, a tunnel, or one end of an epair.
    pub from: VirtAddr,
    /// What it holds, its member, port or parent, or the other end.
    pub to: VirtAddr,
    /// What kind of tie it is.
    pub kind: EdgeKind,
    /// The number of a VLAN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What is wrong in the kernel's own state.
    pub problems: Vec<CallOut>,
}

/// What kind of tie an edge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// The two ends of an epair.
    Epair,
    /// A bridge and a member.
    Bridge,
    /// A VLAN and its parent.
    Vlan,
    /// A lagg and a port.
    Lagg,
    /// A tunnel, and the tunnel or interface that its other end is.
    Tunnel,
    /// A vnet, and a jail or an interface in it.
    Holds,
}

impl EdgeKind {
    /// Its name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Epair => "epair",
            Self::Bridge => "bridge",
            Self::Vlan => "vlan",
            Self::Lagg => "lagg",
            Self::Tunnel => "tunnel",
            Self::Holds => "holds",
        }
    }
}

/// Only JSON lines have rows of nodes and edges.
impl Row for Node {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        Vec::new()
    }
}

impl Row for Edge {
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        Vec::new()
    }
}
