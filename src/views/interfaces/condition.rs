//! What the kernel's own state says against an interface.

use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{OnList, place};
use crate::addr::VirtAddr;
use crate::value::Object;
use crate::value::interface_flags::DYING;
use crate::views::call_out::CallOut;
use crate::views::interface_index::{InterfaceIndex, Slot};
use crate::views::known_vnets::{KnownVnets, VnetFault};
use crate::vnet::{Copies, Vnet};
use crate::walk::{Problem, Problems};

/// What is needed to judge the interfaces on one list.
#[derive(Debug)]
pub struct Conditions<'t, 'a> {
    /// The vnet whose list it is; `None` without VIMAGE.
    vnet: Option<VirtAddr>,
    index: Option<InterfaceIndex<'t>>,
    list: &'a OnList<'t>,
    /// How many interfaces on the list have each name; empty until that is asked for.
    names: OnceLock<FxHashMap<String, usize>>,
    /// The interfaces that are on the lists of several stacks.
    shared: &'a FxHashSet<VirtAddr>,
    /// `None` without VIMAGE.
    vnets: Option<&'a KnownVnets<'t>>,
    /// Why the index is unknown.
    pub problems: Problems,
}

impl<'t, 'a> Conditions<'t, 'a> {
    /// Of the interfaces in `list`, which is that of `copies`.
    ///
    /// `shared` are those on the lists of several stacks.
    pub fn of(
        copies: &Copies<'t>,
        list: &'a OnList<'t>,
        shared: &'a FxHashSet<VirtAddr>,
        vnets: Option<&'a KnownVnets<'t>>,
    ) -> Self {
        let mut problems = Problems::default();
        let index = InterfaceIndex::of(copies).unwrap_or_else(|problem: Problem| {
            problems.add(problem);
            None
        });
        let vnet = copies.vnet().map(|vnet| vnet.address);
        Self { vnet, index, list, names: OnceLock::new(), shared, vnets, problems }
    }

    /// The name of the interface with that index.
    #[must_use]
    pub fn zone(&self, index: u32) -> Option<String> {
        self.index.as_ref()?.name(index.into())
    }

    /// What contradicts the interface's being on the list, or its being used.
    #[must_use]
    pub fn call_outs(&self, interface: &Object<'_>) -> Vec<CallOut> {
        if interface.check_freed().is_err() {
            let why = "it is on the list, but its memory is freed";
            return vec![CallOut::new("freed-interface", interface.address, why)];
        }
        let found = [
            self.other_list(interface),
            dying(interface),
            self.duplicate(interface),
            self.indexed(interface),
            self.lost_home(interface),
        ];
        found.into_iter().flatten().collect()
    }

    fn other_list(&self, interface: &Object<'_>) -> Option<CallOut> {
        let on_list_of = self.vnet?;
        let vnet = interface.pointer("if_vnet").ok()?;
        if self.shared.contains(&interface.address) {
            let why = "it is on the lists of several vnets";
            return Some(CallOut::new("several-lists", interface.address, why));
        }
        let why = match vnet.non_null() {
            _ if vnet == on_list_of => return None,
            None => "it is on the list, but its if_vnet is NULL: it is in no vnet".to_owned(),
            Some(vnet) => {
                let here = self.vnet_title(on_list_of);
                format!("it is on the list of {here}, but its if_vnet is {}", self.vnet_title(vnet))
            }
        };
        Some(CallOut::new("wrong-list", interface.address, why))
    }

    fn duplicate(&self, interface: &Object<'_>) -> Option<CallOut> {
        // To learn all names, all interfaces are read.
        if !self.list.has_namesakes {
            return None;
        }
        let name = interface.text("if_xname").ok()?;
        let count = *self.names.get_or_init(|| names(self.list)).get(&name)?;
        let why = || format!("{count} interfaces on the list have the name {name}");
        (count > 1).then(|| CallOut::new("duplicate-name", interface.address, why()))
    }

    fn indexed(&self, interface: &Object<'_>) -> Option<CallOut> {
        let index = interface.uint("if_index").ok()?;
        // The index is one of the vnet that it says it is in.
        if self.vnet.is_some() && interface.pointer("if_vnet").ok()?.non_null() != self.vnet {
            return None;
        }
        let call_out = |what, why: String| Some(CallOut::new(what, interface.address, why));
        match self.index.as_ref()?.slot(index).ok()? {
            Slot::Interface(other) if other.address == interface.address => None,
            Slot::Interface(other) => {
                let other = place(&other);
                let why = format!("the table of indexes has {other} at its index {index}");
                call_out("index-of-another", why)
            }
            Slot::Free => call_out(
                "missing-index",
                format!("the table of indexes has nothing at its index {index}"),
            ),
            Slot::Reserved => call_out(
                "missing-index",
                format!("its index {index} is only reserved in the table"),
            ),
        }
    }

    fn lost_home(&self, interface: &Object<'_>) -> Option<CallOut> {
        let home = interface.pointer("if_home_vnet").ok()?.non_null()?;
        if Some(home) == self.vnet {
            return None;
        }
        let fault = self.vnets?.fault(home)?;
        // A vnet that is going may still be waited for.
        let what = if let VnetFault::Unlisted(_) = fault { "unlisted-home" } else { "lost-home" };
        let why = format!("its home, {}, {fault}", self.vnet_title(home));
        Some(CallOut::new(what, interface.address, why))
    }

    fn vnet_title(&self, at: VirtAddr) -> String {
        let known = self.vnets.and_then(|vnets| vnets.at(at));
        known.map_or_else(|| at.to_string(), Vnet::title)
    }
}

fn names(list: &OnList<'_>) -> FxHashMap<String, usize> {
    let mut names = FxHashMap::default();
    for name in list.interfaces.iter().filter_map(|it| it.text("if_xname").ok()) {
        *names.entry(name).or_default() += 1;
    }
    names
}

fn dying(interface: &Object<'_>) -> Option<CallOut> {
    let dying = interface.uint("if_flags").ok()? & DYING != 0;
    let why = "it is on the list, but has the flag of one that is about to be freed (IFF_DYING)";
    dying.then(|| CallOut::new("dying-interface", interface.address, why))
}
