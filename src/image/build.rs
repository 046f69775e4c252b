//! Builds an image from a scenario and a kernel.

use std::collections::{BTreeMap, BTreeSet};

use super::dump::Format;
use super::kernel::LoadedKernel;
use super::literal::Literal;
use super::machine::MachineOptions;
use super::runtime::{JailOptions, ModuleFile, Runtime, Scope, Stop, SysinitKind};
use super::scenario::{JailStep, ModuleStep, Scenario, Statistics, Step};
use super::steps::{jails, network, overwrite, packets, routes, sockets, stacks};
use super::vnet_steps::{self, EarlierSteps};
use super::{Image, ImageError};
use crate::addr::{PhysAddr, VirtAddr};
use crate::arch::Arch;
use crate::kernel::Kernel;

/// Boots `kernel` and carries out every step of the scenario.
///
/// # Errors
/// The kernel cannot be loaded, or a step fails. The error says which one and why.
pub fn build(scenario: &Scenario, kernel: Kernel) -> Result<Image, ImageError> {
    let options = machine_options(scenario, kernel.arch());
    let loaded = LoadedKernel::load(kernel, options)?;
    let runtime = Runtime::boot(loaded, &scenario.cpus.ids())?;
    let mut image = Image { runtime, left_out: BTreeSet::new() };
    let runtime = &mut image.runtime;
    for line in &scenario.messages {
        runtime.message(line)?;
    }
    if let Some(hostname) = &scenario.hostname {
        runtime.set_hostname(hostname)?;
    }
    set_all(runtime, Scope::Kernel, &scenario.globals)?;
    let host = runtime.host();
    set_all(runtime, host, &scenario.host.values)?;
    set_statistics(runtime, host, &scenario.host.statistics)?;
    let mut earlier = EarlierSteps::default();
    for (number, step) in scenario.steps.iter().enumerate() {
        take(&mut image, &mut earlier, step).map_err(|cause| ImageError::Step {
            step: number + 1,
            what: step.describe(),
            cause: Box::new(cause),
        })?;
    }
    if let Some(message) = &scenario.panic {
        image.runtime.panic(message)?;
    }
    image.runtime.settle()?;
    Ok(image)
}

fn machine_options(scenario: &Scenario, arch: Arch) -> MachineOptions {
    /// Where the kernel map began in 7.x and 8.0, the amd64 kernels with version 1 minidumps.
    const OLD_KERNEL_MAP: VirtAddr = VirtAddr::new(0xffff_fffe_4000_0000);
    let machine = &scenario.machine;
    let defaults = MachineOptions::default();
    let is_v1 = scenario.formats.iter().any(|file| file.format == Format::MinidumpV1);
    let is_old = arch == Arch::Amd64 && is_v1;
    let usual = is_old.then_some(OLD_KERNEL_MAP);
    MachineOptions {
        memory: scenario.memory.map_or(defaults.memory, |size| size.0),
        load: machine.load_address.map(|at| PhysAddr::new(at.0)),
        kernel_map: machine.kernel_map.map(|at| VirtAddr::new(at.0)).or(usual),
        paging: machine.paging,
        superpages: machine.superpages.unwrap_or(defaults.superpages),
        trash_freed: machine.trash_freed,
    }
}

fn take(image: &mut Image, earlier: &mut EarlierSteps, step: &Step) -> Result<(), ImageError> {
    let runtime = &mut image.runtime;
    match step {
        Step::Jail(step) => create_jail(runtime, step),
        Step::Destroy { jail, stop, process } => match stop {
            None => runtime.destroy_jail(jail),
            Some(stop) => {
                let thread = vnet_steps::jail_thread(runtime, process.as_deref())?;
                runtime.destroy_jail_until(jail, &Stop::parse(stop), thread).map(|_| ())
            }
        },
        Step::Set { jail, values, statistics } => {
            let scope = scope(runtime, jail.as_deref())?;
            set_all(runtime, scope, values)?;
            set_statistics(runtime, scope, statistics)
        }
        Step::SetCpu { cpu, values } => {
            values.iter().try_for_each(|(path, value)| runtime.dpcpu_id_set(*cpu, path, value))
        }
        Step::Interface(step) => network::attach(runtime, step),
        Step::Epair(step) => network::epair(runtime, step),
        Step::DestroyInterface { interface } => {
            let ifnet = runtime.interface(interface)?;
            runtime.destroy_interface(ifnet)
        }
        Step::BreakInterface(step) => network::break_interface(runtime, step),
        Step::RemoveJail { jail } => runtime.remove_jail(jail),
        Step::Credential { jail } => runtime.keep_credential(jail).map(|_| ()),
        Step::DamageJail(step) => jails::damage(runtime, step),
        Step::Process(step) => jails::process(runtime, step),
        Step::Thread(step) => jails::thread(runtime, step),
        Step::Exit { process, reaped } => runtime.exit_process(process, *reaped),
        Step::Move { interface, jail } => {
            let ifnet = runtime.interface(interface)?;
            let scope = scope(runtime, jail.as_deref())?;
            runtime.if_vmove(ifnet, scope)
        }
        Step::Sysinit(step) => vnet_steps::register(runtime, SysinitKind::Constructor, step),
        Step::RemoveSysinit { name } => runtime.vnet_deregister(SysinitKind::Constructor, name),
        Step::Sysuninit(step) => vnet_steps::register(runtime, SysinitKind::Destructor, step),
        Step::RemoveSysuninit { name } => runtime.vnet_deregister(SysinitKind::Destructor, name),
        Step::Lock(step) => vnet_steps::lock(runtime, step),
        Step::Counters(step) => {
            let scope = scope(runtime, step.jail.as_deref())?;
            vnet_steps::counters(runtime, scope, step)
        }
        Step::EventHandler(step) => {
            let curvnet = scope(runtime, step.jail.as_deref())?;
            vnet_steps::handler(runtime, earlier, curvnet, step)
        }
        Step::RemoveEventHandler { tag } => vnet_steps::deregister_handler(runtime, earlier, tag),
        Step::Event { event, process } => {
            let thread = runtime.thread(process)?;
            runtime.eventhandler_invoke(event, thread)
        }
        Step::Sysctl(step) => vnet_steps::sysctl(runtime, step),
        Step::SysctlWrite { name, value, process } => {
            vnet_steps::write_sysctl(runtime, process, name, value)
        }
        Step::Socket(step) => sockets::create(runtime, &mut earlier.sockets, step),
        Step::SocketEvent(step) => sockets::happen(runtime, &mut earlier.sockets, step),
        Step::HalfOpen(step) => sockets::half_open(runtime, step),
        Step::Curvnet(step) => {
            let scope = scope(runtime, step.jail.as_deref())?;
            vnet_steps::set_curvnet(runtime, earlier, scope, step)
        }
        Step::RestoreCurvnet { process } => vnet_steps::restore_curvnet(runtime, earlier, process),
        Step::Module(step) => load(runtime, step),
        Step::Unload { module } if runtime.is_loaded(module) => runtime.unload_module(module),
        Step::Unload { module } => runtime.remove_module(module),
        Step::Route(step) => {
            let scope = scope(runtime, step.jail.as_deref())?;
            routes::add_route(runtime, scope, step)
        }
        Step::BringUp(step) => {
            let scope = scope(runtime, step.jail.as_deref())?;
            routes::bring_up(runtime, scope, step)
        }
        Step::Neighbor(step) => {
            let scope = scope(runtime, step.jail.as_deref())?;
            routes::add_neighbor(runtime, scope, step)
        }
        Step::BreakRoute(step) => {
            let scope = scope(runtime, step.jail.as_deref())?;
            routes::break_route(runtime, scope, step)
        }
        Step::BreakNeighbor(step) => {
            let scope = scope(runtime, step.jail.as_deref())?;
            routes::break_neighbor(runtime, scope, step)
        }
        Step::Stack(step) => {
            let Some(missing) = stacks::lay(runtime, step)? else { return Ok(()) };
            let frame = runtime.kernel().machine().physical(missing);
            image.left_out.extend(frame);
            Ok(())
        }
        Step::Cluster(step) => packets::cluster(runtime, step),
        Step::Mbuf(step) => packets::mbuf(runtime, step),
        Step::Page(step) => packets::page(runtime, step),
        Step::Overwrite(step) => overwrite::overwrite(runtime, &earlier.sockets, step),
        Step::LeaveOut { jail, variable } => {
            let scope = scope(runtime, jail.as_deref())?;
            leave_out(image, scope, variable)
        }
    }
}

fn create_jail(runtime: &mut Runtime, step: &JailStep) -> Result<(), ImageError> {
    let usual = JailOptions::new(step.name.clone());
    let options = JailOptions {
        jid: step.jid,
        parent: step.parent.clone(),
        vnet: step.vnet.unwrap_or(usual.vnet),
        hostname: step.hostname.clone(),
        path: step.path.clone().unwrap_or(usual.path),
        allow: step.allow.clone(),
        name: usual.name,
    };
    let full_name = match &step.stop {
        None => runtime.create_jail(&options)?,
        Some(stop) => {
            let thread = vnet_steps::jail_thread(runtime, step.process.as_deref())?;
            runtime.create_jail_until(&options, &Stop::parse(stop), thread)?;
            options.full_name()
        }
    };
    let scope = runtime.jail_scope(&full_name)?;
    set_all(runtime, scope, &step.values)?;
    set_statistics(runtime, scope, &step.statistics)
}

fn load(runtime: &mut Runtime, step: &ModuleStep) -> Result<(), ImageError> {
    match (step.file.as_deref(), step.name.as_deref(), step.size) {
        (Some(path), None, None) if step.initial.is_empty() => {
            let mut file = ModuleFile::from_path(path)?;
            file.preloaded = step.preloaded;
            runtime.load_module(&file)
        }
        (None, Some(name), Some(size)) if !step.preloaded => {
            place(runtime, name, size, &step.initial)
        }
        _ => {
            let why = "a module has either a file, or a name and a size";
            Err(ImageError::Scenario(why.into()))
        }
    }
}

fn place(runtime: &mut Runtime, name: &str, size: u64, initial: &[u8]) -> Result<(), ImageError> {
    /// The largest module space of any release is 32 KB.
    const LARGEST: u64 = 1 << 20;
    if size > LARGEST || initial.len() as u64 > size {
        let why = format!("{} initial bytes in a set of {size}", initial.len());
        return Err(ImageError::Refused(why));
    }
    let mut bytes = initial.to_vec();
    bytes.resize(size as usize, 0);
    runtime.place_module(name, &bytes).map(|_| ())
}

fn leave_out(image: &mut Image, scope: Scope, variable: &str) -> Result<(), ImageError> {
    let kernel = image.runtime.kernel();
    let object = image.runtime.find(scope, variable)?;
    let size = kernel.types().size_of(object.type_id)?.max(1);
    let page = kernel.machine().page_size();
    let first = object.address.page_start(page);
    let last = object.address.wrapping_add(size - 1).page_start(page);
    for at in (first.get()..=last.get()).step_by(page as usize) {
        let at = VirtAddr::new(at);
        let frame = kernel.machine().physical(at).ok_or(ImageError::NotMapped(at))?;
        image.left_out.insert(frame);
    }
    Ok(())
}

fn scope(runtime: &Runtime, jail: Option<&str>) -> Result<Scope, ImageError> {
    jail.map_or_else(|| Ok(runtime.host()), |jail| runtime.jail_scope(jail))
}

fn set_all(
    runtime: &mut Runtime,
    scope: Scope,
    values: &BTreeMap<String, Literal>,
) -> Result<(), ImageError> {
    values.iter().try_for_each(|(path, value)| runtime.set(scope, path, value))
}

fn set_statistics(
    runtime: &mut Runtime,
    scope: Scope,
    arrays: &BTreeMap<String, Statistics>,
) -> Result<(), ImageError> {
    for (name, statistics) in arrays {
        let members = statistics.members.iter();
        let members = members.map(|(name, values)| (name.clone(), values.values())).collect();
        runtime.set_statistics(scope, name, statistics.type_name.as_deref(), &members)?;
    }
    Ok(())
}
