//! Stacks that are alike become one, with all its threads.

use rustc_hash::FxHashMap;

use super::Stack;

/// The stacks in the order of the first thread of each.
pub(super) fn fold(stacks: Vec<Stack>) -> Vec<Stack> {
    let mut folded: Vec<Stack> = Vec::new();
    let mut known: FxHashMap<String, usize> = FxHashMap::default();
    for stack in stacks {
        let first = known.get(&key(&stack)).and_then(|number| folded.get_mut(*number));
        match first {
            Some(first) => join(first, stack),
            None => {
                known.insert(key(&stack), folded.len());
                folded.push(stack);
            }
        }
    }
    folded
}

/// What stacks that are alike have in common: functions, offsets, vnets and the end.
fn key(stack: &Stack) -> String {
    let mut key = stack.end.kind.to_owned();
    for frame in &stack.frames {
        let trap = frame.trap.as_ref().map(|trap| &trap.title);
        key += &format!("|{} {} {trap:?} {:?}", frame.address, frame.kind, frame.vnet);
    }
    key
}

/// Adds another stack. What differs between the threads is left out.
fn join(first: &mut Stack, other: Stack) {
    first.threads.extend(other.threads);
    if first.end != other.end {
        first.end.address = None;
    }
    for (frame, other) in first.frames.iter_mut().zip(other.frames) {
        frame.arguments.retain(|argument| other.arguments.contains(argument));
        if frame.registers != other.registers {
            frame.registers = None;
        }
        if let (Some(trap), Some(other)) = (&mut frame.trap, other.trap)
            && trap.description != other.description
        {
            trap.description.clone_from(&trap.title);
            (trap.address, trap.registers) = (None, None);
        }
    }
}
