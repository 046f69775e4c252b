//! The CPUs and their copies of the DPCPU variables.
//!
//! `dpcpu_off[CPU]` is what is added to the address of a variable in `set_pcpu`, and pc_dynamic of
//! the CPU's struct pcpu is the same number (`dpcpu_init`, `sys/kern/subr_pcpu.c`, 10 to main).

use std::ops::Range;

use crate::addr::VirtAddr;
use crate::kernel::LinkerSet;
use crate::target::{ReadError, Target};
use crate::value::cpus;
use crate::value::model::{ErrorKind, ValueError};
use crate::vnet::VnetError;
use crate::walk::{Problem, Problems};

/// The CPUs of the machine.
#[derive(Debug, Clone)]
pub struct Cpus {
    /// In the order of their ids.
    pub all: Vec<Cpu>,
    /// Why it may not be these.
    pub problems: Problems,
}

/// A CPU.
#[derive(Debug, Clone)]
pub struct Cpu {
    /// Its id, `pc_cpuid`.
    pub id: u64,
    /// What is added to an address in `set_pcpu`, modulo the size of a pointer; or why the CPU has
    /// no copy of the set.
    pub offset: Result<u64, ValueError>,
    /// Why its copies may not be there.
    pub doubt: Option<Problem>,
}

impl Cpus {
    /// Finds the CPUs that exist.
    ///
    /// # Errors
    /// The kernel does not say how many there are.
    pub fn read(target: &Target) -> Result<Self, ReadError> {
        let mut problems = Problems::default();
        let ids = cpus::ids(target)?.take(&mut problems);
        let offsets = Offsets::of(target);
        let cpu = |id| {
            let offset = offsets.clone().and_then(|all| all.get(target, id));
            Cpu { id, doubt: contradiction(target, id, &offset), offset }
        };
        Ok(Self { all: ids.into_iter().map(cpu).collect(), problems })
    }

    /// The CPU with that id.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&Cpu> {
        self.all.iter().find(|cpu| cpu.id == id)
    }

    /// The CPU with that id, which somebody asked for.
    ///
    /// # Errors
    /// There is none.
    pub fn require(&self, id: i128) -> Result<&Cpu, VnetError> {
        let found = u64::try_from(id).ok().and_then(|id| self.get(id));
        let cpus = || self.all.iter().map(|cpu| cpu.id).collect();
        found.ok_or_else(|| VnetError::NoSuchCpu { cpu: id, cpus: cpus() })
    }
}

impl Cpu {
    /// The address of this CPU's copy of what lies at `master` in `set_pcpu`.
    ///
    /// # Errors
    /// Why it has none.
    pub fn copy_of(&self, target: &Target, master: VirtAddr) -> Result<VirtAddr, ValueError> {
        let offset = self.offset.clone()?;
        Ok(VirtAddr::new(target.arch().wrap(master.wrapping_add(offset).get())))
    }

    /// Where its copy of the whole set lies; `None` if it has none.
    #[must_use]
    pub fn copy_of_set(&self, target: &Target) -> Option<Range<VirtAddr>> {
        let set = target.kernel().linker_set(LinkerSet::Pcpu)?;
        let copy = |at| self.copy_of(target, at).ok();
        Some(copy(set.start)?..copy(set.end)?).filter(|range| range.start < range.end)
    }
}

/// The array `dpcpu_off`.
#[derive(Debug, Clone, Copy)]
struct Offsets {
    start: VirtAddr,
    /// Bytes; 0 if the symbol has no size.
    size: u64,
}

impl Offsets {
    fn of(target: &Target) -> Result<Self, ValueError> {
        let symbol = target.kernel().symbol("dpcpu_off");
        let found = symbol.map(|symbol| Self { start: symbol.address, size: symbol.size });
        found.ok_or_else(|| ReadError::NoSymbol { name: "dpcpu_off".into() }.into())
    }

    fn get(self, target: &Target, cpu: u64) -> Result<u64, ValueError> {
        let word = target.arch().pointer_size();
        let place = cpu.saturating_mul(word);
        let none = |why: String| ValueError {
            kind: ErrorKind::Unallocated,
            address: None,
            message: format!("CPU {cpu} has no copy: {why}").into(),
        };
        if self.size != 0 && place >= self.size {
            return Err(none(format!("dpcpu_off has {} elements", self.size / word)));
        }
        match target.memory().pointer(self.start.wrapping_add(place))?.get() {
            0 => Err(none(format!("dpcpu_off[{cpu}] is 0"))),
            offset => Ok(offset),
        }
    }
}

/// What the CPU's struct pcpu says instead of `dpcpu_off`; `None` if it says the same or nothing.
fn contradiction(target: &Target, cpu: u64, offset: &Result<u64, ValueError>) -> Option<Problem> {
    let there = match offset {
        Ok(offset) => *offset,
        Err(why) if why.kind == ErrorKind::Unallocated => 0,
        Err(_) => return None,
    };
    let pcpu = cpus::struct_pcpu(target, cpu).ok()??;
    let id = pcpu.uint("pc_cpuid").ok().filter(|id| *id != cpu);
    if let Some(id) = id {
        let why = format!("pc_cpuid of the struct pcpu of CPU {cpu} is {id}");
        return Some(Problem::contradiction(format!("CPU {cpu}"), pcpu.address, why));
    }
    let dynamic = pcpu.uint("pc_dynamic").ok().filter(|dynamic| *dynamic != there)?;
    let why = format!(
        "dpcpu_off[{cpu}], which is used, is {there:#x}, but pc_dynamic of its struct pcpu is {dynamic:#x}"
    );
    let what = format!("the DPCPU variables of CPU {cpu}");
    Some(Problem::contradiction(what, pcpu.address, why))
}
