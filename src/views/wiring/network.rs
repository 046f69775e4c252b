//! All interfaces of all network stacks, and which stack has each.

use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use super::transit;
use crate::addr::VirtAddr;
use crate::parallel;
use crate::value::Object;
use crate::views::call_out::CallOut;
use crate::views::interfaces::{Field, OnList};
use crate::vnet::{Copies, Vnet};
use crate::walk::{Problem, Problems};

/// All interfaces of all network stacks.
#[derive(Debug, Default)]
pub struct Network<'t> {
    /// The stacks, each with its interfaces.
    pub stacks: Vec<StackList<'t>>,
    /// Which of the stacks is a vnet's.
    by_vnet: FxHashMap<Option<VirtAddr>, usize>,
    /// Which of the stacks has an interface on its list.
    places: FxHashMap<VirtAddr, usize>,
    /// The interfaces that are on the lists of several stacks.
    pub shared: FxHashSet<VirtAddr>,
    /// Whether a thread may be moving an interface; empty until that is asked for.
    under_way: OnceLock<bool>,
    /// The vnets of the stacks.
    vnets: FxHashMap<VirtAddr, &'t Vnet>,
    /// What keeps interfaces from being known.
    pub problems: Problems,
}

/// A network stack and its interfaces.
#[derive(Debug)]
pub struct StackList<'t> {
    /// Its variables.
    pub copies: Copies<'t>,
    /// Its interfaces.
    pub list: OnList<'t>,
}

/// Another interface that one is tied to.
#[derive(Debug, Clone)]
pub struct Other {
    /// The address of its struct ifnet.
    pub address: VirtAddr,
    /// Its name.
    pub name: Field<Box<str>>,
    /// The vnet whose list it is on, and else the one that it says it is in.
    pub vnet: Option<VirtAddr>,
    /// Whether it is on the list of a vnet; `None` if that is unknown.
    pub listed: Option<bool>,
    /// What contradicts the tie.
    pub problem: Option<CallOut>,
}

impl<'t> Network<'t> {
    /// Walks the lists of all stacks. `unknown` is what keeps other stacks from being known.
    pub fn read(stacks: Vec<Copies<'t>>, unknown: Problems) -> Self {
        let mut network = Self { problems: unknown, ..Self::default() };
        let read = |copies: &Copies<'t>| match copies.target().budget().wanted() {
            Ok(()) => Ok(StackList { copies: *copies, list: OnList::read(copies) }),
            Err(why) => Err(Problem::unreadable("interfaces", why.into())),
        };
        parallel::for_each(&stacks, parallel::jobs_for(stacks.len()), read, |stack| {
            match stack {
                Ok(stack) => network.add(stack),
                Err(why) => {
                    network.problems.add(why);
                    return false;
                }
            }
            true
        });
        network
    }

    fn add(&mut self, stack: StackList<'t>) {
        let (place, vnet) = (self.stacks.len(), stack.copies.vnet());
        self.by_vnet.insert(vnet.map(|vnet| vnet.address), place);
        for interface in &stack.list.interfaces {
            if *self.places.entry(interface.address).or_insert(place) != place {
                self.shared.insert(interface.address);
            }
        }
        self.problems.extend(stack.list.problems.clone());
        self.vnets.extend(vnet.map(|vnet| (vnet.address, vnet)));
        self.stacks.push(stack);
    }

    /// The stack of the vnet at `vnet`, or without VIMAGE the only one; `None` if it is not known.
    #[must_use]
    pub fn stack(&self, vnet: Option<VirtAddr>) -> Option<&StackList<'t>> {
        self.stacks.get(*self.by_vnet.get(&vnet)?)
    }

    /// The vnet on whose list the interface is; `None` if it is on none, or without VIMAGE.
    #[must_use]
    pub fn vnet_with(&self, interface: VirtAddr) -> Option<&'t Vnet> {
        self.stacks.get(*self.places.get(&interface)?)?.copies.vnet()
    }

    /// Whether the interface is on the list of a stack; `None` if that is unknown, or if it may be
    /// on its way from one list to another.
    #[must_use]
    pub fn lists(&self, interface: &Object<'t>) -> Option<bool> {
        if self.places.contains_key(&interface.address) {
            return Some(true);
        }
        let known = self.problems.is_empty() && !self.is_in_unknown_vnet(interface);
        (known && !self.is_under_way()).then_some(false)
    }

    /// Whether a thread may be attaching, moving or detaching an interface, or tying one to another.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        let target = self.stacks.first().map(|stack| stack.copies.target());
        *self.under_way.get_or_init(|| target.is_none_or(transit::is_under_way))
    }

    /// Why the interface cannot be the other end of a tie; `None` if it can, or if that is unknown.
    #[must_use]
    pub fn lost(&self, interface: &Object<'t>) -> Option<String> {
        if interface.check_freed().is_err() {
            return Some("its memory is freed".to_owned());
        }
        (self.lists(interface) == Some(false)).then(|| "it is on the list of no vnet".to_owned())
    }

    /// The interface, as the other end of a tie.
    #[must_use]
    pub fn other(&self, interface: &Object<'t>) -> Other {
        let name = || Ok(interface.text("if_xname")?.into());
        let freed = interface.check_freed();
        let said = || interface.pointer("if_vnet").ok()?.non_null();
        let on_list = self.vnet_with(interface.address).map(|vnet| vnet.address);
        Other {
            address: interface.address,
            name: freed.clone().map_err(Into::into).and_then(|()| name()),
            vnet: if freed.is_ok() { on_list.or_else(said) } else { on_list },
            listed: if freed.is_ok() { self.lists(interface) } else { Some(false) },
            problem: None,
        }
    }

    /// The interfaces of that driver.
    pub(super) fn of_driver<'a>(&'a self, driver: &'a str) -> impl Iterator<Item = Object<'t>> {
        let all = self.stacks.iter().flat_map(|stack| stack.list.interfaces.iter().copied());
        // Whoever made the dump may have had many asked for.
        let all = all.take_while(|interface| interface.target().budget().work(1).is_ok());
        all.filter(move |interface| interface.text("if_dname").is_ok_and(|name| name == driver))
    }

    /// The vnet at `at` as messages name it.
    #[must_use]
    pub fn vnet_title(&self, at: VirtAddr) -> String {
        self.vnets.get(&at).map_or_else(|| at.to_string(), |vnet| vnet.title())
    }

    /// A vnet that is being created or destroyed may be known only to its interfaces.
    fn is_in_unknown_vnet(&self, interface: &Object<'t>) -> bool {
        let Ok(at) = interface.pointer("if_vnet") else { return true };
        let is_known = at.is_null() || self.vnets.contains_key(&at);
        !is_known && Vnet::unlisted(interface.target(), at).is_some_and(|vnet| !vnet.is_freed())
    }
}

impl Other {
    /// The same with what contradicts the tie.
    pub(super) fn but(self, problem: Option<CallOut>) -> Self {
        Self { problem, ..self }
    }

    /// Its name, or its address.
    #[must_use]
    pub fn title(&self) -> String {
        self.name.as_ref().map_or_else(|_| self.address.to_string(), ToString::to_string)
    }
}
