//! The routing tables of a stack: V_rt_tables and its heads (`sys/net/route.c`; since 13
//! `sys/net/route/route_tables.c`). They are made with the stack's first route.

use super::known::Rib;
use super::radix::{self, Tree};
use super::sockaddr;
use crate::addr::VirtAddr;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::{Runtime, Scope};
use crate::types::TypeId;
use crate::types::model::Type;

impl Runtime {
    /// The table of a FIB and family. All tables of the stack are made if it has none.
    pub(super) fn rib(&mut self, scope: Scope, fib: u64, family: u64) -> Result<Rib, ImageError> {
        let fibs = self.fib_count(scope)?;
        if fib >= fibs {
            return Err(ImageError::Refused(format!("there are {fibs} FIBs, and no FIB {fib}")));
        }
        let variable = self.find(scope, "rt_tables")?;
        let families = self.family_count()?;
        let pointer = self.kernel.machine().arch().pointer_size();
        let mut first = VirtAddr::new(self.kernel.load_uint(variable)?);
        if first.is_null() {
            let size = fibs.saturating_mul(families).saturating_mul(pointer);
            first = self.kernel.machine_mut().malloc("routetbl", size)?;
            self.kernel.store(variable, first.get())?;
            for fib in 0..fibs {
                for family in [sockaddr::AF_INET, sockaddr::AF_INET6] {
                    let head = self.make_head(scope, variable.type_id, fib, family)?;
                    let at = first.wrapping_add((fib * families + family) * pointer);
                    self.kernel.machine_mut().set_pointer(at, head.address)?;
                }
            }
        }
        let at = first.wrapping_add((fib * families + family) * pointer);
        let head = self.kernel.machine().pointer(at)?;
        let head = Object::new(head, self.pointed_at(variable.type_id)?);
        let masks = match self.kernel.has(head, "rmhead") {
            true => self.kernel.get(head, "rmhead.head.rnh_treetop")?,
            false => {
                let masks = VirtAddr::new(self.kernel.get(head, "rnh_masks")?);
                self.kernel.get(Object::new(masks, head.type_id), "rnh_treetop")?
            }
        };
        let node = self.kernel.types().find("struct radix_node")?;
        let tree = |top: u64| Tree { top: Object::new(VirtAddr::new(top), node) };
        let top = self.kernel.get(head, self.top_of(head))?;
        Ok(Rib { head, tree: tree(top), masks: tree(masks), fib })
    }

    /// vnet_route_uninit: the heads and the array are freed, and the pointer to it stays.
    ///
    /// # Errors
    /// They are freed already.
    pub(in crate::image::runtime) fn free_tables(
        &mut self,
        scope: Scope,
    ) -> Result<(), ImageError> {
        let Ok(variable) = self.find(scope, "rt_tables") else { return Ok(()) };
        let first = VirtAddr::new(self.kernel.load_uint(variable)?);
        if first.is_null() {
            return Ok(());
        }
        let (fibs, families) = (self.fib_count(scope)?, self.family_count()?);
        let pointer = self.kernel.machine().arch().pointer_size();
        for fib in 0..fibs {
            for family in [sockaddr::AF_INET, sockaddr::AF_INET6] {
                let at = first.wrapping_add((fib * families + family) * pointer);
                let head = self.kernel.machine().pointer(at)?;
                self.kernel.machine_mut().free(head)?;
            }
        }
        self.kernel.machine_mut().free(first)
    }

    /// rt_table_init; up to 10, rn_inithead.
    fn make_head(
        &mut self,
        scope: Scope,
        variable: TypeId,
        fib: u64,
        family: u64,
    ) -> Result<Object, ImageError> {
        let offset = if family == sockaddr::AF_INET { 32 } else { 64 };
        let type_id = self.pointed_at(variable)?;
        let head = self.empty_head(type_id, offset)?;
        if !self.kernel.has(head, "rmhead") {
            let masks = self.empty_head(type_id, 0)?;
            self.kernel.set_pointer(head, "rnh_masks", masks.address)?;
            return Ok(head);
        }
        let nodes = self.kernel.member(head, "rmhead.mask_nodes")?;
        let masks = radix::init_head(&mut self.kernel, nodes, 0)?;
        self.kernel.set_pointer(head, "rmhead.head.rnh_treetop", masks.top.address)?;
        let rmhead = self.kernel.member(head, "rmhead")?.address;
        self.kernel.set_pointer(head, "head.rnh_masks", rmhead)?;
        if let Scope::Vnet(vnet) = scope {
            self.kernel.set_if_any(head, "rib_vnet", vnet.0.get())?;
        }
        self.kernel.set_if_any(head, "rib_family", family)?;
        self.kernel.set_if_any(head, "rib_fibnum", fib)?;
        self.make_nh_control(head)?;
        Ok(head)
    }

    /// A head with an empty tree, in which keys count from the bit `offset` on.
    fn empty_head(&mut self, type_id: TypeId, offset: u64) -> Result<Object, ImageError> {
        let size = self.kernel.types().size_of(type_id)?;
        let head = Object::new(self.kernel.machine_mut().malloc("routetbl", size)?, type_id);
        let nodes = self.kernel.member(head, "rnh_nodes")?;
        let tree = radix::init_head(&mut self.kernel, nodes, offset)?;
        self.kernel.set_pointer(head, self.top_of(head), tree.top.address)?;
        Ok(head)
    }

    fn top_of(&self, head: Object) -> &'static str {
        if self.kernel.has(head, "head") { "head.rnh_treetop" } else { "rnh_treetop" }
    }

    /// The struct behind all pointers of the type of rt_tables.
    fn pointed_at(&self, mut id: TypeId) -> Result<TypeId, ImageError> {
        loop {
            let (inner, found) = self.kernel.types().resolve(id)?;
            match &*found {
                Type::Pointer(pointer) => id = pointer.target,
                _ => return Ok(inner),
            }
        }
    }

    /// AF_MAX + 1: an interface has AF_MAX pointers for its families.
    fn family_count(&self) -> Result<u64, ImageError> {
        let ifnet = self.kernel.object(VirtAddr::new(0), "struct ifnet")?;
        let pointers = self.kernel.step(ifnet, &Step::Member("if_afdata".into()))?;
        Ok(self.kernel.elements(pointers)?.unwrap_or(0) + 1)
    }

    pub(super) fn fib_count(&self, scope: Scope) -> Result<u64, ImageError> {
        let own = self.find(scope, "_rt_numfibs");
        let variable = own.or_else(|_| self.find(Scope::Kernel, "rt_numfibs"))?;
        self.kernel.load_uint(variable)
    }
}
