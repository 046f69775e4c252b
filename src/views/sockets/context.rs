//! What a socket says of itself, whichever list leads to it.

use super::tcp::{self, Tcp};
use super::{Census, Socket, lists, queues};
use crate::addr::VirtAddr;
use crate::target::ReadError;
use crate::types::TypeId;
use crate::value::Object;
use crate::views::interface_index::InterfaceIndex;
use crate::views::jails::{Jails, Life};
use crate::vnet::Copies;
use crate::vnet::list::JailRef;

/// What the sockets of one stack are read with.
#[derive(Debug)]
pub struct Context<'c, 't> {
    pub(super) census: &'c Census<'t>,
    pub(super) copies: Copies<'t>,
    pub(super) tcp: Tcp,
    interfaces: Option<InterfaceIndex<'t>>,
    jails: Option<&'t Jails>,
}

impl<'c, 't> Context<'c, 't> {
    /// What the sockets of the stack of `copies` are read with.
    pub fn new(census: &'c Census<'t>, copies: Copies<'t>, jails: Option<&'t Jails>) -> Self {
        let tcp = Tcp::of(&copies, census.master(&copies));
        let interfaces = InterfaceIndex::of(&copies).ok().flatten();
        Self { census, copies, tcp, interfaces, jails }
    }

    /// Adds what a socket says of itself.
    pub(super) fn add_socket(&self, socket: &mut Socket, own: &Object<'_>) {
        socket.socket = Some(own.address);
        let descriptors = self.census.descriptors.as_ref();
        socket.holders = descriptors.map(|descriptors| descriptors.of(own.address).to_vec());
        socket.jail = socket.jail.take().or_else(|| self.jail(own, "so_cred"));
        let listens = match queues::listens(own) {
            Ok(listens) => listens,
            Err(why) => return socket.fail(&why.into()),
        };
        if listens {
            socket.listen_queue = queues::listen_queue(own).map(Some).map_err(Into::into);
            if socket.state == Ok(None) {
                socket.state = Ok(Some(tcp::LISTEN.into()));
            }
            return;
        }
        socket.recv_queue = queues::bytes(own, "so_rcv").map(Some).map_err(Into::into);
        socket.send_queue = queues::bytes(own, "so_snd").map(Some).map_err(Into::into);
        socket.waits_for = queues::waits_for(own);
    }

    /// The jail of the credential that `member` of `object` points to.
    pub(super) fn jail(&self, object: &Object<'_>, member: &str) -> Option<JailRef> {
        let prison = crate::threads::prison(object, member).ok().flatten()?;
        if let Some(jail) = self.jails.and_then(|jails| jails.at(prison.address)) {
            return Some(JailRef::from(jail));
        }
        let read = || -> Result<JailRef, ReadError> {
            let (jid, name) = (prison.int("pr_id")?, prison.text("pr_name")?.into());
            // It is off the list of jails, if that is known.
            let gone = self.jails.is_some_and(|jails| jails.problems.is_empty());
            let state = Life::BeingRemoved.meaning().filter(|_| gone);
            Ok(JailRef { jid, name, state })
        };
        read().ok()
    }

    /// `struct inpcb`
    pub(super) fn block_type(&self) -> Option<TypeId> {
        let vnet = self.copies.vnet().map(|vnet| vnet.address);
        lists::block_type(&self.census.pcbs(vnet).first()?.info).ok()
    }

    /// A vnet in words, by its address.
    pub(super) fn vnet_title(&self, address: VirtAddr) -> String {
        self.census.vnet_title(address)
    }

    /// The name of the zone of a link-local address: an interface of the stack.
    pub(super) fn zone(&self, index: u32) -> Option<String> {
        self.interfaces?.name(index.into())
    }
}
