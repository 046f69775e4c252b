//! Per-CPU counters: `counter_u64_t` (counter(9)).
//!
//! Every CPU adds to a slot of its own; the value is the sum. What the pointer
//! holds and how far the slots lie apart differs by release, and is found out
//! from the kernel itself (`sys/amd64/include/counter.h`, 10.4, 12.1, main).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::error::ReadError;
use crate::target::Target;
use crate::types::model::Type;
use crate::value::model::{ErrorKind, Value, ValueError};
use crate::value::object::Object;

/// How the counters of one kernel are summed.
#[derive(Debug, Clone)]
pub struct Counters {
    layout: Result<Layout, Box<str>>,
}

#[derive(Debug, Clone)]
struct Layout {
    /// Added to what a counter holds: where per-CPU memory begins, in kernels
    /// whose counters are offsets; 0 where they are pointers.
    base: u64,
    /// Bytes from one CPU's slot to the next one's.
    stride: u64,
    cpus: Vec<u64>,
    /// What a counter holds before it is allocated (EARLY_COUNTER).
    early: Option<VirtAddr>,
}

/// No machine has more; a damaged mp_maxid is not believed.
const MAX_CPUS: u64 = 4096;

impl Counters {
    /// Finds out how this kernel's counters work.
    pub fn of(target: &Target) -> Self {
        Self { layout: Layout::of(target).map_err(|why| why.to_string().into()) }
    }

    /// The value of a counter that holds `pointer`.
    pub fn value(&self, target: &Target, pointer: VirtAddr) -> Value {
        match self.sum(target, pointer) {
            Ok(sum) => Value::Counter { sum, address: pointer },
            Err(error) => Value::Error(error),
        }
    }

    /// The sum over all CPUs, modulo 2^64.
    ///
    /// # Errors
    /// The counter is not allocated, or a CPU's slot cannot be read.
    pub fn sum(&self, target: &Target, pointer: VirtAddr) -> Result<u64, ValueError> {
        let layout = self.layout.as_ref().map_err(|why| ValueError {
            kind: ErrorKind::NoType,
            address: None,
            message: why.clone(),
        })?;
        if pointer.is_null() || Some(pointer) == layout.early {
            let state = if pointer.is_null() { "it is NULL" } else { "it is the early counter" };
            return Err(ValueError {
                kind: ErrorKind::Unallocated,
                address: Some(pointer),
                message: state.into(),
            });
        }
        let start = pointer.get().wrapping_add(layout.base);
        let mut sum = 0u64;
        for cpu in &layout.cpus {
            let slot = start.wrapping_add(cpu.wrapping_mul(layout.stride));
            let value = target.memory().u64(VirtAddr::new(target.arch().wrap(slot)))?;
            sum = sum.wrapping_add(value);
        }
        Ok(sum)
    }
}

impl Layout {
    fn of(target: &Target) -> Result<Self, ReadError> {
        let types = target.types()?;
        // An array of struct pcpu, one for every CPU, and counters are pointers;
        // or a pointer to it, and on amd64 (13 and later) counters are offsets.
        let pcpu = ["__pcpu", "pcpu0"].into_iter().find_map(|name| target.global(name).ok());
        let Some(pcpu) = pcpu else {
            return Err(ReadError::NoSymbol { name: "__pcpu".into() });
        };
        let (_, found) = types.resolve(pcpu.type_id)?;
        let (first, struct_pcpu) = match &*found {
            Type::Pointer(pointer) => (target.memory().pointer(pcpu.address)?, pointer.target),
            Type::Array(array) => (pcpu.address, array.element),
            _ => (pcpu.address, pcpu.type_id),
        };
        let offsets = matches!(&*found, Type::Pointer(_)) && target.arch() == Arch::Amd64;
        let base = if offsets { first.get() } else { 0 };
        // Kernels without an early counter are those whose per-CPU zones have
        // items of the size of struct pcpu; later ones use whole pages.
        let early = types.path(struct_pcpu, "pc_early_dummy_counter").ok();
        let stride = match early {
            Some(_) => target.memory().page_size(),
            None => types.size_of(struct_pcpu)?,
        };
        let early = early.map(|field| first.wrapping_add(field.offset.wrapping_sub(base)));
        Ok(Self { base, stride, cpus: cpus(target)?, early })
    }
}

/// The ids of the CPUs that exist: they may be sparse.
fn cpus(target: &Target) -> Result<Vec<u64>, ReadError> {
    let last = target.integer("mp_maxid")?.min(MAX_CPUS - 1);
    let words = Object::global(target, "all_cpus").and_then(|set| set.member("__bits"));
    let Ok(words) = words else { return Ok((0..=last).collect()) };
    let word = target.arch().pointer_size();
    let is_set = |cpu: &u64| {
        let address = words.address.wrapping_add(cpu / (word * 8) * word);
        let bits = target.memory().uint(address, word as usize);
        bits.map_or(true, |bits| bits >> (cpu % (word * 8)) & 1 == 1)
    };
    Ok((0..=last).filter(is_set).collect())
}
