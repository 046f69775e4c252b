//! Lays frames, from the outermost inwards.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::image::ImageError;
use crate::image::object::Object;
use crate::image::runtime::Runtime;
use crate::image::runtime::stack::machine::{self, numbers};
use crate::image::runtime::stack::options::{Placed, StackFault, StackOptions};
use crate::types::code::{Cfa, Code, Held, Registers, Rule, ScopedVariable, UnwindRules};

/// Bytes of a frame for variables, below the registers that it saves.
const ROOM: u64 = 0x60;

/// The machine in the middle of a call.
pub(super) struct Layer {
    pub arch: Arch,
    /// By their numbers in DWARF.
    pub registers: [u64; 32],
    pub stack: u64,
    /// The instruction that runs next.
    pub counter: u64,
    thread: VirtAddr,
    curvnet: u64,
    /// Where frames keep their callers' frame pointers, outermost first.
    pub links: Vec<VirtAddr>,
    top: u64,
    /// The newest trap frame.
    pub trapframe: u64,
}

/// Tells which register a variable is in: register N has this and N.
const MARK: u64 = 0x4d41_524b_0000_0000;

/// The registers, or marks in their places.
struct View<'a> {
    layer: &'a Layer,
    runtime: &'a Runtime,
    cfa: u64,
    marked: bool,
}

impl Registers for View<'_> {
    fn register(&self, number: u16) -> Option<u64> {
        match self.marked {
            true => Some(MARK | u64::from(number)),
            false => self.layer.register(number),
        }
    }

    fn cfa(&self) -> Option<u64> {
        Some(self.cfa)
    }

    fn memory(&self, address: VirtAddr, size: u64) -> Option<u64> {
        self.runtime.kernel().machine().uint(address, size).ok()
    }

    fn slide(&self) -> u64 {
        self.runtime.kernel().running(VirtAddr::new(0)).get()
    }
}

impl Layer {
    pub fn new(arch: Arch, top: VirtAddr, thread: VirtAddr, curvnet: u64) -> Self {
        let top = top.get() & !0xf;
        Self {
            arch,
            registers: [0; 32],
            stack: top,
            counter: 0,
            thread,
            curvnet,
            links: Vec::new(),
            top,
            trapframe: 0,
        }
    }

    pub fn register(&self, number: u16) -> Option<u64> {
        match number == numbers(self.arch).stack {
            true => Some(self.stack),
            false => self.registers.get(usize::from(number)).copied(),
        }
    }

    pub fn set(&mut self, number: u16, value: u64) {
        if number == numbers(self.arch).stack {
            self.stack = value;
        } else if let Some(register) = self.registers.get_mut(usize::from(number)) {
            *register = self.arch.wrap(value);
        }
    }

    /// All calls.
    pub fn lay(
        &mut self,
        runtime: &mut Runtime,
        calls: &[Placed],
        options: &StackOptions,
    ) -> Result<(), ImageError> {
        for (number, call) in calls.iter().enumerate().rev() {
            let outer = calls.get(number + 1);
            if call.entry {
                self.enter_kernel(runtime, call, outer, options)?;
                continue;
            }
            self.call(runtime, call, options)?;
        }
        Ok(())
    }

    /// The call of a function, which runs up to its counter.
    fn call(
        &mut self,
        runtime: &mut Runtime,
        call: &Placed,
        options: &StackOptions,
    ) -> Result<(), ImageError> {
        let word = self.arch.pointer_size();
        let numbers = numbers(self.arch);
        let cfa = self.stack;
        let back = self.counter;
        let exact = call.interrupted || call.counter == call.start;
        let place = call.counter.get().wrapping_sub(u64::from(!exact));
        let linked = place.wrapping_sub(runtime.kernel().running(VirtAddr::new(0)).get());
        let known = runtime.kernel().types().code().and_then(|code| code.unwind(linked));
        let rules = known.filter(|_| !call.framed).unwrap_or_else(|| self.usual());
        for (number, rule) in &rules.registers {
            let Rule::Saved(offset) = rule else { continue };
            let value = match *number == numbers.back {
                true => back,
                false => self.register(*number).unwrap_or(0),
            };
            let at = VirtAddr::new(self.arch.wrap(cfa.wrapping_add(offset.cast_unsigned())));
            runtime.kernel_mut().machine_mut().set_pointer(at, VirtAddr::new(value))?;
            if *number == numbers.frame {
                self.links.push(at);
            }
        }
        let saved = rules.registers.iter().filter_map(|(_, rule)| match rule {
            Rule::Saved(offset) => Some(*offset),
            _ => None,
        });
        let lowest = saved.min().unwrap_or(0).min(0).unsigned_abs();
        let base = cfa.wrapping_sub(rules.cfa.offset.cast_unsigned());
        if rules.cfa.register == numbers.stack || numbers.stack == 1 {
            self.stack = base;
            if rules.cfa.register == numbers.frame {
                self.set(numbers.frame, base);
            }
        } else {
            self.set(rules.cfa.register, base);
            self.stack = cfa.wrapping_sub(lowest + ROOM + word) & !0xf;
        }
        if numbers.stack == 1 {
            // The back chain.
            let at = VirtAddr::new(self.stack);
            runtime.kernel_mut().machine_mut().set_pointer(at, VirtAddr::new(cfa))?;
            self.links.push(at);
        }
        self.set(numbers.back, back);
        self.counter = call.counter.get();
        self.set_variables(runtime, call, linked, cfa, options)?;
        Ok(())
    }

    /// How functions without call frame information make their frames.
    fn usual(&self) -> UnwindRules {
        let word = self.arch.pointer_size().cast_signed();
        let numbers = numbers(self.arch);
        if numbers.stack == 1 {
            // powerpc keeps the return address in the caller's frame.
            return UnwindRules {
                cfa: Cfa { register: numbers.stack, offset: ROOM.cast_signed() },
                return_address: numbers.back,
                registers: vec![(numbers.back, Rule::Saved(2 * word))],
            };
        }
        let (offset, back, frame) = match self.arch {
            Arch::Riscv64 => (0, -word, -2 * word),
            _ => (2 * word, -word, -2 * word),
        };
        UnwindRules {
            cfa: Cfa { register: numbers.frame, offset },
            return_address: numbers.back,
            registers: vec![(numbers.back, Rule::Saved(back)), (numbers.frame, Rule::Saved(frame))],
        }
    }

    /// Gives the variables of a function their values, wherever they are.
    fn set_variables(
        &mut self,
        runtime: &mut Runtime,
        call: &Placed,
        linked: u64,
        cfa: u64,
        options: &StackOptions,
    ) -> Result<(), ImageError> {
        let mut places = Vec::new();
        if let Some(code) = runtime.kernel().types().code() {
            // Those of inlined functions come last: they are what is in a register now.
            for scope in code.scopes(linked).as_deref().unwrap_or_default().iter().rev() {
                for variable in &scope.variables {
                    let Some(value) = self.value_of(&code, call, variable, options) else {
                        continue;
                    };
                    let held = |marked| {
                        let view = View { layer: self, runtime, cfa, marked };
                        code.held(scope, variable, linked, &view)
                    };
                    let size = code.types().size_of(variable.type_id).unwrap_or(0);
                    match (held(false), held(true)) {
                        (Some(Held::At(at)), _) => places.push((Ok(at), value, size)),
                        (Some(Held::Value(_)), Some(Held::Value(marked)))
                            if marked & !0x1f == MARK =>
                        {
                            places.push((Err((marked & 0x1f) as u16), value, size));
                        }
                        _ => {}
                    }
                }
            }
        }
        for (place, value, size) in places {
            match place {
                // Other memory is not that of this call.
                Ok(at) if (self.stack..self.top).contains(&at.get()) => {
                    runtime.kernel_mut().machine_mut().set_uint(at, size, value)?;
                }
                Ok(_) => {}
                Err(number) if number != numbers(self.arch).frame => self.set(number, value),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn value_of(
        &self,
        code: &Code<'_>,
        call: &Placed,
        variable: &ScopedVariable<'_>,
        options: &StackOptions,
    ) -> Option<u64> {
        let name = format!("{}.{}", call.name, variable.name);
        let size = code.types().size_of(variable.type_id).ok()?;
        let given = options.variables.get(&name).copied();
        let usual = match &*variable.name {
            "td" => self.thread.get(),
            "saved_vnet" | "vnet" => self.curvnet,
            "frame" => self.trapframe,
            _ => u64::from(variable.is_parameter),
        };
        Some(given.unwrap_or(usual)).filter(|_| size <= 8)
    }

    /// Breaks the frame before the outermost, whose caller is known to have one.
    pub fn damage(&self, runtime: &mut Runtime, fault: StackFault) -> Result<(), ImageError> {
        let (Some(outer), Some(innermost)) = (self.links.get(1), self.links.last()) else {
            return Ok(());
        };
        let to = match fault {
            StackFault::Circle => *innermost,
            StackFault::Outside => VirtAddr::new(self.top.wrapping_add(0x1_0000)),
            StackFault::Missing | StackFault::Lost => return Ok(()),
        };
        runtime.kernel_mut().machine_mut().set_pointer(*outer, to)
    }
}

impl Runtime {
    /// Stores the registers in a pcb, as savectx and cpu_switch do.
    pub(super) fn save_registers(&mut self, pcb: Object, layer: &Layer) -> Result<(), ImageError> {
        // arm64's pcb begins with x19 since 14.
        let newer = self.kernel.member(pcb, "pcb_x[30]").is_err();
        let members = match newer {
            true => machine::newer_pcb_members(layer.arch),
            false => machine::pcb_members(layer.arch),
        };
        for (member, number) in members {
            if let (Ok(member), Some(value)) =
                (self.kernel.member(pcb, &member), layer.register(number))
            {
                self.kernel.store(member, value)?;
            }
        }
        let (stack, counters) = machine::pcb_pointers(layer.arch);
        let mut pointer = layer.stack;
        if machine::pushes(layer.arch) {
            // Both are called.
            pointer = pointer.wrapping_sub(layer.arch.pointer_size());
            let back = VirtAddr::new(layer.counter);
            self.kernel.machine_mut().set_pointer(VirtAddr::new(pointer), back)?;
        }
        self.kernel.set_if_any(pcb, stack, pointer).or_else(|_| {
            let member = self.kernel.member(pcb, stack)?;
            self.kernel.store(member, pointer)
        })?;
        if let Some(member) = counters.iter().find_map(|name| self.kernel.member(pcb, name).ok()) {
            self.kernel.store(member, layer.counter)?;
        }
        Ok(())
    }
}
