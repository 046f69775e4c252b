//! The VNET runtime: what a running FreeBSD kernel does with virtual network
//! stacks, done to the memory of a simulated machine.
//!
//! What: [`Runtime::boot`] brings a loaded kernel to the point where userland
//! starts. vnet0, prison0, the first process and the CPUs are in place, all
//! constructors are registered and all sysctls linked. After that, jails, processes,
//! interfaces, sockets, counters, module space, registrations, locks and event
//! handlers come and go by the kernel's own rules, and every variable can be set
//! through its C type. [`Runtime::trace`] says in which order things happened.
//!
//! How: each object is allocated on the simulated kernel heap and linked into the
//! kernel's own lists. Its members are where the kernel's debug information puts
//! them. The order of operations is the kernel's, so a dump of the
//! machine looks like a dump of a real one with the same history.
//! Each file covers one subsystem of the kernel.
//!
//! What it refuses to do: it runs no code of the kernel, and contains no offsets.
//!
//! # The macros of `sys/net/vnet.h`
//!
//! | macro | here |
//! |---|---|
//! | `VNET`, `VNET_VNET`, `V_foo` | [`Runtime::find`] in a [`Scope`] |
//! | `CURVNET_SET`, `CURVNET_SET_QUIET`, `CURVNET_RESTORE` | [`Runtime::curvnet_set`], [`Runtime::curvnet_set_quiet`], [`Runtime::curvnet_restore`] |
//! | `VNET_ASSERT` | [`Runtime::vnet_assert`] |
//! | `CRED_TO_VNET`, `TD_TO_VNET`, `P_TO_VNET` | [`Runtime::cred_to_vnet`], [`Runtime::td_to_vnet`], [`Runtime::p_to_vnet`] |
//! | `IS_DEFAULT_VNET` | [`Runtime::is_default_vnet`] |
//! | `VNET_LIST_RLOCK`, `VNET_LIST_RUNLOCK` | [`Runtime::vnet_list_rlock`], [`Runtime::vnet_list_runlock`] |
//! | `VNET_LIST_RLOCK_NOSLEEP`, `VNET_LIST_RUNLOCK_NOSLEEP` | [`Runtime::vnet_list_rlock_nosleep`], [`Runtime::vnet_list_runlock_nosleep`] |
//! | `VNET_FOREACH` | [`Runtime::vnet_foreach`] |
//! | `VNET_SYSINIT`, `VNET_SYSUNINIT` | [`Runtime::vnet_sysinit`] |
//! | `VNET_PCPUSTAT_ALLOC`, `_FREE`, `_ADD` | [`Runtime::vnet_pcpustat_alloc`], [`Runtime::vnet_pcpustat_free`], [`Runtime::vnet_pcpustat_add`] |
//! | `VNET_PCPUSTAT_SYSINIT`, `_SYSUNINIT` | [`Runtime::vnet_pcpustat_sysinit`], [`Runtime::vnet_pcpustat_sysuninit`] |
//! | `SYSCTL_VNET_INT`, `_UINT`, `_STRING`, `_OPAQUE`, `_STRUCT`, `_PROC`, `_PCPUSTAT` | [`Runtime::sysctl_vnet`] with a [`SysctlKind`] |
//! | `VNET_SYSCTL_ARG` | [`Runtime::vnet_sysctl_arg`] |
//! | `VNET_GLOBAL_EVENTHANDLER_REGISTER`, `_TAG` | [`Runtime::vnet_global_eventhandler_register`] |
//!
//! In a kernel without VIMAGE, each does what the macro does there.
//!
//! Of `sys/sys/pcpu.h`, `DPCPU_ID_PTR` is [`Runtime::dpcpu_id_ptr`] and `DPCPU_ID_SET` is
//! [`Runtime::dpcpu_id_set`].
//!
//! # A complete scenario
//!
//! A module registers a constructor and a sysctl; a jail is used; then the machine panics
//! while the jail's stack is being destroyed.
//!
//! ```
//! use vnetkvm::image::kernel::LoadedKernel;
//! use vnetkvm::image::machine::MachineOptions;
//! use vnetkvm::image::runtime::{
//!     Event, InterfaceOptions, JailOptions, Place, ProcessOptions, Runtime, Stop, SysctlKind,
//!     SysctlOptions, SysinitKind, SysinitOptions,
//! };
//! use vnetkvm::image::{Format, Image, Literal};
//! use vnetkvm::kernel::Kernel;
//! use vnetkvm::source::Source;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let kernel = Kernel::open(Source::open("fixtures/kernel/classic-clang-dwarf4")?, None)?;
//! let mut machine = Runtime::boot(LoadedKernel::load(kernel, MachineOptions::default())?, &[0, 1])?;
//! machine.create_jail(&JailOptions::new("web01"))?;
//! let web01 = machine.jail_scope("web01")?;
//! machine.set(web01, "ip_defttl", &Literal::Int(42))?;
//! let lo0 = InterfaceOptions { home: Some("web01".into()), ..InterfaceOptions::new("lo0") };
//! machine.create_interface(&lo0)?;
//!
//! // A constructor that is registered late runs on the stacks that exist, newest first.
//! machine.take_trace();
//! machine.vnet_pcpustat_sysinit(
//!     "tcpstat",
//!     &SysinitOptions {
//!         name: "tcpstat".into(),
//!         subsystem: "SI_SUB_INIT_IF".into(),
//!         order: "SI_ORDER_FIRST".into(),
//!         function: "tcp_vnet_init".into(),
//!         argument: 0,
//!     },
//! )?;
//! assert_eq!(machine.trace().len(), 2);
//! machine.vnet_pcpustat_add(web01, "tcpstat", "struct tcpstat", "tcps_connects", &[3, 4])?;
//!
//! // Who asks decides whose copy is read.
//! let inside = ProcessOptions { jail: Some("web01".into()), ..ProcessOptions::new("sysctl") };
//! let inside = machine.create_process(&inside)?;
//! machine.sysctl_vnet(&SysctlOptions {
//!     name: "net.inet.ip.mine".into(),
//!     kind: SysctlKind::Int,
//!     variable: Some("ip_defttl".into()),
//!     writable: true,
//!     description: "Time to live".into(),
//! })?;
//! assert_eq!(machine.sysctl_read(inside, "net.inet.ip.mine")?, 42_u32.to_le_bytes());
//!
//! let here = Place { file: "net/if.c", line: 2840, function: "ifioctl" };
//! let vnet = machine.td_to_vnet(inside)?.expect("the jail's stack");
//! let saved = machine.curvnet_set(inside, vnet.0, here)?;
//! machine.curvnet_restore(saved, here)?;
//!
//! // The stack dies, and the destructor of its loopback interfaces does not return.
//! machine.create_jail(&JailOptions::new("db01"))?;
//! let remover = ProcessOptions { dumping: true, ..ProcessOptions::new("jail") };
//! let remover = machine.create_process(&remover)?;
//! machine.take_trace();
//! let stop = Stop::Function("vnet_loif_uninit".into());
//! let half = machine.destroy_jail_until("db01", &stop, remover)?;
//! assert_eq!(machine.trace().first(), Some(&Event::Unlinked(half.vnet)));
//! assert_eq!(half.kind, SysinitKind::Destructor);
//! assert!(!machine.vnets()?.contains(&half.vnet));
//! machine.panic("page fault")?;
//!
//! let mut vmcore = std::io::Cursor::new(Vec::new());
//! Image::of(machine)?.write(Format::MinidumpV2, &mut vmcore)?;
//! # assert!(vmcore.into_inner().starts_with(b"minidump FreeBSD/amd64"));
//! # Ok(())
//! # }
//! ```

mod boot;
mod construction;
mod constructors;
mod counter;
mod credentials;
mod curvnet;
mod dpcpu;
mod eventhandler;
mod interface;
mod interface_address;
mod interface_index;
mod jail;
mod jail_faults;
mod kernel_stack;
mod link_level;
mod locks;
mod message_buffer;
mod modspace;
mod module;
mod neighbor;
mod packet;
mod pages;
mod pcpustat;
mod process;
mod queue;
mod removal;
mod route;
mod scope;
mod socket;
mod stack;
mod sysctl;
mod sysctl_tree;
mod sysinit;
mod thread_state;
mod trace;
mod variables;
mod vnet;
mod wiring;
mod zone;

use std::collections::BTreeMap;

use crate::addr::VirtAddr;
use crate::image::kernel::LoadedKernel;

pub use self::construction::{HalfWay, Stop};
pub use self::counter::CounterValues;
pub use self::curvnet::{Place, Recursion, SavedCurvnet};
pub use self::eventhandler::{HandlerOptions, PRIORITY_ANY};
pub use self::interface::InterfaceOptions;
pub use self::jail::JailOptions;
pub use self::jail_faults::JailFault;
pub use self::link_level::LinkOptions;
pub use self::locks::{Holder, LOCKS, Waiter};
pub use self::message_buffer::MessageBuffer;
pub use self::modspace::ModuleSpace;
pub use self::module::ModuleFile;
pub use self::neighbor::{NeighborFault, NeighborOptions};
pub use self::packet::MbufKind;
pub use self::pages::PageUse;
pub use self::process::ProcessOptions;
pub use self::queue::Queue;
pub use self::route::{Gateway, HopOptions, Network, RouteFault, RouteOptions};
pub use self::scope::{Scope, Vnet};
pub use self::socket::{HalfOpen, SocketDamage, SocketKind, SocketOptions, Waiting};
pub use self::stack::{StackCall, StackFault, StackOptions};
pub use self::sysctl::{SysctlKind, SysctlOptions};
pub use self::sysinit::{Sysinit, SysinitKind, SysinitOptions};
pub use self::thread_state::ThreadState;
pub use self::trace::Event;
pub use self::wiring::{InterfaceFault, TunnelOptions, VirtualHost};

use self::counter::CounterZone;
use self::dpcpu::Dpcpu;
use self::interface::Interface;
use self::jail::Jail;
use self::module::Linker;
use self::neighbor::Neighbors;
use self::pages::Pages;
use self::process::NamedThread;
use self::route::Routes;
use self::socket::Socket;
use self::sysctl_tree::SysctlTree;
use self::sysinit::Sysinits;
use self::vnet::Vnets;
use self::zone::Zones;

/// A running kernel.
#[derive(Debug)]
pub struct Runtime {
    kernel: LoadedKernel,
    cpus: Vec<u32>,
    /// `None` in a kernel without `set_pcpu`.
    dpcpu: Option<Dpcpu>,
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
    routes: Routes,
    neighbors: Neighbors,
    sockets: Vec<Socket>,
    counters: CounterZone,
    /// `None` if the kernel's types do not show what a slab, or a page, is.
    zones: Option<Zones>,
    pages: Option<Pages>,
    /// Texts that a kernel has among its constants.
    literals: BTreeMap<String, VirtAddr>,
    message_buffer: MessageBuffer,
    /// `None` if the kernel's types do not show how it keeps modules.
    linker: Option<Linker>,
    /// The files of all modules that were ever loaded.
    files: Vec<ModuleFile>,
}

impl Runtime {
    /// The kernel, its types and its memory.
    pub fn kernel(&self) -> &LoadedKernel {
        &self.kernel
    }

    /// The kernel, for changes that the runtime has no operation for.
    pub fn kernel_mut(&mut self) -> &mut LoadedKernel {
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

    /// Where the next block of the kernel map will be.
    pub fn kernel_map_end(&self) -> VirtAddr {
        self.kernel.machine().kernel_map_end()
    }
}
