//! From a loaded kernel to a running one: processors, message buffer, the
//! first process, vnet0.
//!
//! It follows the order of the kernel's SYSINITs (`sys/kern/init_main.c`). If a
//! kernel lacks a variable, it is older or newer, and the variable is skipped.

use std::collections::BTreeMap;

use crate::addr::VirtAddr;
use crate::expr::Step;
use crate::image::ImageError;
use crate::image::kernel::LoadedKernel;
use crate::image::object::Object;
use crate::image::runtime::counter::CounterZone;
use crate::image::runtime::dpcpu::Dpcpu;
use crate::image::runtime::module::Linker;
use crate::image::runtime::neighbor::Neighbors;
use crate::image::runtime::route::Routes;
use crate::image::runtime::sysctl_tree::SysctlTree;
use crate::image::runtime::sysinit::Sysinits;
use crate::image::runtime::vnet::Vnets;
use crate::image::runtime::{MessageBuffer, Queue, Runtime};
use crate::types::model::Type;

/// Higher ids do not fit in any kernel's cpuset_t.
const MOST_CPUS: u32 = 256;
/// The tid of thread0 in `sys/kern/init_main.c`. The others follow.
const FIRST_TID: u64 = 100_000;

impl Runtime {
    /// Boots `kernel` on processors with the ids `cpus`, which ascend and may have gaps.
    ///
    /// # Errors
    /// There is no CPU or an id is too high, or the kernel lacks a required type.
    pub fn boot(mut kernel: LoadedKernel, cpus: &[u32]) -> Result<Self, ImageError> {
        let ascend = cpus.is_sorted_by(|id, next| id < next);
        if !ascend || cpus.last().is_none_or(|last| *last >= MOST_CPUS) {
            let why = format!(
                "a machine has from 1 to {MOST_CPUS} CPUs, with ascending ids below {MOST_CPUS}"
            );
            return Err(ImageError::Refused(why));
        }
        set_cpus(&mut kernel, cpus)?;
        let pcpus = set_pcpu(&mut kernel, cpus)?;
        let dpcpu = Dpcpu::startup(&mut kernel, cpus, &pcpus)?;
        let message_buffer = MessageBuffer::allocate(&mut kernel)?;
        let linker = Linker::of(&mut kernel)?;
        let vnets = match kernel.kernel().set_vnet() {
            Some(set) => {
                let set = kernel.running(set.start)..kernel.running(set.end);
                Some(Vnets::prepare(&mut kernel, set)?)
            }
            None => None,
        };
        let sysinits = vnets.is_some().then(|| Sysinits::prepare(&mut kernel)).transpose()?;
        let mut sysctls = SysctlTree::of(&mut kernel)?;
        if let Some(tree) = &mut sysctls {
            tree.register_all(&mut kernel)?;
        }
        first_process(&mut kernel, &pcpus)?;
        let counters = CounterZone::of(&kernel, cpus)?;
        let mut runtime = Self {
            kernel,
            cpus: cpus.to_vec(),
            dpcpu,
            vnets,
            sysinits,
            sysctls,
            trace: Vec::new(),
            jails: Vec::new(),
            last_jid: 0,
            last_pid: 0,
            last_tid: FIRST_TID,
            threads: Vec::new(),
            interfaces: Vec::new(),
            routes: Routes::default(),
            neighbors: Neighbors::default(),
            sockets: Vec::new(),
            counters,
            zones: None,
            pages: None,
            literals: BTreeMap::new(),
            message_buffer,
            linker,
            files: Vec::new(),
        };
        runtime.create_pages()?;
        runtime.create_zones()?;
        runtime.first_prison()?;
        runtime.register_kernel_sysinits()?;
        Ok(runtime)
    }

    /// What a panic leaves behind: panicstr and a line in the message buffer.
    pub fn panic(&mut self, message: &str) -> Result<(), ImageError> {
        self.message(&format!("panic: {message}"))?;
        self.message("cpuid = 0")?;
        let text = self.kernel.malloc_text("panic", message)?;
        self.kernel.set_symbol("panicstr", text.get())?;
        self.kernel.set_symbol("dumping", 1)?;
        Ok(())
    }

    /// Updates the kernel's records about its own memory. It is called before a dump.
    pub fn settle(&mut self) -> Result<(), ImageError> {
        let end = self.kernel.machine().kernel_vm_end();
        self.kernel.set_symbol("kernel_vm_end", end.get())?;
        self.settle_pages()
    }
}

fn set_cpus(kernel: &mut LoadedKernel, cpus: &[u32]) -> Result<(), ImageError> {
    kernel.set_symbol("mp_ncpus", cpus.len() as u64)?;
    kernel.set_symbol("mp_maxid", u64::from(cpus.last().copied().unwrap_or(0)))?;
    let Ok(all) = kernel.variable("all_cpus") else { return Ok(()) };
    // A struct of words since 9. The first kernels with VIMAGE had a plain int.
    let size = kernel.types().size_of(all.type_id)?;
    let word = kernel.machine().arch().pointer_size().min(size).max(1);
    let bits = word * 8;
    for number in 0..(size / word).min(u64::from(MOST_CPUS)) {
        let mine = cpus.iter().map(|id| u64::from(*id)).filter(|id| id / bits == number);
        let value = mine.fold(0, |sum, id| sum | 1 << (id % bits));
        kernel.machine_mut().set_uint(all.address.wrapping_add(number * word), word, value)?;
    }
    Ok(())
}

/// The per-CPU structures: an array in the kernel until 12.x, separate pages since.
fn set_pcpu(kernel: &mut LoadedKernel, cpus: &[u32]) -> Result<Vec<Object>, ImageError> {
    let Ok(variable) = kernel.variable("__pcpu") else { return Ok(Vec::new()) };
    let (_, shape) = kernel.types().resolve(variable.type_id)?;
    let (base, type_id) = match &*shape {
        Type::Pointer(pointer) => {
            let size = kernel.types().size_of(pointer.target)?;
            let all = u64::from(cpus.last().copied().unwrap_or(0)) + 1;
            let base = kernel.machine_mut().malloc_contiguous("pcpu", size.saturating_mul(all))?;
            kernel.store(variable, base.get())?;
            (base, pointer.target)
        }
        Type::Array(array) => (variable.address, array.element),
        _ => (variable.address, variable.type_id),
    };
    let size = kernel.types().size_of(type_id)?;
    let mut pcpus = Vec::new();
    for id in cpus {
        let pcpu = Object::new(base.wrapping_add(u64::from(*id).wrapping_mul(size)), type_id);
        kernel.set(pcpu, "pc_cpuid", u64::from(*id))?;
        kernel.set_if_any(pcpu, "pc_prvspace", pcpu.address.get())?;
        pcpus.push(pcpu);
    }
    list_pcpus(kernel, cpus, &pcpus)?;
    Ok(pcpus)
}

/// pcpu_init (`sys/kern/subr_pcpu.c`): the array and the list of them.
fn list_pcpus(kernel: &mut LoadedKernel, cpus: &[u32], pcpus: &[Object]) -> Result<(), ImageError> {
    let (Ok(by_id), Ok(head)) = (kernel.variable("cpuid_to_pcpu"), kernel.variable("cpuhead"))
    else {
        return Ok(());
    };
    let Some(first) = pcpus.first() else { return Ok(()) };
    let queue = Queue::of(kernel, head.type_id, first.type_id, "pc_allcpu")?;
    queue.init(kernel.machine_mut(), head.address)?;
    for (id, pcpu) in cpus.iter().zip(pcpus) {
        let place = kernel.step(by_id, &Step::Index(u64::from(*id)))?;
        kernel.store(place, pcpu.address.get())?;
        queue.insert_tail(kernel.machine_mut(), head.address, pcpu.address)?;
    }
    Ok(())
}

/// proc0, thread0 and the list of processes. The contents of the file are replaced.
fn first_process(kernel: &mut LoadedKernel, pcpus: &[Object]) -> Result<(), ImageError> {
    let proc0 = kernel.variable("proc0")?;
    let list = kernel.variable("allproc")?;
    let thread0 = first_thread(kernel)?;
    let prison0 = kernel.variable("prison0")?;
    let queue = Queue::of(kernel, list.type_id, proc0.type_id, "p_list")?;
    queue.init(kernel.machine_mut(), list.address)?;
    queue.insert_head(kernel.machine_mut(), list.address, proc0.address)?;
    let threads = kernel.member(proc0, "p_threads")?;
    let queue = Queue::of(kernel, threads.type_id, thread0.type_id, "td_plist")?;
    queue.init(kernel.machine_mut(), threads.address)?;
    queue.insert_tail(kernel.machine_mut(), threads.address, thread0.address)?;

    let cred = kernel.malloc("cred", "struct ucred")?;
    kernel.set(cred, "cr_ref", 1)?;
    kernel.set_pointer(cred, "cr_prison", prison0.address)?;
    kernel.set_pointer(proc0, "p_ucred", cred.address)?;
    kernel.set_pointer(thread0, "td_ucred", cred.address)?;
    kernel.set_pointer(thread0, "td_proc", proc0.address)?;
    kernel.set(thread0, "td_tid", FIRST_TID)?;
    kernel.set_pointer(thread0, "td_vnet", VirtAddr::new(0))?;
    if let Some(boot) = pcpus.first() {
        kernel.set_if_any(*boot, "pc_curthread", thread0.address.get())?;
    }
    kernel.set_symbol("dumptid", FIRST_TID)?;
    Ok(())
}

/// thread0: since 11.0 `thread0_st.t0st_thread`, followed by the scheduler's own data;
/// or all of `thread0_st`, in a kernel that declares it as a struct thread.
fn first_thread(kernel: &LoadedKernel) -> Result<Object, ImageError> {
    match kernel.variable("thread0_st") {
        Ok(storage) => Ok(kernel.member(storage, "t0st_thread").unwrap_or(storage)),
        Err(_) => kernel.variable("thread0"),
    }
}
