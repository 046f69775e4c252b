//! The registers that a thread had, as far as they were saved.
//!
//! A thread that runs has its registers in a processor. The one that dumps saves
//! them in `dumppcb` (`sys/kern/kern_shutdown.c`), a processor that is stopped for
//! the dump in its element of `stoppcbs` (`sys/kern/subr_smp.c`); a hypervisor notes
//! those of all processors in the image that it takes. Any other thread left them in
//! its `td_pcb` when it was switched out. Only registers that a switch must save are
//! there at all.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::target::{Processor, ReadError, Target};
use crate::threads::general::{self, General};
use crate::threads::stack_memory;
use crate::value::Object;

/// The registers that lead to a thread's calls. Registers that were not saved are `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Registers {
    /// The program counter.
    pub counter: Option<VirtAddr>,
    pub stack: Option<VirtAddr>,
    pub frame: Option<VirtAddr>,
    /// The return address, on architectures that keep it in a register.
    pub link: Option<VirtAddr>,
    /// All others that are known.
    pub general: General,
}

/// Where registers were saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The thread was dumping: `dumppcb`.
    Dump,
    /// It ran on this processor, which was stopped: `stoppcbs`.
    Stopped { cpu: u64 },
    /// It ran on this processor, as a hypervisor recorded.
    Noted { cpu: u64 },
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

impl Registers {
    /// The registers of `thread`, and where they were saved; `None` if they were not.
    ///
    /// # Errors
    /// The thread cannot be read, or the kernel's types lack something.
    pub fn of(thread: &Object<'_>) -> Result<Option<(Self, Origin)>, ReadError> {
        let target = thread.target();
        let dumps = target.integer("dumptid").is_ok_and(|tid| {
            tid != 0 && thread.int("td_tid").is_ok_and(|own| own == i64::from(tid as i32))
        });
        if dumps {
            let registers = Self::in_pcb(&Object::global(target, "dumppcb")?);
            // A live dump saves none.
            if registers.are_set() {
                return Ok(Some((registers, Origin::Dump)));
            }
        }
        if let Some(cpu) = processor(thread, "td_oncpu") {
            if let Some((registers, cpu)) = noted(thread, cpu) {
                return Ok(Some((registers, Origin::Noted { cpu })));
            }
            let stopped = stopped(target, cpu)?.map(|pcb| Self::in_pcb(&pcb));
            let stopped = stopped.filter(Self::are_set);
            return Ok(stopped.map(|registers| (registers, Origin::Stopped { cpu })));
        }
        let pcb = if dumps { None } else { thread.follow("td_pcb")? };
        Ok(pcb.map(|pcb| (Self::in_pcb(&pcb), Origin::Switched)))
    }

    fn are_set(&self) -> bool {
        self.counter.is_some() || self.stack.is_some()
    }

    fn in_pcb(pcb: &Object<'_>) -> Self {
        let names = names(pcb.target().arch());
        let first = |names: &[&str]| {
            let mut known = names.iter().filter_map(|name| member(pcb, name));
            known.find(|value| !value.is_null())
        };
        Self {
            counter: first(names.counter),
            stack: first(&[names.stack]),
            frame: first(names.frame),
            link: None,
            general: General::default(),
        }
    }

    /// The registers of `thread` with the general ones, as far as they were saved.
    ///
    /// # Errors
    /// As [`Registers::of`].
    pub fn all_of(thread: &Object<'_>) -> Result<Option<(Self, Origin)>, ReadError> {
        let Some((registers, origin)) = Self::of(thread)? else { return Ok(None) };
        let target = thread.target();
        let pcb = match origin {
            Origin::Dump => Some(Object::global(target, "dumppcb")?),
            Origin::Stopped { cpu } => stopped(target, cpu)?,
            Origin::Switched => thread.follow("td_pcb")?,
            Origin::Noted { .. } => None,
        };
        let Some(pcb) = pcb else { return Ok(Some((registers, origin))) };
        let general = General::of_named(target.arch(), &general::named(&pcb));
        // savectx and cpu_switch are called with the return address on the stack, and save
        // where it is.
        let behind = match target.arch() {
            Arch::Amd64 | Arch::I386 => target.arch().pointer_size(),
            _ => 0,
        };
        let stack = registers.stack.map(|stack| stack.wrapping_add(behind));
        Ok(Some((Self { stack, general, ..registers }, origin)))
    }

    /// A register by its number in DWARF.
    pub fn numbered(&self, arch: Arch, number: u16) -> Option<u64> {
        let known = match number {
            _ if number == general::stack_pointer(arch) => self.stack,
            _ if number == general::frame_pointer(arch) && number != 31 => self.frame,
            _ => None,
        };
        known.map(VirtAddr::get).or_else(|| self.general.get(number))
    }
}

impl From<&Processor> for Registers {
    fn from(processor: &Processor) -> Self {
        Self {
            counter: processor.counter.non_null(),
            stack: processor.stack.non_null(),
            frame: processor.frame.non_null(),
            link: processor.link,
            general: General::from(processor.general),
        }
    }
}

/// A member `pcb_rbp`, or an element `pcb_x[29]`.
pub(super) fn member(of: &Object<'_>, name: &str) -> Option<VirtAddr> {
    let (name, index) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, index)) => (name, index.parse().ok()?),
        None => (name, 0),
    };
    let member = of.member(name).ok()?;
    let (target, size) = (of.target(), of.target().arch().pointer_size());
    let offset = size.checked_mul(index)?;
    let whole = target.types().ok()?.size_of(member.type_id).ok()?;
    if offset.checked_add(size)? > whole {
        return None;
    }
    target.memory().pointer(member.address.wrapping_add(offset)).ok()
}

/// The processor that a thread runs on, `td_oncpu`, or ran on last, `td_lastcpu`. It is NOCPU where
/// there is none: -1 in an int, 255 where it was a byte (10).
pub fn processor(thread: &Object<'_>, member: &str) -> Option<u64> {
    let field = thread.member(member).ok()?;
    let size = thread.target().types().ok()?.size_of(field.type_id).ok()?;
    let cpu = thread.uint(member).ok()?;
    let none = 1_u64.checked_shl(8 * size.min(4) as u32)?.checked_sub(1)?;
    (cpu != none && cpu < MOST_PROCESSORS).then_some(cpu)
}

/// More processors than any kernel supports.
const MOST_PROCESSORS: u64 = 1 << 16;

/// What a hypervisor recorded of the processor that runs `thread`: its stack pointer is in
/// the thread's stack. The kernel and the hypervisor need not number processors alike.
fn noted(thread: &Object<'_>, cpu: u64) -> Option<(Registers, u64)> {
    let (stack, len) = stack_memory::range(thread).ok()?;
    let runs = |(_, processor): &(u64, &Processor)| {
        processor.stack.offset_from(stack).is_some_and(|used| used < len)
    };
    let all = thread.target().processors();
    let own = usize::try_from(cpu).ok().and_then(|own| all.get(own)).map(|own| (cpu, own));
    let found = own.filter(runs).or_else(|| (0..).zip(all).find(runs));
    found.map(|(cpu, processor)| (processor.into(), cpu))
}

/// The element of `stoppcbs`, an array, or in newer kernels a pointer to the first.
fn stopped(target: &Target, cpu: u64) -> Result<Option<Object<'_>>, ReadError> {
    let all = target.global("stoppcbs")?;
    let types = target.types()?;
    let (first, element) = match types.elements(all.type_id)? {
        Some((_, Some(count))) if cpu >= count => return Ok(None),
        Some((element, _)) => (all.address, element),
        None => (target.memory().pointer(all.address)?, types.pointee(all.type_id)?),
    };
    let offset = types.size_of(element)?.wrapping_mul(cpu);
    Ok(Some(Object::new(target, element, first.wrapping_add(offset))))
}

fn names(arch: Arch) -> Names {
    let (counter, stack, frame): (&[_], _, &[_]) = match arch {
        Arch::Amd64 => (&["pcb_rip"], "pcb_rsp", &["pcb_rbp"]),
        Arch::I386 => (&["pcb_eip"], "pcb_esp", &["pcb_ebp"]),
        // A thread that was switched out continues at its return address.
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
