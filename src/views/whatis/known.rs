//! The structs that other views know: of threads, processes, jails, interfaces and sockets.

use rustc_hash::FxHashMap;

use super::stacks::KernelStack;
use crate::addr::VirtAddr;
use crate::target::Target;
use crate::threads::{self, Thread};
use crate::types::TypeId;
use crate::value::Object;
use crate::value::cpus::struct_pcpu;
use crate::views::cpus::Cpus;
use crate::views::jails::{Jail, Jails};
use crate::views::sockets::{self, Census};
use crate::views::wiring::Network;
use crate::walk::{Problem, Problems};

/// A struct that the kernel keeps on a list.
#[derive(Debug)]
pub struct KnownObject {
    /// Where it begins.
    pub start: VirtAddr,
    /// Its type.
    pub type_id: TypeId,
    /// `interface epair0b`
    pub name: Box<str>,
    /// The address of the vnet that it belongs to.
    pub vnet: Option<VirtAddr>,
    /// Its pointers lead to more of its stack, and not to the whole kernel.
    pub is_of_stack: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct KnownObjects<'t> {
    pub objects: Vec<KnownObject>,
    pub stacks: Vec<KernelStack<'t>>,
}

impl<'t> KnownObjects<'t> {
    /// Processes, threads, and the threads' stacks.
    pub fn add_threads(&mut self, target: &'t Target, problems: &mut Problems) {
        let processes = match threads::by_process(target) {
            Ok(processes) => processes.take(problems),
            Err(why) => return problems.add(Problem::unreadable("allproc", why)),
        };
        for threads::Process { process, threads } in processes {
            let command = process.text("p_comm").unwrap_or_default();
            let name = match process.int("p_pid") {
                Ok(pid) => format!("process {pid} ({command})"),
                Err(_) => format!("process {command}"),
            };
            self.add(&process, name, None, false);
            for thread in threads {
                let name = Thread { thread, process }.name();
                self.add(&thread, name.to_string(), None, false);
                if let Ok((start, size)) = threads::kernel_stack(&thread)
                    && !start.is_null()
                {
                    self.stacks.push(KernelStack { thread, name, start, size });
                }
            }
        }
    }

    /// Jails, those that are being removed among them.
    pub fn add_jails(&mut self, target: &'t Target, jails: &Jails, removed: &[Jail]) {
        for jail in jails.all().iter().chain(removed) {
            if let Ok(prison) = jail.prison(target) {
                let name = format!("jail {} ({})", jail.jid, jail.name);
                self.add(&prison, name, jail.vnet, false);
            }
        }
    }

    /// Interfaces.
    pub fn add_interfaces(&mut self, network: &Network<'t>) {
        for stack in &network.stacks {
            let vnet = stack.copies.vnet().map(|vnet| vnet.address);
            for interface in &stack.list.interfaces {
                let name = interface.text("if_xname").unwrap_or_default();
                self.add(interface, format!("interface {name}"), vnet, true);
            }
        }
    }

    /// Sockets and their control blocks.
    pub fn add_sockets(
        &mut self,
        census: &Census<'t>,
        network: &Network<'t>,
        jails: Option<&'t Jails>,
        problems: &mut Problems,
    ) {
        let mut titles: FxHashMap<VirtAddr, String> = FxHashMap::default();
        for stack in &network.stacks {
            for socket in sockets::sockets(census, stack.copies, jails, problems) {
                for at in [socket.pcb, socket.socket].into_iter().flatten() {
                    titles.entry(at).or_insert_with(|| socket.title());
                }
            }
        }
        for (vnet, object) in census.objects() {
            let name = match titles.get(&object.address) {
                Some(title) => format!("socket {title}"),
                None => format!("socket at {}", object.address),
            };
            self.add(&object, name, vnet, true);
        }
    }

    /// The structs of CPUs. Those in the kernel's image are named as parts of its variables.
    pub fn add_cpus(&mut self, target: &'t Target, cpus: &Cpus) {
        for cpu in &cpus.all {
            if let Ok(Some(pcpu)) = struct_pcpu(target, cpu.id) {
                self.add(&pcpu, format!("CPU {}", cpu.id), None, false);
            }
        }
    }

    fn add(
        &mut self,
        object: &Object<'t>,
        name: String,
        vnet: Option<VirtAddr>,
        is_of_stack: bool,
    ) {
        let (start, type_id) = (object.address, object.type_id);
        self.objects.push(KnownObject { start, type_id, name: name.into(), vnet, is_of_stack });
    }
}
