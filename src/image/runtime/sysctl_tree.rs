//! The tree of sysctl oids: how siblings are linked, and which number an oid gets.
//!
//! `sys/kern/kern_sysctl.c`. The children of a node are an SLIST sorted by number until 13, and a
//! red-black tree by number since. The linker set `sysctl_set` has all oids of the kernel file;
//! sysctl_register_all links them at boot. Since 11 an oid contains the head of its children
//! (oid_children); before, its arg1 pointed to one.

use std::collections::BTreeMap;

use super::Queue;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::types::TypeId;

/// The tree, by the layout of `struct sysctl_oid`.
#[derive(Debug)]
pub(super) struct SysctlTree {
    type_id: TypeId,
    root: VirtAddr,
    form: Form,
    /// The last number that was assigned, counting down or up like the kernel.
    last_number: u64,
    /// The registered names. Each new one is compared with all at its level.
    names: BTreeMap<VirtAddr, String>,
}

/// How siblings are linked.
#[derive(Debug, Clone, Copy)]
enum Form {
    List(Queue),
    /// `sys/sys/tree.h` since 13: offsets of rbh_root in a head, of rbe_link[] in an oid.
    Tree {
        root: u64,
        links: u64,
    },
}

/// Type of a node, in the low bits of oid_kind.
pub(super) const NODE: u64 = 1;
pub(super) const TYPE: u64 = 0xf;
/// CTL_AUTO_START: assigned numbers begin here.
const AUTO_START: u64 = 0x100;
const LARGEST: u64 = 0x7fff_ffff;
/// OID_AUTO and all others that are negative.
const SIGN: u64 = 0x8000_0000;
/// The most oids; a kernel has some thousands.
const MOST_OIDS: u64 = 1 << 16;
/// More levels than the longest name (CTL_MAXNAME) or any balanced tree has.
const DEEPEST: u32 = 64;

impl SysctlTree {
    /// The tree of this kernel, empty. The links in the file are discarded. `None` if the
    /// debug information has no oids.
    pub fn of(kernel: &mut LoadedKernel) -> Result<Option<Self>, ImageError> {
        let (Ok(type_id), Ok(root)) =
            (kernel.types().find("struct sysctl_oid"), kernel.variable("sysctl__children"))
        else {
            return Ok(None);
        };
        let types = kernel.types();
        let form = match types.member(root.type_id, "rbh_root") {
            Ok(head) => {
                let links = types.path(type_id, "oid_link.rbe_link")?.offset;
                Form::Tree { root: head.offset, links }
            }
            Err(_) => Form::List(Queue::of(kernel, root.type_id, type_id, "oid_link")?),
        };
        let tree =
            Self { type_id, root: root.address, form, last_number: 0, names: BTreeMap::new() };
        tree.set_siblings(kernel, tree.root, &[])?;
        Ok(Some(tree))
    }

    /// sysctl_register_all: every oid of the linker set, in its order.
    pub fn register_all(&mut self, kernel: &mut LoadedKernel) -> Result<(), ImageError> {
        let Some(section) = kernel.kernel().main().section("set_sysctl_set") else { return Ok(()) };
        let range = section.range();
        let (start, end) = (kernel.running(range.start), kernel.running(range.end));
        let word = kernel.machine().arch().pointer_size();
        let count = end.offset_from(start).unwrap_or(0) / word;
        if count > MOST_OIDS {
            return Err(ImageError::Load(format!("its sysctl_set has {count} oids")));
        }
        let mut oids = Vec::new();
        for number in 0..count {
            let at = kernel.machine().pointer(start.wrapping_add(number * word))?;
            oids.push(Object::new(at, self.type_id));
        }
        for oid in &oids {
            if let Some(head) = self.children_head(kernel, *oid)? {
                self.set_siblings(kernel, head, &[])?;
            }
        }
        oids.into_iter().try_for_each(|oid| self.register(kernel, oid))
    }

    /// sysctl_register_oid: inserts it among the children of its parent, by its number. A node that
    /// exists already gets another reference instead.
    pub fn register(&mut self, kernel: &mut LoadedKernel, oid: Object) -> Result<(), ImageError> {
        let head = VirtAddr::new(kernel.get(oid, "oid_parent")?);
        let mut siblings = self.siblings(kernel, head)?;
        let name = self.name(kernel, oid)?;
        for sibling in &siblings {
            if self.name(kernel, *sibling)? == name {
                if kernel.get(*sibling, "oid_kind")? & TYPE != NODE {
                    return Err(ImageError::Refused(format!("a sysctl {name} exists there")));
                }
                let count = kernel.get(*sibling, "oid_refcnt")?;
                return kernel.set(*sibling, "oid_refcnt", count.wrapping_add(1));
            }
        }
        let mut number = kernel.get(oid, "oid_number")?;
        if number & SIGN != 0 {
            number = self.next_number(kernel, oid);
        }
        let mut place = 0;
        for sibling in &siblings {
            let other = kernel.get(*sibling, "oid_number")?;
            if other == number {
                number += 1;
            } else if other > number {
                break;
            }
            place += 1;
        }
        kernel.set(oid, "oid_number", number)?;
        self.names.insert(oid.address, name);
        siblings.insert(place, oid);
        self.set_siblings(kernel, head, &siblings)
    }

    /// The oid with this name, whose components are joined by dots.
    pub fn find(&self, kernel: &LoadedKernel, name: &str) -> Result<Option<Object>, ImageError> {
        let mut head = Some(self.root);
        let mut found = None;
        for part in name.split('.') {
            let Some(siblings) = head else { return Ok(None) };
            found = None;
            for sibling in self.siblings(kernel, siblings)? {
                if self.name(kernel, sibling)? == part {
                    found = Some(sibling);
                }
            }
            let Some(oid) = found else { return Ok(None) };
            head = self.children_head(kernel, oid)?;
        }
        Ok(found)
    }

    /// The head of the children of a node.
    pub fn children_head(
        &self,
        kernel: &LoadedKernel,
        oid: Object,
    ) -> Result<Option<VirtAddr>, ImageError> {
        if kernel.get(oid, "oid_kind")? & TYPE != NODE {
            return Ok(None);
        }
        if kernel.has(oid, "oid_children") {
            return kernel.member(oid, "oid_children").map(|head| Some(head.address));
        }
        let head = VirtAddr::new(kernel.get(oid, "oid_arg1")?);
        Ok((!head.is_null()).then_some(head))
    }

    /// The oids on one level, by number.
    pub fn siblings(
        &self,
        kernel: &LoadedKernel,
        head: VirtAddr,
    ) -> Result<Vec<Object>, ImageError> {
        let addresses = match self.form {
            Form::List(queue) => queue.elements(kernel.machine(), head)?,
            Form::Tree { root, links } => {
                let root = kernel.machine().pointer(head.wrapping_add(root))?;
                let mut found = Vec::new();
                in_order(kernel, links, root, DEEPEST, &mut found)?;
                found
            }
        };
        Ok(addresses.into_iter().map(|at| Object::new(at, self.type_id)).collect())
    }

    fn set_siblings(
        &self,
        kernel: &mut LoadedKernel,
        head: VirtAddr,
        siblings: &[Object],
    ) -> Result<(), ImageError> {
        let machine = kernel.machine_mut();
        match self.form {
            Form::List(queue) => {
                queue.init(machine, head)?;
                let mut siblings = siblings.iter().rev();
                siblings.try_for_each(|oid| queue.insert_head(machine, head, oid.address))
            }
            Form::Tree { root, links } => {
                let at = head.wrapping_add(root);
                let (top, _) = balanced(kernel, links, siblings, VirtAddr::new(0))?;
                kernel.machine_mut().set_pointer(at, top)
            }
        }
    }

    fn name(&self, kernel: &LoadedKernel, oid: Object) -> Result<String, ImageError> {
        match self.names.get(&oid.address) {
            Some(name) => Ok(name.clone()),
            None => kernel.text(VirtAddr::new(kernel.get(oid, "oid_name")?)),
        }
    }

    /// Since 11 numbers count down, so that a new oid is put at the front of a sorted list.
    fn next_number(&mut self, kernel: &LoadedKernel, oid: Object) -> u64 {
        let counts_down = kernel.has(oid, "oid_children");
        self.last_number = match (counts_down, self.last_number) {
            (true, 0..=AUTO_START) => LARGEST,
            (true, last) => last - 1,
            (false, last) => (last + 1).max(AUTO_START),
        };
        self.last_number
    }
}

fn in_order(
    kernel: &LoadedKernel,
    links: u64,
    at: VirtAddr,
    depth: u32,
    found: &mut Vec<VirtAddr>,
) -> Result<(), ImageError> {
    if at.is_null() {
        return Ok(());
    }
    if depth == 0 {
        return Err(ImageError::Refused(format!("the tree of sysctls at {at} never ends")));
    }
    let word = kernel.machine().arch().pointer_size();
    let child = |number: u64| kernel.machine().pointer(at.wrapping_add(links + number * word));
    in_order(kernel, links, child(1)?, depth - 1, found)?;
    found.push(at);
    in_order(kernel, links, child(2)?, depth - 1, found)
}

/// Links `oids` as a balanced tree below `parent`. Returns its top and its rank.
///
/// rbe_link[0] is the parent. Its low bits say which of the edges to the left (1) and the
/// right (2) child span two ranks; those to missing children count from rank −1. The kernel's
/// own balancing may produce the same shape.
fn balanced(
    kernel: &mut LoadedKernel,
    links: u64,
    oids: &[Object],
    parent: VirtAddr,
) -> Result<(VirtAddr, i64), ImageError> {
    let (left, rest) = oids.split_at(oids.len() / 2);
    let Some((top, right)) = rest.split_first() else { return Ok((VirtAddr::new(0), -1)) };
    let (left, left_rank) = balanced(kernel, links, left, top.address)?;
    let (right, right_rank) = balanced(kernel, links, right, top.address)?;
    let rank = left_rank.max(right_rank) + 1;
    let far = |child: i64| u64::from(rank - child > 1);
    let tag = far(left_rank) | far(right_rank) << 1;
    let word = kernel.machine().arch().pointer_size();
    for (number, value) in (0..).zip([parent.wrapping_add(tag), left, right]) {
        let at = top.address.wrapping_add(links + number * word);
        kernel.machine_mut().set_pointer(at, value)?;
    }
    Ok((top.address, rank))
}
