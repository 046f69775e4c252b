//! A trap, an interrupt or a system call on a stack, as the kernel's debugger describes it
//! (`sys/*/*/db_trace.c`).

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::threads::stack::{Trap, TrapKind};
use crate::value::Object;

/// What an entry point of the kernel saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrapSeen {
    /// `trap`, `interrupt`, `syscall` or `fork`.
    pub kind: &'static str,
    /// The number of the trap or the exception's cause; that of the system call.
    pub number: Option<u64>,
    /// The system call.
    pub syscall: Option<Syscall>,
    /// Whether user space was interrupted.
    pub from_user: bool,
    /// The address of the trap frame; `None` for several threads whose stacks are alike.
    pub address: Option<VirtAddr>,
    /// What the line begins with: `trap 0xc`.
    pub title: String,
    /// The line that the kernel prints: `trap 0xc, rip = 0x…, rsp = 0x…, rbp = 0x…`.
    pub description: String,
    /// All registers by name.
    pub registers: Vec<(String, u64)>,
}

/// A system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syscall {
    /// Its number.
    pub number: u64,
    /// What the numbers mean: `FreeBSD ELF64`.
    pub abi: Option<Box<str>>,
    /// The function that implements it.
    pub function: Option<Box<str>>,
}

/// What architectures call what the kernel prints.
struct Names {
    /// The number of a trap, and what the kernel calls it.
    number: (&'static str, &'static str),
    /// The number of a system call.
    syscall: &'static str,
    /// Program counter, stack pointer, frame pointer.
    shown: [&'static str; 3],
}

impl TrapSeen {
    pub(super) fn of(trap: &Trap, process: &Object<'_>) -> Self {
        let arch = process.target().arch();
        let names = names(arch);
        let syscall = (trap.kind == TrapKind::Syscall).then(|| {
            let number = trap.register(names.syscall)?;
            Some(Syscall::of(process, number))
        });
        let syscall = syscall.flatten();
        let (kind, number, what) = match trap.kind {
            TrapKind::Trap => {
                let (member, title) = names.number;
                let number = trap.register(member);
                let shown = number.map_or("unknown".to_owned(), |number| format!("{number:#x}"));
                ("trap", number, format!("{title} {shown}"))
            }
            TrapKind::Interrupt => ("interrupt", None, "interrupt".to_owned()),
            TrapKind::Syscall => {
                let number = syscall.as_ref().map(|call| call.number);
                ("syscall", number, syscall.as_ref().map_or("syscall".to_owned(), Syscall::title))
            }
            TrapKind::Fork => ("fork", None, "fork".to_owned()),
        };
        let pointers = names.shown.into_iter().filter_map(|name| {
            let value = trap.register(name)?;
            Some(format!(", {} = {value:#x}", short(arch, name)))
        });
        let description = what.clone() + &pointers.collect::<String>();
        Self {
            kind,
            number,
            syscall,
            from_user: trap.from_user,
            address: Some(trap.at),
            title: what,
            description,
            registers: trap.named.clone(),
        }
    }
}

/// More system calls than any table has.
const MOST_SYSCALLS: u64 = 4096;

impl Syscall {
    fn of(process: &Object<'_>, number: u64) -> Self {
        let vector = process.follow("p_sysent").ok().flatten();
        let abi = vector.as_ref().and_then(|vector| vector.text("sv_name").ok()).map(Box::from);
        let function = vector.and_then(|vector| {
            let size = vector.uint("sv_size").ok()?.min(MOST_SYSCALLS);
            let table = vector.follow("sv_table").ok()?.filter(|_| number < size)?;
            let bytes = table.target().types().ok()?.size_of(table.type_id).ok()?;
            let at = table.address.wrapping_add(bytes.wrapping_mul(number));
            let call = Object::new(table.target(), table.type_id, at).pointer("sy_call").ok()?;
            let (symbol, offset) = table.target().symbolize(call)?;
            (offset == 0).then(|| symbol.name.into())
        });
        Self { number, abi, function }
    }

    fn title(&self) -> String {
        let mut parts = vec![self.number.to_string()];
        parts.extend(self.abi.as_deref().map(str::to_owned));
        parts.extend(self.function.as_deref().map(str::to_owned));
        format!("syscall ({})", parts.join(", "))
    }
}

fn names(arch: Arch) -> Names {
    let (number, syscall, shown) = match arch {
        Arch::Amd64 => (("trapno", "trap"), "rax", ["rip", "rsp", "rbp"]),
        Arch::I386 => (("trapno", "trap"), "eax", ["eip", "esp", "ebp"]),
        Arch::Arm64 => (("esr", "exception, esr"), "x8", ["elr", "sp", "x29"]),
        Arch::Riscv64 => (("scause", "exception"), "t0", ["sepc", "sp", "s0"]),
        Arch::Powerpc64 | Arch::Powerpc64le => {
            (("exc", "trap"), "fixreg0", ["srr0", "fixreg1", "lr"])
        }
        Arch::Arm => (("pc", "trap"), "r7", ["pc", "svc_sp", "r11"]),
    };
    Names { number, syscall, shown }
}

fn short(arch: Arch, name: &'static str) -> &'static str {
    match (arch, name) {
        (Arch::Powerpc64 | Arch::Powerpc64le, "fixreg1") => "r1",
        _ => name,
    }
}
