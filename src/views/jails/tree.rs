//! What is wrong with jails: where they are in the tree, and which vnet they point at.
//!
//! Under one lock a prison is added to `allprison` and to its parent's children, and removed from
//! both (`kern_jail_set` and `prison_deref`, `sys/kern/kern_jail.c`), so the two agree. A prison on
//! the list has no vnet while its own is being made, else one that is on the list of vnets: it is
//! off the list before its vnet is destroyed.

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Jail, Jails, Life};
use crate::addr::VirtAddr;
use crate::target::Target;
use crate::value::queue::{self, List};
use crate::views::call_out::CallOut;
use crate::views::known_vnets::{KnownVnets, VnetFault};
use crate::walk::Problems;

/// The call-outs of each jail that has any, by the address of its prison. A jail that is being
/// removed is in no list any more and has none.
///
/// Without `vnets`, as in a kernel without VIMAGE, only the tree is checked.
pub fn check(
    target: &Target,
    jails: &Jails,
    vnets: Option<&KnownVnets<'_>>,
    problems: &mut Problems,
) -> FxHashMap<VirtAddr, Vec<CallOut>> {
    let mut found: FxHashMap<VirtAddr, Vec<CallOut>> = FxHashMap::default();
    let mut add = |jail: &Jail, call_outs: Vec<CallOut>| {
        if !call_outs.is_empty() {
            found.entry(jail.address).or_default().extend(call_outs);
        }
    };
    let listed: Vec<&Jail> =
        jails.all().iter().filter(|jail| jail.life != Life::BeingRemoved).collect();
    let tree = Tree::read(target, jails, &listed, problems);
    for jail in listed {
        add(jail, tree.check(jail));
        if let Some(vnets) = vnets {
            let call_out = check_vnet(vnets, jail).or_else(|| tree.check_sharing(jail));
            add(jail, call_out.into_iter().collect());
        }
    }
    found
}

/// The jails by address, and the lists of children.
struct Tree<'j> {
    jails: FxHashMap<VirtAddr, &'j Jail>,
    /// The list of jails was read to its end.
    whole: bool,
    /// The prisons among the children of each.
    children: FxHashMap<VirtAddr, FxHashSet<VirtAddr>>,
    /// Those whose list of children breaks off.
    broken: FxHashSet<VirtAddr>,
}

impl<'j> Tree<'j> {
    fn read(
        target: &Target,
        jails: &'j Jails,
        listed: &[&'j Jail],
        problems: &mut Problems,
    ) -> Self {
        let whole = jails.problems.is_empty();
        let mut tree = Self {
            jails: jails.all().iter().map(|jail| (jail.address, jail)).collect(),
            whole,
            children: FxHashMap::default(),
            broken: FxHashSet::default(),
        };
        // A broken list has been followed through the tree, and what was wrong there was said.
        for jail in listed.iter().filter(|_| whole) {
            let head = jail.prison(target).and_then(|prison| prison.member("pr_children"));
            let Ok(head) = head else { continue };
            let name = format!("the children of {}", jail.title());
            let walk = queue::walk(head, "pr_sibling", List { name: &name, element: "prison" });
            if !walk.is_whole() {
                tree.broken.insert(jail.address);
            }
            let children = walk.take(problems).into_iter().map(|child| child.address);
            tree.children.insert(jail.address, children.collect());
        }
        tree
    }

    /// What is wrong with its parent and its children.
    fn check(&self, jail: &Jail) -> Vec<CallOut> {
        if !self.whole {
            return Vec::new();
        }
        let children = self.children.get(&jail.address).into_iter().flatten();
        let mut found: Vec<CallOut> =
            children.filter_map(|child| self.check_child(jail, *child)).collect();
        found.sort_by_key(|call_out| call_out.at);
        found.extend(self.check_parent(jail));
        found
    }

    fn check_child(&self, jail: &Jail, child: VirtAddr) -> Option<CallOut> {
        let why = match self.jails.get(&child) {
            None => "one of its children is not on the list of jails".to_owned(),
            Some(child) if child.life == Life::BeingRemoved => {
                format!("its child, {}, is not on the list of jails", child.title())
            }
            Some(child) if child.parent != Some(jail.address) => {
                format!("{} is among its children, but has another parent", child.title())
            }
            Some(_) => return None,
        };
        Some(CallOut::new("wrong-child", child, why))
    }

    fn check_parent(&self, jail: &Jail) -> Option<CallOut> {
        let Some(parent) = jail.parent else {
            let orphan = || CallOut::new("unknown-parent", jail.address, "it has no parent");
            return (jail.jid != 0).then(orphan);
        };
        let Some(known) = self.jails.get(&parent) else {
            let why = "its parent is not a known jail";
            return Some(CallOut::new("unknown-parent", parent, why));
        };
        let children = self.children.get(&parent)?;
        if self.broken.contains(&parent) || children.contains(&jail.address) {
            return None;
        }
        let why = format!("it is not among the children of its parent, {}", known.title());
        Some(CallOut::new("not-a-child", jail.address, why))
    }

    /// A jail without a vnet of its own is in its parent's. The flag is set last when a jail is
    /// created.
    fn check_sharing(&self, jail: &Jail) -> Option<CallOut> {
        if jail.own_vnet || jail.life != Life::Alive {
            return None;
        }
        let parent = self.jails.get(&jail.parent?)?;
        (parent.vnet.is_some() && parent.vnet != jail.vnet).then(|| {
            let why = format!(
                "it has no vnet of its own, but is not in the vnet of its parent, {}",
                parent.title()
            );
            CallOut::new("vnet-not-parents", jail.vnet, why)
        })
    }
}

/// What is wrong with the vnet that a jail points at.
fn check_vnet(vnets: &KnownVnets<'_>, jail: &Jail) -> Option<CallOut> {
    let Some(address) = jail.vnet else {
        // It has none while its own is being made.
        let missing = matches!(jail.life, Life::Alive | Life::Dying);
        return missing.then(|| CallOut::new("no-vnet", jail.address, "it has no vnet"));
    };
    let fault = vnets.fault(address)?;
    let what = match fault {
        VnetFault::Freed | VnetFault::Destroyed { .. } => "vnet-freed",
        VnetFault::Invalid => "vnet-invalid",
        VnetFault::Unlisted(_) => "vnet-unlisted",
    };
    Some(CallOut::new(what, address, format!("its vnet {fault}")))
}
