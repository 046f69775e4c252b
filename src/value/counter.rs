//! Per-CPU counters: `counter_u64_t` (counter(9)).
//!
//! Every CPU adds to a slot of its own; the value is the sum. What the pointer
//! holds and how far the slots lie apart differs by release, and is found out
//! from the kernel itself (`sys/amd64/include/counter.h`, 10.4, 12.1, main).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::{ReadError, Target};
use crate::types::model::{Qualified, Type, Typedef};
use crate::types::{TypeError, TypeId, Types};
use crate::value::cpus::{self, MAX_CPUS, PcpuArray};
use crate::value::model::{ErrorKind, Value, ValueError};
use crate::walk::Problems;

/// How the counters of one kernel are summed.
#[derive(Debug, Clone)]
pub struct Counters {
    layout: Result<Layout, Box<str>>,
}

/// What one CPU has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuSlot {
    /// The CPU's id (`pc_cpuid`).
    pub cpu: u64,
    /// What it has added, modulo 2^64; an error if its slot cannot be read.
    pub value: Result<u64, ValueError>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Layout {
    /// Added to what a counter holds: where per-CPU memory begins, in kernels
    /// whose counters are offsets; 0 where they are pointers.
    base: u64,
    /// Bytes from one CPU's slot to the next one's.
    stride: u64,
    cpus: Vec<u64>,
    /// What a counter holds before it is allocated (EARLY_COUNTER).
    early: Vec<VirtAddr>,
}

/// Typedefs of typedefs end long before this.
const MAX_TYPEDEFS: usize = 16;

/// Whether a type is `counter_u64_t`, perhaps by another name or with qualifiers. Its
/// underlying type, a pointer to a number, does not show it.
pub fn is_counter(types: &Types, mut id: TypeId) -> bool {
    for _ in 0..MAX_TYPEDEFS {
        match types.get(id).as_deref() {
            Ok(Type::Typedef(Typedef { name, .. })) if &**name == "counter_u64_t" => return true,
            Ok(
                Type::Typedef(Typedef { target, .. }) | Type::Qualified(Qualified { target, .. }),
            ) => {
                id = *target;
            }
            _ => return false,
        }
    }
    false
}

/// Whether `value` contains the sum of a counter.
#[must_use]
pub fn has_sums(value: &Value) -> bool {
    match value.plain() {
        Value::Counter { .. } => true,
        Value::Record(record) => record.members().any(|(_, value)| has_sums(value)),
        // All elements are of one type, but some may be errors.
        Value::Array(array) => array.elements.iter().any(|element| has_sums(&element)),
        _ => false,
    }
}

/// Puts an error in the place of every sum in `value`: the memory of its
/// counters may belong to others by now.
pub fn mark_stale(value: &mut Value, why: &str) {
    match value {
        Value::Counter { sum, address } => *value = stale(*address, *sum, why).into(),
        Value::Told(told) if has_sums(&told.value) => {
            *value = told.value.clone();
            mark_stale(value, why);
        }
        Value::Record(record) => {
            record.values_mut().iter_mut().for_each(|each| mark_stale(each, why));
        }
        Value::Array(array) => {
            array.elements.values_mut().iter_mut().for_each(|each| mark_stale(each, why));
        }
        _ => {}
    }
}

/// The error in place of a sum that cannot be trusted; its message has the sum.
#[must_use]
pub fn stale(pointer: VirtAddr, sum: u64, why: &str) -> ValueError {
    ValueError {
        kind: ErrorKind::Stale,
        address: Some(pointer),
        message: format!("{why}; its memory now adds up to {sum}").into(),
    }
}

impl Counters {
    /// Finds out how this kernel's counters work.
    #[must_use]
    pub fn of(target: &Target) -> Self {
        Self { layout: Layout::of(target).map_err(|why| why.to_string().into()) }
    }

    /// The value of a counter that holds `pointer`.
    #[must_use]
    pub fn value(&self, target: &Target, pointer: VirtAddr) -> Value {
        match self.sum(target, pointer) {
            Ok(sum) => Value::Counter { sum, address: pointer },
            Err(error) => error.into(),
        }
    }

    /// The sum over all CPUs, modulo 2^64.
    ///
    /// # Errors
    /// The counter is not allocated, or a CPU's slot cannot be read.
    pub fn sum(&self, target: &Target, pointer: VirtAddr) -> Result<u64, ValueError> {
        let layout = self.layout()?;
        layout.require_allocated(pointer)?;
        let memory = target.memory();
        layout.cpus.iter().try_fold(0u64, |sum, cpu| {
            Ok(sum.wrapping_add(memory.u64(layout.slot(target.arch(), pointer, *cpu))?))
        })
    }

    /// What each CPU has counted, by id.
    ///
    /// # Errors
    /// The counter is not allocated. A slot that cannot be read is an error in
    /// its own place.
    pub fn slots(&self, target: &Target, pointer: VirtAddr) -> Result<Vec<CpuSlot>, ValueError> {
        let layout = self.layout()?;
        layout.require_allocated(pointer)?;
        let slot = |&cpu| {
            let value = target.memory().u64(layout.slot(target.arch(), pointer, cpu));
            CpuSlot { cpu, value: value.map_err(ValueError::from) }
        };
        Ok(layout.cpus.iter().map(slot).collect())
    }

    /// Whether a counter that holds `pointer` has slots: it is neither NULL nor the early counter.
    #[must_use]
    pub fn is_allocated(&self, pointer: VirtAddr) -> bool {
        self.layout.as_ref().is_ok_and(|layout| layout.require_allocated(pointer).is_ok())
    }

    /// What a counter would hold whose slot of a CPU lies at `slot`: for each CPU, its id and the
    /// pointer.
    pub fn holders(&self, arch: Arch, slot: VirtAddr) -> impl Iterator<Item = (u64, VirtAddr)> {
        let layout = self.layout.as_ref().ok();
        layout.into_iter().flat_map(move |layout| {
            let first = slot.get().wrapping_sub(layout.base);
            let pointer = move |cpu: u64| first.wrapping_sub(cpu.wrapping_mul(layout.stride));
            layout.cpus.iter().map(move |&cpu| (cpu, VirtAddr::new(arch.wrap(pointer(cpu)))))
        })
    }

    /// The ids of the CPUs that exist, ascending; empty if they are unknown.
    #[must_use]
    pub fn cpus(&self) -> &[u64] {
        self.layout.as_ref().map_or(&[], |layout| &layout.cpus)
    }

    fn layout(&self) -> Result<&Layout, ValueError> {
        self.layout.as_ref().map_err(|why| ValueError {
            kind: ErrorKind::NoType,
            address: None,
            message: why.to_string().into(),
        })
    }
}

impl Layout {
    fn of(target: &Target) -> Result<Self, ReadError> {
        // arm64 and riscv have pcpu0, alone in newer releases.
        let places = ["__pcpu", "pcpu0"].map(|name| PcpuArray::of(target, name));
        let places = places.into_iter().filter_map(|place| place.transpose());
        let with_early = places.map(|place| {
            let place = place?;
            Ok((place, early_counter(target, &place)?))
        });
        let found: Vec<(PcpuArray, Option<u64>)> = with_early.collect::<Result<_, ReadError>>()?;
        let Some((first, early)) = found.first() else {
            return Err(ReadError::NoSymbol { name: "__pcpu".into() });
        };
        let early_counters = early.is_some();
        // On amd64, 13 and later, counters are offsets from there.
        let base =
            if first.by_pointer && target.arch() == Arch::Amd64 { first.start.get() } else { 0 };
        let early = |(place, early): &(PcpuArray, Option<u64>)| {
            Some(place.start.wrapping_add((*early)?.wrapping_sub(base)))
        };
        Ok(Self {
            base,
            stride: stride(early_counters, first.size, target.memory().page_size()),
            cpus: cpus_that_count(target, early_counters)?,
            early: found.iter().filter_map(early).collect(),
        })
    }

    fn require_allocated(&self, pointer: VirtAddr) -> Result<(), ValueError> {
        let what = match pointer.is_null() {
            true => "it is NULL",
            false if self.early.contains(&pointer) => "it is the early counter",
            false => return Ok(()),
        };
        Err(ValueError {
            kind: ErrorKind::Unallocated,
            address: Some(pointer),
            message: what.into(),
        })
    }

    fn slot(&self, arch: Arch, pointer: VirtAddr, cpu: u64) -> VirtAddr {
        let start = pointer.get().wrapping_add(self.base);
        VirtAddr::new(arch.wrap(start.wrapping_add(cpu.wrapping_mul(self.stride))))
    }
}

/// Kernels without an early counter (up to 11) are those whose per-CPU zones have
/// items of the size of struct pcpu; 12 and later use whole pages
/// (UMA_PCPU_ALLOC_SIZE, `sys/vm/uma.h`).
fn stride(early_counters: bool, struct_pcpu: u64, page: u64) -> u64 {
    if early_counters { page } else { struct_pcpu }
}

/// Where EARLY_COUNTER lies in a struct pcpu, in kernels that have one.
fn early_counter(target: &Target, place: &PcpuArray) -> Result<Option<u64>, ReadError> {
    match target.types()?.path(place.type_id, "pc_early_dummy_counter") {
        Ok(field) => Ok(Some(field.offset)),
        Err(TypeError::NoMember { .. }) => Ok(None),
        Err(why) => Err(why.into()),
    }
}

/// The ids of the CPUs that count. Where counters have no early one, counter_u64_fetch goes from 0
/// to mp_ncpus instead of asking all_cpus.
fn cpus_that_count(target: &Target, early_counters: bool) -> Result<Vec<u64>, ReadError> {
    if !early_counters && let Ok(count) = target.integer("mp_ncpus") {
        return Ok((0..count.min(MAX_CPUS)).collect());
    }
    Ok(cpus::ids(target)?.take(&mut Problems::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(base: u64, stride: u64, cpus: &[u64], early: &[u64]) -> Layout {
        let early = early.iter().copied().map(VirtAddr::new).collect();
        Layout { base, stride, cpus: cpus.to_vec(), early }
    }

    #[test]
    fn slots_lie_where_each_release_puts_them() {
        const PCPU: u64 = 0xffff_ffff_8300_0000;
        const HEAP: u64 = 0xffff_fe00_0040_0010;
        for (arch, layout, pointer, cpu, expected) in [
            // 10.4: struct pcpu has 1024 bytes, and no early counter.
            (Arch::Amd64, layout(0, stride(false, 1024, 4096), &[0, 1], &[]), HEAP, 1, HEAP + 1024),
            // 12.1: pages, whatever struct pcpu has.
            (
                Arch::Amd64,
                layout(0, stride(true, 1024, 4096), &[0, 1], &[]),
                HEAP,
                3,
                HEAP + 3 * 4096,
            ),
            // 13 and later: the distance from __pcpu, wrapping past 2^64.
            (
                Arch::Amd64,
                layout(PCPU, stride(true, 4096, 4096), &[0], &[]),
                HEAP.wrapping_sub(PCPU),
                2,
                HEAP + 2 * 4096,
            ),
            (
                Arch::Arm64,
                layout(0, stride(true, 4096, 16384), &[0], &[]),
                HEAP,
                2,
                HEAP + 2 * 16384,
            ),
            (Arch::I386, layout(0, 4096, &[0], &[]), 0xffff_f008, 1, 0x8),
        ] {
            let slot = layout.slot(arch, VirtAddr::new(pointer), cpu);
            assert_eq!(slot, VirtAddr::new(expected), "{arch:?} {layout:?}");
        }
    }

    #[test]
    fn null_and_the_early_counter_are_no_counters() {
        let layout = layout(0xffff_ffff_8300_0000, 4096, &[0], &[0x98]);
        for (pointer, message) in [(0, "it is NULL"), (0x98, "it is the early counter")] {
            let error = layout.require_allocated(VirtAddr::new(pointer)).unwrap_err();
            assert_eq!((error.kind, &*error.message), (ErrorKind::Unallocated, message));
        }
        layout.require_allocated(VirtAddr::new(0xa0)).unwrap();
    }

    #[test]
    fn a_stale_sum_is_told_but_is_no_value() {
        let address = VirtAddr::new(0x1000);
        let counter = Value::Counter { sum: 65, address };
        let elements = vec![counter, Value::Int(3)].into();
        let mut value = Value::Array(crate::value::model::ArrayValue { elements, omitted: 0 });
        mark_stale(&mut value, "its destructor may have run");
        let Value::Array(mut array) = value else { unreachable!() };
        let [Value::Error(error), Value::Int(3)] = array.elements.values_mut() else { panic!() };
        assert_eq!(error.kind, ErrorKind::Stale);
        assert_eq!(&*error.message, "its destructor may have run; its memory now adds up to 65");
    }
}
