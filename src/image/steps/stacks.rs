//! The step for kernel stacks.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::runtime::{Runtime, StackCall, StackFault, StackOptions};

/// A thread gets a kernel stack.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct StackStep {
    pub(in crate::image) process: String,
    calls: Vec<CallEntry>,
    /// The processor that it runs on, where it was stopped.
    cpu: Option<u32>,
    /// By `function.variable`.
    #[serde(default)]
    variables: BTreeMap<String, Value>,
    #[serde(default)]
    syscall: u64,
    fault: Option<FaultName>,
}

/// A call: its function, or its function and what an entry point saved.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum CallEntry {
    Function(String),
    Entry { entry: String, trap: BTreeMap<String, u64> },
}

/// A number, or the address of a jail's stack: `vnet:web01`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Value {
    Number(u64),
    Vnet(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FaultName {
    Circle,
    Outside,
    Missing,
    Lost,
}

/// Lays the stack. Returns the page to leave out of the dump, if one is missing.
pub(in crate::image) fn lay(
    runtime: &mut Runtime,
    step: &StackStep,
) -> Result<Option<VirtAddr>, ImageError> {
    let thread = runtime.thread(&step.process)?;
    let mut variables = BTreeMap::new();
    for (name, value) in &step.variables {
        let value = match value {
            Value::Number(number) => *number,
            Value::Vnet(text) => {
                let jail = text.strip_prefix("vnet:").unwrap_or(text);
                let vnet = runtime.jail_vnet(jail)?;
                vnet.map_or(0, |vnet| vnet.0.get())
            }
        };
        variables.insert(name.clone(), value);
    }
    let call = |call: &CallEntry| match call {
        CallEntry::Function(function) => {
            StackCall { function: function.clone(), trap: BTreeMap::new() }
        }
        CallEntry::Entry { entry, trap } => {
            StackCall { function: entry.clone(), trap: trap.clone() }
        }
    };
    let options = StackOptions {
        calls: step.calls.iter().map(call).collect(),
        cpu: step.cpu,
        variables,
        syscall: step.syscall,
        fault: step.fault.map(|fault| match fault {
            FaultName::Circle => StackFault::Circle,
            FaultName::Outside => StackFault::Outside,
            FaultName::Missing => StackFault::Missing,
            FaultName::Lost => StackFault::Lost,
        }),
    };
    runtime.lay_stack(thread, &options)
}
