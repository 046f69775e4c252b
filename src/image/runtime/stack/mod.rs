//! Kernel stacks with real frames: return addresses behind real calls, and registers saved
//! where the functions save them.
//!
//! Frames are laid from the outermost call inwards, as the machine does it. Call frame
//! information says where each function keeps its caller's registers, and its variables are put
//! where the debug information has them. Trap frames are those of the entry points in
//! assembly (`exception.S` and its like).

mod call_sites;
mod entries;
mod layer;
mod machine;
mod options;

use std::collections::BTreeMap;

use super::Runtime;
use super::thread_state::ThreadState;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

use call_sites::CallSites;
use layer::Layer;
use options::Placed;

pub use options::{StackCall, StackFault, StackOptions};

/// The functions called to sleep and to panic, innermost first. A kernel has some of them.
const SLEEP: &[&str] = &["sched_switch", "mi_switch", "sleepq_switch", "sleepq_wait", "_sleep"];
const PANIC: &[&str] = &["doadump", "kern_reboot", "vpanic", "panic"];

/// Bytes of the outer calls in a page that is missing.
const OUTER: u64 = 0x180;

impl Runtime {
    /// Gives `thread` this stack, and the registers that lead to it. Returns the page to leave
    /// out of the dump, if one is missing.
    ///
    /// # Errors
    /// There is no such function.
    pub fn lay_stack(
        &mut self,
        thread: Object,
        options: &StackOptions,
    ) -> Result<Option<VirtAddr>, ImageError> {
        let calls = self.resolved(options)?;
        self.lay(thread, &calls, options)
    }

    /// Makes `thread` sleep in `function`, or panic there if it is the dumping one. It was
    /// called through `callers`, innermost first.
    pub(super) fn sleep_in(
        &mut self,
        thread: Object,
        function: VirtAddr,
        callers: &[&str],
    ) -> Result<(), ImageError> {
        let dumping = self.is_dumping(thread)?;
        let on_top = if dumping { PANIC } else { SLEEP };
        let known = |name: &&str| self.kernel.address_of(name);
        let mut starts: Vec<VirtAddr> = on_top.iter().filter_map(known).collect();
        starts.push(function);
        starts.extend(callers.iter().filter_map(known));
        let mut calls: Vec<Placed> = Vec::new();
        for start in starts {
            let callee = calls.last().map(|inner| inner.start);
            calls.push(self.placed(start, callee));
        }
        self.lay(thread, &calls, &StackOptions::default())?;
        if !dumping {
            self.set_thread_state(thread, &ThreadState::usual())?;
        }
        Ok(())
    }

    /// The function at `start` behind its call of `callee`, or else where it has its frame: what
    /// it calls may be inlined or left out, and it may go on to what never returns by a jump.
    fn placed(&self, start: VirtAddr, callee: Option<VirtAddr>) -> Placed {
        let symbol = self.symbol_at(start);
        let name = symbol.as_ref().map_or_else(String::new, |symbol| symbol.name.to_string());
        let size = symbol.map_or(0, |symbol| symbol.size);
        let behind = CallSites { runtime: self }.behind_call(start, callee);
        let with_frame = behind.or_else(|| self.with_frame(start, size));
        // On most machines, instructions are at multiples of 4.
        let middle = ((size / 2) & !3).max(size.min(4));
        Placed {
            name,
            start,
            counter: with_frame.unwrap_or_else(|| start.wrapping_add(middle)),
            interrupted: false,
            entry: false,
            framed: with_frame.is_none(),
            trap: BTreeMap::new(),
        }
    }

    /// An address in a function at which call frame information says that it has its frame.
    fn with_frame(&self, start: VirtAddr, size: u64) -> Option<VirtAddr> {
        let arch = self.kernel.machine().arch();
        let code = self.kernel.types().code()?;
        let base = self.kernel.running(VirtAddr::new(0)).get();
        let has_frame = |offset: &u64| {
            let before = start.get().wrapping_add(*offset).wrapping_sub(base.wrapping_add(1));
            code.unwind(before).is_some_and(|it| it.cfa.register == machine::numbers(arch).frame)
        };
        let step = if machine::pushes(arch) { 1 } else { 4 };
        let found = (step..size).step_by(step as usize).find(has_frame)?;
        Some(start.wrapping_add(found))
    }

    /// Lays the calls on the thread's stack. Returns the page to leave out of the dump, if one is
    /// missing.
    fn lay(
        &mut self,
        thread: Object,
        calls: &[Placed],
        options: &StackOptions,
    ) -> Result<Option<VirtAddr>, ImageError> {
        let dumping = self.is_dumping(thread)?;
        let (top, own_pcb) = self.kernel_stack(thread)?;
        self.set_system_calls(thread)?;
        let page = self.kernel.machine().page_size();
        let missing = (options.fault == Some(StackFault::Missing))
            .then(|| VirtAddr::new(top.page_start(page).get().wrapping_sub(page)));
        // The outer calls are in the page that is missing, the inner ones below it.
        let top = missing.map_or(top, |page| page.wrapping_add(OUTER));
        let curvnet = match self.kernel.has(thread, "td_vnet") {
            true => self.kernel.get(thread, "td_vnet")?,
            false => 0,
        };
        let mut layer = Layer::new(self.kernel.machine().arch(), top, thread.address, curvnet);
        layer.lay(self, calls, options)?;
        if let Some(fault) = options.fault {
            layer.damage(self, fault)?;
        }
        let pcb = match (dumping, options.cpu) {
            (true, _) => self.kernel.variable("dumppcb").unwrap_or(own_pcb),
            (false, Some(cpu)) => {
                self.set_thread_state(thread, &ThreadState::Running { cpu })?;
                self.stopped_pcb(cpu.into())?
            }
            (false, None) => own_pcb,
        };
        if options.fault != Some(StackFault::Lost) {
            self.save_registers(pcb, &layer)?;
        }
        Ok(missing)
    }

    /// What the numbers of its process's system calls mean.
    fn set_system_calls(&mut self, thread: Object) -> Result<(), ImageError> {
        let Some(vector) = self.kernel.address_of("elf_freebsd_sysvec") else { return Ok(()) };
        let type_id = self.kernel.types().find("struct proc")?;
        let process = VirtAddr::new(self.kernel.get(thread, "td_proc")?);
        self.kernel.set_if_any(Object::new(process, type_id), "p_sysent", vector.get())
    }

    /// The element of `stoppcbs`: an array, or in newer kernels a pointer to one.
    fn stopped_pcb(&mut self, cpu: u64) -> Result<Object, ImageError> {
        let type_id = self.kernel.types().find("struct pcb")?;
        let size = self.kernel.types().size_of(type_id)?;
        let all = self.kernel.variable("stoppcbs")?;
        let first = match self.kernel.elements(all)? {
            Some(_) => all.address,
            None => match self.kernel.load_uint(all)? {
                0 => {
                    let count = self.cpus.iter().max().map_or(1, |last| u64::from(*last) + 1);
                    let made = self.kernel.machine_mut().malloc("stoppcbs", size * count)?;
                    self.kernel.store(all, made.get())?;
                    made
                }
                known => VirtAddr::new(known),
            },
        };
        Ok(Object::new(first.wrapping_add(size.wrapping_mul(cpu)), type_id))
    }

    /// The function and the counter of each call.
    fn resolved(&self, options: &StackOptions) -> Result<Vec<Placed>, ImageError> {
        let mut placed: Vec<Placed> = Vec::new();
        for call in &options.calls {
            let (name, offset) = match call.function.split_once('+') {
                Some((name, offset)) => (name, Some(number(offset)?)),
                None => (call.function.as_str(), None),
            };
            let no_function = || ImageError::Refused(format!("there is no function {name}"));
            let start = self.lookup_symbol(name).ok_or_else(no_function)?;
            // What an entry point interrupted has not called it.
            let interrupted = placed.last().is_some_and(|inner| inner.entry);
            let callee = placed.last().filter(|_| !interrupted).map(|inner| inner.start);
            let mut place = self.placed(start, callee);
            if let Some(offset) = offset {
                (place.counter, place.framed) = (start.wrapping_add(offset), false);
            }
            placed.push(Placed {
                name: name.to_owned(),
                interrupted,
                entry: entries::is_entry(self.kernel.machine().arch(), name),
                trap: call.trap.clone(),
                ..place
            });
        }
        Ok(placed)
    }
}

fn number(text: &str) -> Result<u64, ImageError> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| ImageError::Refused(format!("{text} is no offset")))
}
