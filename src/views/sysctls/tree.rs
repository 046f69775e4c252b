//! The walk of the oids: lists up to 13, red-black trees in newer kernels.
//!
//! The children of a node hang in its `oid_children`, or, up to 10, in the list
//! that its `oid_arg1` points at (`sys/sys/sysctl.h`, 10.4, 12.1, main).

use super::filter::SysctlFilter;
use super::{Handler, Kind, Oid};
use crate::addr::VirtAddr;
use crate::constants::{CTLFLAG_DORMANT, CTLFLAG_SKIP, CTLFLAG_VNET};
use crate::target::{ReadError, Target};
use crate::types;
use crate::value::Object;
use crate::value::model::{ErrorKind, ValueError};
use crate::value::queue::{self, List};
use crate::vnet::VnetError;
use crate::walk::{Problem, Problems, Trail};

/// Oids of the tree, in its order, and what is wrong with the tree.
#[derive(Debug, Clone, Default)]
pub struct SysctlTree {
    /// In the order of the tree, parents before children.
    pub oids: Vec<Oid>,
    /// What keeps further oids from being known.
    pub problems: Problems,
}

/// CTL_MAXNAME: the most parts of a name.
const MAX_DEPTH: usize = 24;

impl SysctlTree {
    /// The oids of these names or patterns, and those below them; without names, all. Oids that
    /// sysctl(8) leaves out of a listing (CTLFLAG_SKIP) must be named in full. They
    /// come in the order of the names, and below each in that of the tree.
    ///
    /// # Errors
    /// The kernel has no such tree, or no debug information about it, or a pattern is not valid.
    pub fn read(target: &Target, names: &[String]) -> Result<Self, VnetError> {
        let root = Object::global(target, "sysctl__children")?;
        let names = names.iter().map(|name| SysctlFilter::new(name)).collect::<Result<_, _>>()?;
        let seen = Trail::new(target.budget());
        let mut walk = Walk { target, root, names, seen, empty: true, tree: Self::default() };
        walk.level(root, "", MAX_DEPTH);
        if walk.empty {
            // A running kernel has sysctls before it has processes.
            let why = "it is empty: the kernel has not created it yet, or the dump has zeros in its place";
            walk.tree.problems.add(Problem::new("the sysctl tree", why));
        }
        let Walk { names, mut tree, .. } = walk;
        let asked = |oid: &Oid| names.iter().position(|name| name.covers(&oid.name));
        tree.oids.sort_by_key(asked);
        Ok(tree)
    }

    /// Whether one of the oids has this name, matches this pattern, or is below such a node.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        let covers = |wanted: SysctlFilter| self.oids.iter().any(|oid| wanted.covers(&oid.name));
        SysctlFilter::new(name).is_ok_and(covers)
    }

    /// The names that are most similar to `name`.
    #[must_use]
    pub fn near(&self, name: &str) -> Vec<String> {
        let names = self.oids.iter().map(|oid| oid.name.to_string()).collect();
        types::most_similar(names, |known: &String| known, name)
    }
}

struct Walk<'t> {
    target: &'t Target,
    root: Object<'t>,
    names: Vec<SysctlFilter>,
    /// The oids that were visited: a damaged tree may lead to one twice.
    seen: Trail<'t>,
    /// No oid was found.
    empty: bool,
    tree: SysctlTree,
}

impl<'t> Walk<'t> {
    /// The oids in one list or tree, and those below them.
    fn level(&mut self, head: Object<'t>, parent: &str, depth: usize) {
        let place = if parent.is_empty() { "the sysctl tree" } else { parent };
        let Some(depth) = depth.checked_sub(1) else {
            return self
                .tree
                .problems
                .add(Problem::new(place, "it is nested deeper than any sysctl"));
        };
        let list = List { name: &place, element: "oid" };
        let oids = queue::walk_on(head, "oid_link", list, &mut self.seen);
        self.empty &= oids.is_whole();
        for oid in oids.take(&mut self.tree.problems) {
            self.empty = false;
            if let Err(why) = self.oid(&oid, parent, depth) {
                self.tree.problems.add(list.element(oid.address, why));
            }
        }
    }

    fn oid(&mut self, oid: &Object<'t>, parent: &str, depth: usize) -> Result<(), ReadError> {
        let name = match parent {
            "" => oid.text("oid_name")?,
            _ => format!("{parent}.{}", oid.text("oid_name")?),
        };
        let leads = |wanted: &SysctlFilter| wanted.may_match_below(&name);
        if !self.names.is_empty() && !self.names.iter().any(leads) {
            return Ok(());
        }
        let flags = oid.uint("oid_kind")?;
        let kind = Kind::of(flags);
        let handler = oid.pointer("oid_handler")?;
        let named = self.names.iter().any(|wanted| wanted.is(&name));
        let hidden = flags & (CTLFLAG_SKIP | CTLFLAG_DORMANT) != 0;
        // A node with a handler answers for names that no tree holds.
        let shown = kind != Kind::Node || (named && !handler.is_null());
        if shown && (named || !hidden) && self.is_wanted(&name) {
            let oid = self.read(oid, &name, flags, handler)?;
            self.tree.oids.push(oid);
        }
        if kind == Kind::Node
            && (!hidden || named)
            && let Some(children) = self.children(oid)?
        {
            self.level(children, &name, depth);
        }
        Ok(())
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted.covers(name))
    }

    fn children(&self, oid: &Object<'t>) -> Result<Option<Object<'t>>, ReadError> {
        if self.target.types()?.has_member(oid.type_id, "oid_children") {
            return oid.member("oid_children").map(Some);
        }
        let list = oid.pointer("oid_arg1")?;
        Ok((!list.is_null()).then(|| Object::new(self.target, self.root.type_id, list)))
    }

    fn read(
        &self,
        oid: &Object<'t>,
        name: &str,
        flags: u64,
        handler: VirtAddr,
    ) -> Result<Oid, ReadError> {
        let kernel = self.target.kernel();
        let symbol = self.target.symbolize(handler).filter(|(_, offset)| *offset == 0);
        let function = symbol.map(|(symbol, _)| symbol.name.into());
        Ok(Oid {
            name: name.into(),
            address: oid.address,
            kind: Kind::of(flags),
            per_vnet: flags & CTLFLAG_VNET != 0 && kernel.set_vnet().is_some(),
            of_network: flags & CTLFLAG_VNET != 0,
            arg1: oid.pointer("oid_arg1")?,
            arg2: oid.int("oid_arg2")?,
            handler: (!handler.is_null()).then_some(Handler { address: handler, name: function }),
            format: optional(oid, "oid_fmt").unwrap_or_default().into(),
            description: optional(oid, "oid_descr").map(String::into_boxed_str),
        })
    }
}

/// A string that may be NULL, and is then empty.
fn optional(oid: &Object<'_>, member: &str) -> Result<String, ValueError> {
    let text = oid.pointer(member).and_then(|at| match at.is_null() {
        true => Ok(String::new()),
        false => oid.text(member),
    });
    text.map_err(|why| match why {
        ReadError::Fault(fault) => fault.into(),
        other => {
            let message = other.to_string().into();
            ValueError { kind: ErrorKind::NoType, address: None, message }
        }
    })
}
