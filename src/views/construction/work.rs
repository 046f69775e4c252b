//! The thread that builds a vnet or tears it down, and what it is in.

use std::sync::OnceLock;

use super::direction::Direction;
use crate::addr::VirtAddr;
use crate::parallel;
use crate::target::{ReadError, Target};
use crate::threads::stack::{Call, Stack};
use crate::threads::{Thread, ThreadName};
use crate::vnet::{Sysinits, Vnet, VnetSysinit};
use crate::walk::{Problems, Walk};

/// The threads among which are those that build vnets and tear them down.
#[derive(Debug)]
pub struct Workers<'t> {
    threads: Vec<Thread<'t>>,
    /// Those in vnet_alloc or vnet_destroy; empty until that is asked for. Of
    /// thousands of threads they are few, and there may be hundreds of vnets to ask for.
    at_work: OnceLock<Vec<AtWork<'t>>>,
    /// Why others may be missing.
    pub(super) problems: Problems,
}

/// A thread whose stack leads into vnet_alloc or vnet_destroy.
#[derive(Debug)]
struct AtWork<'t> {
    thread: Thread<'t>,
    stack: Stack,
    curvnet: Option<VirtAddr>,
}

/// What a thread does in vnet_alloc or vnet_destroy.
#[derive(Debug)]
pub(super) struct Work {
    pub thread: ThreadName,
    pub direction: Direction,
    /// The chain of frames leads to vnet_alloc or vnet_destroy; else a word does.
    pub certain: bool,
    pub inside: Inside,
}

/// What runs inside vnet_alloc or vnet_destroy: the addresses of the candidates.
#[derive(Debug)]
pub(super) enum Inside {
    /// From the chain of frames: one, or several that share a function.
    Certain(Vec<VirtAddr>),
    /// From words of the stack.
    Possible(Vec<VirtAddr>),
}

impl<'t> Workers<'t> {
    /// Some of these threads. None if there is no debug information of threads.
    pub(crate) fn among(threads: Result<Walk<Thread<'t>>, ReadError>) -> Self {
        let mut problems = Problems::default();
        let threads = threads.map(|walk| walk.take(&mut problems)).unwrap_or_default();
        Self { threads, at_work: OnceLock::new(), problems }
    }

    /// The thread that works on this vnet. Its curvnet is the vnet, except while a function
    /// has set another: then the vnet's address is somewhere on its stack.
    pub(super) fn work_on(&self, sysinits: &Sysinits, vnet: &Vnet) -> Option<Work> {
        let at_work = self.at_work.get_or_init(|| self.find_at_work());
        let is_in = |it: &&AtWork<'_>| it.curvnet == Some(vnet.address);
        let work = |it: &AtWork<'_>| Work::find(sysinits, vnet, &it.thread, &it.stack);
        let inside = at_work.iter().filter(is_in).filter_map(work);
        let outside = at_work.iter().filter(|it| !is_in(it));
        let outside = outside.filter(|it| it.stack.mentions(vnet.address)).filter_map(work);
        inside.chain(outside).next()
    }

    fn find_at_work(&self) -> Vec<AtWork<'t>> {
        let Some(target) = self.threads.first().map(|thread| thread.thread.target()) else {
            return Vec::new();
        };
        let runners = Direction::BOTH.map(|direction| Runner::of(target, direction));
        let look = |thread: &Thread<'t>| {
            let stack = Stack::of(&thread.thread).ok()?;
            let is_at_work = runners.iter().any(|runner| runner.find(target, &stack).is_some());
            let curvnet = thread.thread.pointer("td_vnet").ok();
            is_at_work.then_some(AtWork { thread: *thread, stack, curvnet })
        };
        let mut at_work = Vec::new();
        parallel::for_each(&self.threads, parallel::jobs_for(self.threads.len()), look, |found| {
            at_work.extend(found);
            true
        });
        at_work
    }
}

impl Work {
    fn find(sysinits: &Sysinits, vnet: &Vnet, thread: &Thread<'_>, stack: &Stack) -> Option<Self> {
        let target = thread.thread.target();
        let found = Direction::BOTH.into_iter().filter_map(|direction| {
            let runner = Runner::of(target, direction);
            let (at, inner, certain) = runner.find(target, stack)?;
            let inside = inside(target, direction.of(sysinits), vnet, stack, at, inner);
            Some(Self { thread: thread.name(), direction, certain, inside })
        });
        // Words left by an earlier call may point in the other direction.
        found.max_by_key(|work| {
            let (shown, any) = match &work.inside {
                Inside::Certain(sysinits) => (true, !sysinits.is_empty()),
                Inside::Possible(sysinits) => (false, !sysinits.is_empty()),
            };
            (work.certain, shown, any)
        })
    }
}

/// Where on a stack the functions of one direction are run.
struct Runner {
    functions: Vec<VirtAddr>,
}

impl Runner {
    fn of(target: &Target, direction: Direction) -> Self {
        let symbols =
            direction.runners().into_iter().filter_map(|name| target.kernel().symbol(name));
        Self { functions: symbols.map(|symbol| symbol.address).collect() }
    }

    /// The place on the stack of the innermost call within them, the calls inside of
    /// that, and whether the chain of frames leads there.
    fn find<'s>(
        &self,
        target: &Target,
        stack: &'s Stack,
    ) -> Option<(Option<VirtAddr>, &'s [Call], bool)> {
        let is_here = |call: &Call| {
            Stack::function(target, call).is_some_and(|start| self.functions.contains(&start))
        };
        if let Some(index) = stack.calls.iter().position(is_here) {
            let inner = stack.calls.get(..index).unwrap_or_default();
            return Some((stack.calls.get(index)?.at, inner, true));
        }
        let word = stack.words.iter().find(|call| is_here(call))?;
        Some((word.at, &[], false))
    }
}

/// What of `list` runs inside the call at `at`: from the calls of the chain, the outermost
/// first; or by words of the stack.
fn inside(
    target: &Target,
    list: &[VnetSysinit],
    vnet: &Vnet,
    stack: &Stack,
    at: Option<VirtAddr>,
    inner: &[Call],
) -> Inside {
    let state = vnet.state.as_ref().map(|state| state.value);
    let entries = |call: &Call| -> Vec<VirtAddr> {
        let Some(start) = Stack::function(target, call) else { return Vec::new() };
        let known = list.iter().filter(|sysinit| {
            sysinit.function.as_ref().is_ok_and(|function| function.address == start)
                && (state.is_none() || sysinit.subsystem_value() == state)
        });
        known.map(|sysinit| sysinit.address).collect()
    };
    let by_chain = inner.iter().rev().map(entries).find(|found| !found.is_empty());
    if let Some(found) = by_chain {
        return Inside::Certain(found);
    }
    let below = stack.words.iter().filter(|call| call.at < at);
    let mut possible: Vec<VirtAddr> = below.flat_map(entries).collect();
    possible.sort_unstable();
    possible.dedup();
    Inside::Possible(possible)
}
