//! Steps for sockets: they are created, closed and damaged, and connections come and go.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Deserialize;

use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{HalfOpen, Runtime, SocketDamage, SocketKind, SocketOptions, Waiting};

/// A socket that a process creates, or a connection that waits to be accepted.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct SocketStep {
    pub(in crate::image) process: String,
    kind: SocketKindName,
    /// The name by which later steps refer to it.
    tag: Option<String>,
    /// `10.0.0.1:80`, `[fd00::1]:80`.
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    /// t_state, by number or name; default: LISTEN, or ESTABLISHED with `remote`.
    state: Option<TcpState>,
    /// It speaks IPv6, or both versions.
    family: Option<FamilyName>,
    /// Of raw IP.
    #[serde(default)]
    protocol: u64,
    backlog: Option<u64>,
    /// Local sockets: listen(2) was called.
    #[serde(default)]
    listen: bool,
    path: Option<String>,
    /// The tag of the local socket that it is connected to.
    peer: Option<String>,
    #[serde(default)]
    received: u64,
    #[serde(default)]
    sent: u64,
    /// Whether a descriptor holds it.
    #[serde(default = "yes")]
    descriptor: bool,
    /// The tag of the socket in whose queue it waits.
    waits_in: Option<String>,
    /// It waits there, and the connection is not complete.
    #[serde(default)]
    incomplete: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SocketKindName {
    Tcp,
    Udp,
    Udplite,
    RawIp,
    LocalStream,
    LocalDatagram,
    LocalSeqpacket,
    Routing,
    Raw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FamilyName {
    Inet6,
    Both,
}

/// A state of TCP, by number or by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum TcpState {
    Number(u64),
    Name(String),
}

/// What happens to a socket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct SocketEventStep {
    /// The tag of the socket.
    pub(in crate::image) socket: String,
    what: SocketEvent,
    /// For `other-vnet`: the jail; default: the host.
    pub(in crate::image) jail: Option<String>,
    /// For `other-pcb`, `other-tcpcb` and `other-peer`: the tag of the other socket.
    other: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum SocketEvent {
    Close,
    /// TIME_WAIT; its descriptor is closed.
    TimeWait,
    /// TIME_WAIT; its descriptor is open.
    TimeWaitOpen,
    Drop,
    OtherVnet,
    Leak,
    Uncount,
    FreePcb,
    Cycle,
    OtherPcb,
    OtherTcpcb,
    OtherPeer,
}

/// A connection that is half open.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct HalfOpenStep {
    /// The process whose socket listens.
    pub(in crate::image) process: String,
    local: SocketAddr,
    remote: SocketAddr,
}

/// The sockets of earlier steps, by tag.
pub(in crate::image) type Tags = BTreeMap<String, Object>;

const STATES: [&str; 11] = [
    "CLOSED",
    "LISTEN",
    "SYN_SENT",
    "SYN_RCVD",
    "ESTABLISHED",
    "CLOSE_WAIT",
    "FIN_WAIT_1",
    "CLOSING",
    "LAST_ACK",
    "FIN_WAIT_2",
    "TIME_WAIT",
];

pub(in crate::image) fn create(
    runtime: &mut Runtime,
    tags: &mut Tags,
    step: &SocketStep,
) -> Result<(), ImageError> {
    let thread = runtime.thread(&step.process)?;
    let state = match &step.state {
        Some(state) => state.number()?,
        None if step.remote.is_some() => ESTABLISHED,
        None => LISTEN,
    };
    let waits_in = step.waits_in.as_deref().map(|at| tagged(tags, at)).transpose()?;
    let options = SocketOptions {
        local: step.local,
        remote: step.remote,
        state,
        inet6: step.family.is_some(),
        both: step.family == Some(FamilyName::Both),
        ip_protocol: step.protocol,
        backlog: step.backlog,
        listening: step.listen,
        path: step.path.clone(),
        peer: step.peer.as_deref().map(|peer| tagged(tags, peer)).transpose()?,
        received: step.received,
        sent: step.sent,
        descriptor: step.descriptor,
        waits_in: waits_in.map(|at| Waiting { at, complete: !step.incomplete }),
        ..SocketOptions::new(step.kind.into())
    };
    let socket = runtime.socreate(thread, &options)?;
    if let Some(tag) = &step.tag {
        tags.insert(tag.clone(), socket);
    }
    Ok(())
}

pub(in crate::image) fn happen(
    runtime: &mut Runtime,
    tags: &mut Tags,
    step: &SocketEventStep,
) -> Result<(), ImageError> {
    let socket = tagged(tags, &step.socket)?;
    let other = || {
        let none = || ImageError::Refused("this needs other, the tag of a socket".into());
        tagged(tags, step.other.as_deref().ok_or_else(none)?)
    };
    let damage = match step.what {
        SocketEvent::Close => return runtime.soclose(socket),
        SocketEvent::TimeWait => return runtime.tcp_time_wait(socket, true),
        SocketEvent::TimeWaitOpen => return runtime.tcp_time_wait(socket, false),
        SocketEvent::Drop => return runtime.tcp_drop(socket),
        SocketEvent::OtherVnet => {
            let jail = step.jail.as_deref().unwrap_or("0");
            let none = || ImageError::Refused(format!("{jail} has no stack"));
            SocketDamage::OtherVnet(runtime.jail_vnet(jail)?.ok_or_else(none)?)
        }
        SocketEvent::Leak => SocketDamage::Leaked,
        SocketEvent::Uncount => SocketDamage::Uncounted,
        SocketEvent::FreePcb => SocketDamage::FreedBlock,
        SocketEvent::Cycle => SocketDamage::Cycle,
        SocketEvent::OtherPcb => SocketDamage::OtherBlock(other()?),
        SocketEvent::OtherTcpcb => SocketDamage::OtherControl(other()?),
        SocketEvent::OtherPeer => SocketDamage::OtherPeer(other()?),
    };
    runtime.damage_socket(socket, damage)
}

pub(in crate::image) fn half_open(
    runtime: &mut Runtime,
    step: &HalfOpenStep,
) -> Result<(), ImageError> {
    let thread = runtime.thread(&step.process)?;
    let connection = HalfOpen { local: step.local, remote: step.remote };
    runtime.syncache_add(thread, connection).map(|_| ())
}

pub(super) fn tagged(tags: &Tags, tag: &str) -> Result<Object, ImageError> {
    let none = || ImageError::Refused(format!("no socket has the tag {tag}"));
    tags.get(tag).copied().ok_or_else(none)
}

const LISTEN: u64 = 1;
const ESTABLISHED: u64 = 4;

impl TcpState {
    fn number(&self) -> Result<u64, ImageError> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Name(name) => {
                let place = STATES.iter().position(|state| state == name);
                let none = || ImageError::Refused(format!("TCP has no state {name}"));
                Ok(place.ok_or_else(none)? as u64)
            }
        }
    }
}

impl From<SocketKindName> for SocketKind {
    fn from(name: SocketKindName) -> Self {
        match name {
            SocketKindName::Tcp => Self::Tcp,
            SocketKindName::Udp => Self::Udp,
            SocketKindName::Udplite => Self::UdpLite,
            SocketKindName::RawIp => Self::RawIp,
            SocketKindName::LocalStream => Self::LocalStream,
            SocketKindName::LocalDatagram => Self::LocalDatagram,
            SocketKindName::LocalSeqpacket => Self::LocalSeqpacket,
            SocketKindName::Routing => Self::Routing,
            SocketKindName::Raw => Self::Raw,
        }
    }
}
