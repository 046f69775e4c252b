//! Goes from a thread's registers outwards, call by call.
//!
//! FreeBSD's kernels keep frame pointers, and these lead. Call frame information is used
//! where a function has no frame yet, where it keeps no frame pointer, and where the chain
//! breaks; where it agrees with the chain, it gives the registers that a function saved.

use crate::addr::VirtAddr;
use crate::arch::Arch;
use crate::kernel::SymbolKind;
use crate::target::Target;
use crate::target::code::RunningCode;
use crate::threads::general::{self, General};
use crate::threads::registers::{Origin, Registers};
use crate::threads::stack::cfi::{self, Unwound};
use crate::threads::stack::chain;
use crate::threads::stack::code::{self, Frame as SetUp, follows_call};
use crate::threads::stack::entry::TrapKind;
use crate::threads::stack::frame::{Call, End, FoundBy, Frame};
use crate::threads::stack::place::{function_at, unsigned};
use crate::threads::stack::trap::{self, Trap};

/// The longest chain that is followed; real ones have tens of frames.
const MOST_FRAMES: usize = 256;

/// The largest frame.
const LARGEST_FRAME: u64 = 1 << 20;

/// What leads outwards.
pub struct Unwinder<'a, 't> {
    pub target: &'t Target,
    /// The debug information about code, if it is to be used.
    pub code: Option<&'a RunningCode<'t>>,
    /// The thread's stack, if it is known.
    pub bounds: Option<(VirtAddr, u64)>,
}

/// Where the unwinder is.
struct Position {
    state: Registers,
    /// The frame lies above this.
    floor: Option<VirtAddr>,
    /// The counter is that of an instruction that has not run yet.
    exact: bool,
    /// The function may not have its frame yet.
    entered: bool,
}

/// The step to a caller.
struct Step {
    registers: Registers,
    at: Option<VirtAddr>,
    found: FoundBy,
    /// The stack pointer at the call.
    cfa: Option<VirtAddr>,
    /// The caller's frame lies above this.
    floor: Option<VirtAddr>,
}

impl Unwinder<'_, '_> {
    /// All calls that registers lead to, innermost first, and why there are no more.
    pub fn run(&self, registers: Registers, origin: Origin) -> (Vec<Frame>, End) {
        let exact = matches!(origin, Origin::Noted { .. });
        let mut at = Position {
            state: registers,
            floor: None,
            exact,
            // A pcb keeps the counter of a switch, which is a return address.
            entered: origin != Origin::Switched,
        };
        let mut frames = Vec::new();
        frames.extend(self.frame(&mut at.state, None, FoundBy::Counter, exact));
        loop {
            if frames.len() >= MOST_FRAMES {
                return (frames, End::TooLong);
            }
            let step = match self.step(&at) {
                Ok(step) => step,
                Err(end) => return (frames, end),
            };
            if let Some(last) = frames.last_mut() {
                last.cfa = step.cfa;
            }
            at =
                Position { state: step.registers, floor: step.floor, exact: false, entered: false };
            let Some(frame) = self.frame(&mut at.state, step.at, step.found, false) else {
                return (frames, End::Outermost);
            };
            frames.push(frame);
            if let Some(trap) = trap::behind(self.target, &at.state) {
                match self.interrupted(&mut frames, trap, &at.state) {
                    Ok(next) => at = next,
                    Err(end) => return (frames, end),
                }
            }
        }
    }

    /// Goes on with what `trap` interrupted.
    fn interrupted(
        &self,
        frames: &mut Vec<Frame>,
        trap: Trap,
        entry: &Registers,
    ) -> Result<Position, End> {
        let is_known = |frame: &Frame| frame.trap.as_ref().is_some_and(|it| it.at == trap.at);
        if frames.iter().any(is_known) {
            return Err(End::DoesNotRise { at: trap.at });
        }
        if trap.is_empty() {
            let ends = trap.kind == TrapKind::Fork || entry.frame.is_none_or(VirtAddr::is_null);
            return Err(if ends { End::Outermost } else { End::EmptyTrap { at: trap.at } });
        }
        let mut state = trap.registers;
        let (kind, from_user) = (trap.kind, trap.from_user);
        if let Some(last) = frames.last_mut() {
            last.trap = Some(trap);
        }
        if from_user {
            return Err(End::UserSpace);
        }
        if kind == TrapKind::Fork {
            return Err(End::Outermost);
        }
        // The address is 0 if a null pointer was called.
        state.counter = state.counter.or(Some(VirtAddr::new(0)));
        frames.extend(self.frame(&mut state, None, FoundBy::Trap, true));
        Ok(Position { state, floor: None, exact: true, entered: true })
    }

    fn caller_on_top(&self, registers: &Registers) -> Option<(VirtAddr, Option<VirtAddr>)> {
        let (back, at) = match self.target.arch() {
            Arch::Amd64 | Arch::I386 => {
                let at = registers.stack?;
                (self.target.memory().pointer(at).ok()?, Some(at))
            }
            _ => (registers.link?, None),
        };
        let back = unsigned(self.target, back);
        let before = VirtAddr::new(back.get().wrapping_sub(1));
        function_at(self.target, before)?;
        (follows_call(self.target, back) != Some(false)).then_some((back, at))
    }

    /// The frame with these registers; `None` if there is no counter.
    fn frame(
        &self,
        state: &mut Registers,
        at: Option<VirtAddr>,
        found: FoundBy,
        exact: bool,
    ) -> Option<Frame> {
        let counter = unsigned(self.target, state.counter?);
        state.counter = Some(counter);
        if counter.is_null() && found != FoundBy::Trap {
            return None;
        }
        let call = Call { address: counter, at, found };
        let exact = exact || found == FoundBy::Trap;
        Some(Frame { call, exact, registers: *state, cfa: None, trap: None })
    }

    /// The caller of what runs there.
    fn step(&self, position: &Position) -> Result<Step, End> {
        let Position { state, exact, entered, .. } = position;
        let (exact, entered) = (*exact, *entered);
        let by_rules = self.by_rules(state, exact);
        if entered {
            if let Some(step) = by_rules.filter(|_| exact).and_then(|it| self.accepted(state, it)) {
                return Ok(self.marked(position, step));
            }
            if let Some(step) = self.caller_of_entered(state, exact) {
                return Ok(step);
            }
        }
        let by_chain = self.by_chain(position);
        let rules = by_rules.and_then(|unwound| self.accepted(state, unwound));
        match (by_chain, rules) {
            (Ok(chain), Some(rules)) if chain.at == rules.at => {
                let registers = Registers { frame: chain.registers.frame, ..rules.registers };
                Ok(Step { registers, cfa: Some(rules.cfa), ..chain })
            }
            // The function keeps no frame pointer, so the chain would skip its caller.
            (_, Some(rules)) if !rules.by_frame => Ok(unwound(rules)),
            (Ok(chain), _) => Ok(chain),
            (Err(_), Some(rules)) => Ok(unwound(rules)),
            (Err(end), None) => Err(end),
        }
    }

    fn marked(&self, position: &Position, rules: Unwound) -> Step {
        // Where both agree, the chain is what found it.
        match self.by_chain(position) {
            Ok(chain) if chain.at == rules.at && chain.at.is_some() => {
                Step { found: FoundBy::Chain, ..unwound(rules) }
            }
            _ => unwound(rules),
        }
    }

    fn by_rules(&self, state: &Registers, exact: bool) -> Option<Unwound> {
        let counter = state.counter?;
        let back = u64::from(!exact);
        let place = VirtAddr::new(counter.get().wrapping_sub(back));
        cfi::unwind(self.target, self.code?.at(place)?, state)
    }

    /// Rules that lead into code, and outwards.
    fn accepted(&self, state: &Registers, unwound: Unwound) -> Option<Unwound> {
        let back = unsigned(self.target, unwound.registers.counter?);
        let rises = state.stack.is_none_or(|stack| unwound.cfa >= stack);
        let inside =
            self.is_inside(unwound.cfa) || !state.stack.is_some_and(|at| self.is_inside(at));
        let before = VirtAddr::new(back.get().wrapping_sub(1));
        let is_code = back.is_null() || function_at(self.target, before).is_some();
        (rises && inside && is_code).then_some(unwound)
    }

    /// The chain of frames.
    fn by_chain(&self, position: &Position) -> Result<Step, End> {
        let Position { state, floor, .. } = position;
        let Some(at) = state.frame.filter(|frame| !frame.is_null()) else {
            return Err(End::Outermost);
        };
        // Stacks grow downwards, so callers lie above; anything else is not a chain.
        if let Some(floor) = (*floor).max(state.stack) {
            if at < floor {
                return Err(End::DoesNotRise { at });
            }
            let far = at.offset_from(floor).is_none_or(|distance| distance >= LARGEST_FRAME);
            if far || (self.is_inside(floor) && !self.is_inside(at)) {
                return Err(End::LeavesStack { at });
            }
        }
        let link = chain::follow(self.target, at).map_err(|at| End::Unreadable { at })?;
        let registers = Registers {
            counter: Some(link.back),
            stack: link.stack,
            frame: Some(link.caller),
            link: None,
            general: General::default(),
        };
        let floor = link.stack.max(Some(at.wrapping_add(1)));
        let floor = if link.caller == at { Some(at.wrapping_add(1)) } else { floor };
        Ok(Step { registers, at: Some(link.at), found: FoundBy::Chain, cfa: link.stack, floor })
    }

    fn is_inside(&self, at: VirtAddr) -> bool {
        // The frame of the outermost function may end where the stack does.
        self.bounds.is_some_and(|(base, len)| at.offset_from(base).is_some_and(|used| used <= len))
    }

    /// The call of a function that has no frame yet. The chain of frames does not have it.
    fn caller_of_entered(&self, state: &Registers, is_exact: bool) -> Option<Step> {
        let target = self.target;
        let counter = state.counter?;
        let Some((symbol, offset)) = target.symbolize(counter) else {
            let (back, at) = self.caller_on_top(state).filter(|_| is_exact)?;
            return Some(self.entered(state, back, at, 1));
        };
        if symbol.kind == SymbolKind::Object || (offset != 0 && !is_exact) {
            return None;
        }
        let frame = code::frame(target, symbol.address, offset);
        let at_stack = |words: u64| {
            let at = state.stack?.wrapping_add(words * target.arch().pointer_size());
            let address = unsigned(target, target.memory().pointer(at).ok()?);
            Some((Call { address, at: Some(at), found: FoundBy::Entry }, words + 1))
        };
        let link = || {
            let address = unsigned(target, state.link?);
            Some((Call { address, at: None, found: FoundBy::Entry }, 0))
        };
        let on_stack = matches!(target.arch(), Arch::Amd64 | Arch::I386);
        let candidates = match frame {
            SetUp::There => [None, None],
            SetUp::NotYet if on_stack => [at_stack(0), None],
            // A breakpoint leaves the counter after the first byte, which has not run yet.
            SetUp::Pushed => [at_stack(1), at_stack(0)],
            SetUp::NotYet => [link(), None],
        };
        let returns = |(call, _): &&(Call, u64)| match follows_call(target, call.address) {
            Some(follows) => follows || (is_exact && frame == SetUp::NotYet),
            None => is_exact,
        };
        let is_code = |(call, _): &&(Call, u64)| {
            function_at(target, VirtAddr::new(call.address.get().wrapping_sub(1))).is_some()
        };
        let (call, words) = candidates.iter().flatten().filter(is_code).find(returns)?;
        Some(self.entered(state, call.address, call.at, *words))
    }

    fn entered(&self, state: &Registers, back: VirtAddr, at: Option<VirtAddr>, words: u64) -> Step {
        let arch = self.target.arch();
        let taken = at.map_or(0, |_| words * arch.pointer_size());
        let stack = state.stack.map(|stack| stack.wrapping_add(taken));
        let mut general = General::default();
        for number in (0..32).filter(|number| general::is_preserved(arch, *number)) {
            general.set(number, state.general.get(number));
        }
        let registers =
            Registers { counter: Some(back), stack, frame: state.frame, link: None, general };
        Step { registers, at, found: FoundBy::Entry, cfa: stack, floor: stack }
    }
}

fn unwound(rules: Unwound) -> Step {
    let cfa = Some(rules.cfa);
    Step { registers: rules.registers, at: rules.at, found: FoundBy::Rules, cfa, floor: cfa }
}
