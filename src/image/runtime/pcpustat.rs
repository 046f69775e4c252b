//! Statistics of a stack: VNET_PCPUSTAT, an array of counters with a struct to name them.
//!
//! `sys/net/vnet.h`. VNET_PCPUSTAT_DEFINE of a struct T is a virtualized array of sizeof(T)/8
//! counters. The array is NULL until its constructor allocates them, and keeps stale pointers
//! after its destructor has freed them.

use std::collections::BTreeMap;

use super::constructors::Effect;
use super::counter::CounterValues;
use super::sysinit::{SysinitKind, SysinitOptions};
use super::{Runtime, Scope};
use crate::addr::VirtAddr;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::types::model::Type;
use crate::types::{TypeError, WantedKind};

/// The size of a counter, and of each member of a statistics struct, in bytes.
const COUNTER: u64 = 8;

impl Runtime {
    /// VNET_PCPUSTAT_ALLOC: a counter for each element of the array.
    ///
    /// # Errors
    /// There is no such array.
    pub fn vnet_pcpustat_alloc(&mut self, scope: Scope, name: &str) -> Result<(), ImageError> {
        let counters = self.counters(scope, name)?;
        counters.into_iter().try_for_each(|counter| self.alloc_counter(counter))
    }

    /// VNET_PCPUSTAT_FREE. The pointers in the array stay.
    ///
    /// # Errors
    /// There is no such array, or its counters were never allocated.
    pub fn vnet_pcpustat_free(&mut self, scope: Scope, name: &str) -> Result<(), ImageError> {
        let counters = self.counters(scope, name)?;
        counters.into_iter().try_for_each(|counter| self.free_counter(counter))
    }

    /// VNET_PCPUSTAT_ADD: adds `values`, by CPU, to the counter for the member `member` of
    /// `type_name`.
    ///
    /// # Errors
    /// There is no such array or member, or its counters were never allocated.
    pub fn vnet_pcpustat_add(
        &mut self,
        scope: Scope,
        name: &str,
        type_name: &str,
        member: &str,
        values: &[u64],
    ) -> Result<(), ImageError> {
        let statistics = self.kernel.types().find(type_name)?;
        let offset = self.kernel.types().path(statistics, member)?.offset;
        let array = self.find(scope, name)?;
        let counter = self.kernel.step(array, &Step::Index(offset / COUNTER))?;
        self.add_to_counter(counter, values)
    }

    /// VNET_PCPUSTAT_SYSINIT: a constructor that allocates the array. Old kernels register it at
    /// SI_SUB_PROTO_IFATTACHDOMAIN, those of 12 and later at SI_SUB_INIT_IF.
    ///
    /// # Errors
    /// As [`Runtime::vnet_sysinit`].
    pub fn vnet_pcpustat_sysinit(
        &mut self,
        name: &str,
        options: &SysinitOptions,
    ) -> Result<VirtAddr, ImageError> {
        let effect = Effect::AllocateCounters(name.to_owned());
        self.vnet_sysinit_with(SysinitKind::Constructor, options, Some(effect))
    }

    /// VNET_PCPUSTAT_SYSUNINIT: the destructor that frees the array.
    ///
    /// # Errors
    /// As [`Runtime::vnet_sysinit`].
    pub fn vnet_pcpustat_sysuninit(
        &mut self,
        name: &str,
        options: &SysinitOptions,
    ) -> Result<VirtAddr, ImageError> {
        let effect = Effect::FreeCounters(name.to_owned());
        self.vnet_sysinit_with(SysinitKind::Destructor, options, Some(effect))
    }

    /// Sets the statistics array `name`: allocates its counters if they are not allocated, and
    /// gives values to those that are named as members of `type_name` (by default `struct` and the
    /// array's own name).
    ///
    /// # Errors
    /// There is no such array or member.
    pub fn set_statistics(
        &mut self,
        scope: Scope,
        name: &str,
        type_name: Option<&str>,
        members: &BTreeMap<String, CounterValues>,
    ) -> Result<(), ImageError> {
        for counter in self.counters(scope, name)? {
            if !self.is_allocated(counter)? {
                self.alloc_counter(counter)?;
            }
        }
        let plain = name.strip_prefix("V_").unwrap_or(name);
        let default = format!("struct {}", plain.split('@').next().unwrap_or(plain));
        let type_name = type_name.unwrap_or(&default);
        members.iter().try_for_each(|(member, values)| {
            self.vnet_pcpustat_add(scope, name, type_name, member, values)
        })
    }

    /// The counters in a variable: one, or the elements of an array.
    ///
    /// # Errors
    /// There is no such variable, or it has another type.
    pub fn counters(&self, scope: Scope, name: &str) -> Result<Vec<Object>, ImageError> {
        let found = self.find(scope, name)?;
        let types = self.kernel.types();
        let (_, shape) = types.resolve(found.type_id)?;
        match &*shape {
            Type::Array(array) if is_counter(&types.name(array.element)) => {
                let count = self.kernel.elements(found)?.unwrap_or(0);
                (0..count).map(|index| self.kernel.step(found, &Step::Index(index))).collect()
            }
            _ if is_counter(&types.name(found.type_id)) => Ok(vec![found]),
            _ => Err(TypeError::WrongKind {
                type_name: types.name(found.type_id),
                wanted: WantedKind::Counter,
            }
            .into()),
        }
    }

    /// Is there a virtualized array of counters of that name?
    pub(super) fn is_statistics(&self, name: &str) -> bool {
        self.counters(Scope::Kernel, name).is_ok_and(|counters| counters.len() > 1)
    }
}

fn is_counter(type_name: &str) -> bool {
    type_name == "counter_u64_t"
}
