//! Steps of a scenario for the VNET machinery itself: registrations, locks, counters,
//! event handlers and the current stack of threads. docs/scenarios.md explains every key. Each
//! step calls an operation of [`Runtime`].

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::literal::{Literal, PerCpu};
use crate::image::object::Object;
use crate::image::runtime::{
    HandlerOptions, Holder, PRIORITY_ANY, Place, ProcessOptions, Runtime, SavedCurvnet, Scope,
    SysctlKind, SysctlOptions, SysinitKind, SysinitOptions, Waiter,
};
use crate::image::steps::sockets::Tags;
use crate::writing::entry_bytes;

/// A constructor or destructor that is registered.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SysinitStep {
    pub(super) name: String,
    /// `SI_SUB_PROTO_IF` or a number.
    pub(super) subsystem: String,
    /// `SI_ORDER_ANY` or a number.
    pub(super) order: Option<String>,
    /// Its symbol.
    pub(super) function: Option<String>,
    #[serde(default)]
    pub(super) argument: u64,
    /// It allocates or frees this array: VNET_PCPUSTAT_SYSINIT and _SYSUNINIT.
    pub(super) counters: Option<String>,
}

/// A lock that is held or waited for.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockStep {
    pub(super) lock: String,
    /// The number of threads that share it.
    #[serde(default)]
    pub(super) readers: u64,
    /// The process whose thread holds it exclusively.
    pub(super) owner: Option<String>,
    /// That thread has taken it again.
    #[serde(default)]
    pub(super) recursed: bool,
    /// It has been destroyed.
    #[serde(default)]
    pub(super) destroyed: bool,
    #[serde(default)]
    pub(super) waiters: Vec<WaiterName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WaiterName {
    Shared,
    Exclusive,
}

/// Counters that are allocated, freed or added to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountersStep {
    /// A counter_u64_t or an array of them.
    pub(super) name: String,
    pub(super) jail: Option<String>,
    pub(super) make: Option<CounterState>,
    /// For a single counter.
    pub(super) add: Option<PerCpu>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CounterState {
    Allocated,
    /// The pointers stay.
    Freed,
    /// EARLY_COUNTER.
    Early,
    Null,
}

/// An event handler.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandlerStep {
    pub(super) event: String,
    pub(super) function: String,
    #[serde(default)]
    pub(super) argument: u64,
    pub(super) priority: Option<u64>,
    /// For all stacks: VNET_GLOBAL_EVENTHANDLER_REGISTER.
    #[serde(default)]
    pub(super) global: bool,
    /// The jail whose stack is curvnet at registration; default: the host's.
    pub(super) jail: Option<String>,
    /// The name by which it can be deregistered.
    pub(super) tag: Option<String>,
    /// Deregistered while its event was being handled.
    #[serde(default)]
    pub(super) dead: bool,
}

/// CURVNET_SET by a process's thread.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CurvnetStep {
    pub(super) process: String,
    /// The jail whose stack is set; default: the host's.
    pub(super) jail: Option<String>,
    pub(super) function: String,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    /// CURVNET_SET_QUIET.
    #[serde(default)]
    pub(super) quiet: bool,
}

/// A sysctl on a virtualized variable.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SysctlStep {
    pub(super) name: String,
    pub(super) kind: SysctlKindName,
    pub(super) variable: Option<String>,
    #[serde(default)]
    pub(super) writable: bool,
    #[serde(default)]
    pub(super) description: String,
    /// For opaque and proc.
    pub(super) format: Option<String>,
    /// For struct: its type.
    #[serde(rename = "type")]
    pub(super) type_name: Option<String>,
    /// For proc.
    pub(super) handler: Option<String>,
    /// For proc: CTLTYPE_INT is 2.
    pub(super) ctltype: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SysctlKindName {
    Int,
    Uint,
    String,
    Opaque,
    Struct,
    Proc,
    Pcpustat,
}

/// What later steps refer to.
#[derive(Debug, Default)]
pub(super) struct EarlierSteps {
    /// What CURVNET_SET saved, by process, newest last.
    saved: Vec<(String, SavedCurvnet)>,
    /// Event handlers by tag, with their events.
    tags: BTreeMap<String, (String, VirtAddr)>,
    /// Sockets by tag.
    pub(super) sockets: Tags,
}

pub(super) fn register(
    runtime: &mut Runtime,
    kind: SysinitKind,
    step: &SysinitStep,
) -> Result<(), ImageError> {
    let usual = match (kind, &step.counters) {
        (SysinitKind::Constructor, Some(array)) => format!("vnet_{array}_init"),
        (SysinitKind::Destructor, Some(array)) => format!("vnet_{array}_uninit"),
        (_, None) => step.name.clone(),
    };
    let options = SysinitOptions {
        name: step.name.clone(),
        subsystem: step.subsystem.clone(),
        order: step.order.clone().unwrap_or_else(|| "SI_ORDER_ANY".into()),
        function: step.function.clone().unwrap_or(usual),
        argument: step.argument,
    };
    match (&step.counters, kind) {
        (None, _) => runtime.vnet_sysinit(kind, &options).map(|_| ()),
        (Some(array), SysinitKind::Constructor) => {
            runtime.vnet_pcpustat_sysinit(array, &options).map(|_| ())
        }
        (Some(array), SysinitKind::Destructor) => {
            runtime.vnet_pcpustat_sysuninit(array, &options).map(|_| ())
        }
    }
}

pub(super) fn lock(runtime: &mut Runtime, step: &LockStep) -> Result<(), ImageError> {
    if runtime.kernel().kernel().symbol(&step.lock).is_none() {
        return Err(ImageError::Refused(format!("the kernel has no lock {}", step.lock)));
    }
    /// The most threads of any machine.
    const MOST_READERS: u64 = 1 << 16;
    for _ in 0..step.readers.min(MOST_READERS) {
        runtime.hold_shared(&step.lock)?;
    }
    if let Some(owner) = &step.owner {
        let thread = runtime.thread(owner)?;
        runtime.hold_exclusive(&step.lock, thread.address)?;
    }
    if step.recursed {
        runtime.recurse(&step.lock)?;
    }
    if step.destroyed {
        return runtime.destroy_lock(&step.lock);
    }
    if runtime.holder(&step.lock)? == Holder::Nobody {
        let why = format!("{} has neither readers nor an owner", step.lock);
        return Err(ImageError::Refused(why));
    }
    step.waiters.iter().try_for_each(|waiter| {
        let waiter = match waiter {
            WaiterName::Shared => Waiter::Shared,
            WaiterName::Exclusive => Waiter::Exclusive,
        };
        runtime.wait_for(&step.lock, waiter)
    })
}

pub(super) fn counters(
    runtime: &mut Runtime,
    scope: Scope,
    step: &CountersStep,
) -> Result<(), ImageError> {
    let counters = runtime.counters(scope, &step.name)?;
    for counter in &counters {
        match step.make {
            Some(CounterState::Allocated) => runtime.alloc_counter(*counter)?,
            Some(CounterState::Freed) => runtime.free_counter(*counter)?,
            Some(CounterState::Early) => runtime.set_early_counter(*counter)?,
            Some(CounterState::Null) => runtime.kernel_mut().store(*counter, 0)?,
            None => {}
        }
    }
    match (&step.add, counters.as_slice()) {
        (None, _) => Ok(()),
        (Some(add), [counter]) => runtime.add_to_counter(*counter, &add.values()),
        (Some(_), _) => {
            let why = format!("{} has many counters: use statistics", step.name);
            Err(ImageError::Refused(why))
        }
    }
}

pub(super) fn handler(
    runtime: &mut Runtime,
    earlier: &mut EarlierSteps,
    curvnet: Scope,
    step: &HandlerStep,
) -> Result<(), ImageError> {
    let options = HandlerOptions {
        event: step.event.clone(),
        function: step.function.clone(),
        argument: step.argument,
        priority: step.priority.unwrap_or(PRIORITY_ANY),
    };
    let tag = match step.global {
        true => runtime.vnet_global_eventhandler_register(curvnet, &options)?,
        false => Some(runtime.eventhandler_register(&options)?),
    };
    let Some(tag) = tag else { return Ok(()) };
    if step.dead {
        runtime.eventhandler_kill(&step.event, tag)?;
    }
    if let Some(name) = &step.tag {
        earlier.tags.insert(name.clone(), (step.event.clone(), tag));
    }
    Ok(())
}

pub(super) fn deregister_handler(
    runtime: &mut Runtime,
    earlier: &mut EarlierSteps,
    tag: &str,
) -> Result<(), ImageError> {
    let none = || ImageError::Refused(format!("no event handler has the tag {tag}"));
    let (event, entry) = earlier.tags.remove(tag).ok_or_else(none)?;
    runtime.eventhandler_deregister(&event, entry)
}

pub(super) fn set_curvnet(
    runtime: &mut Runtime,
    earlier: &mut EarlierSteps,
    scope: Scope,
    step: &CurvnetStep,
) -> Result<(), ImageError> {
    let thread = runtime.thread(&step.process)?;
    let vnet = match scope {
        Scope::Vnet(vnet) => vnet.0,
        Scope::Kernel => VirtAddr::new(0),
    };
    let file = step.file.as_deref().unwrap_or("/usr/src/sys/net/vnet.c");
    let place = Place { file, line: step.line.unwrap_or(1), function: &step.function };
    let saved = match step.quiet {
        true => runtime.curvnet_set_quiet(thread, vnet, place)?,
        false => runtime.curvnet_set(thread, vnet, place)?,
    };
    earlier.saved.push((step.process.clone(), saved));
    Ok(())
}

pub(super) fn restore_curvnet(
    runtime: &mut Runtime,
    earlier: &mut EarlierSteps,
    process: &str,
) -> Result<(), ImageError> {
    let place = earlier.saved.iter().rposition(|(known, _)| known == process);
    let none = || ImageError::Refused(format!("{process} has not set curvnet"));
    let (_, saved) = earlier.saved.remove(place.ok_or_else(none)?);
    let place = Place { file: "/usr/src/sys/net/vnet.c", line: 1, function: "vnet" };
    runtime.curvnet_restore(saved, place)
}

/// The thread that creates or removes a jail: that of the given process, or of a new jail(8).
pub(super) fn jail_thread(
    runtime: &mut Runtime,
    process: Option<&str>,
) -> Result<Object, ImageError> {
    match process {
        Some(process) => runtime.thread(process),
        None => runtime.create_process(&ProcessOptions::new("jail")),
    }
}

pub(super) fn sysctl(runtime: &mut Runtime, step: &SysctlStep) -> Result<(), ImageError> {
    let needed = |key: &Option<String>, name: &str| {
        let none = || ImageError::Refused(format!("a sysctl of this kind needs {name}"));
        key.clone().ok_or_else(none)
    };
    let kind = match step.kind {
        SysctlKindName::Int => SysctlKind::Int,
        SysctlKindName::Uint => SysctlKind::Uint,
        SysctlKindName::String => SysctlKind::String,
        SysctlKindName::Opaque => SysctlKind::Opaque { format: needed(&step.format, "format")? },
        SysctlKindName::Struct => {
            SysctlKind::Struct { type_name: needed(&step.type_name, "type")? }
        }
        SysctlKindName::Proc => SysctlKind::Proc {
            handler: needed(&step.handler, "handler")?,
            ctltype: step.ctltype.unwrap_or(CTLTYPE_INT),
            format: step.format.clone().unwrap_or_else(|| "I".into()),
        },
        SysctlKindName::Pcpustat => {
            SysctlKind::PcpuStat { array: needed(&step.variable, "variable")? }
        }
    };
    let variable = step.variable.clone().filter(|_| step.kind != SysctlKindName::Pcpustat);
    let options = SysctlOptions {
        name: step.name.clone(),
        kind,
        variable,
        writable: step.writable,
        description: step.description.clone(),
    };
    runtime.sysctl_vnet(&options).map(|_| ())
}

/// Writes a number, in the size of the sysctl, or text.
pub(super) fn write_sysctl(
    runtime: &mut Runtime,
    process: &str,
    name: &str,
    value: &Literal,
) -> Result<(), ImageError> {
    let thread = runtime.thread(process)?;
    let bytes = match value {
        Literal::Text(text) => text.as_bytes().to_vec(),
        Literal::Int(number) => {
            let size = runtime.sysctl_read(thread, name)?.len() as u64;
            let endian = runtime.kernel().machine().arch().endian();
            entry_bytes(number.cast_unsigned(), size.min(8), endian)
        }
        _ => return Err(ImageError::Refused("a sysctl is set to a number or to text".into())),
    };
    runtime.sysctl_write(thread, name, &bytes)
}

const CTLTYPE_INT: u64 = 2;
