//! Jails in the order of their tree.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::addr::VirtAddr;
use crate::views::jails::{Jail, Jails};

/// Every jail with its depth, each parent before its children, which keep the order of the list.
/// Those whose parents are unknown, or who are their own ancestors, follow at the end.
pub fn by_tree(jails: &Jails) -> Vec<(&Jail, usize)> {
    let known: FxHashSet<VirtAddr> = jails.all().iter().map(|jail| jail.address).collect();
    let mut children: FxHashMap<VirtAddr, Vec<&Jail>> = FxHashMap::default();
    let mut roots = Vec::new();
    for jail in jails.all() {
        match jail.parent.filter(|parent| known.contains(parent)) {
            Some(parent) => children.entry(parent).or_default().push(jail),
            None => roots.push(jail),
        }
    }
    let mut ordered = Vec::with_capacity(jails.all().len());
    let mut seen = FxHashSet::default();
    for root in roots.into_iter().chain(jails.all()) {
        let mut next = vec![(root, 0)];
        while let Some((jail, depth)) = next.pop() {
            if !seen.insert(jail.address) {
                continue;
            }
            ordered.push((jail, depth));
            let mine = children.get(&jail.address).into_iter().flatten().rev();
            next.extend(mine.map(|child| (*child, depth + 1)));
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::jails::Life;

    fn jail(address: u64, parent: Option<u64>) -> Jail {
        Jail {
            address: VirtAddr::new(address),
            jid: address as i64,
            name: "".into(),
            parent: parent.map(VirtAddr::new),
            vnet: None,
            own_vnet: false,
            life: Life::Alive,
        }
    }

    #[test]
    fn every_jail_comes_once_and_after_its_parent() {
        let all = [
            jail(1, None),
            jail(2, Some(1)),
            jail(3, Some(1)),
            jail(4, Some(2)),
            jail(5, Some(99)),
            // In a circle.
            jail(6, Some(7)),
            jail(7, Some(6)),
            jail(8, Some(8)),
        ];
        let mut jails = Jails::default();
        all.into_iter().for_each(|jail| jails.push(jail));
        let order: Vec<_> =
            by_tree(&jails).iter().map(|(jail, depth)| (jail.jid, *depth)).collect();
        assert_eq!(order, [(1, 0), (2, 1), (4, 2), (3, 1), (5, 0), (6, 0), (7, 1), (8, 0)]);
    }
}
