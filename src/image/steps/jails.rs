//! Steps about jails, and about the processes and threads in them.

use serde::Deserialize;

use crate::image::ImageError;
use crate::image::runtime::{JailFault, ProcessOptions, Runtime, ThreadState};

/// A process with one thread starts.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct ProcessStep {
    pub(in crate::image) name: String,
    jail: Option<String>,
    pid: Option<u64>,
    tid: Option<u64>,
    /// The name of its parent.
    parent: Option<String>,
    /// It is a process of the kernel.
    #[serde(default)]
    kernel: bool,
    /// Its thread is inside the network stack: curvnet is set.
    #[serde(default)]
    in_network_stack: bool,
    /// Its thread is the one that dumps.
    #[serde(default)]
    dumping: bool,
    state: Option<StateName>,
    wait: Option<String>,
    lock: Option<String>,
    cpu: Option<u32>,
}

/// Another thread of a process.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct ThreadStep {
    pub(in crate::image) process: String,
    pub(in crate::image) name: String,
    tid: Option<u64>,
    state: Option<StateName>,
    wait: Option<String>,
    lock: Option<String>,
    cpu: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StateName {
    Running,
    Runnable,
    Sleeping,
    Locked,
    Iwait,
    Suspended,
    Swapped,
    Inactive,
}

/// A jail becomes what no sound kernel has.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct DamageStep {
    pub(in crate::image) jail: String,
    /// It points at the stack of this jail.
    vnet_of: Option<String>,
    /// It is taken out of one of the lists.
    unlink: Option<ListName>,
    /// This jail becomes its parent, and no list says so.
    parent: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ListName {
    Jails,
    Children,
}

pub(in crate::image) fn process(
    runtime: &mut Runtime,
    step: &ProcessStep,
) -> Result<(), ImageError> {
    let state = state(step.state, step.wait.as_deref(), step.lock.as_deref(), step.cpu)?;
    let options = ProcessOptions {
        name: step.name.clone(),
        pid: step.pid,
        tid: step.tid,
        jail: step.jail.clone(),
        parent: step.parent.clone(),
        kernel: step.kernel,
        in_network_stack: step.in_network_stack,
        dumping: step.dumping,
        state,
    };
    runtime.create_process(&options).map(|_| ())
}

pub(in crate::image) fn thread(runtime: &mut Runtime, step: &ThreadStep) -> Result<(), ImageError> {
    let state = state(step.state, step.wait.as_deref(), step.lock.as_deref(), step.cpu)?;
    let state = state.unwrap_or_else(ThreadState::usual);
    runtime.create_thread(&step.process, &step.name, step.tid, &state).map(|_| ())
}

pub(in crate::image) fn damage(runtime: &mut Runtime, step: &DamageStep) -> Result<(), ImageError> {
    let DamageStep { jail, vnet_of, unlink, parent } = step;
    if let Some(other) = vnet_of {
        runtime.damage_jail(jail, &JailFault::VnetOf(other.clone()))?;
    }
    if let Some(other) = parent {
        runtime.damage_jail(jail, &JailFault::Parent(other.clone()))?;
    }
    match unlink {
        Some(ListName::Jails) => runtime.damage_jail(jail, &JailFault::OffTheList),
        Some(ListName::Children) => runtime.damage_jail(jail, &JailFault::OffTheTree),
        None => Ok(()),
    }
}

/// What the keys `state`, `wait`, `lock` and `cpu` say. What a thread waits for says that it does.
fn state(
    state: Option<StateName>,
    wait: Option<&str>,
    lock: Option<&str>,
    cpu: Option<u32>,
) -> Result<Option<ThreadState>, ImageError> {
    let name = match (state, wait, lock, cpu) {
        (Some(name), ..) => name,
        (_, _, Some(_), _) => StateName::Locked,
        (_, Some(_), ..) => StateName::Sleeping,
        (.., Some(_)) => StateName::Running,
        _ => return Ok(None),
    };
    let needs = |key: &str| ImageError::Refused(format!("a thread in this state needs {key}"));
    let message = wait.unwrap_or("select").to_owned();
    Ok(Some(match name {
        StateName::Running => ThreadState::Running { cpu: cpu.ok_or_else(|| needs("cpu"))? },
        StateName::Runnable => ThreadState::Runnable,
        StateName::Sleeping => ThreadState::Sleeping { message, swapped: false },
        StateName::Swapped => ThreadState::Sleeping { message, swapped: true },
        StateName::Locked => {
            ThreadState::Locked { lock: lock.ok_or_else(|| needs("lock"))?.to_owned() }
        }
        StateName::Iwait => ThreadState::Iwait,
        StateName::Suspended => ThreadState::Suspended,
        StateName::Inactive => ThreadState::Inactive,
    }))
}
