//! `bt`: the kernel stacks of threads.

mod fold;
mod lines;

use std::io;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Answer, Cell, Column, Elements, Medium, Page, Row, serialize_known};
use crate::addr::VirtAddr;
use crate::error::Error;
use crate::session::{self, Choice, Selector, Session};
use crate::threads::{self, Thread, ThreadName, registers};
use crate::value::model::ValueError;
use crate::value::serialize::or_error;
use crate::value::{Limits, Value};
use crate::views::backtrace::{Argument, Backtrace, Ending, StackFrame, Tracer, TrapSeen};
use crate::vnet::{VnetRef, VnetRefs, WantedThread};
use crate::walk::{Problem, Problems};

/// Which threads are asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// The one that wrote the dump.
    Dumping,
    /// Those that run on a processor.
    Running,
    /// All.
    All,
    /// Those of a vnet, a jail or a process, or one.
    Selected(Selector),
}

/// The stacks of the chosen threads. Those that are alike are one.
#[derive(Debug)]
pub struct Stacks {
    /// The stack of the thread that wrote the dump comes first.
    pub stacks: Elements<'static, Stack>,
    problems: Problems,
    nothing: Option<String>,
}

/// A stack, and the threads that have it.
#[derive(Debug, Clone, Serialize)]
pub struct Stack {
    /// The threads.
    pub threads: Vec<ThreadName>,
    /// Innermost first.
    pub frames: Vec<Frame>,
    /// Why there are no more.
    pub end: End,
}

/// A function on a stack.
#[derive(Debug, Clone, Serialize)]
pub struct Frame {
    /// The next instruction.
    pub address: VirtAddr,
    /// Its name.
    pub function: Option<Box<str>>,
    /// The distance of the address from the start of the function; `None` if it was inlined.
    pub offset: Option<u64>,
    /// The source file.
    pub file: Option<Box<str>>,
    /// The line there.
    pub line: Option<u32>,
    /// `kernel`, or the file name of a module.
    pub module: Option<Box<str>>,
    /// The function was inlined into the next one.
    pub inlined: bool,
    /// `chain`, `cfi`, `trap` or `scan`.
    pub kind: &'static str,
    /// The parameters whose values are known.
    #[serde(serialize_with = "arguments")]
    pub arguments: Vec<Argument>,
    /// All registers there, if a trap frame has them.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "registers_by_name")]
    pub registers: Option<Vec<(String, u64)>>,
    /// What the entry point of the kernel saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trap: Option<Trap>,
    /// The vnet that it works in, if that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vnet: Option<WorksIn>,
}

/// The vnet that a call works in; `None` outside the network stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WorksIn(#[serde(serialize_with = "or_error")] pub Result<Option<VnetRef>, ValueError>);

/// A trap, an interrupt or a system call.
#[derive(Debug, Clone, Serialize)]
pub struct Trap {
    /// `trap`, `interrupt`, `syscall` or `fork`.
    pub kind: &'static str,
    /// The number of the trap or the system call.
    pub number: Option<u64>,
    /// The name of the system call's function.
    pub syscall: Option<Box<str>>,
    /// Whether user space was interrupted.
    pub from_user: bool,
    /// The address of the trap frame; `None` for several threads.
    pub address: Option<VirtAddr>,
    /// The line that the kernel prints.
    pub description: String,
    /// The registers that it has, by name; `None` for several threads.
    #[serde(serialize_with = "registers_by_name")]
    pub registers: Option<Vec<(String, u64)>>,
    #[serde(skip)]
    title: String,
}

/// Why a stack has no more frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct End {
    /// Its name: `outermost`, `user-space`, `leaves-stack` and others.
    pub kind: &'static str,
    /// A sentence.
    pub message: String,
    /// The address that leads no further.
    pub address: Option<VirtAddr>,
}

/// The stacks of the threads that `which` names. With `vnets`, each frame has the vnet that it
/// works in.
///
/// # Errors
/// The kernel is not the dump's or has no debug information, or there is no such vnet, jail,
/// process or thread.
pub fn backtraces(
    session: &Session,
    which: &Which,
    vnets: bool,
    limits: &Limits,
) -> Result<Stacks, Error> {
    let target = session.matching_target()?;
    let mut problems = Problems::default();
    let dumper = target.integer("dumptid").map(|tid| i64::from(tid as i32));
    let dumper = dumper.unwrap_or_else(|why| {
        // A kernel without the variable does not record it.
        if target.kernel().symbol("dumptid").is_some() {
            problems.add(Problem::unreadable("dumptid", why));
        }
        0
    });
    let choice = match which {
        Which::Selected(selector) => Some(session.choice(selector)?),
        _ => None,
    };
    let all = session.threads()?.take(&mut problems);
    let is_chosen = |thread: &&Thread<'_>| is_chosen(thread, which, choice.as_ref(), dumper);
    let mut chosen: Vec<&Thread<'_>> = all.iter().filter(is_chosen).collect();
    match choice {
        Some(Choice::Pid(pid)) if chosen.is_empty() => {
            return Err(session::not_found(WantedThread::Process(pid), &problems));
        }
        Some(Choice::Tid(tid)) if chosen.is_empty() => {
            return Err(session::not_found(WantedThread::Thread(tid), &problems));
        }
        _ => {}
    }
    chosen.sort_by_key(|thread| thread.thread.int("td_tid") != Ok(dumper));
    let tracer = Tracer::new(target, session.reader(limits));
    let known = vnets.then(|| match session.vnets() {
        Ok(vnets) => VnetRefs::of(&vnets.all),
        Err(_) => VnetRefs::default(),
    });
    let mut stacks = Vec::new();
    for thread in chosen {
        match tracer.trace(thread) {
            Ok(trace) => stacks.push(Stack::new(trace, known.as_ref())),
            Err(why) => {
                problems.add(Problem::unreadable(format!("the stack of {}", thread.name()), why));
            }
        }
    }
    let stacks = fold::fold(stacks);
    let nothing = stacks.is_empty().then(|| nothing(which, dumper));
    Ok(Stacks { stacks: stacks.into(), problems, nothing })
}

fn is_chosen(thread: &Thread<'_>, which: &Which, choice: Option<&Choice>, dumper: i64) -> bool {
    let tid = thread.thread.int("td_tid");
    match (which, choice) {
        (Which::Dumping, _) => dumper != 0 && tid == Ok(dumper),
        (Which::Running, _) => {
            tid == Ok(dumper) || registers::processor(&thread.thread, "td_oncpu").is_some()
        }
        (Which::All, _) | (_, None | Some(Choice::All)) => true,
        (_, Some(Choice::Pid(pid))) => thread.process.int("p_pid") == Ok(*pid),
        (_, Some(Choice::Tid(wanted))) => tid == Ok(*wanted),
        (_, Some(Choice::Jail(prison))) => {
            let own = threads::prison(&thread.thread, "td_ucred").ok().flatten();
            own.is_some_and(|own| own.address == *prison)
        }
        (_, Some(Choice::Vnet(vnet))) => {
            let own = threads::prison(&thread.thread, "td_ucred").ok().flatten();
            let of_jail = own.is_some_and(|own| own.pointer("pr_vnet") == Ok(*vnet));
            of_jail || thread.thread.pointer("td_vnet") == Ok(*vnet)
        }
    }
}

fn nothing(which: &Which, dumper: i64) -> String {
    match which {
        Which::Dumping if dumper == 0 => "no thread wrote the dump".to_owned(),
        Which::Dumping => format!("thread {dumper}, which wrote the dump, was not found"),
        Which::Running => "no thread ran on a processor".to_owned(),
        Which::All | Which::Selected(_) => "there is no such thread".to_owned(),
    }
}

impl Stack {
    fn new(trace: Backtrace, vnets: Option<&VnetRefs>) -> Self {
        let Backtrace { thread, frames, ending } = trace;
        let frames = frames.into_iter().map(|frame| Frame::new(frame, vnets)).collect();
        let Ending { kind, message, address } = ending;
        Self { threads: vec![thread], frames, end: End { kind, message, address } }
    }
}

impl Frame {
    fn new(frame: StackFrame, vnets: Option<&VnetRefs>) -> Self {
        let of = |vnet: Option<VirtAddr>, vnets: &VnetRefs| vnet.map(|vnet| vnets.at(vnet));
        let vnet = frame.vnet;
        Self {
            address: frame.address,
            function: frame.function,
            offset: frame.offset,
            file: frame.file,
            line: frame.line,
            module: frame.module,
            inlined: frame.inlined,
            kind: frame.kind.name(),
            arguments: frame.arguments,
            registers: frame.registers,
            trap: frame.trap.map(Trap::from),
            vnet: vnets.map(|vnets| WorksIn(vnet.map(|vnet| of(vnet, vnets)))),
        }
    }
}

impl From<TrapSeen> for Trap {
    fn from(trap: TrapSeen) -> Self {
        Self {
            kind: trap.kind,
            number: trap.number,
            syscall: trap.syscall.and_then(|call| call.function),
            from_user: trap.from_user,
            address: trap.address,
            description: trap.description,
            registers: Some(trap.registers),
            title: trap.title,
        }
    }
}

impl Answer for Stacks {
    fn lay_out(&self, page: &mut impl Page) -> io::Result<()> {
        match page.medium() {
            Medium::People => lines::write(page, self.stacks.kept().unwrap_or_default()),
            _ => page.table(&columns(), &self.stacks),
        }
    }

    fn problems(&self) -> Problems {
        self.problems.clone()
    }

    fn nothing(&self) -> Option<String> {
        let unknown =
            || "the threads are unknown: their lists cannot be read completely".to_owned();
        match self.problems.is_empty() {
            true => self.nothing.clone(),
            false => self.nothing.as_ref().map(|_| unknown()),
        }
    }
}

impl Serialize for Stacks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let empty = self.nothing.is_some();
        serialize_known(serializer, "stacks", &self.stacks, empty, &self.problems)
    }
}

fn columns() -> [Column; 9] {
    [
        Column::left("THREADS"),
        Column::right("FRAME"),
        Column::right("ADDRESS"),
        Column::left("FUNCTION"),
        Column::right("OFFSET"),
        Column::left("SOURCE"),
        Column::left("MODULE"),
        Column::left("KIND"),
        Column::left("VNET"),
    ]
}

impl Row for Stack {
    /// A row for each frame.
    fn rows(&self, _: Medium) -> Vec<Vec<Cell<'_>>> {
        let tids = self.threads.iter().map(|thread| match thread.tid {
            Some(tid) => tid.to_string(),
            None => thread.address.to_string(),
        });
        let tids = tids.collect::<Vec<_>>().join(",");
        let row = |(number, frame): (usize, &Frame)| {
            let source = frame.file.as_deref().map(|file| lines::source(file, frame.line));
            let vnet = frame.vnet.as_ref().map(lines::works_in);
            vec![
                tids.clone().into(),
                number.into(),
                frame.address.into(),
                Cell::from(frame.function.clone().map(String::from)),
                frame.offset.map(|offset| format!("{offset:#x}")).into(),
                source.into(),
                Cell::from(frame.module.clone().map(String::from)),
                frame.kind.into(),
                vnet.into(),
            ]
        };
        self.frames.iter().enumerate().map(row).collect()
    }
}

#[derive(Serialize)]
struct One<'a> {
    name: &'a str,
    value: &'a Value,
}

impl<'a> One<'a> {
    fn of(argument: &'a Argument) -> Self {
        Self { name: &argument.name, value: &argument.value }
    }
}

/// An array of names and values.
fn arguments<S: Serializer>(arguments: &[Argument], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(arguments.iter().map(One::of))
}

/// An object of addresses.
fn registers_by_name<S: Serializer>(
    registers: &Option<Vec<(String, u64)>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let Some(registers) = registers else { return serializer.serialize_none() };
    let mut map = serializer.serialize_map(Some(registers.len()))?;
    for (name, value) in registers {
        map.serialize_entry(name, &VirtAddr::new(*value))?;
    }
    map.end()
}
