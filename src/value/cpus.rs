//! The CPUs of the machine: which exist, and where the `struct pcpu` of each lies (`sys/sys/pcpu.h`,
//! `sys/kern/subr_pcpu.c`, 10 to main).

use crate::addr::VirtAddr;
use crate::target::{ReadError, Target};
use crate::types::TypeId;
use crate::types::model::Type;
use crate::value::object::Object;
use crate::walk::{Problem, Walk};

/// No machine has more; a damaged mp_maxid is not believed.
pub const MAX_CPUS: u64 = 4096;

/// The ids of the CPUs that exist, ascending: those up to mp_maxid that are set in all_cpus. They
/// may be sparse. A CPU of which all_cpus cannot be read counts as one that exists.
///
/// # Errors
/// mp_maxid cannot be read.
pub fn ids(target: &Target) -> Result<Walk<u64>, ReadError> {
    let last = target.integer("mp_maxid")?.min(MAX_CPUS - 1);
    let Some(set) = target.kernel().symbol("all_cpus") else {
        return Ok(Walk::whole((0..=last).collect()));
    };
    let word = target.arch().pointer_size();
    let bits = if set.size == 0 { MAX_CPUS } else { set.size.saturating_mul(8) };
    let (mut found, mut problem) = (Vec::new(), None);
    for cpu in (0..=last).take_while(|cpu| *cpu < bits) {
        // A cpuset_t is an array of longs.
        let at = set.address.wrapping_add(cpu / (word * 8) * word);
        match target.memory().uint(at, word as usize) {
            Ok(word_of) if word_of >> (cpu % (word * 8)) & 1 == 0 => {}
            Ok(_) => found.push(cpu),
            Err(why) => {
                found.push(cpu);
                problem = problem.or(Some(Problem::unreadable("all_cpus", why.into())));
            }
        }
    }
    Ok(match problem {
        None => Walk::whole(found),
        Some(problem) => Walk::new(found, problem.into()),
    })
}

/// The `struct pcpu` of a CPU; `None` if the kernel has none for it. `cpuid_to_pcpu` leads to it,
/// or else it is one of an array.
///
/// # Errors
/// No variable leads to it, or what does cannot be read.
pub fn struct_pcpu(target: &Target, cpu: u64) -> Result<Option<Object<'_>>, ReadError> {
    let types = target.types()?;
    if target.kernel().symbol("cpuid_to_pcpu").is_some() {
        let pointers = target.global("cpuid_to_pcpu")?;
        if let Some((pointer, count)) = types.elements(pointers.type_id)? {
            if count.is_some_and(|count| cpu >= count) {
                return Ok(None);
            }
            let at = cpu.wrapping_mul(target.arch().pointer_size());
            let found = target.memory().pointer(pointers.address.wrapping_add(at))?;
            let type_id = types.pointee(pointer)?;
            return Ok(found.non_null().map(|found| Object::new(target, type_id, found)));
        }
    }
    match PcpuArray::of(target, "__pcpu")? {
        Some(array) => array.element(target, cpu),
        None => match PcpuArray::of(target, "pcpu0")? {
            Some(first) if cpu == 0 => Ok(Some(Object::new(target, first.type_id, first.start))),
            Some(_) => Ok(None),
            None => Err(ReadError::NoSymbol { name: "__pcpu".into() }),
        },
    }
}

/// One of the kernel's variables that hold a struct pcpu, or one for each CPU.
#[derive(Debug, Clone, Copy)]
pub struct PcpuArray {
    /// Of the first struct pcpu.
    pub start: VirtAddr,
    /// The type of a struct pcpu.
    pub type_id: TypeId,
    /// Bytes of one.
    pub size: u64,
    /// The variable is a pointer to it.
    pub by_pointer: bool,
    /// How many there are, if the variable's type tells it.
    count: Option<u64>,
}

impl PcpuArray {
    /// `None` where the kernel has no such variable.
    ///
    /// # Errors
    /// A pointer to it cannot be read, or it has no type.
    pub fn of(target: &Target, name: &str) -> Result<Option<Self>, ReadError> {
        // It is no static: what has no symbol is not there, and need not be looked for.
        let symbol = target.kernel().symbol(name);
        let Some(Ok(variable)) = symbol.map(|_| target.global(name)) else { return Ok(None) };
        let types = target.types()?;
        // An array of struct pcpu, or a pointer to one, or an array of pointers.
        let (mut start, mut type_id) = (variable.address, variable.type_id);
        let (mut by_pointer, mut count) = (false, None);
        for _ in 0..2 {
            match &*types.resolve(type_id)?.1 {
                Type::Pointer(pointer) => {
                    start = target.memory().pointer(start)?;
                    (type_id, by_pointer, count) = (pointer.target, true, None);
                }
                Type::Array(array) => {
                    count = types.elements(type_id)?.and_then(|(_, count)| count);
                    type_id = array.element;
                }
                _ => break,
            }
        }
        Ok(Some(Self { start, type_id, size: types.size_of(type_id)?, by_pointer, count }))
    }

    /// The struct of one CPU, at its place in the array.
    fn element<'t>(&self, target: &'t Target, cpu: u64) -> Result<Option<Object<'t>>, ReadError> {
        if self.start.is_null() || self.count.is_some_and(|count| cpu >= count) {
            return Ok(None);
        }
        let at = self.start.wrapping_add(cpu.wrapping_mul(self.size));
        Ok(Some(Object::new(target, self.type_id, VirtAddr::new(target.arch().wrap(at.get())))))
    }
}
