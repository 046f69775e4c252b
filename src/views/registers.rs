//! The registers that a thread had, as far as the kernel kept them.
//!
//! A thread that runs has its registers in a processor. The one that dumps saves
//! them in `dumppcb` (`sys/kern/kern_shutdown.c`), a processor that is stopped for
//! the dump in its element of `stoppcbs` (`sys/kern/subr_smp.c`); any other thread
//! left them in its `td_pcb` when it was switched out. Only those that a switch has
//! to keep are there at all.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::error::ReadError;
use crate::target::Target;
use crate::types::model::Type;
use crate::value::Object;

/// A `struct pcb`, and why it is that of the thread.
#[derive(Debug, Clone, Copy)]
pub struct Registers<'t> {
    pub pcb: Object<'t>,
    pub origin: Origin,
}

/// Where registers were kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The thread was dumping: `dumppcb`.
    Dump,
    /// It ran on this processor, which was stopped: `stoppcbs`.
    Stopped { cpu: u64 },
    /// It did not run: `td_pcb`.
    Switched,
}

/// What a pcb's members are called (`sys/*/include/pcb.h`, 10 to main). An index
/// counts elements; arm64 kept x0 to x30 up to 13, and keeps x19 to x30 since.
struct Names {
    counter: &'static [&'static str],
    stack: &'static str,
    frame: &'static [&'static str],
}

impl<'t> Registers<'t> {
    /// Those of `thread`; `None` where the kernel kept none.
    ///
    /// # Errors
    /// The thread cannot be read, or the kernel's types do not tell.
    pub fn of(thread: &Object<'t>) -> Result<Option<Self>, ReadError> {
        let target = thread.target();
        let dumps = target.integer("dumptid").is_ok_and(|tid| {
            tid != 0 && thread.int("td_tid").is_ok_and(|own| own == i64::from(tid as i32))
        });
        if dumps {
            let pcb = Object::global(target, "dumppcb")?;
            let registers = Self { pcb, origin: Origin::Dump };
            // A dump that is written while the system runs on saves none.
            return Ok(Some(registers).filter(Self::are_set));
        }
        if let Some(cpu) = processor(thread) {
            let registers = stopped(target, cpu)?;
            let registers = registers.map(|pcb| Self { pcb, origin: Origin::Stopped { cpu } });
            return Ok(registers.filter(Self::are_set));
        }
        let pcb = thread.follow("td_pcb")?;
        Ok(pcb.map(|pcb| Self { pcb, origin: Origin::Switched }))
    }

    /// Where the thread goes on.
    pub fn program_counter(&self) -> Option<VirtAddr> {
        let known = names(self.target().arch()).counter.iter();
        known.filter_map(|name| self.get(name)).find(|value| !value.is_null())
    }

    pub fn stack_pointer(&self) -> Option<VirtAddr> {
        self.get(names(self.target().arch()).stack).filter(|value| !value.is_null())
    }

    pub fn frame_pointer(&self) -> Option<VirtAddr> {
        let known = names(self.target().arch()).frame.iter();
        known.filter_map(|name| self.get(name)).find(|value| !value.is_null())
    }

    fn target(&self) -> &'t Target {
        self.pcb.target()
    }

    fn are_set(&self) -> bool {
        self.program_counter().is_some() || self.stack_pointer().is_some()
    }

    /// A member `pcb_rbp`, or an element `pcb_x[29]`.
    fn get(&self, name: &str) -> Option<VirtAddr> {
        let (name, index) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            Some((name, index)) => (name, index.parse().ok()?),
            None => (name, 0),
        };
        let member = self.pcb.member(name).ok()?;
        let (target, size) = (self.target(), self.target().arch().pointer_size());
        let offset = size.checked_mul(index)?;
        let whole = target.types().ok()?.size_of(member.type_id).ok()?;
        if offset.checked_add(size)? > whole {
            return None;
        }
        target.memory().pointer(member.address.wrapping_add(offset)).ok()
    }
}

/// The processor that a thread runs on: `td_oncpu`, which is NOCPU where it does
/// not run, -1 in an int, 255 where it was a byte (10).
fn processor(thread: &Object<'_>) -> Option<u64> {
    let field = thread.member("td_oncpu").ok()?;
    let size = thread.target().types().ok()?.size_of(field.type_id).ok()?;
    let cpu = thread.uint("td_oncpu").ok()?;
    let none = 1_u64.checked_shl(8 * size.min(4) as u32)?.checked_sub(1)?;
    (cpu != none && cpu < MOST_PROCESSORS).then_some(cpu)
}

/// More than any kernel supports.
const MOST_PROCESSORS: u64 = 1 << 16;

/// The element of `stoppcbs`, an array, or in newer kernels a pointer to the first.
fn stopped(target: &Target, cpu: u64) -> Result<Option<Object<'_>>, ReadError> {
    let all = target.global("stoppcbs")?;
    let types = target.types()?;
    let (first, element) = match &*types.strip(all.type_id)?.1 {
        Type::Array(array) => match array.counts.first() {
            Some(Some(count)) if cpu >= *count => return Ok(None),
            _ => (all.address, array.element),
        },
        _ => (target.memory().pointer(all.address)?, types.pointee(all.type_id)?),
    };
    let offset = types.size_of(element)?.wrapping_mul(cpu);
    Ok(Some(Object::new(target, element, first.wrapping_add(offset))))
}

fn names(arch: Arch) -> Names {
    let (counter, stack, frame): (&[_], _, &[_]) = match arch {
        Arch::Amd64 => (&["pcb_rip"], "pcb_rsp", &["pcb_rbp"]),
        Arch::I386 => (&["pcb_eip"], "pcb_esp", &["pcb_ebp"]),
        // A thread that was switched out goes on where it returns to.
        Arch::Arm64 => {
            (&["pcb_pc", "pcb_x[30]", "pcb_x[11]"], "pcb_sp", &["pcb_x[29]", "pcb_x[10]"])
        }
        Arch::Arm => (&["pcb_regs.sf_pc"], "pcb_regs.sf_sp", &["pcb_regs.sf_r11"]),
        Arch::Riscv64 => (&["pcb_ra"], "pcb_sp", &["pcb_s[0]"]),
        // The stack pointer leads to the frames: each begins with the way to the next.
        Arch::Powerpc64 | Arch::Powerpc64le => (&["pcb_lr"], "pcb_sp", &["pcb_sp"]),
    };
    Names { counter, stack, frame }
}
