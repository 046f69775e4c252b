//! The step that overwrites memory by name, as stray writes of a kernel do: it knows nothing of
//! what the kernel keeps there.

use serde::Deserialize;

use super::sockets::Tags;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::literal::Literal;
use crate::image::object::Object;
use crate::image::runtime::{Runtime, Scope};

/// An object, or a member of it, is overwritten.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::image) struct OverwriteStep {
    /// `vnet:web01`, `jail:web01`, `interface:epair0b`, `thread:nginx`, `process:nginx`,
    /// `socket:TAG`, `variable:ifnet`.
    pub(in crate::image) what: String,
    /// For a variable: the jail whose stack has it.
    jail: Option<String>,
    /// The way to the member: `vnet_le.le_next->vnet_state`.
    member: Option<String>,
    value: Option<Literal>,
    /// The address of this object becomes the value.
    to: Option<String>,
    /// Bits that are set in the address, as the words of locks have them.
    #[serde(default)]
    flags: u64,
    /// The bytes of this object become its own.
    copy: Option<String>,
    /// For a variable: the jail whose stack has it.
    to_jail: Option<String>,
    /// The way to the member that it is the address of.
    to_member: Option<String>,
    /// It becomes what memory is after it was freed.
    #[serde(default)]
    freed: bool,
}

/// Overwrites it.
pub(in crate::image) fn overwrite(
    runtime: &mut Runtime,
    tags: &Tags,
    step: &OverwriteStep,
) -> Result<(), ImageError> {
    let object = place(runtime, tags, &step.what, step.jail.as_deref(), step.member.as_deref())?;
    let other = |runtime: &Runtime, name: &str| {
        place(runtime, tags, name, step.to_jail.as_deref(), step.to_member.as_deref())
    };
    let size = runtime.kernel().types().size_of(object.type_id)?;
    match (&step.value, &step.to, &step.copy, step.freed) {
        (Some(value), None, None, false) => runtime.kernel_mut().assign(object, value),
        (None, Some(to), None, false) => {
            let to = other(runtime, to)?.address;
            runtime.kernel_mut().store(object, to.get() | step.flags)
        }
        (None, None, Some(copy), false) => {
            let from = other(runtime, copy)?.address;
            let machine = runtime.kernel_mut().machine_mut();
            for offset in 0..size {
                let byte = machine.uint(from.wrapping_add(offset), 1)?;
                machine.set_uint(object.address.wrapping_add(offset), 1, byte)?;
            }
            Ok(())
        }
        (None, None, None, true) => runtime.kernel_mut().machine_mut().trash(object.address, size),
        _ => {
            let why = "an overwrite has one of value, to, copy and freed";
            Err(ImageError::Scenario(why.into()))
        }
    }
}

/// The object of that name, or the member at the end of `path`.
fn place(
    runtime: &Runtime,
    tags: &Tags,
    what: &str,
    jail: Option<&str>,
    path: Option<&str>,
) -> Result<Object, ImageError> {
    let start = named(runtime, tags, what, jail)?;
    let Some(path) = path else { return Ok(start) };
    let kernel = runtime.kernel();
    let mut at = start;
    for (number, part) in path.split("->").enumerate() {
        if number > 0 {
            let pointee = kernel.types().pointee(at.type_id)?;
            at = Object::new(VirtAddr::new(kernel.load_uint(at)?), pointee);
        }
        // A path may end at what a pointer leads to.
        if !part.is_empty() {
            at = kernel.member(at, part)?;
        }
    }
    Ok(at)
}

fn named(
    runtime: &Runtime,
    tags: &Tags,
    what: &str,
    jail: Option<&str>,
) -> Result<Object, ImageError> {
    let refused = |why: String| ImageError::Refused(why);
    let (kind, name) = what
        .split_once(':')
        .ok_or_else(|| refused(format!("{what} is not of the form vnet:web01")))?;
    let kernel = runtime.kernel();
    match kind {
        "vnet" => {
            let vnet = runtime.jail_vnet(name)?;
            runtime.vnet_object(vnet.ok_or_else(|| refused(format!("{name} has no stack")))?)
        }
        "jail" => runtime.prison(name),
        "interface" => runtime.interface(name),
        "thread" => runtime.thread(name),
        "process" => {
            let process = kernel.get(runtime.thread(name)?, "td_proc")?;
            kernel.object(VirtAddr::new(process), "struct proc")
        }
        "socket" => super::sockets::tagged(tags, name),
        "variable" => {
            let scope = jail.map_or(Ok(Scope::Kernel), |jail| runtime.jail_scope(jail))?;
            runtime.find(scope, name)
        }
        _ => Err(refused(format!("{kind} is not something that can be overwritten"))),
    }
}
