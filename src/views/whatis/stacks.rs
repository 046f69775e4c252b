//! Kernel stacks: which frame an address is in.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::model::StackPart;
use crate::addr::VirtAddr;
use crate::target::Target;
use crate::target::code::RunningCode;
use crate::threads::ThreadName;
use crate::threads::stack::Unwound;
use crate::value::Object;

/// A thread's kernel stack.
#[derive(Debug)]
pub struct KernelStack<'t> {
    /// The thread.
    pub thread: Object<'t>,
    /// Its name.
    pub name: ThreadName,
    /// The lowest address.
    pub start: VirtAddr,
    /// Bytes.
    pub size: u64,
}

/// The frames of stacks that were asked for.
#[derive(Debug, Default)]
pub struct Frames {
    known: RefCell<FxHashMap<VirtAddr, Rc<Calls>>>,
}

/// The calls on a stack.
#[derive(Debug, Default)]
struct Calls {
    /// The stack pointer: what is below is not in use.
    pointer: Option<VirtAddr>,
    /// Innermost first: where the frame of a function ends, and its name.
    ends: Vec<(VirtAddr, Option<Box<str>>)>,
}

impl Frames {
    /// What an address in a thread's stack is.
    pub fn part<'t>(
        &self,
        stack: &KernelStack<'t>,
        code: &RunningCode<'t>,
        address: VirtAddr,
    ) -> StackPart {
        let calls = self.calls(stack, code);
        let unused = calls.pointer.is_some_and(|pointer| address < pointer);
        // Where the innermost frame begins, only the stack pointer says.
        let known = |number: usize| !unused && (number > 0 || calls.pointer.is_some());
        let place = calls.ends.iter().position(|(end, _)| address < *end);
        let frame = place.filter(|number| known(*number)).and_then(|at| calls.ends.get(at));
        let offset = address.offset_from(stack.start).unwrap_or(0);
        StackPart {
            thread: stack.name.clone(),
            start: stack.start,
            offset,
            depth: stack.size.saturating_sub(offset),
            frame: frame.and_then(|(_, name)| name.clone()),
            unused,
        }
    }

    fn calls<'t>(&self, stack: &KernelStack<'t>, code: &RunningCode<'t>) -> Rc<Calls> {
        let key = stack.thread.address;
        if let Some(known) = self.known.borrow().get(&key) {
            return Rc::clone(known);
        }
        let read = Rc::new(Calls::read(stack, code).unwrap_or_default());
        self.known.borrow_mut().insert(key, Rc::clone(&read));
        read
    }
}

impl Calls {
    fn read<'t>(stack: &KernelStack<'t>, code: &RunningCode<'t>) -> Option<Self> {
        let unwound = Unwound::of(&stack.thread, code).ok()?;
        let target = stack.thread.target();
        let inside = |at: &VirtAddr| at.offset_from(stack.start).is_some_and(|at| at < stack.size);
        let pointer = unwound.frames.first().and_then(|frame| frame.registers.stack);
        let word = target.arch().pointer_size();
        let mut ends = Vec::new();
        for pair in unwound.frames.windows(2) {
            let [frame, caller] = pair else { continue };
            // A frame ends behind its return address.
            let behind = caller.call.at.map(|at| at.wrapping_add(word));
            // Behind a trap frame comes the stack of what was interrupted.
            let end = frame.cfa.or(behind).or(caller.registers.stack);
            if let Some(end) = end.filter(inside) {
                ends.push((end, function(target, frame.looked_up())));
            }
        }
        Some(Self { pointer: pointer.filter(inside), ends })
    }
}

fn function(target: &Target, address: VirtAddr) -> Option<Box<str>> {
    target.symbolize(address).map(|(symbol, _)| symbol.name.into())
}
