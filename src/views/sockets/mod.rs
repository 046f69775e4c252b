//! Sockets: the protocol control blocks of a network stack, local sockets, sockets that only
//! a descriptor leads to, and how many the kernel has counted.
//!
//! A control block is what the protocol has of a connection; it may outlive the
//! socket, and a socket may outlive it. What is listed is both: every control block, and every
//! socket without one (`sys/sys/socketvar.h`, `sys/netinet/in_pcb.h`, `sys/sys/unpcb.h`,
//! 10.4 to main).

mod census;
mod context;
mod descriptors;
mod endpoint;
mod internet;
mod listing;
pub(crate) mod lists;
mod local;
mod lost;
mod protocol;
mod queues;
mod syncache;
mod tcp;

use serde::Serialize;

use crate::addr::VirtAddr;
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::views::call_out::CallOut;
use crate::vnet::list::JailRef;

pub use census::{Census, Count};
pub use descriptors::Holder;
pub use listing::sockets;
pub use protocol::Kind;
pub use queues::ListenQueue;

/// Any address, any port.
const ANY: &str = "*:*";

/// A socket, or a control block without one.
#[derive(Debug, Clone, Serialize)]
pub struct Socket {
    /// As netstat(1) and sockstat(1) have it: `tcp4`, `udp46`, `stream`.
    pub protocol: Box<str>,
    /// The kind that it is counted as.
    #[serde(skip)]
    pub kind: Kind,
    /// Of TCP: `ESTABLISHED`. Of others `LISTEN` if they listen. `None` if it has no state.
    #[serde(serialize_with = "or_error")]
    pub state: Result<Option<Box<str>>, ValueError>,
    /// Address and port: `10.0.0.1:22`, `[::1]:53`, `*:*`; or the path of a local socket. `None`
    /// if it has no name.
    #[serde(serialize_with = "or_error")]
    pub local: Result<Option<Box<str>>, ValueError>,
    /// The same of the other end.
    #[serde(serialize_with = "or_error")]
    pub remote: Result<Option<Box<str>>, ValueError>,
    /// Bytes that wait to be read; `None` without a socket or a buffer.
    #[serde(serialize_with = "or_error")]
    pub recv_queue: Result<Option<u64>, ValueError>,
    /// Bytes that wait to be sent, or to be acknowledged.
    #[serde(serialize_with = "or_error")]
    pub send_queue: Result<Option<u64>, ValueError>,
    /// The connections that wait to be accepted; `None` if it does not listen.
    #[serde(serialize_with = "or_error")]
    pub listen_queue: Result<Option<ListenQueue>, ValueError>,
    /// The address of its control block: a struct inpcb, unpcb, rawcb or syncache.
    pub pcb: Option<VirtAddr>,
    /// The address of its struct socket.
    pub socket: Option<VirtAddr>,
    /// The listening socket in whose queue it waits to be accepted.
    pub waits_for: Option<VirtAddr>,
    /// The control block at the other end of a local connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<VirtAddr>,
    /// The IP protocol of a raw socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_protocol: Option<u64>,
    /// Its protocol has let go of it (INP_DROPPED).
    pub dropped: bool,
    /// The jail of whoever created it; `None` if that is unknown.
    pub jail: Option<JailRef>,
    /// The processes and descriptors that hold it; `None` if the tables of descriptors cannot
    /// be read.
    pub holders: Option<Vec<Holder>>,
    /// What a sound kernel does not have.
    pub problems: Vec<CallOut>,
}

impl Socket {
    /// A socket of which nothing is known yet.
    fn new(kind: Kind, protocol: impl Into<Box<str>>) -> Self {
        Self {
            protocol: protocol.into(),
            kind,
            state: Ok(None),
            local: Ok(None),
            remote: Ok(None),
            recv_queue: Ok(None),
            send_queue: Ok(None),
            listen_queue: Ok(None),
            pcb: None,
            socket: None,
            waits_for: None,
            peer: None,
            ip_protocol: None,
            dropped: false,
            jail: None,
            holders: None,
            problems: Vec::new(),
        }
    }

    /// What people call it: `tcp4 10.0.0.1:22`, or by its address if it has no name.
    #[must_use]
    pub fn title(&self) -> String {
        let local = self.local.as_ref().ok().and_then(Option::as_deref);
        match (local, self.pcb.or(self.socket)) {
            (Some(local), _) => format!("{} {local}", self.protocol),
            (None, Some(at)) => format!("{} at {at}", self.protocol),
            (None, None) => self.protocol.to_string(),
        }
    }

    /// Its struct socket cannot be read.
    fn fail(&mut self, why: &ValueError) {
        self.recv_queue = Err(why.clone());
        self.send_queue = Err(why.clone());
        self.listen_queue = Err(why.clone());
    }

    /// Does it wait for connections, or for packets from anyone?
    #[must_use]
    pub fn is_listening(&self) -> bool {
        match self.kind {
            Kind::Udp | Kind::UdpLite | Kind::Raw | Kind::Divert => {
                matches!(&self.remote, Ok(Some(remote)) if &**remote == ANY)
            }
            _ => matches!(&self.state, Ok(Some(state)) if &**state == tcp::LISTEN),
        }
    }

    /// The number of its values that could not be read.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        let texts = [&self.state, &self.local, &self.remote];
        let numbers = [&self.recv_queue, &self.send_queue];
        texts.iter().filter(|text| text.is_err()).count()
            + numbers.iter().filter(|number| number.is_err()).count()
            + usize::from(self.listen_queue.is_err())
    }
}
