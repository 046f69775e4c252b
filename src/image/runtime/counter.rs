//! Per-CPU counters, counter(9), and the statistics arrays made of them (VNET_PCPUSTAT).
//!
//! A counter is a slot of 8 bytes of every CPU's own memory. What a `counter_u64_t`
//! holds differs: on amd64 since 13 the distance of CPU 0's slot from `*__pcpu`,
//! else a plain pointer to it. The slots are a page apart in 12 and later
//! (UMA_PCPU_ALLOC_SIZE), before that sizeof(struct pcpu).

use std::collections::BTreeMap;

use super::{Runtime, Scope};
use crate::addr::VirtAddr;
use crate::error::TypeError;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::kernel::Loaded;
use crate::image::object::Object;
use crate::types::model::Type;

/// Values for the CPUs of the machine, in the order of their ids; the others stay 0.
pub type CounterValues = Vec<u64>;

/// Where counters are allocated, and how pointers to them are stored.
#[derive(Debug)]
pub(super) struct CounterZone {
    stride: u64,
    /// Slots up to the highest CPU id.
    slots: u64,
    /// What is subtracted from a slot's address to make a counter_u64_t.
    origin: u64,
    next: VirtAddr,
    left: u64,
}

const COUNTER: u64 = 8;

impl CounterZone {
    /// Decides by the shape of `__pcpu`: a pointer means offsets, an array plain pointers. What
    /// counts before counters can be allocated, a member of struct pcpu, came with the pages.
    pub fn of(kernel: &Loaded, cpus: &[u32]) -> Result<Self, ImageError> {
        let slots = u64::from(cpus.last().copied().unwrap_or(0)) + 1;
        let page = kernel.machine().page_size();
        let pcpu = kernel.variable("__pcpu")?;
        let (_, shape) = kernel.types().resolve(pcpu.type_id)?;
        let (type_id, origin) = match &*shape {
            Type::Pointer(pointer) => (pointer.target, kernel.load_uint(pcpu)?),
            Type::Array(array) => (array.element, 0),
            _ => (pcpu.type_id, 0),
        };
        let stride = match kernel.types().has_member(type_id, "pc_early_dummy_counter") {
            true => page,
            false => kernel.types().size_of(type_id)?,
        };
        Ok(Self { stride, slots, origin, next: VirtAddr::new(0), left: 0 })
    }

    /// counter_u64_alloc: the value of a new counter_u64_t, all slots 0.
    fn alloc(&mut self, kernel: &mut Loaded) -> Result<u64, ImageError> {
        if self.left < COUNTER {
            let page = kernel.machine().page_size();
            // More than a page, so that it always lies in the kernel map, as UMA's pcpu zones do.
            let size = self.stride.saturating_mul(self.slots).max(page + 1);
            self.next = kernel.machine_mut().malloc("pcpu-8", size)?;
            self.left = self.stride.max(COUNTER);
        }
        let slot = self.next;
        self.next = slot.wrapping_add(COUNTER);
        self.left -= COUNTER;
        Ok(slot.get().wrapping_sub(self.origin))
    }

    fn slot(&self, counter: u64, cpu: u32) -> VirtAddr {
        let base = VirtAddr::new(counter.wrapping_add(self.origin));
        base.wrapping_add(u64::from(cpu).wrapping_mul(self.stride))
    }
}

impl Runtime {
    /// Allocates a counter and stores it in `object`, a counter_u64_t.
    pub fn alloc_counter(&mut self, object: Object) -> Result<(), ImageError> {
        let counter = self.counters.alloc(&mut self.kernel)?;
        self.kernel.store(object, counter)
    }

    /// counter_u64_add on each CPU in turn.
    ///
    /// # Errors
    /// There are more values than CPUs, or the counter was never allocated.
    pub fn add_to_counter(&mut self, object: Object, values: &[u64]) -> Result<(), ImageError> {
        if values.len() > self.cpus.len() {
            let why = format!("{} values for {} CPUs", values.len(), self.cpus.len());
            return Err(ImageError::Refused(why));
        }
        let counter = self.kernel.load_uint(object)?;
        for (cpu, value) in self.cpus.iter().zip(values) {
            let slot = self.counters.slot(counter, *cpu);
            let sum = self.kernel.machine().uint(slot, COUNTER)?.wrapping_add(*value);
            self.kernel.machine_mut().set_uint(slot, COUNTER, sum)?;
        }
        Ok(())
    }

    /// Sets the statistics array `name` (a VNET_PCPUSTAT): all of its counters are allocated, as
    /// its constructor does, and those named as members of `type_name` (default:
    /// `struct` and the array's own name) get values.
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
        let array = self.find(scope, name)?;
        let count = self.kernel.elements(array)?.ok_or_else(|| TypeError::WrongKind {
            type_name: self.kernel.types().name(array.type_id),
            wanted: "an array of counters",
        })?;
        for index in 0..count {
            let counter = self.kernel.step(array, &Step::Index(index))?;
            if self.kernel.load_uint(counter)? == 0 {
                self.alloc_counter(counter)?;
            }
        }
        let plain = name.strip_prefix("V_").unwrap_or(name);
        let default = format!("struct {}", plain.split('@').next().unwrap_or(plain));
        let statistics = self.kernel.types().find(type_name.unwrap_or(&default))?;
        for (member, values) in members {
            let offset = self.kernel.types().path(statistics, member)?.offset;
            let counter = self.kernel.step(array, &Step::Index(offset / COUNTER))?;
            self.add_to_counter(counter, values)?;
        }
        Ok(())
    }
}
