//! The VNET runtime: what a running FreeBSD kernel does with virtual network
//! stacks, done to the memory of a simulated machine.
//!
//! What: [`Runtime::boot`] brings a loaded kernel to the point where userland
//! starts, with vnet0, prison0, the first process and the CPUs in place. After
//! that jails, processes, interfaces, counters and module space come and go by
//! the kernel's own rules, and every variable can be set through its C type.
//!
//! How: each object is allocated on the simulated kernel heap and linked into the
//! kernel's own lists, member by member as the kernel's debug information lays
//! it out. The order of operations is the kernel's, so what a dump of the
//! machine shows is what a dump of a real one would show after the same history.
//! One file holds one subsystem of the kernel.
//!
//! What it refuses to do: it runs no code of the kernel, and knows no offset by heart.

mod boot;
mod construction;
mod constructors;
mod counter;
mod credentials;
mod curvnet;
mod eventhandler;
mod interface;
mod jail;
mod kernel_stack;
mod locks;
mod message_buffer;
mod modspace;
mod pcpustat;
mod process;
mod queue;
mod socket;
mod sysctl;
mod sysctl_tree;
mod sysinit;
mod trace;
mod variables;
mod vnet;

use std::collections::BTreeMap;

use crate::addr::VirtAddr;
use crate::image::kernel::Loaded;

pub use self::construction::{HalfWay, Stop};
pub use self::counter::CounterValues;
pub use self::curvnet::{Place, Recursion, SavedCurvnet};
pub use self::eventhandler::{HandlerOptions, PRIORITY_ANY};
pub use self::interface::InterfaceOptions;
pub use self::jail::JailOptions;
pub use self::locks::{Holder, LOCKS, Waiter};
pub use self::message_buffer::MessageBuffer;
pub use self::modspace::ModuleSpace;
pub use self::process::ProcessOptions;
pub use self::queue::Queue;
pub use self::socket::{SocketKind, SocketOptions};
pub use self::sysctl::{SysctlKind, SysctlOptions};
pub use self::sysinit::{Sysinit, SysinitKind, SysinitOptions};
pub use self::trace::Event;
pub use self::variables::Scope;
pub use self::vnet::Vnet;

use self::counter::CounterZone;
use self::interface::Interface;
use self::jail::Jail;
use self::process::NamedThread;
use self::socket::Socket;
use self::sysctl_tree::SysctlTree;
use self::sysinit::Sysinits;
use self::vnet::{Vnets, no_vimage};

/// A running kernel.
#[derive(Debug)]
pub struct Runtime {
    kernel: Loaded,
    cpus: Vec<u32>,
    /// `None` in a kernel without VIMAGE.
    vnets: Option<Vnets>,
    sysinits: Option<Sysinits>,
    sysctls: Option<SysctlTree>,
    trace: Vec<Event>,
    jails: Vec<Jail>,
    last_jid: u64,
    last_pid: u64,
    last_tid: u64,
    threads: Vec<NamedThread>,
    interfaces: Vec<Interface>,
    sockets: Vec<Socket>,
    counters: CounterZone,
    /// Texts that a kernel has among its constants.
    literals: BTreeMap<String, VirtAddr>,
    message_buffer: MessageBuffer,
}

impl Runtime {
    /// The kernel, its types and its memory.
    pub fn kernel(&self) -> &Loaded {
        &self.kernel
    }

    /// The kernel, to change what the runtime has no operation for.
    pub fn kernel_mut(&mut self) -> &mut Loaded {
        &mut self.kernel
    }

    /// The ids of the processors, ascending.
    pub fn cpus(&self) -> &[u32] {
        &self.cpus
    }

    /// The kernel's message buffer.
    pub fn message_buffer(&self) -> &MessageBuffer {
        &self.message_buffer
    }

    /// Adds a line to the message buffer, as printf(9) does.
    pub fn message(&mut self, line: &str) -> Result<(), crate::image::ImageError> {
        self.message_buffer.append(self.kernel.machine_mut(), line)
    }

    /// Where the next block of the kernel map will lie.
    pub fn kernel_map_end(&self) -> VirtAddr {
        self.kernel.machine().kernel_map_end()
    }
}
