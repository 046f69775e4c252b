//! Per-CPU counters, counter(9). `pcpustat.rs` has arrays of them.
//!
//! A counter is a slot of 8 bytes in the memory of every CPU. The value of a `counter_u64_t`
//! differs: on amd64 since 13 it is the offset of CPU 0's slot from `*__pcpu`,
//! otherwise a plain pointer to the slot. The slots are a page apart in 12 and later
//! (UMA_PCPU_ALLOC_SIZE), and sizeof(struct pcpu) apart before.

use super::Runtime;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::types::model::Type;

/// Values for the CPUs of the machine, in order of their ids. The others stay 0.
pub type CounterValues = Vec<u64>;

/// Where counters are allocated, and how pointers to them are stored.
#[derive(Debug)]
pub(super) struct CounterZone {
    stride: u64,
    /// How many slots there are, up to the highest CPU id.
    slots: u64,
    /// What is subtracted from a slot's address to get a counter_u64_t.
    origin: u64,
    /// `EARLY_COUNTER`, in kernels that have it.
    early: Option<u64>,
    next: VirtAddr,
    left: u64,
}

const COUNTER: u64 = 8;
/// What a kernel with INVARIANTS fills freed memory with.
const TRASH: u32 = 0xdead_c0de;

impl CounterZone {
    /// Decides by the form of `__pcpu`: a pointer means offsets, an array plain pointers. The
    /// counter
    /// for the time before counters can be allocated, a member of struct pcpu, was added with the
    /// pages.
    pub fn of(kernel: &LoadedKernel, cpus: &[u32]) -> Result<Self, ImageError> {
        let slots = u64::from(cpus.last().copied().unwrap_or(0)) + 1;
        let page = kernel.machine().page_size();
        let pcpu = kernel.variable("__pcpu")?;
        let (_, shape) = kernel.types().resolve(pcpu.type_id)?;
        let (type_id, origin) = match &*shape {
            Type::Pointer(pointer) => (pointer.target, kernel.load_uint(pcpu)?),
            Type::Array(array) => (array.element, 0),
            _ => (pcpu.type_id, 0),
        };
        let dummy = kernel.types().member(type_id, "pc_early_dummy_counter").ok();
        let stride = if dummy.is_some() { page } else { kernel.types().size_of(type_id)? };
        // An offset if counters are offsets, otherwise the member of the first processor.
        let first = if origin == 0 { pcpu.address.get() } else { 0 };
        let early = dummy.map(|dummy| first.wrapping_add(dummy.offset));
        Ok(Self { stride, slots, origin, early, next: VirtAddr::new(0), left: 0 })
    }

    /// counter_u64_alloc: the value of a new counter_u64_t, all slots 0.
    fn alloc(&mut self, kernel: &mut LoadedKernel) -> Result<u64, ImageError> {
        if self.left < COUNTER {
            let page = kernel.machine().page_size();
            // More than a page, so that it is always in the kernel map, like UMA's pcpu zones.
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

    /// counter_u64_free of what `object` points to. The pointer stays, and is then stale.
    ///
    /// # Errors
    /// The counter was never allocated.
    pub fn free_counter(&mut self, object: Object) -> Result<(), ImageError> {
        let counter = self.allocated_counter(object)?;
        if self.kernel.machine().options().trash_freed {
            for cpu in self.cpus.clone() {
                let slot = self.counters.slot(counter, cpu);
                self.kernel.machine_mut().fill(slot, COUNTER, TRASH)?;
            }
        }
        Ok(())
    }

    /// Sets `object` to EARLY_COUNTER, the value before counters can be allocated.
    ///
    /// # Errors
    /// The kernel has none: 10.x and earlier.
    pub fn set_early_counter(&mut self, object: Object) -> Result<(), ImageError> {
        let none = || ImageError::Refused("this kernel has no EARLY_COUNTER".into());
        let early = self.counters.early.ok_or_else(none)?;
        self.kernel.store(object, early)
    }

    /// counter_u64_fetch: the sum over the CPUs, modulo 2^64.
    ///
    /// # Errors
    /// The counter was never allocated.
    pub fn fetch_counter(&self, object: Object) -> Result<u64, ImageError> {
        let counter = self.allocated_counter(object)?;
        let mut sum: u64 = 0;
        for cpu in &self.cpus {
            let slot = self.counters.slot(counter, *cpu);
            sum = sum.wrapping_add(self.kernel.machine().uint(slot, COUNTER)?);
        }
        Ok(sum)
    }

    /// counter_u64_zero.
    ///
    /// # Errors
    /// The counter was never allocated.
    pub fn zero_counter(&mut self, object: Object) -> Result<(), ImageError> {
        let counter = self.allocated_counter(object)?;
        for cpu in self.cpus.clone() {
            let slot = self.counters.slot(counter, cpu);
            self.kernel.machine_mut().set_uint(slot, COUNTER, 0)?;
        }
        Ok(())
    }

    /// Is the counter neither NULL nor EARLY_COUNTER?
    pub(super) fn is_allocated(&self, object: Object) -> Result<bool, ImageError> {
        let counter = self.kernel.load_uint(object)?;
        Ok(counter != 0 && Some(counter) != self.counters.early)
    }

    fn allocated_counter(&self, object: Object) -> Result<u64, ImageError> {
        if !self.is_allocated(object)? {
            let why = format!("the counter at {} was never allocated", object.address);
            return Err(ImageError::Refused(why));
        }
        self.kernel.load_uint(object)
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
        let counter = self.allocated_counter(object)?;
        for (cpu, value) in self.cpus.iter().zip(values) {
            let slot = self.counters.slot(counter, *cpu);
            let sum = self.kernel.machine().uint(slot, COUNTER)?.wrapping_add(*value);
            self.kernel.machine_mut().set_uint(slot, COUNTER, sum)?;
        }
        Ok(())
    }
}
