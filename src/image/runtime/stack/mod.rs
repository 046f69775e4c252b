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

use super::Runtime;
use super::thread_state::ThreadState;
use crate::addr::VirtAddr;
use crate::image::ImageError;
use crate::image::object::Object;

use call_sites::CallSites;
use layer::Layer;
use options::Placed;

pub use options::{StackCall, StackFault, StackOptions};

/// Bytes of the outer calls in a page that is missing.
const OUTER: u64 = 0x180;

impl Runtime {
    /// Gives `thread` this stack, and the registers that lead to it. Returns the page to leave
    /// out of the dump, if one is missing.
    ///
    /// # Errors
    /// There is no such function, or it does not call the next one.
    pub fn lay_stack(
        &mut self,
        thread: Object,
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
        let calls = self.resolved(options)?;
        let mut layer = Layer::new(self.kernel.machine().arch(), top, thread.address, curvnet);
        layer.lay(self, &calls, options)?;
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
        let sites = CallSites { runtime: self };
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
            let counter = match offset {
                Some(offset) => start.wrapping_add(offset),
                None => sites.behind_call(name, start, callee)?,
            };
            placed.push(Placed {
                name: name.to_owned(),
                start,
                counter,
                interrupted,
                entry: entries::is_entry(self.kernel.machine().arch(), name),
                trap: call.trap.clone(),
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
