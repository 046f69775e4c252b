//! sysctls on virtualized variables: the SYSCTL_VNET_ kinds, and what reading and writing do.
//!
//! `sys/net/vnet.h`. arg1 of such an oid is the address of the variable's master; whoever handles
//! a request adds the `vnet_data_base` of the requester's stack: its credential's, not curvnet
//! (VNET_SYSCTL_ARG in 8 to 10, the common code of `sys/kern/kern_sysctl.c` since 11). Kernels of
//! 8 to 10 have handlers of their own for it, `vnet_sysctl_handle_int` and its like.

use super::sysctl_tree::{NODE, TYPE};
use super::{Runtime, Scope};
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

/// A sysctl to declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SysctlOptions {
    /// Its full name: `net.inet.ip.mine`. The parent node must exist.
    pub name: String,
    /// The macro that declares it.
    pub kind: SysctlKind,
    /// The virtualized variable or a member of it; `None` for most of kind Proc.
    pub variable: Option<String>,
    /// May it be written (CTLFLAG_RW)?
    pub writable: bool,
    /// The text of `sysctl -d`.
    pub description: String,
}

/// Which of the macros declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SysctlKind {
    /// SYSCTL_VNET_INT
    Int,
    /// SYSCTL_VNET_UINT
    Uint,
    /// SYSCTL_VNET_STRING
    String,
    /// SYSCTL_VNET_OPAQUE.
    Opaque {
        /// How it is displayed: `S,arpstat`.
        format: String,
    },
    /// SYSCTL_VNET_STRUCT.
    Struct {
        /// The struct: `struct ipstat`.
        type_name: String,
    },
    /// SYSCTL_VNET_PROC.
    Proc {
        /// The symbol of the handler.
        handler: String,
        /// The type, in the low bits of oid_kind.
        ctltype: u64,
        /// How it is displayed: `I`.
        format: String,
    },
    /// SYSCTL_VNET_PCPUSTAT. Its handler is called `ARRAY_sysctl`.
    PcpuStat {
        /// The name of the statistics array.
        array: String,
    },
}

const INT: u64 = 2;
const STRING: u64 = 3;
const OPAQUE: u64 = 5;
const UINT: u64 = 6;

const READ: u64 = 0x8000_0000;
const WRITE: u64 = 0x4000_0000;
const MPSAFE: u64 = 0x0004_0000;
const VNET: u64 = 0x0002_0000;

/// No value in a kernel is larger.
const LARGEST_VALUE: u64 = 1 << 20;

/// What a handler does with arg1 and arg2.
enum Handler {
    /// An integer of this many bytes at arg1, or arg2 itself.
    Integer(u64),
    /// Text at arg1, in an array of arg2 bytes.
    Text,
    /// arg2 bytes at arg1.
    Bytes,
    /// arg2 counters at arg1, or one.
    Counters(u64),
    /// The counters of a statistics array.
    Statistics(String),
}

impl Runtime {
    /// SYSCTL_VNET_INT and so on: makes a `struct sysctl_oid` and links it into the tree.
    /// Without VIMAGE it is a plain SYSCTL_INT.
    ///
    /// # Errors
    /// There is no such node, variable or handler, or the name is taken.
    pub fn sysctl_vnet(&mut self, options: &SysctlOptions) -> Result<Object, ImageError> {
        let (parent, name) = options.name.rsplit_once('.').unwrap_or(("", &options.name));
        let tree = self.sysctls.as_ref().ok_or_else(no_sysctls)?;
        let node = tree.find(&self.kernel, parent)?;
        let head = node.map(|node| tree.children_head(&self.kernel, node)).transpose()?.flatten();
        let none = || ImageError::Refused(format!("there is no sysctl node {parent}"));
        let head = head.ok_or_else(none)?;
        let shape = self.shape(options)?;

        let oid = self.kernel.malloc("sysctloid", "struct sysctl_oid")?;
        let access = if options.writable { READ | WRITE } else { READ };
        let vnet = if self.vnets.is_some() { VNET } else { 0 };
        self.kernel.set(oid, "oid_kind", shape.kind | access | vnet)?;
        self.kernel.set_pointer(oid, "oid_parent", head)?;
        self.kernel.set(oid, "oid_number", u64::MAX)?;
        self.kernel.set_pointer(oid, "oid_arg1", shape.arg1)?;
        self.kernel.set(oid, "oid_arg2", shape.arg2)?;
        let handler = self.function(&shape.handler)?;
        self.kernel.set_pointer(oid, "oid_handler", handler)?;
        for (member, text) in
            [("oid_name", name), ("oid_fmt", &shape.format), ("oid_descr", &options.description)]
        {
            let text = self.kernel.malloc_text("sysctloid", text)?;
            self.kernel.set_pointer(oid, member, text)?;
        }
        if let Some(tree) = &mut self.sysctls {
            tree.register(&mut self.kernel, oid)?;
        }
        Ok(oid)
    }

    /// The oid with that name.
    ///
    /// # Errors
    /// There is none.
    pub fn sysctl_oid(&self, name: &str) -> Result<Object, ImageError> {
        let tree = self.sysctls.as_ref().ok_or_else(no_sysctls)?;
        let none = || ImageError::Refused(format!("there is no sysctl {name}"));
        tree.find(&self.kernel, name)?.ok_or_else(none)
    }

    /// The names of a node's children in the order of the tree, or of the top level for "".
    pub fn sysctl_names(&self, node: &str) -> Result<Vec<String>, ImageError> {
        let tree = self.sysctls.as_ref().ok_or_else(no_sysctls)?;
        let head = match node {
            "" => Some(self.kernel.variable("sysctl__children")?.address),
            node => tree.children_head(&self.kernel, self.sysctl_oid(node)?)?,
        };
        let Some(head) = head else { return Ok(Vec::new()) };
        let oids = tree.siblings(&self.kernel, head)?;
        let name = |oid| self.kernel.text(VirtAddr::new(self.kernel.get(oid, "oid_name")?));
        oids.into_iter().map(name).collect()
    }

    /// VNET_SYSCTL_ARG: arg1 in the stack of the requester's credential; NULL stays NULL.
    ///
    /// # Errors
    /// The requester's prison has no stack yet.
    pub fn vnet_sysctl_arg(&self, thread: Object, arg1: VirtAddr) -> Result<VirtAddr, ImageError> {
        if arg1.is_null() || self.vnets.is_none() {
            return Ok(arg1);
        }
        let none = || ImageError::Refused("the requester's jail has no stack yet".into());
        self.in_vnet(self.td_to_vnet(thread)?.ok_or_else(none)?, arg1)
    }

    /// What sysctl(3) returns to `thread`: the bytes of the value.
    ///
    /// # Errors
    /// There is no such sysctl, or its handler is not one of the usual ones.
    pub fn sysctl_read(&self, thread: Object, name: &str) -> Result<Vec<u8>, ImageError> {
        let oid = self.sysctl_oid(name)?;
        let (handler, arg1, arg2) = self.request(thread, oid)?;
        let endian = self.kernel.machine().arch().endian();
        let bytes = |value: u64, size: u64| crate::writing::entry_bytes(value, size, endian);
        match handler {
            Handler::Integer(size) if arg1.is_null() => Ok(bytes(arg2, size)),
            Handler::Integer(size) => self.bytes(arg1, size),
            Handler::Text => self.kernel.text(arg1).map(|text| text.into_bytes()),
            Handler::Bytes => self.bytes(arg1, arg2),
            Handler::Counters(_) | Handler::Statistics(_) => {
                let counters = self.requested(&handler, thread, arg1)?.into_iter();
                let sums = counters.map(|counter| self.fetch_counter(counter));
                let sums: Result<Vec<u64>, ImageError> = sums.collect();
                Ok(sums?.into_iter().flat_map(|sum| bytes(sum, 8)).collect())
            }
        }
    }

    /// What sysctl(3) does when `thread` sets a value. Counters are set to zero, whatever is
    /// written.
    ///
    /// # Errors
    /// There is no such sysctl, it cannot be written, or the value has another size.
    pub fn sysctl_write(
        &mut self,
        thread: Object,
        name: &str,
        value: &[u8],
    ) -> Result<(), ImageError> {
        let oid = self.sysctl_oid(name)?;
        if self.kernel.get(oid, "oid_kind")? & WRITE == 0 {
            return Err(ImageError::Refused(format!("{name} cannot be written (EPERM)")));
        }
        let (handler, arg1, arg2) = self.request(thread, oid)?;
        let wrong = || ImageError::Refused(format!("{name} has another size (EINVAL)"));
        match handler {
            Handler::Integer(_) | Handler::Bytes if arg1.is_null() => {
                Err(ImageError::Refused(format!("{name} is a constant (EPERM)")))
            }
            Handler::Integer(size) if size != value.len() as u64 => Err(wrong()),
            Handler::Bytes if arg2 != value.len() as u64 => Err(wrong()),
            Handler::Text if value.len() as u64 >= arg2 => Err(wrong()),
            Handler::Text => {
                let text: Vec<u8> = value.iter().copied().chain([0]).collect();
                self.kernel.machine_mut().write(arg1, &text)
            }
            Handler::Integer(_) | Handler::Bytes => self.kernel.machine_mut().write(arg1, value),
            Handler::Counters(_) | Handler::Statistics(_) => {
                let counters = self.requested(&handler, thread, arg1)?;
                counters.into_iter().try_for_each(|counter| self.zero_counter(counter))
            }
        }
    }

    /// The handler of an oid, with the arguments that it receives.
    fn request(&self, thread: Object, oid: Object) -> Result<(Handler, VirtAddr, u64), ImageError> {
        let kind = self.kernel.get(oid, "oid_kind")?;
        if kind & TYPE == NODE {
            return Err(ImageError::Refused("it is a node, which has no value".into()));
        }
        let arg1 = VirtAddr::new(self.kernel.get(oid, "oid_arg1")?);
        let arg1 = if kind & VNET != 0 { self.vnet_sysctl_arg(thread, arg1)? } else { arg1 };
        let arg2 = self.kernel.get(oid, "oid_arg2")?;
        let function = VirtAddr::new(self.kernel.get(oid, "oid_handler")?);
        let name = self.function_name(function);
        let usual = name.strip_prefix("vnet_").unwrap_or(&name);
        let handler = match usual {
            "sysctl_handle_8" => Handler::Integer(1),
            "sysctl_handle_16" => Handler::Integer(2),
            "sysctl_handle_int" | "sysctl_handle_uint" | "sysctl_handle_32" => Handler::Integer(4),
            "sysctl_handle_long" => Handler::Integer(self.kernel.machine().arch().pointer_size()),
            "sysctl_handle_64" => Handler::Integer(8),
            "sysctl_handle_string" => Handler::Text,
            "sysctl_handle_opaque" if arg2 <= LARGEST_VALUE => Handler::Bytes,
            "sysctl_handle_counter_u64" => Handler::Counters(1),
            "sysctl_handle_counter_u64_array" if arg2 <= LARGEST_VALUE => Handler::Counters(arg2),
            other => match other.strip_suffix("_sysctl") {
                Some(array) if self.is_statistics(array) => Handler::Statistics(array.to_owned()),
                _ => {
                    let why = format!("what the handler {name} would say is not known");
                    return Err(ImageError::Refused(why));
                }
            },
        };
        Ok((handler, arg1, arg2))
    }

    /// The counters that a handler sums.
    fn requested(
        &self,
        handler: &Handler,
        thread: Object,
        arg1: VirtAddr,
    ) -> Result<Vec<Object>, ImageError> {
        match handler {
            Handler::Statistics(array) => {
                let vnet = self.td_to_vnet(thread)?;
                self.counters(vnet.map_or(Scope::Kernel, Scope::Vnet), array)
            }
            Handler::Counters(count) => {
                let type_id = self.kernel.types().find("counter_u64_t")?;
                let size = self.kernel.types().size_of(type_id)?;
                let at = |number: u64| arg1.wrapping_add(number.wrapping_mul(size));
                Ok((0..*count).map(|number| Object::new(at(number), type_id)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    fn bytes(&self, at: VirtAddr, size: u64) -> Result<Vec<u8>, ImageError> {
        let mut bytes = vec![0; size.min(LARGEST_VALUE) as usize];
        self.kernel.machine().read(at, &mut bytes)?;
        Ok(bytes)
    }

    /// What each macro puts into the oid.
    fn shape(&self, options: &SysctlOptions) -> Result<Shape, ImageError> {
        let variable = options.variable.as_deref();
        let variable = variable.map(|name| self.find(Scope::Kernel, name)).transpose()?;
        let size = variable.map(|known| self.kernel.types().size_of(known.type_id)).transpose()?;
        let arg1 = variable.map(|known| known.address).unwrap_or_default();
        let shape = |kind, arg2: u64, handler: &str, format: &str| Shape {
            kind,
            arg1,
            arg2,
            handler: self.own_handler(handler),
            format: format.to_owned(),
        };
        let shape = match &options.kind {
            SysctlKind::Int => shape(INT | MPSAFE, 0, "sysctl_handle_int", "I"),
            SysctlKind::Uint if self.kernel.address_of("vnet_sysctl_handle_uint").is_some() => {
                shape(UINT | MPSAFE, 0, "sysctl_handle_uint", "IU")
            }
            SysctlKind::Uint => shape(UINT | MPSAFE, 0, "sysctl_handle_int", "IU"),
            SysctlKind::String => shape(STRING, size.unwrap_or(0), "sysctl_handle_string", "A"),
            SysctlKind::Opaque { format } => {
                shape(OPAQUE, size.unwrap_or(0), "sysctl_handle_opaque", format)
            }
            SysctlKind::Struct { type_name } => {
                let size = self.kernel.types().size_of(self.kernel.types().find(type_name)?)?;
                let plain = type_name.strip_prefix("struct ").unwrap_or(type_name);
                shape(OPAQUE, size, "sysctl_handle_opaque", &format!("S,{plain}"))
            }
            SysctlKind::Proc { handler, ctltype, format } => {
                if *ctltype == 0 || *ctltype > TYPE {
                    return Err(ImageError::Assertion("(access) & CTLTYPE != 0".into()));
                }
                let own = handler.clone();
                Shape { handler: own, ..shape(*ctltype, 0, handler, format) }
            }
            SysctlKind::PcpuStat { array } => {
                let handler = format!("{array}_sysctl");
                Shape { handler, arg1: VirtAddr::new(0), ..shape(OPAQUE, 0, "", "I") }
            }
        };
        let needs_variable =
            !matches!(options.kind, SysctlKind::Proc { .. } | SysctlKind::PcpuStat { .. });
        if needs_variable && variable.is_none() {
            let why = format!("the sysctl {} names no variable", options.name);
            return Err(ImageError::Refused(why));
        }
        Ok(shape)
    }

    /// The handler for virtualized variables, in kernels that have separate ones.
    fn own_handler(&self, handler: &str) -> String {
        let own = format!("vnet_{handler}");
        match self.kernel.address_of(&own) {
            Some(_) => own,
            None => handler.to_owned(),
        }
    }
}

/// The contents of an oid.
struct Shape {
    kind: u64,
    arg1: VirtAddr,
    arg2: u64,
    handler: String,
    format: String,
}

fn no_sysctls() -> ImageError {
    ImageError::Refused("the kernel's debug information knows no struct sysctl_oid".into())
}
