//! What reading the routes of one stack takes.

use crate::target::{ReadError, Target};
use crate::types::TypeId;
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::interface_index::InterfaceIndex;
use crate::views::interface_pointer;
use crate::views::wiring::Network;
use crate::vnet::{Copies, Vnet};

/// What reading the routes of one stack takes.
pub struct Reader<'t, 'n> {
    copies: Copies<'t>,
    network: &'n Network<'t>,
    index: Option<InterfaceIndex<'t>>,
    /// struct rtentry.
    entry: TypeId,
    /// Where the leaf is in it.
    leaf: u64,
}

impl<'t, 'n> Reader<'t, 'n> {
    /// A reader of the stack of `copies`.
    ///
    /// # Errors
    /// The types do not show routes.
    pub fn new(copies: &Copies<'t>, network: &'n Network<'t>) -> Result<Self, ReadError> {
        let types = copies.target().types()?;
        let entry = types.find("struct rtentry")?;
        let leaf = types.member(entry, "rt_nodes")?.offset;
        // Without the table, zones have numbers instead of names.
        let index = InterfaceIndex::of(copies).ok().flatten();
        Ok(Self { copies: *copies, network, index, entry, leaf })
    }

    /// The struct rtentry that a leaf is in.
    pub fn route(&self, leaf: &Object<'t>) -> Object<'t> {
        let start = leaf.address.wrapping_add(self.leaf.wrapping_neg());
        Object::new(self.target(), self.entry, start)
    }

    pub fn target(&self) -> &'t Target {
        self.copies.target()
    }

    pub fn vnet(&self) -> Option<&'t Vnet> {
        self.copies.vnet()
    }

    /// The name of the interface with this index.
    pub fn interface_name(&self, index: u32) -> Option<String> {
        self.index.as_ref()?.name(index.into())
    }

    /// What is wrong with a pointer of `holder` to this interface.
    pub fn check_interface(&self, interface: &Object<'t>, holder: &str) -> Option<CallOut> {
        interface_pointer::check(self.network, interface, self.vnet(), holder)
    }
}
